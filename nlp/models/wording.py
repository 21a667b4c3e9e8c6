"""Folds a text to the one spelling that encoder and heads read: tricks and decoration never reach them."""

from __future__ import annotations

import html
import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_TAG = re.compile(r"<[/!a-zA-Z][^<>]{0,300}>")
_VK_MENTION = re.compile(r"\[(?:id|club|public)\d+\|([^\]]{1,80})\]")
_LINK = re.compile(r"(?:https?://|www\.|t\.me/|vk\.com/)\S+", re.IGNORECASE)
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+\.\w+\b")
_USER = re.compile(r"(?<!\w)@\w+")
_PHONE = re.compile(r"(?<![\d\[])(?:\+7|8)[\s(-]*\d{3}[\s)-]*\d{3}[\s-]*\d{2}[\s-]*\d{2}(?!\d)")
_MIXED = re.compile(r"\b(?=\w*[а-яё])(?=\w*[a-z])\w+\b")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_REPEATED = re.compile(r"([^\w\s])\1{2,}")
_GLUED = re.compile(r"([,;:!?)]|(?<!\d)\.)(?=[а-яa-z])")
_SPACES = re.compile(r"\s+")
_LOOKALIKE = str.maketrans("abcehkmoptxyu3", "авсенкмортхуиз")


def fold(text: str) -> str:
    """Lower case, ё→е, invisible characters, markup and look-alikes gone, links and phones by their kind.

    Folding a folded text changes nothing that a model sees. Bounded: the caller cuts the length first.
    """
    text = unicodedata.normalize("NFKC", html.unescape(text) if "&" in text else text)
    text = _INVISIBLE.sub("", text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "[" in text:
        text = _VK_MENTION.sub(r"\1", text)
    text = _LINK.sub("[link]", text)
    if "@" in text:
        text = _USER.sub("@user", _EMAIL.sub("[email]", text))
    text = _PHONE.sub("[phone]", text).lower().replace("ё", "е")
    text = "".join(c for c in text if not unicodedata.combining(c)) if not text.isascii() else text
    text = _MIXED.sub(lambda word: word.group().translate(_LOOKALIKE), text)
    text = _REPEATED.sub(r"\1\1", _STRETCHED.sub(r"\1", text))
    return _SPACES.sub(" ", _GLUED.sub(r"\1 ", text)).strip()
