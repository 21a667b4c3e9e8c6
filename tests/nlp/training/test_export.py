"""Evening before the 8 bits: the function stays, the loud neurons go."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from nlp.models import SHIPPED

torch = pytest.importorskip("torch")
TEXTS = ("В Курлово нет воды", "Спасибо за новую площадку!", "Где пожар? Видно дым над лесом")


def test_an_evened_encoder_says_the_same_and_no_neuron_drowns_the_others() -> None:
    from transformers import BertConfig, BertModel

    from nlp.training.export import Pooled, evened

    torch.manual_seed(3)
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=160, pad_token_id=1,
    )  # fmt: skip
    bert = BertModel(config, add_pooling_layer=False).eval()
    loud = bert.encoder.layer[0].intermediate.dense
    with torch.no_grad():
        loud.weight[5] *= 300
    own = evened(bert, tokenizer, TEXTS)
    heard: list[torch.Tensor] = []
    own.encoder.layer[0].output.dense.dense.register_forward_pre_hook(
        lambda _, given: heard.append(given[0].abs().amax((0, 1)))
    )
    ids = torch.tensor([tokenizer.encode(TEXTS[0]).ids])
    with torch.no_grad():
        before, after = (Pooled(each)(ids, torch.ones_like(ids)) for each in (bert, own))
        raw = torch.nn.functional.gelu(loud(bert.encoder.layer[0].attention(bert.embeddings(ids))[0]))
    assert torch.allclose(before, after, atol=1e-4)
    peak = raw.abs().amax((0, 1))
    assert peak.max() / peak.median() > 20
    assert heard[0].max() / heard[0].median() < peak.max() / peak.median() / 4
