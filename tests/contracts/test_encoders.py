"""One contract over both encoders: the shipped kind (ONNX) and any sentence-transformers folder.

A small model is made on the spot and saved both ways, so the two must give the same vectors.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from index.errors import Misconfigured
from nlp.models import SHIPPED, load_models
from nlp.models.base import Encoder
from nlp.models.onnx_encoder import OnnxEncoder
from nlp.models.sentence_encoder import SentenceEncoder

pytestmark = pytest.mark.model

TEXTS = (
    "Подслушано Курлово → На Советской второй день нет воды",
    "ГДЕ АВТОБУС???",
    "Спасибо бригаде за работу!",
    "",
    "а" * 5000,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An ONNX folder and a sentence-transformers folder of one small random model."""
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    from nlp.training.export import export_onnx, save_sentence_transformer

    torch.manual_seed(3)
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=160, pad_token_id=1,
    )  # fmt: skip
    bert = BertModel(config, add_pooling_layer=False).eval()
    onnx, sentence = tmp_path_factory.mktemp("onnx"), tmp_path_factory.mktemp("sentence")
    export_onnx(bert, tokenizer, onnx, TEXTS)
    save_sentence_transformer(bert, tokenizer, sentence)
    return onnx, sentence


@pytest.fixture(scope="module", params=["onnx", "sentence"])
def encoder(request: pytest.FixtureRequest, folders: tuple[Path, Path]) -> Encoder:
    return OnnxEncoder(folders[0]) if request.param == "onnx" else SentenceEncoder(str(folders[1]))


def test_every_text_gets_a_unit_vector_in_its_place(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dims)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)


def test_a_text_has_one_vector_alone_and_in_a_batch(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        assert float(encoder.encode([text])[0] @ vector) > 0.98


def test_case_yo_and_invisible_characters_do_not_move_a_vector(encoder: Encoder) -> None:
    plain, disguised = encoder.encode(["еще нет воды", "ЕЩЁ НЕТ\u200b ВОДЫ"])
    assert float(plain @ disguised) > 0.999


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dims)


def test_both_encoders_give_the_same_vectors(folders: tuple[Path, Path]) -> None:
    one, other = OnnxEncoder(folders[0]).encode(TEXTS), SentenceEncoder(str(folders[1])).encode(TEXTS)
    assert np.min((one * other).sum(axis=1)) > 0.97  # int8 against float


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(Misconfigured, match=r"mcu\[models\]"):
        SentenceEncoder("any")


def test_a_model_that_is_not_there_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="nowhere"):
        SentenceEncoder(str(tmp_path / "nowhere"))


def test_a_missing_shipped_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"encoder\.onnx.*make train"):
        OnnxEncoder(tmp_path)


def test_a_broken_shipped_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "encoder.onnx").write_bytes(b"not a model")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(Misconfigured, match="не читается"):
        OnnxEncoder(tmp_path)


def test_heads_beside_another_encoder_answer_from_ngrams_and_say_so(folders: tuple[Path, Path]) -> None:
    models = load_models(str(folders[1]))
    assert "ngrams" in models.version
    assert models.version != load_models().version
