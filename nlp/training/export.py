"""Turns a trained encoder into what ships: a sentence-transformers folder, then ONNX in 8 bits."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from nlp.models.onnx_encoder import TOKENS, OnnxEncoder
from nlp.models.wording import fold

SPECIAL = {
    "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>",
    "pad_token": "<pad>", "unk_token": "<unk>",
}  # fmt: skip
EVENING = 0.8  # of 0.5, 0.8, 0.9 and 1 the nearest to float


class Pooled(nn.Module):
    """The encoder with mean pooling and unit length inside, so that the graph gives the vector itself."""

    def __init__(self, bert: Any) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        return F.normalize((states * weights).sum(1) / weights.sum(1), dim=1)


def save_sentence_transformer(bert: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """A folder that SentenceTransformer loads: the same vectors, for further training or as ENCODER."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import PreTrainedTokenizerFast

    wrapped: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, model_max_length=TOKENS, **SPECIAL
    )
    raw = folder / "_bert"
    bert.save_pretrained(raw)
    wrapped.save_pretrained(raw)
    transformer = Transformer(str(raw), max_seq_length=TOKENS)
    pooling = Pooling(bert.config.hidden_size, pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu").save(str(folder))
    for path in sorted(raw.iterdir()):
        path.unlink()
    raw.rmdir()


class Evened(nn.Module):
    """A linear layer whose inputs are shrunk, each by its own number, and whose weights make up for it."""

    shrink: torch.Tensor

    def __init__(self, dense: nn.Linear, scale: torch.Tensor) -> None:
        super().__init__()
        self.dense = nn.Linear(dense.in_features, dense.out_features)
        self.dense.weight.data = dense.weight.data * scale
        self.dense.bias.data = dense.bias.data
        self.register_buffer("shrink", 1 / scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.dense(x * self.shrink)
        return out


def evened(bert: Any, tokenizer: Tokenizer, texts: Sequence[str]) -> Any:
    """The same function in other numbers: no input of a block's last layer is far larger than its others.

    Eight bits share one scale over a batch, so one loud neuron among 1,536 (31 and 75 times the median in
    two blocks) drowned the others and let neighbours in a batch change a text's vector. After SmoothQuant
    (Xiao et al. 2022), by the largest value each neuron reaches on `texts`.
    """
    loudest = [torch.zeros(block.output.dense.in_features) for block in bert.encoder.layer]

    def listen(number: int) -> Callable[..., None]:
        def hear(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            loudest[number] = torch.maximum(loudest[number], given[0].detach().abs().amax((0, 1)))

        return hear

    bert.eval()
    own = copy.deepcopy(bert)
    listening = [
        block.output.dense.register_forward_pre_hook(listen(number))
        for number, block in enumerate(bert.encoder.layer)
    ]
    for text in texts:
        _torch_vector(bert, tokenizer, text)
    for each in listening:
        each.remove()
    for block, peak in zip(own.encoder.layer, loudest, strict=True):
        heaviest = block.output.dense.weight.abs().amax(0).clamp(min=1e-5)
        scale = peak.clamp(min=1e-3) ** EVENING / heaviest ** (1 - EVENING)
        block.output.dense = Evened(block.output.dense, (scale / scale.median()).clamp(min=0.05))
    return own


def export_onnx(bert: Any, tokenizer: Tokenizer, folder: Path, texts: Sequence[str]) -> None:
    """Writes encoder.onnx (dynamic int8, evened on `texts`) and tokenizer.json into the folder."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    bert = evened(bert, tokenizer, texts)
    full, prepared = folder / "_fp32.onnx", folder / "_prepared.onnx"
    example = (torch.ones(2, 8, dtype=torch.long), torch.ones(2, 8, dtype=torch.long))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns about shapes that the dynamic axes make right
        torch.onnx.export(
            Pooled(bert).eval(), example, str(full), input_names=["input_ids", "attention_mask"],
            output_names=["vector"], dynamo=False, opset_version=17,
            dynamic_axes={
                "input_ids": {0: "n", 1: "t"}, "attention_mask": {0: "n", 1: "t"}, "vector": {0: "n"},
            },
        )  # fmt: skip
    quant_pre_process(str(full), str(prepared), skip_symbolic_shape=True)
    quantize_dynamic(
        str(prepared), str(folder / "encoder.onnx"), weight_type=QuantType.QInt8,
        per_channel=True, reduce_range=True,  # 7 bits: avx2 without VNNI overflows on 8
        op_types_to_quantize=["MatMul", "Gather"], extra_options={"MatMulConstBOnly": True},
    )  # fmt: skip
    for path in (full, prepared):
        path.unlink()
    tokenizer.enable_truncation(TOKENS)
    tokenizer.save(str(folder / "tokenizer.json"))


def agreement(bert: nn.Module, tokenizer: Tokenizer, folder: Path, texts: list[str]) -> float:
    """Mean cosine between the exported encoder and the torch one."""
    exported = OnnxEncoder(folder).encode(texts)
    own = np.vstack([_torch_vector(bert, tokenizer, text) for text in texts])
    return float((exported * own).sum(axis=1).mean())


def _torch_vector(bert: nn.Module, tokenizer: Tokenizer, text: str) -> np.ndarray:
    ids = torch.tensor([tokenizer.encode(fold(text)).ids])
    with torch.no_grad():
        return np.asarray(Pooled(bert)(ids, torch.ones_like(ids)).numpy())
