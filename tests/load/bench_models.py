"""The shipped models alone: how fast they load, encode and judge, and what they hold in memory."""

from __future__ import annotations

import subprocess
import sys
import time

from nlp.models import load_models
from nlp.models.base import HeadInput
from tests.load.bench_nlp import posts

COMMAND = "python -m tests.load.bench_models"
TEXTS = 1_000

LOADING = """
import resource, time
begun = time.perf_counter()
from nlp.models import load_models
models = load_models()
models.encoder.encode(["нет воды"])
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def run() -> list[tuple[str, str, str]]:
    """Rows of docs/performance.md: what, figure, how it was measured."""
    seconds, megabytes = _loading()
    models = load_models()
    inputs = [HeadInput(text=each.text, source=each.source) for each in posts(TEXTS)]
    texts = [given.encoder_text for given in inputs]
    models.encoder.encode(texts[:64])
    encoding, vectors = _spent(lambda: models.encoder.encode(texts))
    judging, _ = _spent(lambda: models.predict(inputs, vectors))
    return [
        ("Модели: запуск с первым вектором", f"{seconds:.1f} с", "новый процесс, с импортами"),
        ("Модели: память", f"{megabytes:.0f} МБ", "пик нового процесса"),
        ("Модели: кодировщик", f"{TEXTS / encoding:.0f} текстов/с", f"{TEXTS} коротких постов с источником"),
        ("Модели: все головы", f"{TEXTS / judging:.0f} постов/с", "признаки, слои, вероятности"),
    ]


def _loading() -> tuple[float, float]:
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADING], capture_output=True, text=True, check=True
    )
    seconds, megabytes = told.stdout.split()
    return float(seconds), float(megabytes)


def _spent(work):  # type: ignore[no-untyped-def]
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


if __name__ == "__main__":
    for row in run():
        print(" · ".join(row))
