"""A short account of a story or a day in the residents' own sentences, each with the posts it comes from."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from index.domain.analysis import Intent
from index.posts.query import Record
from nlp.growth import THIN
from nlp.linking import cosine
from nlp.stages.text import clean, tokens

MIN_POSTS, MIN_AUTHORS = 3, 2  # less is no ground for a summary

_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")
_CITED = re.compile(r"\[([^\[\]]{1,200})\]")
_NUMBER = re.compile(r"\d+")
_LIKE = 0.6  # cosine from which two sentences say the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Words of a post; `post_ids` are all posts that say it, the quoted one first."""

    text: str
    post_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Sentences in the order of events, and a note where there is too little to tell."""

    sentences: tuple[Sentence, ...]
    posts: int
    authors: int
    note: str = ""  #: THIN when the data are too few


def digest(records: Iterable[Record], *, limit: int = 5) -> Digest:
    """Up to `limit` sentences that stand for the most posts, quoted word for word. Pure, repeatable."""
    told = [r for r in records if r.analysis is None or r.analysis.intent is not Intent.AD]
    told.sort(key=lambda record: (record.post.published_at, record.post.id))
    authors = len({record.post.author for record in told})
    if len(told) < MIN_POSTS or authors < MIN_AUTHORS:
        return Digest(sentences=(), posts=len(told), authors=authors, note=THIN)
    chosen = _choose(_sentences(told), limit)
    return Digest(sentences=tuple(chosen), posts=len(told), authors=authors)


def only_cited(rewritten: str, source: Digest) -> tuple[Sentence, ...]:
    """What may be kept of a text that a language model made of a digest.

    A sentence stays when it cites posts of the digest («… [vk:-1_2]») and names no number that they do not;
    every other sentence is dropped.
    """
    quoted = {post_id: sentence.text for sentence in source.sentences for post_id in sentence.post_ids}
    kept = []
    for part in _SENTENCE.split(rewritten.strip()):
        cited = [post_id.strip() for ids in _CITED.findall(part) for post_id in ids.split(",")]
        words = _CITED.sub("", part).strip(" .")
        if not words or not cited or any(post_id not in quoted for post_id in cited):
            continue
        numbers = {number for post_id in cited for number in _NUMBER.findall(quoted[post_id])}
        if set(_NUMBER.findall(words)) <= numbers:
            kept.append(Sentence(text=words + ".", post_ids=tuple(dict.fromkeys(cited))))
    return tuple(kept)


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
