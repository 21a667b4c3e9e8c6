"""The pipeline on 5,000 short posts: end to end, against the encoder alone, and each stage by itself."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from index.domain.post import Network, Post, PostKind
from nlp.analyse import TICK, Analyser
from nlp.beside import place_all
from nlp.district import load_district
from nlp.models import load_models
from nlp.stages.duplicates import Duplicates
from nlp.stages.heads import BATCH
from nlp.stages.places import PlaceFinder
from nlp.stages.text import cleaned_lemmas, read

COMMAND = "python -m tests.load.bench_nlp"
POSTS = 5_000
SAMPLE = 5  # batches that the encoder is measured on by itself
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
T = TypeVar("T")

_WHERE = (
    "в Курлово,на уршеле,в мезиновке,в Анопине,на Кр. Эхе,из Гуся,в Золоткове,у нас,в районе,в иванищах"
).split(",")
_WHAT = (
    "нет воды второй день,не вывозят мусор неделю,опять яма у школы,горит сарай за гаражами,доброе утро,"
    "спасибо дворнику за чистый двор,ищем рыжего кота,продам диван недорого,когда дадут тепло,темно везде,"
    "закрыли фап,стая собак у садика,звонят мошенники из банка,автобус не пришёл,хороший был концерт"
).split(",")
_MORE = (
    "ул. Советская 5,на Калинина 12,дети мёрзнут,куда смотрит администрация,звонили три раза и тишина,"
    "кто знает подскажите,фото в комментариях,сил больше нет,подъезд второй этаж третий,и так каждый год"
).split(",")


def posts(number: int = POSTS) -> list[Post]:
    """Invented posts of 3 to 25 words, the same at every run."""
    chance = random.Random(7)
    return [
        Post(
            id=f"vk:-1_{n}",
            network=Network.VK,
            kind=PostKind.POST,
            source=chance.choice(["Подслушано Курлово", "Гусь ЧП", "Уршельский | наш посёлок", "Барахолка"]),
            author=f"a{chance.randrange(2000)}",
            published_at=BEGIN + timedelta(minutes=3 * n),
            text=f"{chance.choice(_WHERE)} {chance.choice(_WHAT)}. "
            + ", ".join(chance.sample(_MORE, chance.randrange(4)))
            + f" {chance.randrange(999)}",
        )
        for n in range(number)
    ]


def run() -> list[tuple[str, str, str]]:
    """What was measured (with what is asked of it), the figure, the command."""
    return [(what, figure, COMMAND) for what, figure in _measures()]


def _measures() -> list[tuple[str, str]]:
    loading, models = spent(load_models)
    analyser = Analyser(models, load_district())
    given = posts()
    analyser.analyse(given[:64], {}, at=BEGIN)  # dictionaries and natasha are loaded once
    batches = [given[at : at + TICK] for at in range(0, len(given), TICK)]
    whole, analyses = spent(lambda: [a for batch in batches for a in analyser.analyse(batch, {}, at=BEGIN)])
    alone = batches[:SAMPLE]
    encoder, _ = spent(lambda: [encode(analyser, batch) for batch in alone])
    beside, _ = spent(lambda: place_all(given, analyses, analyser.district, encoder=models.encoder.name))
    sampled = [post for batch in alone for post in batch]
    encoder_cpu = encoder.cpu * len(given) / len(sampled)
    rest = (whole.cpu + beside.cpu - encoder_cpu) / encoder_cpu
    return [
        ("nlp: models loaded (asked: under 3 s)", f"{loading.wall:.1f} s"),
        ("nlp: analysis and place among the others (asked: 150)", _speed(given, whole.wall + beside.wall)),
        ("nlp: the encoder alone", _speed(sampled, encoder.wall)),
        ("nlp: everything but the encoder, of its processor time (asked: under 0.2)", f"{rest:.2f}"),
        *stages(given, analyser),
    ]


def encode(analyser: Analyser, batch: list[Post]) -> None:
    """The same texts in the same batches, sorted by length as the pipeline does."""
    texts = sorted((f"{post.source} → {post.text}" for post in batch), key=len)
    for at in range(0, len(texts), BATCH):
        analyser.models.encoder.encode(texts[at : at + BATCH])


def stages(given: list[Post], analyser: Analyser) -> list[tuple[str, str]]:
    """Each stage by itself, on one core."""
    finder, duplicates = PlaceFinder(analyser.district), Duplicates()
    names = analyser.district.name_lemmas
    readings = [read(post.text) for post in given]
    rows: list[tuple[str, Callable[[], object]]] = [
        ("nlp: cleaning", lambda: [read(post.text) for post in given]),
        ("nlp: lemmas", lambda: [cleaned_lemmas(reading.text, names) for reading in readings]),
        ("nlp: places and addresses (asked: 5,000)", lambda: [finder.find(r, r.text) for r in readings]),
        ("nlp: duplicates", lambda: [duplicates.place(p.id, p.text, p.published_at) for p in given]),
    ]
    return [(name, _speed(given, spent(do)[0].cpu)) for name, do in rows]


@dataclass(frozen=True, slots=True)
class Spent:
    wall: float  #: seconds
    cpu: float  #: seconds of all cores


def spent(do: Callable[[], T]) -> tuple[Spent, T]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = do()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu), result


def _speed(given: list[Post], seconds: float) -> str:
    return f"{len(given) / seconds:,.0f} posts/s"


if __name__ == "__main__":
    for row in run():
        print(*row, sep="\t")
