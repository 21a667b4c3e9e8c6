"""The models of the service: the encoder, the heads, and the weights that ship with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.domain.analysis import Risk
from index.errors import Misconfigured
from nlp.models.base import Encoder, HeadInput, HeadOutput, Thresholds, Vectors
from nlp.models.heads import Heads, read_heads

SHIPPED = Path(__file__).parent / "shipped"


CURRENT = "current"  # file in DATA/models that names the folder of the retrained heads in use


def current_heads(data: Path) -> Path | None:
    """Folder of the retrained heads in use (`mcu train heads`); None: the shipped ones.

    Raises Misconfigured when the folder it names is gone.
    """
    pointer = data / "models" / CURRENT
    if not pointer.is_file():
        return None
    folder = data / "models" / pointer.read_text(encoding="utf-8").strip()
    if not folder.is_dir():
        raise Misconfigured(
            f"Нет папки дообученных моделей {folder.name}.", remedy=f"Удалите файл {pointer}."
        )
    return folder


def load_models(
    encoder: str | None = None, *, heads: Path | None = None, threads: int | None = None
) -> LoadedModels:
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
        self.heads = heads
        self._reads_vectors = heads.vector_of == encoder.name

    @property
    def version(self) -> str:
        version = str(self.heads.card["version"])
        return version if self._reads_vectors else f"{version}+{self.encoder.name}+ngrams"

    @property
    def thresholds(self) -> Thresholds:
        return self.heads.thresholds

    @property
    def card(self) -> Mapping[str, Any]:
        return self.heads.card

    def predict(self, inputs: Sequence[HeadInput], vectors: Vectors) -> list[HeadOutput]:
        return self.heads.predict(inputs, vectors if self._reads_vectors else None)

    def outputs(self, inputs: Sequence[HeadInput], vectors: Vectors) -> npt.NDArray[np.float32]:
        """Calibrated outputs before the activation: what retraining starts from."""
        return self.heads.weights.outputs(inputs, vectors if self._reads_vectors else None)

    def evidence(self, given: HeadInput, risk: Risk) -> list[tuple[int, int, float]]:
        return self.heads.evidence(given, risk)
