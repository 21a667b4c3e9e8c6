"""The labels that the heads give, and where each stands in a row of their outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from index.domain.analysis import Intent, Risk, Sentiment

GROUPS = (
    "Благоустройство", "Безопасность и правопорядок", "Внутренняя политика", "Военная служба", "Дороги",
    "ЖКХ", "Здравоохранение", "Имущественные и земельные отношения", "Культура", "Межнациональные отношения",
    "Молодежная политика", "Обращение с отходами", "Образование", "Общественный транспорт",
    "Органы власти и подведомственные учреждения", "Связь и телевидение", "Сельское хозяйство и охота",
    "Социальное обслуживание и защита", "Строительство и архитектура", "Труд и занятость", "Туризм",
    "Физическая культура и спорт", "ЦУР", "Экология", "Экономика и бизнес", "Энергетика",
)  # fmt: skip
TOPICS: tuple[str | None, ...] = (*GROUPS, None)
INTENTS = tuple(Intent)
SENTIMENTS = tuple(Sentiment)
RISKS = tuple(Risk)

COLUMNS: Mapping[str, int] = {  # how many outputs each task has, in this order
    "relevance": 1, "intent": len(INTENTS), "topic_group": len(TOPICS), "sentiment": len(SENTIMENTS),
    "risks": len(RISKS), "severity": 3, "needs_answer": 1,
}  # fmt: skip
SOFTMAX = ("intent", "topic_group", "sentiment")  # one label of the set; the rest are yes or no
WIDTH = sum(COLUMNS.values())


def _spans() -> dict[str, slice]:
    at, found = 0, {}
    for task, width in COLUMNS.items():
        found[task] = slice(at, at + width)
        at += width
    return found


SPANS = _spans()


def activate(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Probabilities of rows of outputs, task by task."""
    p = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    for task in SOFTMAX:
        block = logits[:, SPANS[task]]
        e = np.exp(block - block.max(axis=1, keepdims=True))
        p[:, SPANS[task]] = e / e.sum(axis=1, keepdims=True)
    return p.astype(np.float32)
