"""The models of the service: the encoder, the heads, and the weights that ship with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from index.domain.analysis import Risk
from nlp.models.base import Encoder, HeadInput, HeadOutput, Models, Thresholds, Vectors
from nlp.models.heads import Heads, read_heads

SHIPPED = Path(__file__).parent / "shipped"


def load_models(
    encoder: str | None = None, *, heads: Path | None = None, threads: int | None = None
) -> Models:
    """The shipped models, or the shipped heads beside the sentence-transformers model that `encoder` names.

    `heads` is a folder of retrained heads (`mcu train heads`). With a named encoder that the heads were not
    fitted to they answer from n-grams alone, and `version` says so. Raises Misconfigured with the remedy when
    a file is missing or broken, or the extra `models` is not installed.
    """
    return LoadedModels(_encoder(encoder, threads), read_heads(heads or SHIPPED))


def _encoder(name: str | None, threads: int | None) -> Encoder:
    if name is None:
        from nlp.models.onnx_encoder import OnnxEncoder

        return OnnxEncoder(SHIPPED, threads=threads)
    from nlp.models.sentence_encoder import SentenceEncoder

    return SentenceEncoder(name)


class LoadedModels:
    """An encoder and heads that are in memory."""

    def __init__(self, encoder: Encoder, heads: Heads) -> None:
        self.encoder = encoder
        self._heads = heads
        self._reads_vectors = heads.vector_of == encoder.name

    @property
    def version(self) -> str:
        version = str(self._heads.card["version"])
        return version if self._reads_vectors else f"{version}+{self.encoder.name}+ngrams"

    @property
    def thresholds(self) -> Thresholds:
        return self._heads.thresholds

    @property
    def card(self) -> Mapping[str, Any]:
        return self._heads.card

    def predict(self, inputs: Sequence[HeadInput], vectors: Vectors) -> list[HeadOutput]:
        return self._heads.predict(inputs, vectors if self._reads_vectors else None)

    def evidence(self, given: HeadInput, risk: Risk) -> list[tuple[int, int, float]]:
        return self._heads.evidence(given, risk)
