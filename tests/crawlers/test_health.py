"""What a visit says of a source."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crawlers.health import (
    Closed,
    LayoutChanged,
    NoToken,
    Outcome,
    Trouble,
    Unreached,
    after_visit,
    trouble_of,
)
from crawlers.pages.base import NetworkRefusal, Reaction, Unreadable
from crawlers.schedule import Rhythm
from index.domain.post import Network
from index.domain.source import SourceHealth, SourceState
from index.errors import ServiceError
from index.pace import NotNow
from tests.factories import NOON

HOUR = timedelta(hours=1)


def health(**facts: object) -> SourceHealth:
    return SourceHealth(**{"source_id": "vk:club1", "state": SourceState.FINE} | facts)  # type: ignore[arg-type]


def refusal(reaction: Reaction) -> NetworkRefusal:
    return NetworkRefusal(reaction, network=Network.VK, code="0", message="server says no")


def visited(
    outcome: Outcome, before: SourceHealth | None = None, rhythm: Rhythm | None = None
) -> SourceHealth:
    return after_visit(
        before or health(), outcome, rhythm or Rhythm(), started_at=NOON, now=NOON + timedelta(seconds=3),
        due_at=NOON + HOUR,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (refusal(Reaction.STOP_TOKEN), SourceState.NEEDS_TOKEN),
        (refusal(Reaction.RENEW), SourceState.NEEDS_TOKEN),
        (refusal(Reaction.CAPTCHA), SourceState.NEEDS_TOKEN),
        (refusal(Reaction.NO_ACCESS), SourceState.BANNED),
        (refusal(Reaction.BLOCKED), SourceState.BANNED),
        (refusal(Reaction.GONE), SourceState.BANNED),
        (refusal(Reaction.FREEZE_METHOD), SourceState.SLOW),
        (refusal(Reaction.SLOW_DOWN), SourceState.SLOW),
        (refusal(Reaction.BAD_REQUEST), SourceState.FAILING),
        (refusal(Reaction.RETRY), SourceState.FAILING),
        (refusal(Reaction.UNKNOWN), SourceState.FAILING),
        (NoToken("Нет ключа."), SourceState.NEEDS_TOKEN),
        (Closed("Закрыто."), SourceState.BANNED),
        (LayoutChanged("Постов нет."), SourceState.LAYOUT_CHANGED),
        (Unreached("Не ответил."), SourceState.FAILING),
        (Unreadable("Не JSON."), SourceState.FAILING),
        (NotNow("Запас.", until=NOON + HOUR, is_ours=True), SourceState.SLOW),
        (NotNow("Ключ.", until=NOON + HOUR, is_token=True), SourceState.NEEDS_TOKEN),
        (NotNow("Сайт.", until=NOON + HOUR), SourceState.FAILING),
    ],
)
def test_every_error_has_a_state_and_a_reason(error: ServiceError, state: SourceState) -> None:
    trouble = trouble_of(error, health(), NOON)
    assert trouble.state is state
    assert trouble.reason


@pytest.mark.parametrize("reaction", list(Reaction))
def test_the_officer_reads_what_the_server_said(reaction: Reaction) -> None:
    assert "server says no" in trouble_of(refusal(reaction), health(), NOON).reason


def test_the_third_unreadable_answer_in_a_row_means_another_layout() -> None:
    trouble = trouble_of(Unreadable("Не JSON."), health(failures=2), NOON)
    assert trouble.state is SourceState.LAYOUT_CHANGED


def test_our_own_pace_is_no_failure_of_the_source() -> None:
    trouble = trouble_of(NotNow("Запас.", until=NOON + HOUR, is_ours=True), health(), NOON)
    after = visited(Outcome(trouble=trouble))
    assert (after.state, after.failures) == (SourceState.SLOW, 0)


def test_a_good_visit_makes_the_source_fine_and_fresh() -> None:
    before = health(state=SourceState.FAILING, reason="не отвечал", failures=4, posts_seen=7)
    after = visited(Outcome(is_complete=True, new=3, newest_post_at=NOON - HOUR), before)
    assert (after.state, after.reason, after.failures, after.posts_seen) == (SourceState.FINE, "", 0, 10)
    assert (after.fresh_at, after.newest_post_at) == (NOON, NOON - HOUR)


def test_a_failed_visit_counts_and_leaves_the_freshness_as_it_was() -> None:
    before = health(fresh_at=NOON - 5 * HOUR, failures=1)
    trouble = Trouble(state=SourceState.FAILING, reason="не отвечает")
    after = visited(Outcome(trouble=trouble), before)
    assert (after.failures, after.fresh_at) == (2, NOON - 5 * HOUR)


def test_a_source_quieter_than_its_habit_is_silent() -> None:
    posts = [NOON - timedelta(days=9) + n * HOUR for n in range(168)]
    rhythm = Rhythm().learnt(posts, NOON - timedelta(days=2))
    after = visited(Outcome(is_complete=True), rhythm=rhythm)
    assert after.state is SourceState.SILENT
    assert "2 сут" in after.reason


def test_a_source_visited_long_after_its_time_is_behind() -> None:
    after = visited(Outcome(is_complete=True), health(due_at=NOON - HOUR))
    assert after.state is SourceState.SLOW
    assert "60 мин" in after.reason


def test_the_newest_post_never_grows_older() -> None:
    after = visited(Outcome(is_complete=True, newest_post_at=NOON - HOUR), health(newest_post_at=NOON))
    assert after.newest_post_at == NOON
