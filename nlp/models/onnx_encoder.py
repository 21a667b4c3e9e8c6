"""The shipped encoder: int8 ONNX on onnxruntime and tokenizers alone, no torch, starts at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import Misconfigured
from nlp.models.base import Vectors
from nlp.models.wording import fold

BATCH = 32  # texts a run; larger ones only add padding
TOKENS = 128  # of a text with its context; what stands after is not read
CHARACTERS = 1800  # 128 tokens never need more, so a text of any length costs the same
REMEDY = "Переустановите пакет mcu или соберите модели: make train."


class OnnxEncoder:
    """Reads `encoder.onnx` and `tokenizer.json` of a folder. Threads may share it."""

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Raises Misconfigured with the remedy when a file is missing or broken."""
        model, tokenizer = folder / "encoder.onnx", folder / "tokenizer.json"
        for path in (model, tokenizer):
            if not path.is_file():
                raise Misconfigured(f"Нет файла модели {path.name} в {folder.name}.", remedy=REMEDY)
        self._session = _session(model, threads)
        self._tokenizer = _tokenizer(tokenizer)
        self._pad = self._tokenizer.token_to_id("<pad>")
        self.dims = int(self._session.get_outputs()[0].shape[-1])
        self.name = f"mcu-encoder-{_digest(model)[:8]}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One unit vector a text, same order. Texts of about one length run together."""
        encoded = self._tokenizer.encode_batch([fold(text[:CHARACTERS]) for text in texts])
        order = sorted(range(len(encoded)), key=lambda row: len(encoded[row].ids))
        vectors = np.empty((len(encoded), self.dims), dtype=np.float32)
        for at in range(0, len(order), BATCH):
            rows = order[at : at + BATCH]
            ids = np.full((len(rows), len(encoded[rows[-1]].ids)), self._pad, dtype=np.int64)
            mask = np.zeros_like(ids)
            for place, row in enumerate(rows):
                one = encoded[row].ids
                ids[place, : len(one)] = one
                mask[place, : len(one)] = 1
            vectors[rows] = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


def _session(model: Path, threads: int | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.enable_cpu_mem_arena = (
        False  # the arena keeps the largest batch ever seen; slower by a few per cent
    )
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no class of their own
        raise Misconfigured(f"Файл модели {model.name} не читается: {error}.", remedy=REMEDY) from error


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises a bare Exception
        raise Misconfigured(f"Файл {path.name} не читается: {error}.", remedy=REMEDY) from error
    tokenizer.enable_truncation(TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
