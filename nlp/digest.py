"""A short account of a story or a day in the residents' own sentences, each with the posts it comes from."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from index.domain.analysis import Intent
from index.posts.query import Record
from nlp.growth import THIN
from nlp.linking import cosine
from nlp.stages.text import clean, tokens

MIN_POSTS, MIN_AUTHORS = 3, 2  # less is no ground for a summary

_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")
_CITED = re.compile(r"\s*\[([^\[\]]{1,4000})\]")
#: Ends a sentence of a retelling: the sign may stand before or after the citation.
_TOLD_SENTENCE = re.compile(r"(?<=[.!?…])\s+(?!\[)|(?<=\])\s+(?=[А-ЯЁA-Z«\-—•*\d])|\n+")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_NO = re.compile(
    r"\b(?:не|нет|ни|без|отсутств\w*|невозможн\w*|нельзя|никто|ничего|никак\w*)\b", re.IGNORECASE
)
#: Number words by their stems; «один» says too little to be one.
_NUMBER_STEMS = (
    (2, "два две двух двум двое втор"), (3, "три трех трем трое трет"), (4, "четыр четвер четверт"),
    (5, "пять пяти пятер пят"), (6, "шест"), (7, "семь семи семер седьм"), (8, "восем восьм"),
    (9, "девят"), (10, "десят"), (11, "одиннадцат"), (12, "двенадцат"), (13, "тринадцат"),
    (14, "четырнадцат"), (15, "пятнадцат"), (16, "шестнадцат"), (17, "семнадцат"), (18, "восемнадцат"),
    (19, "девятнадцат"), (20, "двадцат"), (30, "тридцат"), (40, "сорок"), (50, "пятьдесят пятидесят"),
    (60, "шестьдесят шестидесят"), (70, "семьдесят семидесят"), (80, "восемьдесят восьмидесят"),
    (90, "девяност"), (100, "сто ста сотн"), (200, "двести двухсот"), (300, "триста трехсот"),
    (400, "четырест четырехсот"), (500, "пятьсот пятисот"), (600, "шестьсот шестисот"),
    (700, "семьсот семисот"), (800, "восемьсот восьмисот"), (900, "девятьсот девятисот"),
    (1000, "тысяч"),
)  # fmt: skip
_OWN_WORDS = 0.5  # share of a sentence's words of content that the posts it cites must have
_LIKE = 0.6  # cosine from which two sentences say the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Words of a post; `post_ids` are all posts that say it, the quoted one first."""

    text: str
    post_ids: tuple[str, ...]
    is_quote: bool = True  #: False: a language model retold them


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Sentences in the order of events, and a note where there is too little to tell."""

    sentences: tuple[Sentence, ...]
    posts: int
    authors: int
    note: str = ""  #: THIN when the data are too few
    notice: str = ""  #: Russian: who retold it, or why nobody did; empty: nobody was asked


PlacesOf: TypeAlias = Callable[[str], Iterable[str]]  #: canonical settlements that a text names


def digest(records: Iterable[Record], *, limit: int = 5) -> Digest:
    """Up to `limit` sentences that stand for the most posts, quoted word for word. Pure, repeatable."""
    told = [r for r in records if r.analysis is None or r.analysis.intent is not Intent.AD]
    told.sort(key=lambda record: (record.post.published_at, record.post.id))
    authors = len({record.post.author for record in told})
    if len(told) < MIN_POSTS or authors < MIN_AUTHORS:
        return Digest(sentences=(), posts=len(told), authors=authors, note=THIN)
    chosen = _choose(_sentences(told), limit)
    return Digest(sentences=tuple(chosen), posts=len(told), authors=authors)


def only_cited(rewritten: str, source: Digest, *, places: PlacesOf = lambda text: ()) -> tuple[Sentence, ...]:
    """What may be kept of a text that a language model made of a digest.

    A sentence stays when it cites posts of the digest («… [vk:-1_2]»), every number, place and name in it
    stands in what those posts are quoted with, so does half of its words, and it denies only where they deny.
    Every other sentence is dropped.
    """
    quoted = {post_id: sentence.text for sentence in source.sentences for post_id in sentence.post_ids}
    kept = []
    for part in _TOLD_SENTENCE.split(rewritten.strip()):
        cited = [post_id.strip() for ids in _CITED.findall(part) for post_id in ids.split(",")]
        words = _CITED.sub("", part).strip(" .-—•*")
        if not words or not cited or any(post_id not in quoted for post_id in cited):
            continue
        ground = " ".join(dict.fromkeys(quoted[post_id] for post_id in cited))
        if _stands_on(words, ground, places):
            kept.append(Sentence(text=_ended(words), post_ids=tuple(dict.fromkeys(cited)), is_quote=False))
    return tuple(kept)


def _stands_on(words: str, ground: str, places: PlacesOf) -> bool:
    """Whether the quotes carry what a sentence says, as far as words can tell."""
    return (
        _numbers(words) <= _numbers(ground)
        and set(places(words)) <= set(places(ground))
        and _names(words) <= {_stem(word) for word in _WORD.findall(ground)}
        and bool(_NO.search(words)) == bool(_NO.search(ground))
        and _share_of(words, ground) >= _OWN_WORDS
    )


def _numbers(text: str) -> set[str]:
    """Numbers in figures and in words, as figures."""
    found = set(_NUMBER.findall(text))
    for word in _WORD.findall(text.lower().replace("ё", "е")):
        fits = [
            (len(stem), value)
            for value, stems in _NUMBER_STEMS
            for stem in stems.split()
            if word == stem
            or (len(stem) > 3 and stem[-1] not in "ьи" and word.startswith(stem))
            or (stem == "пят" and word[:3] == stem)
        ]
        if fits:
            found.add(str(max(fits)[1]))  # «пятнадцать» is not five
    return found


def _names(text: str) -> set[str]:
    """Stems of words with a capital that no beginning of a sentence explains."""
    return {
        _stem(match.group()) for match in _WORD.finditer(text) if match.start() and match.group()[0].isupper()
    }


def _share_of(words: str, ground: str) -> float:
    own = [_stem(word) for word in _WORD.findall(words) if len(word) > 3]
    known = {_stem(word) for word in _WORD.findall(ground)}
    return sum(stem in known for stem in own) / len(own) if own else 1.0


def _stem(word: str) -> str:
    """The beginning that inflection leaves: three to five letters."""
    word = word.lower().replace("ё", "е")
    return word[: max(3, min(5, len(word) - 2))]


def _ended(words: str) -> str:
    return words if words.endswith(("!", "?", "…")) else words + "."


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    post_id: str
    order: int
    grave: int
    words: Mapping[str, float]


def _sentences(records: Sequence[Record]) -> list[_Candidate]:
    parts = [
        (part.strip(), record, number)
        for number, record in enumerate(records)
        for part in _SENTENCE.split(clean(record.post.text))
        if 20 <= len(part.strip()) <= 300
    ]
    seen = Counter(word for part, _, _ in parts for word in set(_content(part)))
    return [
        _Candidate(
            text=part,
            post_id=record.post.id,
            order=number,
            grave=int(record.analysis.severity) if record.analysis else 0,
            words=_weigh(part, seen, len(parts)),
        )
        for part, record, number in parts
    ]


def _choose(candidates: list[_Candidate], limit: int) -> list[Sentence]:
    """The sentences closest to all others, none like one chosen before, then by time."""
    score = {
        id(one): sum(cosine(one.words, other.words) for other in candidates[:200]) + 0.5 * one.grave
        for one in candidates
    }
    chosen: list[_Candidate] = []
    for one in sorted(candidates, key=lambda c: (-score[id(c)], c.order)):
        if len(chosen) == limit:
            break
        if all(cosine(one.words, other.words) < _LIKE for other in chosen):
            chosen.append(one)
    return [
        Sentence(text=one.text, post_ids=_who_says(one, candidates))
        for one in sorted(chosen, key=lambda c: c.order)
    ]


def _who_says(one: _Candidate, candidates: list[_Candidate]) -> tuple[str, ...]:
    same = [other.post_id for other in candidates if cosine(one.words, other.words) >= _LIKE]
    return tuple(dict.fromkeys([one.post_id, *same]))


def _weigh(part: str, seen: Counter[str], total: int) -> dict[str, float]:
    weighed = {word: math.log(1 + total / seen[word]) for word in _content(part)}
    length = math.sqrt(sum(value * value for value in weighed.values()))
    return {word: value / length for word, value in weighed.items()} if length else {}


def _content(part: str) -> list[str]:
    return [word[:6] for word in tokens(part) if len(word) > 3]  # cut before the ending
