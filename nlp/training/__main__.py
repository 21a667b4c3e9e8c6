"""`make train`: rebuilds the shipped models from ../shared/data; under 3 hours on two idle cores."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.errors import Misconfigured, ServiceError
from nlp.models import SHIPPED
from nlp.training import base_weights, publics
from nlp.training.base_weights import BaseWeights, make_tokenizer, used_pieces
from nlp.training.build import HELD_PARTS, Corpus, build_heads, read_corpus, say
from nlp.training.corpus import read_kursk, read_toxic, read_tweets
from nlp.training.linear import Array

if TYPE_CHECKING:  # torch takes seconds to load, and --heads-only does not need it
    from tokenizers import Tokenizer

    from nlp.training.encoder import MultiTask, Plan

DATA = Path(__file__).parents[3] / "shared" / "data"
EVENED_ON = 400  # lines
TASKS = ("district", "toxic", "tweets", "kursk")
TRAINED = tuple(f"{task}.{part}" for task in TASKS for part in ("weight", "bias"))  # layers that are kept


def main() -> int:
    given = _arguments()
    folder = given.work or Path(tempfile.mkdtemp(prefix="mcu-train-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if given.export_only:
            kursk = publics.apart(read_kursk(given.data), key=lambda row: row[3])[0]
            export_encoder(*_left(folder, len({row[1] for row in kursk})), folder, read_corpus())
        elif not given.heads_only:
            from nlp.training.encoder import Plan

            plan = Plan(
                epochs=given.epochs, rate=given.rate, minutes=given.minutes, public=given.public,
                fresh=given.fresh,
            )  # fmt: skip
            train_encoder(given.data, folder, plan, go_on=given.go_on)
        with np.load(folder / "layers.npz") as layers:
            card = build_heads(given.data, folder, dict(layers))
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 2
    for name in ("encoder.onnx", "tokenizer.json", "heads.npz", "heads.json"):
        shutil.copy(folder / name, SHIPPED / name)
    print(json.dumps(card, ensure_ascii=False, indent=1))
    say(f"shipped models replaced; the sentence-transformers folder is {folder / 'sentence'}")
    return 0


def train_encoder(data: Path, folder: Path, plan: Plan, *, go_on: bool) -> None:
    """Base weights, one run, export. Leaves encoder.onnx, tokenizer.json, layers.npz and sentence/.

    `go_on`: the run begins with the weights that an earlier or broken-off one left as `last.pt`.
    """
    import torch

    from nlp.training import encoder

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    corpus = read_corpus()
    kursk = publics.apart(read_kursk(data), key=lambda row: row[3])[0]
    categories = sorted({row[1] for row in kursk})
    model, tokenizer = (
        _left(folder, len(categories)) if go_on else _fresh(data, folder, corpus, len(categories))
    )
    say(f"fine-tuning on {len(corpus.seen)} lines, {tokenizer.get_vocab_size()} pieces")
    encoder.Trainer(
        model=model, tokenizer=tokenizer, lines=[corpus.train[row] for row in corpus.seen],
        tweets=publics.apart(read_tweets(data), key=publics.folded)[0],
        toxic=publics.apart(read_toxic(data), key=publics.folded)[0],
        kursk=[(row[0], categories.index(row[1])) for row in kursk], folder=folder,
    ).train(plan)  # fmt: skip
    export_encoder(model, tokenizer, folder, corpus)


def export_encoder(model: MultiTask, tokenizer: Tokenizer, folder: Path, corpus: Corpus) -> None:
    """encoder.onnx, sentence/ and layers.npz of a trained model."""
    from nlp.training import export

    say("export")
    some = random.Random(17).sample(corpus.train, EVENED_ON)  # noqa: S311
    export.export_onnx(model.bert, tokenizer, folder, [line.head_input().encoder_text for line in some])
    export.save_sentence_transformer(model.bert, tokenizer, folder / "sentence")
    state: dict[str, Array] = {name: model.state_dict()[name].numpy() for name in TRAINED}
    np.savez(folder / "layers.npz", **state)  # type: ignore[arg-type]
    texts = [line.text for line in corpus.dev[:50]]
    say(f"int8 agrees with float at cosine {export.agreement(model.bert, tokenizer, folder, texts):.3f}")


def _fresh(data: Path, folder: Path, corpus: Corpus, kursk_classes: int) -> tuple[MultiTask, Tokenizer]:
    """The base's weights over the pieces that Russian posts use."""
    from nlp.training import encoder

    base = base_weights.read_base(base_weights.base_file())
    keep = _pieces(data, corpus, base)
    pieces = [base.pieces[each] for each in keep]
    tokenizer = base_weights.make_tokenizer(pieces, keep.index(base.unk), length=encoder.TOKENS)
    tokenizer.save(str(folder / "tokenizer.json"))
    bert = base_weights.to_bert(base, keep, layers=list(encoder.LAYERS))
    return encoder.MultiTask(bert, kursk_classes=kursk_classes), tokenizer


