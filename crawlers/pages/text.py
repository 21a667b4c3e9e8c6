"""Texts as they are kept: markup of the network resolved, personal data masked, nothing invisible inside."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

MAX_CHARACTERS = 100_000  # longer texts are cut: no resident writes them, and no model reads them


def clean(text: str) -> str:
    """A text as people see it: no invisible characters, plain spaces, at most two line ends in a row."""
    text = text[: 4 * MAX_CHARACTERS]
    if not text.isascii():
        if _UNWANTED.search(text):  # one set of letters: far cheaper than the rules on joiners
            text = _SURROGATES.sub("", text)
            text = _INVISIBLE.sub("", text)
        text = text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
    if _ODD.search(text):
        text = _LINE_ENDS.sub("\n", text)
        text = _CONTROLS.sub("", text)
        text = _SPACES.sub(" ", text)
        text = _GAP.sub("\n\n", text)
    return text.strip()[:MAX_CHARACTERS]


_UNWANTED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u200d\ud800-\udfff]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_INVISIBLE = re.compile(  # zero-width joiners stay inside emoji: 👨‍👩‍👧 is one picture
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]"
    "|(?<![\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d|\u200d(?![\u2190-\u2bff\U0001f000-\U0001faff])"
)
_ODD = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|\n\s*\n\s*\n"
)
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\x85\x0b\x0c]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_SPACES = re.compile("[\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_GAP = re.compile(r"\n[^\S\n]*\n\s*\n")


def from_markup(text: str) -> str:
    """Entities and <br> of a text that the network sends half-escaped: «&quot;да&quot;<br>» → «"да"\\n»."""
    if "<" in text:
        text = _BREAK.sub("\n", text)
    return html.unescape(text) if "&" in text else text


_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def mask(text: str) -> str:
    """Personal data replaced by [USER] [PHONE] [EMAIL] [CARD] [DOC] [LINK]; hotlines (8-800) stay.

    Masking twice changes nothing more.
    """
    if "@" in text or "*id" in text:
        text = _EMAIL.sub("[EMAIL]", text)
        text = _AT_NAME.sub("[USER]", text)
    if "/" in text:
        text = _PROFILE.sub("[LINK]", text)
    if _FIVE_DIGITS.search(text):
        text = _DOCUMENT.sub(r"\1[DOC]", text)
        text = _SNILS.sub("[DOC]", text)
        text = _CARD.sub(_card, text)
        text = _PHONE.sub(_phone, text)
        text = _LOCAL_PHONE.sub(r"\1[PHONE]", text)
    return text


_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_AT_NAME = re.compile(
    r"(?<![\w@./])@(?:id[0-9]+|[A-Za-z][A-Za-z0-9_.]{2,31})(?:\s?\([^()\n]{1,80}\))?(?<![.])|(?<![\w*])\*id[0-9]+(?:\s?\([^()\n]{1,80}\))?"
)
_PROFILE = re.compile(
    r"(?:https?://)?(?:(?:m|www)\.)?(?:vk\.(?:com|ru)/(?:id|wall|photo|video|doc|album)[0-9]+|(?:ok|odnoklassniki)\.ru/profile/[0-9]+"
    r"|t\.me/\+[0-9]{7,15}|wa\.me/[0-9]{7,15})(?:[/?#]\S*)?"
)
_FIVE_DIGITS = re.compile(r"[0-9](?:[^\S\n]?[-()]?[^\S\n]?[0-9]){4}")
_DOCUMENT = re.compile(
    r"((?:паспорт\w*|серия)[^0-9\n]{0,20})[0-9]{2}\s?[0-9]{2}[\s,]*(?:(?:№|номер|N)\s*)?[0-9]{6}(?![0-9])",
    re.IGNORECASE,
)
_SNILS = re.compile(r"(?<![0-9-])[0-9]{3}-[0-9]{3}-[0-9]{3}[\s-][0-9]{2}(?![0-9])")
_CARD = re.compile(
    r"(?<![\w/=.+-])(?:[0-9]{4}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:[ -]?[0-9]{2,3})?)(?![0-9])"
)
_PHONE = re.compile(
    r"(?<![\w/=.+-])(?:"
    r"(?:\+\s?7|8|7)[\s-]{0,2}\(?[0-9]{3,5}\)?(?:[\s-]{0,2}[0-9]){5,7}"  # 8 (49241) 2-15-33, +7 910 123-45-67
    r"|\([0-9]{3,5}\)[\s-]{0,2}[0-9](?:[\s-]{0,2}[0-9]){4,6}"  # (49241) 2-15-33
    r"|9[0-9]{2}[\s-]?[0-9]{3}[\s-]?[0-9]{2}[\s-]?[0-9]{2}"  # 910 123 45 67
    r"|\+[1-9][0-9]{1,2}[\s-]?(?:[\s()-]{0,2}[0-9]){8,11}"  # another country
    r")(?![0-9]|[.,][0-9])"
)
_LOCAL_PHONE = re.compile(
    r"((?:тел(?:ефон\w*)?|звон\w+|т)[.:]?[^\S\n]{0,2}(?:по\s)?[:№]?[^\S\n]?)[0-9]{1,3}-[0-9]{2}-[0-9]{2}(?![0-9-])",
    re.IGNORECASE,
)


def _phone(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found[0])
    if digits[:4] in ("8800", "7800") and len(digits) == 11:
        return found[0]  # a hotline is nobody's own
    is_whole = len(digits) in (10, 11) or found[0].startswith("+")
    return "[PHONE]" if is_whole else found[0]


def _card(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found[0])
    is_grouped = len(digits) == 16 and not found[0].isdecimal()
    return "[CARD]" if is_grouped or _luhn(digits) else found[0]


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def without_spans(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with [USER] instead of these spans (start, length), which count UTF-16 units as messengers
    do; a span that does not fit is left alone."""
    if not spans:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    for start, length in sorted(spans, reverse=True):
        if start >= 0 and length > 0 and 2 * (start + length) <= len(units):
            units = units[: 2 * start] + "[USER]".encode("utf-16-le") + units[2 * (start + length) :]
    return units.decode("utf-16-le", "replace")


def presentable(text: str) -> str:
    """Cleaned and masked: what page objects put into `Post.text`, titles and texts of attachments."""
    return mask(clean(text))
