from __future__ import annotations

from datetime import datetime, timedelta

from api.reports.summary import Level, Summary, summarise
from api.service import Service
from index.domain.analysis import Risk
from index.domain.person import Role
from index.domain.source import SourceHealth, SourceState
from index.posts.query import PostState
from tests.api.conftest import Client
from tests.factories import NOON, analysis, post, source

DAY = timedelta(days=1)


def collect(service: Service, count: int, at: datetime, **facts: object) -> None:
    posts = [post(published_at=at - timedelta(minutes=n)) for n in range(1, count + 1)]
    service.posts.add(posts)
    service.posts.save_analyses({one.id: analysis(**facts) for one in posts}, PostState.WATCHED)


def see(service: Service, *, fresh_at: datetime | None = NOON, state: SourceState = SourceState.FINE) -> None:
    one = source()
    service.desk.sources.add([one], actor="admin", at=NOON)
    service.desk.sources.save_health(SourceHealth(source_id=one.id, state=state, fresh_at=fresh_at))


def day(service: Service, **filters: tuple[str, ...]) -> Summary:
    return summarise(service.posts, service.desk, since=NOON - DAY, until=NOON, now=NOON, **filters)


def test_without_a_fresh_source_there_is_no_verdict(service: Service) -> None:
    see(service, fresh_at=NOON - timedelta(hours=5))
    assert day(service).risk_level is Level.UNKNOWN
    assert "свежих источников 0 из 1" in day(service).verdict


def test_unread_posts_are_not_calm(service: Service) -> None:
    see(service)
    collect(service, 3, NOON - timedelta(weeks=1))
    service.posts.add([post(published_at=NOON - timedelta(minutes=n)) for n in range(1, 9)])
    assert day(service).risk_level is Level.UNKNOWN
    assert day(service).verdict == "Недостаточно данных: ждут разбора 8 из 8."


def test_a_banned_source_is_not_fresh_however_lately_it_was_read(service: Service) -> None:
    see(service, state=SourceState.BANNED)
    assert not day(service).freshness[0].is_fresh


def test_more_than_usual_is_tense_and_says_why(service: Service) -> None:
    see(service)
    collect(service, 2, NOON - timedelta(weeks=1), risks=(Risk.OUTAGE,))
    collect(service, 12, NOON, risks=(Risk.OUTAGE,))
    summary = day(service)
    assert summary.risk_level is Level.TENSE
    assert summary.verdict == "Напряжённее обычного: «Отключение» — 12 против обычных 2."
    assert (summary.relevant, summary.usual_relevant) == (12, 2.0)


def test_the_usual_leaves_out_weeks_in_which_nothing_was_collected(service: Service) -> None:
    see(service)
    collect(service, 6, NOON - timedelta(weeks=2), risks=(Risk.OUTAGE,))
    collect(service, 6, NOON, risks=(Risk.OUTAGE,))
    top = day(service).by_risk[0]
    assert (top.risk, top.count, top.usual) == (Risk.OUTAGE, 6, 6.0)
    assert day(service).risk_level is Level.USUAL


def test_the_first_week_has_nothing_to_compare_with(service: Service) -> None:
    see(service)
    collect(service, 12, NOON)
    assert day(service).usual_relevant is None
    assert "ещё не накопилась" in day(service).verdict


def test_fewer_than_usual_is_calm(service: Service) -> None:
    see(service)
    collect(service, 12, NOON - timedelta(weeks=1))
    collect(service, 3, NOON)
    assert day(service).risk_level is Level.CALM


def test_change_is_against_the_period_before(service: Service) -> None:
    see(service)
    collect(service, 1, NOON - DAY, risks=(Risk.FRAUD,))
    collect(service, 4, NOON, risks=(Risk.FRAUD,))
    top = day(service).by_risk[0]
    assert (top.count, top.previous, top.change) == (4, 1, 3)
    assert len(top.post_ids) == 4


def test_filters_narrow_every_number(service: Service) -> None:
    see(service)
    collect(service, 2, NOON, places=("Курлово",))
    collect(service, 3, NOON, places=("Анопино",))
    assert day(service, places=("Курлово",)).relevant == 2


def test_a_program_pulls_the_summary_of_the_contract(service: Service, client: Client) -> None:
    see(service)
    collect(service, 3, NOON, risks=(Risk.OUTAGE,), places=("Курлово",), topic_group="ЖКХ")
    body = client(Role.READER).get("/api/v1/risks/summary").json()
    contract = {
        "period",
        "total",
        "analysed",
        "risk_level",
        "by_risk",
        "by_place",
        "by_topic",
        "alerts",
        "incidents",
        "freshness",
    }
    assert contract <= body.keys()
    assert {"risk", "count", "previous", "change", "usual", "top_stories", "post_ids"} == body["by_risk"][
        0
    ].keys()
    assert {"open", "overdue", "median_minutes_to_triage"} <= body["alerts"].keys()
    assert body["by_place"] == [{"place": "Курлово", "count": 3}]
    assert len(body["by_risk"]) == 10


def test_a_period_that_ends_before_it_starts_is_refused(client: Client) -> None:
    later, sooner = NOON.isoformat(), (NOON - DAY).isoformat()
    answer = client(Role.READER).get("/api/v1/risks/summary", params={"since": later, "until": sooner})
    assert answer.status_code == 422
    assert answer.json()["field"] == "since"