def _left(folder: Path, kursk_classes: int) -> tuple[MultiTask, Tokenizer]:
    """What an earlier run left in the folder. Raises Misconfigured when it left nothing."""
    import torch
    from tokenizers import Tokenizer

    from nlp.training import encoder

    for name in ("last.pt", "tokenizer.json"):
        if not (folder / name).is_file():
            raise Misconfigured(
                f"В {folder} нет {name}: продолжать нечего.", remedy="Начните без --continue."
            )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(encoder.TOKENS)
    base = base_weights.read_base(base_weights.base_file())
    bert = base_weights.empty_bert(base, pieces=tokenizer.get_vocab_size(), layers=len(encoder.LAYERS))
    model = encoder.MultiTask(bert, kursk_classes=kursk_classes)
    model.load_state_dict(torch.load(folder / "last.pt"))
    return model, tokenizer


def _pieces(data: Path, corpus: Corpus, base: BaseWeights) -> list[int]:
    """Pieces of the vocabulary that Russian posts use: district lines and the public sets."""
    whole = make_tokenizer(base.pieces, base.unk, length=4096)
    texts = [line.text for line in corpus.train] + [line.source for line in corpus.train]
    texts += [row[0] for row in read_tweets(data)] + [row[0] for row in read_toxic(data)]
    texts += [row[0] for row in read_kursk(data)]
    return used_pieces(whole, texts, base.pieces)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m nlp.training", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument(
        "--work", type=Path, help="folder for what is made on the way; default a temporary one"
    )
    parser.add_argument("--minutes", type=float, default=130.0, help="most that the fine-tuning may take")
    parser.add_argument("--epochs", type=float, default=5.0, help="times that every district line is read")
    parser.add_argument("--rate", type=float, default=2e-4, help="learning rate at its peak")
    parser.add_argument(
        "--public", type=float, default=1.0, help="times the usual share of the public sets in an epoch"
    )
    parser.add_argument(
        "--continue", dest="go_on", action="store_true",
        help="begin with the weights an earlier or broken-off run left in --work",
    )  # fmt: skip
    parser.add_argument(
        "--fresh", nargs="*", default=[], metavar="PART",
        help="with --continue: parts the earlier run has not seen, read four times as often as the others",
    )  # fmt: skip
    parser.add_argument(
        "--export-only", action="store_true", help="export anew what a run left in --work, then the heads"
    )
    parser.add_argument("--heads-only", action="store_true", help="use the encoder that --work already holds")
    given = parser.parse_args()
    seen = {line.part for line in read_corpus().train} - set(HELD_PARTS) if given.fresh else set()
    if given.fresh and (not given.go_on or not seen.issuperset(given.fresh)):
        parser.error(f"--fresh needs --continue and parts of {', '.join(sorted(seen))}")
    return given


if __name__ == "__main__":
    raise SystemExit(main())
