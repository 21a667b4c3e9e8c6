"""Several processes and threads at one desk: nothing twice, nothing lost, no gap, no fork."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from index.desk import Desk, open_desk
from tests.contracts import desk_race
from tests.contracts.desk_race import PROCESSES, THREADS, race
from tests.factories import NOON, alert, message, page, person, publication, source

RACERS = PROCESSES * THREADS


def flat(found: list[list]) -> list:
    return [item for part in found for item in part]


def schedule(desk: Desk, number: int) -> None:
    desk.pages.add(page(id="vk-1"), actor="admin", at=NOON)
    for _ in range(number):
        draft = publication(variants=(("vk-1", message()),))
        draft = desk.publications.save_draft(draft, actor="petrova", at=NOON)
        read = desk.publications.submit(draft.id, actor="petrova", at=NOON, version=draft.version)
        desk.publications.approve(
            read.id, actor="orlov", at=NOON, version=read.version, hash=read.payload_hash
        )


def test_a_job_is_claimed_by_one(desk: Desk, desk_setting: str, tmp_path: Path):
    desk.sources.add([source() for _ in range(30)], actor="admin", at=NOON)
    taken = flat(race(desk_setting, tmp_path, desk_race.claim_jobs))
    assert len(taken) == len(set(taken)) == 30


def test_a_delivery_is_claimed_by_one(desk: Desk, desk_setting: str, tmp_path: Path):
    schedule(desk, 20)
    taken = flat(race(desk_setting, tmp_path, desk_race.claim_deliveries))
    assert len(taken) == len(set(taken)) == 20
    assert desk.audit.verify() is None


def test_a_delivery_is_sent_by_one_even_when_all_believe_to_hold_it(
    desk: Desk, desk_setting: str, tmp_path: Path
):
    schedule(desk, 5)
    desk.deliveries.claim_due(NOON, worker="w", lease=timedelta(minutes=5), limit=10)
    assert sum(race(desk_setting, tmp_path, desk_race.send_all)) == 5


def test_reserved_moments_are_all_apart(desk: Desk, desk_setting: str, tmp_path: Path):
    moments = sorted(flat(race(desk_setting, tmp_path, desk_race.reserve)))
    assert moments == [NOON.timestamp() + n for n in range(RACERS * 4)]


def test_a_budget_is_not_overspent(desk: Desk, desk_setting: str, tmp_path: Path):
    assert sum(race(desk_setting, tmp_path, desk_race.spend)) == 20
    assert desk.quotas.spent(NOON.date()) == {"vk": 20}


def test_incidents_are_numbered_without_gaps(desk: Desk, desk_setting: str, tmp_path: Path):
    numbers = flat(race(desk_setting, tmp_path, desk_race.open_incidents))
    assert sorted(numbers) == [f"2026-{n:06d}" for n in range(1, RACERS * 4 + 1)]


def test_one_matter_raises_one_alert_with_all_the_evidence(desk: Desk, desk_setting: str, tmp_path: Path):
    race(desk_setting, tmp_path, desk_race.raise_one_matter)
    (standing,) = desk.alerts.find()[0]
    assert len(standing.post_ids) == standing.posts == RACERS * 3


def test_one_officer_accepts(desk: Desk, desk_setting: str, tmp_path: Path):
    desk.alerts.raise_alert(alert(id="a-1"))
    assert sum(race(desk_setting, tmp_path, desk_race.accept)) == 1
    assert len(desk.incidents.find()[0]) == 1


def test_many_at_once_guess_no_more_than_one_would(desk: Desk, desk_setting: str, tmp_path: Path):
    desk.people.add(person(login="ivanova"), "тёплый-ноябрь-7", actor="admin", at=NOON)
    assert sum(race(desk_setting, tmp_path, desk_race.guess)) == 10


def test_the_chain_does_not_fork(desk: Desk, desk_setting: str, tmp_path: Path):
    race(desk_setting, tmp_path, desk_race.write_notes)
    assert desk.audit.verify() is None
    assert desk.audit.find(limit=1)[0][0].number == RACERS * 6


def test_a_process_killed_inside_a_write_leaves_nothing_and_holds_nobody_up(
    desk: Desk, desk_setting: str, tmp_path: Path
):
    desk_race.killed_inside_a_write(desk_setting, tmp_path)
    opened = desk.incidents.open(title="Нет тепла", post_ids=(), actor="i", at=NOON)
    assert opened.number == "2026-000001"
    assert [i.title for i in desk.incidents.find()[0]] == ["Нет тепла"]
    assert desk.audit.verify() is None


def test_two_programs_start_at_once_on_an_empty_folder(tmp_path: Path):
    numbers = race("sqlite", tmp_path, desk_race.open_incidents)
    assert len(set(flat(numbers))) == RACERS * 4
    desk = open_desk("sqlite", tmp_path)
    assert desk.audit.verify() is None
    desk.close()
