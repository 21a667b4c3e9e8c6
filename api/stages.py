"""The stages as `api.run.Stage`s over an open service: what `mcu up` ticks and what each stage runs alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from api.compose import author_secret
from api.run import Stage
from api.service import Service
from crawlers.crawl import Crawler
from index.errors import Refused
from nlp.analyse import TICK, Analyser, analyse_waiting
from nlp.models import ModelsInUse
from nlp.watch import Watcher
from publisher.channels import Channels
from publisher.publish import Publisher

logger = logging.getLogger(__name__)

CRAWL_EVERY = timedelta(seconds=1)
CRAWL_PATIENCE = timedelta(seconds=5)  # a slow visit goes on by itself; the tick comes back
ANALYSE_EVERY = timedelta(seconds=0.5)
WATCH_EVERY = timedelta(seconds=1)
PUBLISH_EVERY = timedelta(seconds=1)
UPKEEP_EVERY = timedelta(minutes=1)
EVERYTHING = range(256)  # shard keys
MODELS_NOTE = "models"  # among the heartbeats: the models that posts are analysed with, and since when


def shard_range(text: str) -> range:
    """`I/N` as the range of shard keys of the I-th of N equal parts, I from 0. Raises Refused."""
    part, _, whole = text.partition("/")
    if not (part.isdecimal() and whole.isdecimal() and 0 <= int(part) < int(whole) <= 256):
        raise Refused(
            "Доля указывается как I/N, например 0/4: I от 0 до N-1, N не больше 256.", field="shard"
        )
    return range(256 * int(part) // int(whole), 256 * (int(part) + 1) // int(whole))


def new_crawler(service: Service) -> Crawler:
    return Crawler(
        desk=service.desk,
        posts=service.posts,
        settings=service.settings,
        secret=author_secret(service.settings),
        queries=service.district.queries,
    )


def crawl_stage(service: Service, *, only: Sequence[str] | None = None, replay: bool = False) -> Stage:
    """Raises NotFound when `only` names a source that is not in the register."""
    for source_id in only or ():
        service.desk.sources.get(source_id)
    crawler = new_crawler(service)

    def tick() -> Mapping[str, Any]:
        report = crawler.run_due(service.now(), only=only, patience=CRAWL_PATIENCE)
        return _told(report) if report.visited or report.running else {}

    def drain() -> None:
        """Every due source once: those with a short interval are due again before the last one is read."""
        report = crawler.replay(service.now()) if replay else crawler.run_due(service.now(), only=only)
        logger.info("Crawled: %s", _told(report), extra={"action": "crawled"})

    return Stage(name="crawl", every=CRAWL_EVERY, tick=tick, drain=drain, close=crawler.close)


def analyse_stage(service: Service, *, shard: range = EVERYTHING) -> Stage:
    """Loads the models; taught heads are taken between batches. Raises Misconfigured when one is broken."""
    in_use = ModelsInUse(service.settings.encoder, service.settings.data)
    analyser = Analyser(in_use.models, service.district)
    noted: dict[str, str] = {}

    def note() -> None:
        """Which models this process reads with, for the page «Модели»."""
        said = {"version": analyser.version, "error": in_use.fault}
        if said != noted:
            service.desk.beats.beat(MODELS_NOTE, at=service.now(), detail=said)
            noted.update(said)

    def tick() -> Mapping[str, Any]:
        if (renewed := in_use.renewed()) is not None:
            analyser.take(renewed)
        note()
        taken = analyse_waiting(service.posts, analyser, limit=TICK, shard=shard, now=service.now())
        return {"analysed": taken} if taken else {}

    return Stage(name="analyse", every=ANALYSE_EVERY, tick=tick, drain=_until_idle(tick))


def watch_stage(service: Service) -> Stage:
    watcher = Watcher(service.posts, service.desk, service.district, encoder=service.settings.encoder)

    def tick() -> Mapping[str, Any]:
        service.desk.alerts.wake(service.now())
        report = watcher.run(service.now())
        return _told(report) if report.watched else {}

    return Stage(name="watch", every=WATCH_EVERY, tick=tick, drain=_until_idle(tick))


def publish_stage(service: Service) -> Stage:
    channels = Channels(service.settings, service.desk)
    publisher = Publisher(service.desk, channels)

    def tick() -> Mapping[str, Any]:
        return _told(publisher.run(service.now()))

    def drain() -> None:
        publisher.drain(service.now)

    def close() -> None:
        publisher.close()
        channels.close()

    return Stage(name="publish", every=PUBLISH_EVERY, tick=tick, drain=drain, close=close)


def upkeep_stage(service: Service) -> Stage:
    """Retention: posts past their time and raw answers older than seven days are forgotten."""

    def tick() -> Mapping[str, Any]:
        now = service.now()
        forgotten = service.posts.forget_before(now - timedelta(days=service.settings.retention_days))
        service.desk.quarantine.forget_before(now - timedelta(days=7))
        return {"forgotten": forgotten} if forgotten else {}

    return Stage(name="upkeep", every=UPKEEP_EVERY, tick=tick, drain=_until_idle(tick))


def all_stages(service: Service) -> list[Stage]:
    return [
        crawl_stage(service),
        analyse_stage(service),
        watch_stage(service),
        publish_stage(service),
        upkeep_stage(service),
    ]


def _until_idle(tick: Callable[[], Mapping[str, Any]]) -> Callable[[], None]:
    def drain() -> None:
        while tick():
            pass

    return drain


def _told(report: Any) -> dict[str, Any]:
    """A report's numbers and names that say something; {} when nothing was done."""
    return {name: value for name, value in asdict(report).items() if value}
