"""A network that breaks in any way costs nothing: the reason is shown, the others go on, nothing is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from index.domain.source import SourceState
from tests.crawlers.conftest import Stand

HOUR = timedelta(hours=1)
ALL = ("vk", "ok", "telegram", "max", "news")
WITH_CODES = ("vk", "ok", "max")
ADDRESSES = {"vk": "club1", "ok": "57000000007", "telegram": "kurlovo_news", "max": "-70000000001"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between repeats are cut, a silent network is given up after half a second."""

    async def no_rest(seconds: float) -> None: ...

    monkeypatch.setattr("crawlers.pace.rest", no_rest)
    monkeypatch.setattr("crawlers.crawl.TIMEOUT", timedelta(seconds=0.5))


@pytest.fixture
def sources(stand: Stand) -> dict[str, str]:
    """One source of each network, with one post; source ids by network."""
    found = {network: stand.watch(network, address) for network, address in ADDRESSES.items()}
    found["news"] = stand.watch("news", stand.twin.feed("kurlovo-city.example"))
    for network in ALL:
        say(stand, network, f"первое слово: {network} " + "и всё остальное. " * 20)
    return found


def say(stand: Stand, network: str, text: str) -> str:
    return stand.twin.say(network, ADDRESSES.get(network, "kurlovo-city.example"), text)


def words(stand: Stand) -> list[str]:
    """The first two words with the network, of every post that is kept."""
    return sorted(
        " ".join(post.text.split()[:3]) for post in stand.all_posts().values() if "слово" in post.text
    )


def reasons(stand: Stand, sources: dict[str, str]) -> dict[str, str]:
    return {network: stand.health(source).reason for network, source in sources.items()}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("timeout", "не ответил"),
        ("reset", "оборвал"),
        ("reset_mid_body", "оборвал"),
        ("http_503", "HTTP 503"),
        ("html", ""),
        ("empty", ""),
        ("gzip_bomb", "велик"),
        ("redirect_loop", ""),
    ],
)
def test_a_broken_network_is_named_and_read_on_later(
    stand: Stand, sources: dict[str, str], fault: str, said: str
) -> None:
    for network in ALL:
        stand.twin.fail(network, "*", fault, times=None)
    assert stand.crawl(*sources.values()).new == 0
    for network, source in sources.items():
        health = stand.health(source)
        assert health.state in (SourceState.FAILING, SourceState.LAYOUT_CHANGED), network
        assert health.failures == 1
        assert said in health.reason, network
        assert health.reason
    stand.twin.mend()
    stand.ahead += HOUR
    stand.crawl(*sources.values())
    assert words(stand) == sorted(f"первое слово: {network}" for network in ALL)
    assert {stand.health(source).state for source in sources.values()} == {SourceState.FINE}


@pytest.mark.parametrize("fault", ["truncated", "wrong_charset"])
def test_a_spoilt_answer_loses_nothing(stand: Stand, sources: dict[str, str], fault: str) -> None:
    for network in ALL:
        stand.twin.fail(network, "*", fault, times=None)
    stand.crawl(*sources.values())
    stand.twin.mend()
    stand.ahead += HOUR
    for network in ALL:
        say(stand, network, f"второе слово: {network}")
    stand.crawl(*sources.values())
    kept = words(stand)
    for network in ALL:
        assert kept.count(f"второе слово: {network}") == 1
        assert f"первое слово: {network}" in kept


@pytest.mark.parametrize("network", WITH_CODES)
def test_a_banned_token_stops_its_network_alone_and_is_not_tried_again(
    stand: Stand, sources: dict[str, str], network: str
) -> None:
    stand.twin.fail(network, "*", "banned_token", times=None)
    stand.crawl(*sources.values())
    asked = len(stand.methods(network))
    assert stand.health(sources[network]).state is SourceState.NEEDS_TOKEN
    assert "люч" in stand.health(sources[network]).reason
    stand.crawl(*sources.values())
    assert len(stand.methods(network)) == asked
    others = {stand.health(s).state for name, s in sources.items() if name != network}
    assert others == {SourceState.FINE}
    stand.twin.mend()
    stand.ahead += 7 * HOUR
    stand.crawl(sources[network])
    assert f"первое слово: {network}" in words(stand)


def test_a_second_token_takes_over(stand: Stand, sources: dict[str, str]) -> None:
    stand.twin.fail("vk", "*", "banned_token", times=1)
    stand.crawl(sources["vk"])
    assert stand.health(sources["vk"]).state is SourceState.FINE
    assert words(stand) == ["первое слово: vk"]


def test_a_captcha_waits_for_a_person(stand: Stand, sources: dict[str, str]) -> None:
    stand.twin.fail("vk", "*", "captcha", times=None)
    stand.crawl(*sources.values())
    health = stand.health(sources["vk"])
    assert health.state is SourceState.NEEDS_TOKEN
    assert "капча" in health.reason or "человек" in health.reason


