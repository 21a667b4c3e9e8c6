"""Any sentence-transformers model that the setting ENCODER names, behind the same protocol."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.errors import Misconfigured
from nlp.models.base import Vectors
from nlp.models.wording import fold

logger = logging.getLogger(__name__)

CHARACTERS = 1800  # of a text: as the shipped encoder reads


class SentenceEncoder:
    """A folder or a name of the hub. Needs the extra `models`."""

    def __init__(self, name: str) -> None:
        """Raises Misconfigured that names the extra, or the model that does not load."""
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise Misconfigured(
                f"Модель {name} требует пакета sentence-transformers.",
                remedy="Установите дополнение: pip install 'mcu[models]', или уберите настройку ENCODER.",
            ) from None
        try:
            self._model = SentenceTransformer(name, device="cpu")
        except (
            Exception
        ) as error:  # the library lets through errors of the hub, of torch and of the file system
            raise Misconfigured(
                f"Модель {name} не загружается: {error.__class__.__name__}.",
                remedy="ENCODER — папка или имя модели sentence-transformers.",
            ) from error
        self.name = Path(name).name
        self.dims = int(self._model.get_embedding_dimension() or 0)
        logger.info("named encoder loaded", extra={"action": "encoder_loaded", "encoder": self.name})

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One unit vector a text, same order."""
        if not texts:
            return np.empty((0, self.dims), dtype=np.float32)
        found = self._model.encode(
            [fold(text[:CHARACTERS]) for text in texts],
            batch_size=32, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True,
        )  # fmt: skip
        return np.asarray(found, dtype=np.float32)
