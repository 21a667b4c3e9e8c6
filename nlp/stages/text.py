"""Text as the other stages read it: cleaned with a way back to the original, and as lemmas for search."""

from __future__ import annotations

import html
import re
import threading
import unicodedata
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

MAX_CHARACTERS = 20_000  # of a post that are read; what stands after them is kept but not analysed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A cleaned text. `starts[i]` is the place in the original that character `i` came from."""

    text: str
    length: int  #: characters of the original
    starts: array[int] | None = None  #: None: nothing was moved, positions are the same

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The same stretch in the original; an empty stretch stays empty.

        It ends right after the last character that it shows: what was dropped behind it stays outside.
        """
        if self.starts is None:
            return start, stop
        if stop <= start:
            place = self.starts[start] if start < len(self.starts) else self.length
            return place, place
        return self.starts[start], self.starts[stop - 1] + 1


def clean(text: str) -> str:
    """The text without markup, invisible signs and tricks; case stays unless all of it is capitals.

    Links, addresses and phones become [LINK], @user, [EMAIL], [PHONE].
    """
    return read(text).text


def read(text: str) -> Reading:
    """The cleaned text with the way back to the original's positions; no more than MAX_CHARACTERS of it."""
    length = len(text)
    draft = _Draft(text[:MAX_CHARACTERS])
    for gate, pattern, replace in _PASSES:
        if gate is None or gate.search(draft.text):
            draft.substitute(pattern, replace)
    if _is_shouted(draft.text):
        draft.text = _lower(draft.text)
    return Reading(text=draft.text, length=length, starts=draft.starts)


class _Draft:
    """A text under work; `starts` appears with the first change."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts: array[int] | None = None

    def substitute(self, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str]) -> None:
        pieces: list[str] = []
        starts = array("l")
        done = 0
        for match in pattern.finditer(self.text):
            new = replace(match)
            if new == match.group():
                continue
            begin, end = match.span()
            pieces += (self.text[done:begin], new)
            starts.extend(self._starts(done, begin))
            starts.extend(_spread(self._starts(begin, end), len(new)))
            done = end
        if not pieces:
            return
        starts.extend(self._starts(done, len(self.text)))
        self.text, self.starts = "".join([*pieces, self.text[done:]]), starts

    def _starts(self, begin: int, end: int) -> array[int] | range:
        return range(begin, end) if self.starts is None else self.starts[begin:end]


def _spread(old: array[int] | range, size: int) -> list[int]:
    """Places of `size` new characters over the old ones: equal sizes one to one, else first … last."""
    if size <= len(old):
        return [*old[: size - 1], old[-1]] if size else []
    return [*old, *[old[-1]] * (size - len(old))]


# --- passes -------------------------------------------------------------------------------------------

_SCRIPT = re.compile(r"<(script|style)\b[^<>]{0,200}>.{0,5000}?</\1\s{0,9}>", re.I | re.S)
_TAG = re.compile(r"<!--.{0,2000}?-->|</?[a-z][^<>]{0,500}>", re.I | re.S)
_ENTITY = re.compile(r"&(?:#\d{2,7}|#x[0-9a-f]{2,6}|[a-z]{2,8}\d{0,2});", re.I)
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]+"
)
_COMBINED = re.compile(r"[^\W\d_][\u0300-\u036f\u0483-\u0489]+|[\u0300-\u036f\u0483-\u0489]+")
_COMPATIBLE = re.compile("[\uff01-\uff5e\ufb00-\ufb06\U0001d400-\U0001d7ff]")
_LINE_END = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c]")
_BLANK = re.compile(r"[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_LINES = re.compile(r" ?\n[\n ]*")
_VK_NAME = re.compile(r"\[(?:id|club|public|event)\d+(?::bp-\d+_\d+)?\|[^\]\n]{0,200}\]")
_LINK = re.compile(
    r"(?:https?://|www\.)[^\s<>\"«»]{1,2000}"
    r"|(?<![\w.@-])(?:[a-z0-9](?:[a-z0-9-]{0,62})\.){1,5}(?:ru|рф|com|net|org|su|me|info|example|online|site|xyz)"
    r"(?![\w.-]\w)(?:/[^\s<>\"«»]{0,2000})?",
    re.I,
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4}")
_MENTION = re.compile(r"(?<![\w@/.])@[A-Za-z]\w{2,63}")
_PHONE = re.compile(r"(?<![\w-])(?:\+7|8)[\s(-]{0,2}9\d{2}[\s)-]{0,2}\d{3}[\s-]?\d{2}[\s-]?\d{2}(?!\w)")
_MIXED = re.compile(r"[A-Za-z][А-Яа-яЁё]|[А-Яа-яЁё][A-Za-z]")
_WORD = re.compile(r"[A-Za-zА-Яа-яЁё]{2,}")
_STRETCHED = re.compile(r"([а-яё])\1{2,}", re.I)
_STRETCHED_SIGN = re.compile(r"([!?.,)(])\1{3,}")
_CYRILLIC = re.compile(r"[А-Яа-яЁё]")
_LATIN = re.compile(r"[A-Za-z]")

_LOOKALIKES = str.maketrans("aceopxykABCEHKMOPTXYmtb", "асеорхукАВСЕНКМОРТХУмтв")
_LOOKALIKE_LETTERS = frozenset("aceopxykABCEHKMOPTXYmtb")


def _compose(match: re.Match[str]) -> str:
    """«и» + breve is «й»; a stress mark or an ornament is dropped."""
    base = match.group()[0]
    if unicodedata.combining(base):
        return ""
    composed = unicodedata.normalize("NFC", match.group()[:2])
    return composed if len(composed) == 1 and composed in "йёЙЁ" else base


def _to_cyrillic(match: re.Match[str]) -> str:
    """In a text that mixes letters, a word whose Latin letters all look like Cyrillic ones is a trick."""
    word = match.group()
    latin = set(_LATIN.findall(word))
    return word.translate(_LOOKALIKES) if latin and latin <= _LOOKALIKE_LETTERS else word


_PASSES: tuple[tuple[re.Pattern[str] | None, re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile("<"), _SCRIPT, lambda match: " "),
    (re.compile("<"), _TAG, lambda match: " "),
    (re.compile("&"), _ENTITY, lambda match: html.unescape(match.group())),
    (None, _INVISIBLE, lambda match: ""),
    (re.compile("[\u0300-\u036f\u0483-\u0489]"), _COMBINED, _compose),
    (None, _COMPATIBLE, lambda match: unicodedata.normalize("NFKC", match.group())),
    (re.compile(r"\|"), _VK_NAME, lambda match: "@user"),
    (re.compile("@"), _EMAIL, lambda match: "[EMAIL]"),
    (re.compile("@"), _MENTION, lambda match: "@user"),
    (re.compile(r"\.[a-zр]|://", re.I), _LINK, lambda match: "[LINK]"),
    (re.compile(r"9\d\d"), _PHONE, lambda match: "[PHONE]"),
    (_MIXED, _WORD, _to_cyrillic),
    (None, _STRETCHED, lambda match: match.group(1)),
    (None, _STRETCHED_SIGN, lambda match: match.group(1) * 3),
    (None, _LINE_END, lambda match: "\n"),
    (None, _BLANK, lambda match: " "),
    (re.compile("\n"), _LINES, lambda match: "\n\n" if match.group().count("\n") > 1 else "\n"),
)


def _is_shouted(text: str) -> bool:
    letters = [sign for sign in text[:400] if sign.isalpha()]
    return len(letters) >= 12 and sum(map(str.isupper, letters)) > 0.7 * len(letters)


def _lower(text: str) -> str:
    """Lower case that never changes the length («İ» would)."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(sign.lower() if len(sign.lower()) == 1 else sign for sign in text)


