"""The news sites of the stand: feed, articles, list, sitemap, robots.txt, conditional GET, charsets."""

from __future__ import annotations

from urllib.robotparser import RobotFileParser

import feedparser
import pytest
from parsel import Selector

from api.practice.twin import Twin
from api.practice.world import Access
from tests.api.practice.calls import PNG, Caller

TEXT = "Авария на теплотрассе\nВ Курлово прорвало трубу.\nРемонт займёт день."


@pytest.fixture
def article(twin: Twin) -> str:
    twin.community("news", "vesti", title="Вести Мещёры")
    twin.say("news", "vesti", TEXT, photos=[PNG])
    return f"{twin.url}/news/vesti/item/1"


def test_a_feed_reads_as_rss(twin: Twin, call: Caller, article: str) -> None:
    feed = feedparser.parse(call.http.get(twin.feed("vesti")).content)
    assert not feed.bozo
    assert (feed.feed.title, feed.entries[0].title, feed.entries[0].link) == (
        "Вести Мещёры", "Авария на теплотрассе", article,
    )  # fmt: skip
    assert feed.entries[0].published.endswith("+0300")


def test_an_article_has_all_the_text_and_its_date(call: Caller, article: str) -> None:
    page = Selector(call.http.get(article).text)
    assert page.css("article h1::text").get() == "Авария на теплотрассе"
    assert page.css(".article-body p::text").getall() == ["В Курлово прорвало трубу.", "Ремонт займёт день."]
    assert page.css('meta[property="article:published_time"]').attrib["content"].endswith("+03:00")


@pytest.mark.parametrize("header", ["etag", "last-modified"])
def test_the_same_version_is_not_sent_again(twin: Twin, call: Caller, article: str, header: str) -> None:
    ask = {"etag": "if-none-match", "last-modified": "if-modified-since"}[header]
    for url in (twin.feed("vesti"), article, f"{twin.url}/news/vesti/"):
        first = call.http.get(url)
        again = call.http.get(url, headers={ask: first.headers[header]})
        assert (again.status_code, again.content) == (304, b"")


def test_an_edited_article_is_sent_again(twin: Twin, call: Caller, article: str) -> None:
    first = call.http.get(article)
    twin.edit("news:vesti/item/1", "Авария устранена\nТепло вернули.")
    again = call.http.get(article, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 200
    assert "Тепло вернули." in again.text


def test_a_site_in_another_charset_says_so(twin: Twin, call: Caller) -> None:
    twin.community("news", "old", title="Старый сайт").more["charset"] = "windows-1251"
    twin.say("news", "old", TEXT)
    page = call.http.get(f"{twin.url}/news/old/item/1")
    assert "charset=windows-1251" in page.headers["content-type"]
    assert "прорвало".encode("cp1251") in page.content


def test_a_site_without_a_feed_lists_its_articles_by_pages(twin: Twin, call: Caller) -> None:
    twin.community("news", "nofeed").more["has_feed"] = False
    for number in range(25):
        twin.say("news", "nofeed", f"Новость {number}\nТекст.")
    assert call.http.get(twin.feed("nofeed")).status_code == 404
    first = Selector(call.http.get(f"{twin.url}/news/nofeed/").text)
    second = Selector(call.http.get(f"{twin.url}/news/nofeed/{first.css('a.next').attrib['href']}").text)
    assert len(first.css("ul.news a")) + len(second.css("ul.news a")) == 25


def test_the_sitemap_names_every_article(twin: Twin, call: Caller, article: str) -> None:
    assert Selector(call.http.get(f"{twin.url}/news/vesti/sitemap.xml").text, type="xml").xpath(
        "//*[local-name()='loc']/text()"
    ).getall() == [article]


def test_robots_txt_closes_the_private_part(twin: Twin, call: Caller, article: str) -> None:
    rules = RobotFileParser()
    rules.parse(call.http.get(f"{twin.url}/robots.txt").text.splitlines())
    assert rules.can_fetch("mcu", article)
    assert not rules.can_fetch("mcu", f"{twin.url}/news/vesti/private/1")


def test_a_removed_article_is_gone_and_a_blocked_site_forbidden(
    twin: Twin, call: Caller, article: str
) -> None:
    twin.delete("news:vesti/item/1")
    assert call.http.get(article).status_code == 410
    assert call.http.get(f"{twin.url}/news/vesti/item/9").status_code == 404
    twin.community("news", "vesti", access=Access.BLOCKED)
    assert call.http.get(twin.feed("vesti")).status_code == 403
