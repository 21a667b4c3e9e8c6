"""The models of the service: the encoder, the heads, and the weights that ship with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.domain.analysis import Risk
from index.errors import Misconfigured
from nlp.models.base import Encoder, HeadInput, HeadOutput, Thresholds, Vectors
from nlp.models.heads import Heads, read_heads

logger = logging.getLogger(__name__)

SHIPPED = Path(__file__).parent / "shipped"
CURRENT = "current"  # file in DATA/models that names the folder of the retrained heads in use


def current_heads(data: Path) -> Path | None:
    """Folder of the retrained heads in use (`mcu train heads`); None: the shipped ones.

    Heads that were taught beside other shipped models than these are not used: see `outdated_heads`.
    Raises Misconfigured when the folder that is named is gone.
    """
    folder = _named_heads(data)
    return None if folder is None or _is_outdated(folder) else folder


def outdated_heads(data: Path) -> str | None:
    """Version of the retrained heads that an update of the service has outdated; None: there are none.

    A taught layer belongs to the models it was taught on. The corrections are kept: teaching anew is enough.
    """
    folder = _named_heads(data)
    return str(_card(folder)["version"]) if folder is not None and _is_outdated(folder) else None


def heads_version(folder: Path | None) -> str:
    """Version of the heads of a folder, None: the shipped, without loading them; empty: they are broken."""
    return str(_card(folder or SHIPPED).get("version", ""))


def _named_heads(data: Path) -> Path | None:
    name = _pointer(data)
    if not name:
        return None
    folder = data / "models" / name
    if not folder.is_dir():
        raise Misconfigured(
            f"Нет папки дообученных моделей {name}.", remedy="Верните прежние: mcu train heads --back."
        )
    return folder


def _pointer(data: Path) -> str:
    """What stands in the file CURRENT now; empty: nothing."""
    try:
        return (data / "models" / CURRENT).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _is_outdated(folder: Path) -> bool:
    taught, shipped = _card(folder), _card(SHIPPED)
    if not taught:
        return False  # broken: reading it says what is wrong
    return (_base(taught), taught.get("encoder")) != (_base(shipped), shipped.get("encoder"))


def _base(card: Mapping[str, Any]) -> str:
    """Version of the shipped models: what stands before the moment of teaching."""
    return str(card.get("version", "")).partition("+")[0]


def _card(folder: Path) -> dict[str, Any]:
    try:
        card = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


class ModelsInUse:
    """The encoder, loaded once, and the heads in use; asks between batches whether others are by now."""

    def __init__(self, encoder: str | None, data: Path) -> None:
        """Raises Misconfigured when a model is missing or broken: a start never goes on without one."""
        self._data = data
        self._named = _pointer(data)
        if (outdated := outdated_heads(data)) is not None:
            logger.warning(
                "Дообученные модели %s остались от прежней версии сервиса и не используются: "
                "дообучите заново (mcu train heads).", outdated, extra={"action": "heads_outdated"},
            )  # fmt: skip
        self.models = load_models(encoder, heads=current_heads(data))
        self.fault = ""  #: Russian, why heads that were put into use could not be taken; empty: all is well

    def renewed(self) -> LoadedModels | None:
        """The models with the heads that were put into use since the last call; None: nothing has changed.

        Heads that can't be read are not taken: those in memory go on, `fault` and the log say so, since a
        service that stands still would miss more than one with the heads of yesterday.
        """
        named = _pointer(self._data)
        if named == self._named:
            return None
        self._named = named
        try:
            self.models = LoadedModels(self.models.encoder, read_heads(current_heads(self._data) or SHIPPED))
        except Misconfigured as error:
            self.fault = f"{error} Работают прежние модели {self.models.version}."
            logger.error("Heads not taken: %s", self.fault, extra={"action": "heads_broken"})
            return None
        self.fault = ""
        logger.info("Heads taken: %s", self.models.version, extra={"action": "heads_taken"})
        return self.models


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
