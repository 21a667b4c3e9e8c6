"""The seam of the models: an encoder that gives vectors, and heads that read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from index.domain.analysis import Intent, Risk, Sentiment, Severity
from index.domain.post import Network, PostKind

Vectors: TypeAlias = npt.NDArray[np.float32]  #: (n_texts, dims), unit rows

MAX_TEXT_CHARACTERS = 1500  # what the models read of one text; longer ones are cut, never refused
MAX_PARENT_CHARACTERS = 140  # what a comment's parent adds: enough to know the subject


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadInput:
    """One post as the models read it. `text` may be raw or cleaned; evidence counts characters of it."""

    text: str
    network: Network = Network.VK
    kind: PostKind = PostKind.POST
    source: str = ""  #: title of the page, group, channel or site
    source_home: str | None = None  #: settlement the source belongs to, canonical name
    source_side: int = 0  #: its title says: 2 of the district, 1 of the region, −1 of another, 0 nothing
    parent_text: str = ""  #: text of the post a comment stands under; empty: a post, or not known
    places: tuple[str, ...] = ()  #: canonical settlements found in the text
    context_places: tuple[str, ...] = ()  #: canonical settlements named by the source's title or the parent

    @property
    def encoder_text(self) -> str:
        """What the encoder is given: «source. parent's beginning → text», cut to a bounded length."""
        source = self.source.strip()[:80]
        parent = " ".join(self.parent_text.split())[:MAX_PARENT_CHARACTERS]
        context = f"{source}. {parent}".strip(". ") if parent else source
        text = self.text[:MAX_TEXT_CHARACTERS]
        return f"{context} → {text}" if context else text


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOutput:
    """Calibrated probabilities, 0..1. The dictionaries over closed sets sum to 1; risks are independent."""

    relevance: float
    intent: Mapping[Intent, float]
    topic_group: Mapping[str | None, float]  #: 26 group names and None: about nothing of the kind
    topic: Mapping[str, float]  #: fine topics of the likeliest group, best first; empty: not known
    sentiment: Mapping[Sentiment, float]
    toxicity: float
    risks: Mapping[Risk, float]
    severity: tuple[float, float, float, float]  #: P(0), P(1), P(2), P(3)
    needs_answer: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where a probability becomes a decision; chosen by the costs that stand in docs/quality.md."""

    relevance: float = 0.5
    needs_answer: float = 0.5
    toxicity: float = 0.5
    risks: Mapping[Risk, float] = field(default_factory=dict)
    severity: tuple[float, float, float] = (0.5, 0.5, 0.5)  #: on P(≥1), P(≥2), P(≥3)

    def is_relevant(self, output: HeadOutput) -> bool:
        return output.relevance >= self.relevance

    def wants_answer(self, output: HeadOutput) -> bool:
        """An irrelevant post never wants one."""
        return self.is_relevant(output) and output.needs_answer >= self.needs_answer

    def risks_of(self, output: HeadOutput) -> tuple[Risk, ...]:
        """Classes over their threshold, highest probability first."""
        over = [risk for risk, p in output.risks.items() if p >= self.risks.get(risk, 0.5)]
        return tuple(sorted(over, key=lambda risk: -output.risks[risk]))

    def severity_of(self, output: HeadOutput) -> Severity:
        """The highest level whose probability of being reached is over its threshold; irrelevant: none."""
        if not self.is_relevant(output):
            return Severity.NONE
        for level in (3, 2, 1):
            if sum(output.severity[level:]) >= self.severity[level - 1]:
                return Severity(level)
        return Severity.NONE


class Encoder(Protocol):
    """Texts to vectors. Pure: the same text gives the same vector up to the rounding of a batch."""

    @property
    def name(self) -> str:
        """Name and version, as analyses and the health page show it."""

    @property
    def dims(self) -> int:
        """Length of a vector."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One unit vector a text, same order; a blank text gets a vector too. (n_texts, dims) float32."""


class Models(Protocol):
    """Everything that is loaded to analyse a post: the encoder, the heads, their thresholds."""

    @property
    def version(self) -> str:
        """Version of all that took part, e.g. `mcu-2026.11.1`; changes when any weight does."""

    @property
    def encoder(self) -> Encoder: ...

    @property
    def thresholds(self) -> Thresholds: ...

    @property
    def card(self) -> Mapping[str, Any]:
        """What the shipped weights say of themselves: training data, class rates, figures."""

    def predict(self, inputs: Sequence[HeadInput], vectors: Vectors) -> list[HeadOutput]:
        """One output an input, same order; `vectors` are those of `encoder_text` of the same inputs.

        Raises Refused when the numbers of inputs and vectors differ.
        """

    def evidence(self, given: HeadInput, risk: Risk) -> list[tuple[int, int, float]]:
        """Words of `given.text` that carried the class: (start, stop, weight 0..1), heaviest first."""
