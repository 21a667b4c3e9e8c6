"""sources.yaml: what is read, and how each fault is named."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.practice.world import Access
from crawlers.sources import check_sources, normal_address, parse_sources, read_sources
from index.domain.post import Network
from index.domain.source import SourceState
from index.errors import Refused
from tests.crawlers.conftest import Stand

GOOD = """\
# the register
- {network: vk, address: club1, title: "Подслушано Курлово", home: Курлово}
- network: telegram
  address: "@durov"
  title: Дуров
  official: true
  comments: no
- {network: news, address: "https://site.ru/rss.xml", title: Сайт}
- {network: max, address: -70000000001, title: Канал}
"""


def test_a_register_is_read_in_order_with_its_defaults() -> None:
    sources, faults = parse_sources(GOOD)
    assert faults == []
    assert [source.id for source in sources] == [
        "vk:club1", "telegram:durov", "news:https://site.ru/rss.xml", "max:-70000000001",
    ]  # fmt: skip
    assert (sources[0].home, sources[0].is_official, sources[0].with_comments) == ("Курлово", False, True)
    assert (sources[1].is_official, sources[1].with_comments) == (True, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {network: фейсбук, address: a, title: b}", "строка 1: неизвестная сеть «фейсбук»"),
        ("\n- network: vk\n  address: 'со знаками!'\n  title: b", "строка 3: адрес «со знаками!» не годится"),
        ("- {network: vk, title: b}", "строка 1: нет поля address"),
        ("- {network: vk, address: club1}", "строка 1: нет поля title"),
        ("- {network: vk, address: club1, title: b, colour: red}", "неизвестное поле «colour»"),
        ("- {network: vk, address: club1, title: b, official: maybe}", "true или false"),
        ("- {network: vk, address: [club1], title: b}", "одно значение"),
        ("- просто строка", "строка 1: нужны поля"),
        ("network: vk", "нужен список"),
        ("", "файл пуст"),
        ("- {network: vk, address: club1", "строка"),
        ("- {network: news, address: site.ru, title: b}", "https://"),
        ("- {network: vk, address: 'https://t.me/durov', title: b}", "не vk.com"),
        ("- {network: telegram, address: ab, title: b}", "не годится"),
        (
            "- {network: vk, address: club1, title: a}\n"
            "- {network: vk, address: 'https://vk.com/club1', title: b}",
            "строка 2: источник vk:club1 уже был",
        ),
    ],
)
def test_every_fault_is_named_with_its_line(text: str, said: str) -> None:
    _, faults = parse_sources(text)
    assert len(faults) == 1
    assert said in faults[0]


def test_one_fault_does_not_hide_the_others() -> None:
    sources, faults = parse_sources(
        GOOD + "- {network: x, address: a, title: b}\n- {network: vk, title: c}\n"
    )
    assert (len(sources), len(faults)) == (4, 2)
    assert faults[1].startswith("строка 11")


def test_a_file_with_faults_is_refused_with_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text("- {network: x, address: a, title: b}\n- {network: vk, title: c}\n", encoding="utf-8")
    with pytest.raises(Refused, match="строка 2") as refused:
        read_sources(path)
    assert "строка 1" in str(refused.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "sources.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Refused, match=r"sources\.yaml"):
        read_sources(path)


@pytest.mark.parametrize(
    ("network", "written", "kept"),
    [
        (Network.VK, "https://vk.com/club1", "club1"),
        (Network.VK, "https://m.vk.com/kurlovo33", "kurlovo33"),
        (Network.OK, "https://ok.ru/group/62190641299501", "group/62190641299501"),
        (Network.TELEGRAM, "https://t.me/s/durov", "durov"),
        (Network.TELEGRAM, "@durov", "durov"),
        (Network.MAX, "https://max.ru/kurlovo_gos", "kurlovo_gos"),
        (Network.NEWS, "http://127.0.0.1:8100/news/rss.xml", "http://127.0.0.1:8100/news/rss.xml"),
    ],
)
def test_a_pasted_link_becomes_the_short_address(network: Network, written: str, kept: str) -> None:
    assert normal_address(network, written) == kept


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    sources, faults = parse_sources(text)
    assert sources or faults


@given(st.sampled_from(list(Network)), st.text(max_size=60))
def test_any_address_is_kept_or_refused(network: Network, address: str) -> None:
    with contextlib.suppress(Refused):
        assert normal_address(network, address)


def test_the_check_names_each_broken_source_and_stores_nothing(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_rest(seconds: float) -> None: ...

    monkeypatch.setattr("crawlers.pace.rest", no_rest)
    stand.twin.say("vk", "club1", "запись")
    good = stand.watch("vk", "club1")
    gone = stand.watch("vk", "nobody_has_this_name")
    stand.twin.community("vk", "club2", access=Access.BLOCKED)
    blocked = stand.watch("vk", "club2")
    stand.twin.community("telegram", "closed_news", access=Access.NO_PREVIEW)
    hidden = stand.watch("telegram", "closed_news")
    no_feed = stand.watch("news", f"{stand.twin.url}/nothing/here.xml")
    stand.twin.community("news", "silent.example")
    empty = stand.watch("news", stand.twin.feed("silent.example"))
    stand.twin.community("vk", "club3", access=Access.CLOSED)
    members_only = stand.watch("vk", "club3")
    bad_number = stand.watch("vk", "club404")
    stand.twin.community("ok", "57000000008", access=Access.CLOSED)
    closed_group = stand.watch("ok", "group/57000000008")
    not_there = stand.watch("max", "-70000000404")
    nameless = stand.watch("news", "https://no-such-host.invalid/rss.xml")
    dead = stand.watch("news", "http://127.0.0.1:9/rss.xml")
    faults = {fault.source_id: fault for fault in check_sources(stand.crawler(), now=stand.clock())}
    assert faults[good].is_fine
    shut = (gone, blocked, hidden, no_feed, members_only, closed_group, not_there)
    assert {faults[s].state for s in shut} == {SourceState.BANNED}
    assert {faults[s].state for s in (dead, nameless, bad_number)} == {SourceState.FAILING}
    said = {
        gone: "нет страницы с именем nobody_has_this_name",
        blocked: "заблокирована",
        hidden: "предпросмотр выключен, это группа или такого имени нет",
        no_feed: "404",
        dead: "соединение не установлено",
        empty: "нет ни одной записи",
        members_only: "Доступ закрыт",
        bad_number: "не принимает адрес источника",
        closed_group: "Доступ закрыт",
        not_there: "Страница удалена",
        nameless: "имя не находится в DNS",
    }
    assert {source: words for source, words in said.items() if words not in faults[source].reason} == {}
    assert stand.all_posts() == {}
