"""Small pure pieces of the pages: what they escape, and how they say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from api.console.alert_pane import REASONS
from api.console.clock import clock_html, next_deadline
from api.console.login import _own_path
from api.console.looks import text_html
from api.console.parts import marked_html, outside_html, spark
from api.console.people import audit_words, subject_html
from api.console.rules import conditions
from api.console.russian import ahead, number
from api.console.sources import community_search_words
from index.domain.analysis import Evidence, Risk
from index.domain.incident import Deadline, Incident
from nlp.district import load_district

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        ("https://vk.com/wall-1_2", True),
        ("http://site.example/1", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_links_lead_out_only_by_http(url: str | None, is_link: bool) -> None:
    assert outside_html(url, "открыть").startswith("<a ") is is_link


def test_an_address_cannot_break_out_of_its_attribute() -> None:
    assert 'onmouseover="' not in outside_html('https://x.example/"onmouseover="alert(1)', "открыть")


def test_marked_words_are_escaped_and_overlaps_merge() -> None:
    text = "<b>пожар</b> в школе"
    shown = marked_html(
        text,
        [
            Evidence(start=3, stop=8, risk=Risk.EMERGENCY, weight=1.0),
            Evidence(start=5, stop=8, risk=Risk.CHILDREN, weight=1.0),
        ],
    )
    assert shown.startswith("&lt;b&gt;<mark")
    assert shown.count("<mark") == 1
    assert "<b>" not in shown


def test_addresses_and_hashtags_are_coloured_and_the_rest_is_escaped() -> None:
    shown = text_html("Смотрите https://site.example/a?b=1&c=2. #Курлово <i>")
    assert "b=1&amp;c=2</span>." in shown
    assert "#Курлово</span>" in shown
    assert "<i>" not in shown


@pytest.mark.parametrize(("value", "words"), [(12.0, "12"), (12.5, "12,5"), (0.04, "0"), (2.96, "3")])
def test_numbers_have_a_comma(value: float, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(
    ("minutes", "words"), [(-5, "сейчас"), (0, "сейчас"), (5, "через 5 мин"), (60 * 24, "завтра, 12:00")]
)
def test_what_is_ahead(minutes: int, words: str) -> None:
    assert ahead(NOW + timedelta(minutes=minutes), NOW, MOSCOW) == words


def test_a_line_of_blocks_has_its_highest_full() -> None:
    assert spark([0, 1, 4, 8]) == "▁▂▅█"
    assert spark([0, 0]) == "▁▁"


def test_every_condition_of_the_shipped_rules_is_said_in_words() -> None:
    said = {rule.id: conditions(rule) for rule in load_district().rules}
    assert "авторов от" in said["story"]
    assert all(words and "_" not in words for words in said.values())


def test_the_clock_shows_the_nearest_promise_and_turns_red_when_late() -> None:
    incident = Incident(
        id="i-1",
        number="2026-000001",
        title="Нет тепла",
        created_at=NOW - timedelta(hours=2),
        created_by="incident",
        post_ids=(),
        deadlines=(
            Deadline(name="route", due_at=NOW - timedelta(hours=1), warn_at=NOW - timedelta(minutes=75)),
            Deadline(name="answer", due_at=NOW + timedelta(hours=2), warn_at=NOW + timedelta(hours=1)),
        ),
    )
    nearest = next_deadline(incident)
    assert nearest is not None
    assert nearest.name == "route"
    assert "clock late" in clock_html(incident, NOW)
    assert "назначить исполнителя: просрочено на 1 ч" in clock_html(incident, NOW)


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "x", ""])
def test_a_login_leads_to_own_pages_only(target: str) -> None:
    assert _own_path(target) == "/"
    assert _own_path("/feed?q=a") == "/feed?q=a"


def test_audit_rows_speak_russian_and_link_to_their_subject() -> None:
    assert audit_words("alert_accepted") == "сигнал принят"
    assert audit_words("something_new") == "другое действие"
    assert 'href="/incident?id=i-1"' in subject_html("incident:i-1", {})
    assert "<script>" not in subject_html("person:<script>", {})


def test_the_reasons_fit_under_digits() -> None:
    assert len(REASONS) < 9


def test_the_search_of_communities_says_what_it_did_or_why_it_cannot() -> None:
    done = {"name": "Курлово", "at": NOW.isoformat(), "found": 12, "looked_at": 5, "trouble": ""}
    assert "сегодня, 12:00 по названию «Курлово», открытых найдено 12, новых просмотрено 5" in (
        community_search_words(done, NOW, MOSCOW)
    )
    held = done | {"trouble": "нужен ключ пользователя."}
    assert community_search_words(held, NOW, MOSCOW).endswith("не работает: нужен ключ пользователя.")
    assert community_search_words(None, NOW, MOSCOW) == ""
