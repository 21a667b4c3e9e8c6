"""What the crawlers keep on the desk: sources, jobs, cursors, quotas, quarantine, heartbeats."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from index.desk import Desk
from index.domain.post import Network
from index.domain.source import Proposal, ProposalState, SourceHealth, SourceState
from index.errors import Conflict, NotFound
from tests.factories import NOON, source

MINUTE = timedelta(minutes=1)


def add(desk: Desk, *sources) -> tuple[int, int, int]:
    return desk.sources.add(sources, actor="admin", at=NOON)


def claim(desk: Desk, worker: str = "w", at=NOON, **facts) -> list[str]:
    how = {"worker": worker, "lease": 5 * MINUTE, "limit": 10} | facts
    return [s.id for s in desk.jobs.claim_due(at, **how)]


def test_adding_the_register_twice_changes_nothing(desk: Desk):
    one, two = source(id="vk:a"), source(id="vk:b", home="Курлово")
    assert add(desk, one, two) == (2, 0, 0)
    assert add(desk, one, replace(two, title="Курлово Life")) == (0, 1, 1)
    assert [s.title for s in desk.sources.list()] == [one.title, "Курлово Life"]
    assert len(desk.audit.find()[0]) == 3


def test_a_source_may_be_switched_off(desk: Desk):
    add(desk, source(id="vk:a"), source(id="vk:b"))
    desk.sources.save(replace(desk.sources.get("vk:a"), is_enabled=False), actor="admin", at=NOON)
    assert [s.id for s in desk.sources.list(enabled_only=True)] == ["vk:b"]
    assert claim(desk) == ["vk:b"]


def test_an_unknown_source_is_not_found(desk: Desk):
    for ask in (
        lambda: desk.sources.get("vk:0"),
        lambda: desk.sources.health("vk:0"),
        lambda: desk.sources.save(source(id="vk:0"), actor="admin", at=NOON),
        lambda: desk.sources.save_health(SourceHealth(source_id="vk:0")),
    ):
        with pytest.raises(NotFound, match="источника"):
            ask()


def test_a_new_source_is_due_at_once_and_later_when_its_health_says(desk: Desk):
    add(desk, source(id="vk:a"), source(id="vk:b"))
    desk.sources.save_health(
        SourceHealth(source_id="vk:a", state=SourceState.FINE, due_at=NOON + MINUTE, posts_seen=7)
    )
    assert claim(desk) == ["vk:b"]
    assert claim(desk, at=NOON + MINUTE) == ["vk:a"]
    assert desk.sources.health("vk:a").posts_seen == 7
    assert set(desk.sources.healths()) == {"vk:a", "vk:b"}


def test_a_job_is_held_until_released_or_its_lease_runs_out(desk: Desk):
    add(desk, source(id="vk:a"))
    assert claim(desk, "w1") == ["vk:a"]
    desk.sources.save_health(SourceHealth(source_id="vk:a"))  # health does not free it
    assert claim(desk, "w2") == []
    desk.jobs.release("vk:a", worker="w2")  # not theirs
    assert claim(desk, "w2") == []
    desk.jobs.release("vk:a", worker="w1")
    assert claim(desk, "w2") == ["vk:a"]
    assert claim(desk, "w3", at=NOON + 5 * MINUTE) == ["vk:a"]
    assert not desk.jobs.extend("vk:a", worker="w2", until=NOON)
    assert desk.jobs.extend("vk:a", worker="w3", until=NOON + 20 * MINUTE)
    assert claim(desk, "w4", at=NOON + 11 * MINUTE) == []


def test_only_the_asked_ones_are_claimed(desk: Desk):
    add(desk, source(id="vk:a"), source(id="vk:b"))
    assert claim(desk, only=["vk:b", "vk:0"]) == ["vk:b"]
    assert claim(desk, only=[]) == []


def test_the_longest_due_come_first(desk: Desk):
    add(desk, source(id="vk:a"), source(id="vk:b"), source(id="vk:c"))
    for name, minutes in (("vk:a", 1), ("vk:b", 2)):
        desk.sources.save_health(SourceHealth(source_id=name, due_at=NOON - minutes * MINUTE))
    assert claim(desk, limit=2) == ["vk:c", "vk:b"]


def proposal(**facts) -> Proposal:
    ordinary = {
        "id": "telegram:kurlovo",
        "network": Network.TELEGRAM,
        "address": "kurlovo",
        "title": "Курлово",
        "reason": "12 ссылок",
        "found_at": NOON,
        "home": "Курлово",
    }
    return Proposal(**ordinary | facts)


def test_an_accepted_proposal_becomes_a_source(desk: Desk):
    assert desk.sources.propose(proposal())
    assert not desk.sources.propose(proposal())
    decided = desk.sources.decide("telegram:kurlovo", True, actor="admin", at=NOON)
    assert decided.state is ProposalState.ACCEPTED
    assert desk.sources.get("telegram:kurlovo").home == "Курлово"
    assert claim(desk) == ["telegram:kurlovo"]


def test_a_rejected_proposal_never_comes_back(desk: Desk):
    desk.sources.propose(proposal())
    desk.sources.decide("telegram:kurlovo", False, actor="admin", at=NOON)
    assert not desk.sources.propose(proposal(mentions=100))
    assert list(desk.sources.proposals()) == []
    with pytest.raises(Conflict, match="admin"):
        desk.sources.decide("telegram:kurlovo", True, actor="orlov", at=NOON)


def test_a_known_source_is_not_proposed(desk: Desk):
    add(desk, source(id="telegram:kurlovo"))
    assert not desk.sources.propose(proposal())


def test_a_cursor_is_kept_by_source_and_name(desk: Desk):
    assert desk.cursors.get("vk:a") is None
    desk.cursors.save("vk:a", {"newest": 7})
    desk.cursors.save("vk:a", {"newest": 8, "seen": ["ё", None]})
    desk.cursors.save("vk:a", {"offset": 100}, "comments")
    assert desk.cursors.get("vk:a") == {"newest": 8, "seen": ["ё", None]}
    assert desk.cursors.get("vk:a", "comments") == {"offset": 100}


def test_reserved_moments_keep_their_distance(desk: Desk):
    second = timedelta(seconds=1)
    moments = [desk.quotas.reserve("vk", now=NOON, spacing=second) for _ in range(3)]
    assert moments == [NOON, NOON + second, NOON + 2 * second]
    assert desk.quotas.reserve("ok", now=NOON, spacing=second) == NOON
    assert desk.quotas.reserve("vk", now=NOON + MINUTE, spacing=second) == NOON + MINUTE


def test_a_budget_is_spent_wholly_or_not(desk: Desk):
    day = NOON.date()
    assert desk.quotas.spend("vk", day=day, amount=3, limit=5)
    assert not desk.quotas.spend("vk", day=day, amount=3, limit=5)
    assert desk.quotas.spend("vk", day=day, amount=2, limit=5)
    assert not desk.quotas.spend("vk", day=day, limit=5)
    assert desk.quotas.spend("vk", day=day + timedelta(days=1), limit=5)
    assert desk.quotas.spend("ok", day=day, limit=None)
    assert desk.quotas.spent(day) == {"vk": 5, "ok": 1}


def test_a_frozen_bucket_thaws_in_time(desk: Desk):
    assert desk.quotas.frozen("vk", NOON) is None
    desk.quotas.reserve("vk", now=NOON, spacing=MINUTE)
    desk.quotas.freeze("vk", until=NOON + MINUTE, reason="сеть просит подождать")
    assert desk.quotas.frozen("vk", NOON) == (NOON + MINUTE, "сеть просит подождать")
    assert desk.quotas.frozen("vk", NOON + MINUTE) is None
    assert desk.quotas.reserve("vk", now=NOON, spacing=MINUTE) == NOON + MINUTE  # the spacing stays


def quarantine(desk: Desk, raw: str = "<html>", at=NOON) -> int:
    return desk.quarantine.add(
        stage="crawl", network=Network.VK, source_id="vk:a", raw=raw, error="не JSON", at=at
    )


def test_the_same_broken_input_is_kept_once_and_counted(desk: Desk):
    first = quarantine(desk)
    assert quarantine(desk, at=NOON + MINUTE) == first
    kept = desk.quarantine.get(first)
    assert (kept.times, kept.at, kept.raw, kept.network) == (2, NOON + MINUTE, "<html>", Network.VK)
    assert desk.quarantine.count() == 1


@pytest.mark.parametrize("raw", ["\x00\ud800\udfff", "я" * 1_200_000, "", "😀\r\n\t"])
def test_hostile_input_is_kept(desk: Desk, raw: str):
    kept = desk.quarantine.get(quarantine(desk, raw))
    assert len(kept.raw) <= 1_000_000
    assert raw.isprintable() is False or kept.raw == raw[:1_000_000]


def test_quarantine_is_read_newest_first_and_forgotten(desk: Desk):
    old, new = quarantine(desk, "a"), quarantine(desk, "b", at=NOON + MINUTE)
    assert [q.id for q in desk.quarantine.list()] == [new, old]
    assert desk.quarantine.forget_before(NOON + MINUTE) == 1
    desk.quarantine.remove(new)
    desk.quarantine.remove(new)
    assert desk.quarantine.count() == 0


def test_the_last_beat_of_each_stage_is_kept(desk: Desk):
    desk.beats.beat("crawl", NOON, {"sources": 3})
    desk.beats.beat("crawl", NOON + MINUTE, {"sources": 4})
    desk.beats.beat("watch", NOON)
    beats = desk.beats.all()
    assert (beats["crawl"].at, beats["crawl"].detail) == (NOON + MINUTE, {"sources": 4})
    assert set(beats) == {"crawl", "watch"}


def test_a_flag_keeps_any_value(desk: Desk):
    assert desk.flags.get("note", "нет") == "нет"
    for value in (False, None, {"until": "завтра", "n": [1, 2.5]}):
        desk.flags.set("note", value, actor="admin", at=NOON)
        assert desk.flags.get("note") == value


def test_a_finished_visit_saves_its_health_and_gives_the_source_back(desk: Desk):
    add(desk, source(id="vk:a"))
    assert claim(desk) == ["vk:a"]
    seen = SourceHealth(source_id="vk:a", state=SourceState.FINE, due_at=NOON + MINUTE, posts_seen=7)
    desk.jobs.finish(seen, worker="w")
    assert desk.sources.health("vk:a") == seen
    assert claim(desk, at=NOON + MINUTE, worker="other") == ["vk:a"]


def test_a_late_worker_does_not_take_the_lease_of_another(desk: Desk):
    add(desk, source(id="vk:a"))
    claim(desk, worker="slow", lease=MINUTE)
    assert claim(desk, worker="other", at=NOON + 2 * MINUTE) == ["vk:a"]
    desk.jobs.finish(SourceHealth(source_id="vk:a", due_at=NOON), worker="slow")
    assert claim(desk, at=NOON + 3 * MINUTE) == []


def test_finishing_a_source_that_was_removed_does_nothing(desk: Desk):
    desk.jobs.finish(SourceHealth(source_id="vk:gone"), worker="w")
    assert desk.sources.healths() == {}


def test_claims_may_be_of_some_networks_only(desk: Desk):
    add(desk, source(id="vk:a"), source(id="ok:1", network=Network.OK, address="1"))
    assert claim(desk, networks=[Network.OK]) == ["ok:1"]
    assert claim(desk) == ["vk:a"]