# --- lemmas -------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Lower case and ё→е; the length stays."""
    return _lower(text).replace("ё", "е")


def lemmas(text: str, names: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Lemmas in the order of the text: lower case, ё→е, letters and digits only.

    `names` maps folded forms of settlement names to their lemma: morphology alone mangles them
    («Курлове» → «курлов»). None: those of the shipped pack. Posts and queries must be read with the
    same names: where the pack is chosen by a setting, call `District.lemmas`, which brings its own.
    """
    if names is None:
        from nlp.district import shipped_names  # the pack reads texts too, so the import waits

        names = shipped_names()
    return cleaned_lemmas(clean(text), names)


def cleaned_lemmas(cleaned: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """As `lemmas`, of a text that is clean already."""
    return tuple(names.get(word) or _lemma(word) for word in _TOKEN.findall(fold(cleaned)))


def tokens(text: str) -> tuple[str, ...]:
    """Folded words of a text, letters and digits only."""
    return tuple(_TOKEN.findall(fold(text)))


_known: dict[str, str] = {}
_KNOWN_LIMIT = 300_000  # words; a district's vocabulary in a year is about 100,000


def _lemma(word: str) -> str:
    found = _known.get(word)
    if found is None:
        found = _parse(word)
        if len(_known) >= _KNOWN_LIMIT:
            _known.clear()
        _known[word] = found
    return found


def _parse(word: str) -> str:
    if not _CYRILLIC.search(word) or len(word) > 40:
        return word
    with _vocabulary_lock:  # pymorphy2 promises nothing about threads
        return str(vocabulary().parse(word)[0].normal_form).replace("ё", "е")


@lru_cache(maxsize=50_000)
def grammemes(word: str) -> frozenset[str]:
    """All grammemes that any reading of a word has: «NOUN», «loct», «Name» …; empty for no word."""
    if not word:
        return frozenset()
    with _vocabulary_lock:
        return frozenset(each for parse in vocabulary().parse(word) for each in parse.tag.grammemes)


@lru_cache(maxsize=50_000)
def likeliest(word: str) -> frozenset[str]:
    """Grammemes of the likeliest reading of a word; empty for no word."""
    if not word:
        return frozenset()
    with _vocabulary_lock:
        return frozenset(vocabulary().parse(word)[0].tag.grammemes)


def is_word(word: str) -> bool:
    """Whether the dictionary has it."""
    with _vocabulary_lock:
        return bool(vocabulary().word_is_known(word))


_vocabulary_lock = threading.RLock()


@cache
def vocabulary():  # type: ignore[no-untyped-def]  # natasha has no types
    """natasha's dictionary of Russian words, loaded at the first use (0.5 s)."""
    from natasha import MorphVocab

    return MorphVocab()