@pytest.mark.parametrize("network", ["vk", "ok"])
def test_flood_control_rests_the_method(stand: Stand, sources: dict[str, str], network: str) -> None:
    stand.twin.fail(network, "*", "flood", times=None)
    stand.crawl(*sources.values())
    asked = len(stand.methods(network))
    health = stand.health(sources[network])
    assert health.state is SourceState.SLOW
    assert health.reason
    stand.crawl(*sources.values())
    assert len(stand.methods(network)) == asked
    stand.twin.mend()
    stand.ahead += 2 * HOUR
    stand.crawl(sources[network])
    assert f"первое слово: {network}" in words(stand)


@pytest.mark.parametrize("network", ["vk", "telegram", "max", "news"])  # OK calls it flood control
def test_too_many_requests_are_repeated_more_slowly(
    stand: Stand, sources: dict[str, str], network: str
) -> None:
    stand.twin.fail(network, "*", "rate", times=1)
    stand.crawl(sources[network])
    assert f"первое слово: {network}" in words(stand)


def test_a_retry_after_beyond_patience_holds_the_site(stand: Stand, sources: dict[str, str]) -> None:
    stand.twin.fail("telegram", "*", "rate", times=None)
    stand.crawl(sources["telegram"])
    health = stand.health(sources["telegram"])
    assert health.state is SourceState.SLOW
    assert health.due_at is not None
    assert health.due_at > stand.clock()


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (15, SourceState.BANNED),
        (19, SourceState.BANNED),
        (30, SourceState.BANNED),
        (5, SourceState.NEEDS_TOKEN),
        (17, SourceState.NEEDS_TOKEN),
        (29, SourceState.SLOW),
        (100, SourceState.FAILING),
        (10, SourceState.FAILING),
        (9_876, SourceState.FAILING),
    ],
)
def test_every_error_of_vk_has_its_consequence(
    stand: Stand, sources: dict[str, str], code: int, state: SourceState
) -> None:
    stand.twin.fail("vk", "*", code, times=None)
    stand.crawl(sources["vk"])
    assert stand.health(sources["vk"]).state is state
    assert stand.health(sources["vk"]).reason


def test_an_address_the_network_refuses_again_and_again_is_switched_off(
    stand: Stand, sources: dict[str, str]
) -> None:
    stand.twin.fail("vk", "*", 100, times=None)
    for _ in range(3):
        stand.crawl(sources["vk"])
    assert not stand.desk.sources.get(sources["vk"]).is_enabled


def test_without_a_token_the_source_says_so(stand: Stand, sources: dict[str, str]) -> None:
    for name in ("vk_tokens", "ok_access_token", "max_token"):
        stand.overrides.pop(name)
    stand.crawl(*sources.values())
    said = reasons(stand, sources)
    assert "VK_TOKENS" in said["vk"]
    assert "OK_ACCESS_TOKEN" in said["ok"]
    assert "MAX_TOKEN" in said["max"]
    assert words(stand) == ["первое слово: news", "первое слово: telegram"]


def test_a_post_whose_comments_are_closed_does_not_stop_the_wall(stand: Stand) -> None:
    source = stand.watch("vk", "club1")
    post = stand.twin.say("vk", "club1", "запись")
    stand.twin.say("vk", "club1", "ответ", parent=post)
    stand.twin.fail("vk", "wall.getComments", 212, times=None)
    stand.crawl(source)
    assert stand.health(source).state is SourceState.FINE
    assert stand.texts() == {"запись"}


def test_no_token_reaches_the_log(
    stand: Stand, sources: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    stand.crawl()
    stand.twin.fail("telegram", "*", "reset", times=None)
    stand.twin.fail("vk", "*", "html", times=None)
    stand.crawl()
    tokens: list[Any] = [stand.overrides[n] for n in ("ok_access_token", "telegram_bot_token", "max_token")]
    tokens += [*stand.overrides["vk_tokens"].split(","), stand.overrides["ok_session_secret"]]
    for record in caplog.records:
        if record.name.startswith(("api.", "uvicorn")):
            continue
        text = record.getMessage() + str(record.__dict__.get("exc_text") or "")
        assert not [token for token in tokens if token in text], record.name


def test_a_new_crawl_goes_on_from_a_half_written_one(stand: Stand) -> None:
    source = stand.watch("vk", "club1", with_comments=False)
    for number in range(250):
        stand.twin.say("vk", "club1", f"запись {number}")
    stand.twin.fail("vk", "wall.get", "reset", times=None)
    stand.crawl(source)
    stand.twin.mend()
    stand.ahead += HOUR
    assert stand.crawl(source).new == 250
