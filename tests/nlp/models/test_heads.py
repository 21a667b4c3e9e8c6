"""Files of the heads: what is saved is read back, what is broken is refused with the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.domain.analysis import Risk
from index.errors import Misconfigured, Refused
from nlp.models import CURRENT, current_heads
from nlp.models.base import HeadInput
from nlp.models.features import Vocabulary, names_of
from nlp.models.heads import Heads, HeadWeights, read_heads, save_heads
from nlp.models.labels import RISKS, SPANS, WIDTH

GIVEN = HeadInput(text="На Лесной нет воды")
OUTAGE = SPANS["risks"].start + RISKS.index(Risk.OUTAGE)
CARD = {
    "version": "t-1", "encoder": "none",
    "thresholds": {
        "relevance": 0.5, "needs_answer": 0.5, "toxicity": 0.5, "severity": [0.5, 0.5, 0.5], "risks": {},
    },
}  # fmt: skip


def weights() -> HeadWeights:
    """Heads that know one thing: «воды» speaks for an outage."""
    names = sorted(names_of(GIVEN))
    ngram = np.zeros((len(names), WIDTH + 1), np.float32)
    ngram[names.index("wводы"), OUTAGE] = 8.0
    eye = np.eye(WIDTH + 1, dtype=np.float32)
    return HeadWeights(
        vocabulary=Vocabulary(names, np.ones(len(names), np.float32)), ngram=ngram,
        ngram_bias=np.zeros(WIDTH + 1, np.float32), vector=np.zeros((4, WIDTH + 1), np.float32),
        vector_bias=np.zeros(WIDTH + 1, np.float32), stack=np.vstack([eye, eye]),
        stack_bias=np.zeros(WIDTH + 1, np.float32),
        alone=np.stack([np.ones(WIDTH + 1, np.float32), np.zeros(WIDTH + 1, np.float32)]),
    )  # fmt: skip


def test_heads_say_the_same_after_they_were_saved(tmp_path: Path) -> None:
    save_heads(tmp_path, weights(), CARD)
    before = Heads(weights(), CARD).predict([GIVEN], None)[0]
    after = read_heads(tmp_path).predict([GIVEN], None)[0]
    assert after.risks[Risk.OUTAGE] == pytest.approx(before.risks[Risk.OUTAGE], abs=0.01)
    assert after.risks[Risk.OUTAGE] > 0.7


def test_evidence_is_the_word_with_its_place_in_the_text() -> None:
    found = Heads(weights(), CARD).evidence(GIVEN, Risk.OUTAGE)
    assert [GIVEN.text[start:stop] for start, stop, _ in found] == ["воды"]
    assert found[0][2] == pytest.approx(1.0)


def test_a_class_that_no_word_spoke_for_has_no_evidence() -> None:
    assert Heads(weights(), CARD).evidence(GIVEN, Risk.FRAUD) == []


def test_vectors_of_another_number_of_texts_are_refused() -> None:
    with pytest.raises(Refused):
        Heads(weights(), CARD).predict([GIVEN], np.zeros((2, 4), np.float32))


@pytest.mark.parametrize("name", ["heads.json", "heads.npz"])
def test_a_broken_file_is_refused_with_the_remedy(tmp_path: Path, name: str) -> None:
    save_heads(tmp_path, weights(), CARD)
    (tmp_path / name).write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(Misconfigured, match="make train"):
        read_heads(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"heads\.json"):
        read_heads(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    save_heads(tmp_path, weights(), CARD)
    text = (tmp_path / "heads.json").read_text(encoding="utf-8")
    (tmp_path / "heads.json").write_text(text.replace('"format": 1', '"format": 99'), encoding="utf-8")
    with pytest.raises(Misconfigured, match="формат 99"):
        read_heads(tmp_path)


def test_the_pointer_to_retrained_heads_must_lead_somewhere(tmp_path: Path) -> None:
    assert current_heads(tmp_path) is None
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / CURRENT).write_text("heads-1\n")
    with pytest.raises(Misconfigured, match="heads-1"):
        current_heads(tmp_path)
