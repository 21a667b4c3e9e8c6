"""Feeds, articles, sitemaps and charsets of news sites."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from crawlers.pages import news
from crawlers.pages.base import Unreadable
from crawlers.pages.charset import decoded
from tests.crawlers.pages.cases import CONTEXT

RUSSIAN = "На улице Калинина прорвало трубу, без воды остались восемь домов: ёлки, щи, цапля."


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (RUSSIAN.encode(), ""),
        (RUSSIAN.encode(), "text/html; charset=windows-1251"),  # a wrong header
        (RUSSIAN.encode("cp1251"), "text/html; charset=windows-1251"),
        (RUSSIAN.encode("cp1251"), "text/html; charset=utf-8"),  # a wrong header
        (RUSSIAN.encode("cp1251"), "text/html; charset=ISO-8859-1"),  # servers that do not know
        (RUSSIAN.encode("cp1251"), ""),
        (RUSSIAN.encode("koi8-r"), ""),
        (RUSSIAN.encode("koi8-r"), "text/html; charset=koi8-r"),
        (b"\xef\xbb\xbf" + RUSSIAN.encode(), ""),
        (RUSSIAN.encode("utf-16"), ""),
        (RUSSIAN.encode("cp1251"), "text/html; charset=нет-такой"),
    ],
)
def test_russian_text_is_read_whatever_the_header_claims(body: bytes, content_type: str) -> None:
    assert decoded(body, content_type) == RUSSIAN


def test_the_charset_that_a_page_names_itself() -> None:
    body = f'<html><head><meta charset="koi8-r"></head>{RUSSIAN}'.encode("koi8-r")
    assert RUSSIAN in decoded(body, "text/html")


def test_a_body_cut_inside_a_letter_is_still_utf_8() -> None:
    assert decoded(RUSSIAN.encode()[:31]) == RUSSIAN.encode()[:31].decode("utf-8", "ignore")


@pytest.mark.parametrize(
    "url",
    [
        "https://vesti-gus.ru/news/123",
        "http://vesti-gus.ru/news/123/",
        "https://www.vesti-gus.ru/news/123?utm_source=rss&utm_medium=x#comments",
        "https://vesti-gus.ru:443/news/123?yclid=1",
    ],
)
def test_one_article_has_one_id(url: str) -> None:
    assert news.news_id(url) == news.news_id("https://vesti-gus.ru/news/123")


def test_the_number_in_the_query_makes_another_article() -> None:
    assert news.news_id("http://gusr.ru/?news_full=1") != news.news_id("http://gusr.ru/?news_full=2")


def test_an_article_keeps_the_date_of_its_feed() -> None:
    page = (
        '<html><head><meta property="article:published_time" content="2026-11-24"></head><body><article>'
        f"<h1>Прорыв</h1><p>{RUSSIAN}</p></article></body></html>"
    )
    known = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
    parsed = news.article(page.encode(), CONTEXT, url="https://a.example/1", known_date=known)
    assert parsed.posts[0].published_at == known


def test_a_canonical_address_on_another_site_is_not_believed() -> None:
    page = (
        '<html><head><link rel="canonical" href="https://other.example/">'
        '<meta name="pubdate" content="2026-11-24">'
        f"</head><body><article><h1>Прорыв</h1><p>{RUSSIAN}</p></article></body></html>"
    )
    assert (
        news.article(page.encode(), CONTEXT, url="https://a.example/1").posts[0].url == "https://a.example/1"
    )


SITEMAP = b"""<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc> https://a.example/news/1 </loc>
<lastmod>2026-11-24T10:00:00+03:00</lastmod></url><url><loc>/news/2</loc></url></urlset>"""


@pytest.mark.parametrize("body", [SITEMAP, gzip.compress(SITEMAP)])
def test_a_sitemap_lists_pages_and_their_changes(body: bytes) -> None:
    found = news.sitemap(body, url="https://a.example/sitemap.xml")
    assert list(found.pages) == [
        ("https://a.example/news/1", datetime(2026, 11, 24, 7, tzinfo=UTC)),
        ("https://a.example/news/2", None),
    ]


def test_an_index_of_sitemaps_lists_its_parts() -> None:
    body = b"<sitemapindex><sitemap><loc>https://a.example/s1.xml</loc></sitemap></sitemapindex>"
    assert list(news.sitemap(body, url="https://a.example/").parts) == ["https://a.example/s1.xml"]


def test_a_gzip_bomb_is_refused() -> None:
    with pytest.raises(Unreadable, match="велика"):
        news.sitemap(gzip.compress(b"<urlset>" + b" " * 80_000_000), url="https://a.example/")


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"\x1f\x8bgarbage", b"plain words"])
def test_what_is_no_sitemap_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        news.sitemap(body, url="https://a.example/")


def test_a_sitemap_cannot_read_our_files() -> None:
    body = b"""<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>
    <urlset><url><loc>https://a.example/&e;</loc></url></urlset>"""
    assert [url for url, _ in news.sitemap(body, url="https://a.example/").pages] in (
        ["https://a.example/"],
        [],
    )


def test_links_of_a_list_page_are_its_articles() -> None:
    page = """<nav><a href="/">Главная</a><a href="/afisha">Афиша района</a></nav>
    <a href="/?news_full=11842">7 водоёмов приведут в порядок</a>
    <a href="/?news_full=11842#c">7 водоёмов, ещё раз</a>
    <a href="?news_rubrik=18&page=5">Следующая страница</a><a href="/news/13-0-9">Благоустройство Курлово</a>
    <a href="https://other.example/news/77">Чужая новость про нас</a>
    <a href="/doc/77.pdf">Постановление номер 77</a>
    <a href="mailto:a@b.ru">Написать нам письмо</a><a href="/news/88"></a>"""
    assert news.links(page.encode(), url="http://gusr.ru/?news_rubrik=18") == [
        "http://gusr.ru/?news_full=11842",
        "http://gusr.ru/news/13-0-9",
    ]


def test_feeds_that_a_page_announces() -> None:
    page = (
        '<link rel="alternate" type="application/rss+xml" href="/rss.xml">'
        '<link rel="alternate" hreflang="en" href="/en">'
    )
    assert news.feeds(page.encode(), url="https://a.example/") == ["https://a.example/rss.xml"]


def test_a_feed_is_never_fetched_even_when_its_body_is_an_address() -> None:
    with pytest.raises(Unreadable):
        news.feed(b"http://127.0.0.1:9/rss.xml", CONTEXT, url="https://a.example/")


def test_an_entity_bomb_in_a_feed_does_no_harm() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    bomb += (
        b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><rss version="2.0"><channel><item><title>&c;</title>'
    )
    bomb += b"<link>https://a.example/1</link><pubDate>Tue, 24 Nov 2026 10:30:00 +0300</pubDate>"
    bomb += b"</item></channel></rss>"
    parsed = news.feed(bomb, CONTEXT, url="https://a.example/")
    assert all(len(post.text) < 5_000 for post in parsed.posts)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Tue, 24 Nov 2026 10:30:00 +0300", datetime(2026, 11, 24, 7, 30, tzinfo=UTC)),
        ("Tue, 24 Nov 2026 10:30:00 GMT", datetime(2026, 11, 24, 10, 30, tzinfo=UTC)),
        ("Tue, 24 Nov 2026 10:30:00 MSK", datetime(2026, 11, 24, 7, 30, tzinfo=UTC)),
        ("Tue, 24 Nov 2026 10:30:00", datetime(2026, 11, 24, 7, 30, tzinfo=UTC)),
        ("2026-11-24T10:30:00+03:00", datetime(2026, 11, 24, 7, 30, tzinfo=UTC)),
        ("2026-11-24T10:30:00Z", datetime(2026, 11, 24, 10, 30, tzinfo=UTC)),
        ("2026-11-24 10:30:00", datetime(2026, 11, 24, 7, 30, tzinfo=UTC)),
        ("24.11.2026 10:30", datetime(2026, 11, 24, 7, 30, tzinfo=UTC)),
        ("24.11.2026", datetime(2026, 11, 23, 21, 0, tzinfo=UTC)),
    ],
)
def test_dates_of_feeds_with_and_without_a_zone(date: str, expected: datetime) -> None:
    entry = f"<title>т</title><link>https://a.example/1</link><pubDate>{date}</pubDate>"
    body = f'<rss version="2.0"><channel><item>{entry}</item></channel></rss>'
    assert news.feed(body.encode(), CONTEXT, url="https://a.example/").posts[0].published_at == expected


@pytest.mark.parametrize(
    ("address", "listed"),
    [
        ("https://rutube.ru/channel/25256830/", "https://rutube.ru/api/video/person/25256830/"),
        ("https://rutube.ru/channel/25256830/videos/", "https://rutube.ru/api/video/person/25256830/"),
        ("https://rutube.ru/video/person/25256830", "https://rutube.ru/api/video/person/25256830/"),
        ("https://rutube.ru/video/6e4d63138f7d572283f44f6d730d0ce0/", None),
        ("https://vesti.example/channel/5/", None),
    ],
)
def test_a_rutube_channel_is_read_by_its_open_list(address: str, listed: str | None) -> None:
    assert news.videos_address(address) == listed


def test_a_page_of_links_to_dzen_names_its_articles() -> None:
    page = (
        b"<a href='/a/ZkXqLrTnAbCdEfGh'>2026: \xd0\x9c\xd0\xbe\xd1\x81\xd1\x82 "
        b"\xd0\xb7\xd0\xb0\xd0\xba\xd1\x80\xd1\x8b\xd1\x82</a><a href='/news'>News of today here</a>"
    )
    found = news.links(page, url="https://dzen.ru/gusvesti", content_type="text/html; charset=utf-8")
    assert found == ["https://dzen.ru/a/ZkXqLrTnAbCdEfGh"]


ORDINARY = (
    "<title>Вода &amp;lt;есть&amp;gt; &quot;да&quot;</title><link>/n/1?a=1&amp;b=2</link>"
    "<description><![CDATA[<p>Текст &laquo;дома&raquo;<br/>№ 5</p>]]></description>"
)
LONG = f"<content:encoded><![CDATA[<p>{'слово ' * 150}</p>]]></content:encoded>"
DATE = "<pubDate>Tue, 24 Nov 2026 10:30:00 +0300</pubDate>"


@pytest.mark.parametrize(
    ("item", "is_plain"),
    [
        (ORDINARY + DATE, True),
        (ORDINARY + DATE + '<guid isPermaLink="false">17</guid><category>ЖКХ</category>', True),
        (ORDINARY + DATE + '<enclosure url="/p.jpg" type="image/jpeg" length="1"/>', True),
        (ORDINARY + LONG + "<pubDate>24.11.2026 10:30</pubDate>", True),
        (ORDINARY.replace("</title>", "</title><!-- a -->") + LONG, True),
        (DATE + "<title>Нет ссылки</title><guid>https://a.example/n/2</guid>", False),
        (ORDINARY + DATE + '<media:content url="https://a.example/p.jpg" medium="image"/>', False),
        (ORDINARY + "<dc:date>2026-11-24T10:30:00Z</dc:date>", False),
        (ORDINARY + DATE + "<description>Ещё одно</description>", False),
        (ORDINARY.replace("/n/1", "/n/1&amp;amp;c;") + DATE, False),
        (ORDINARY.replace("Вода", "\xd0\x92\x92") + DATE, False),
        (ORDINARY.replace("Вода", "<b>Вода</b>") + DATE, False),
    ],
)  # fmt: skip
def test_a_plain_feed_reads_as_feedparser_reads_it(
    item: str, is_plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spaces = (
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:media="http://search.yahoo.com/mrss/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    )
    body = f'<rss version="2.0" {spaces}><channel><title>Вести</title><item>{item}</item></channel></rss>'
    url = "https://a.example/rss"
    assert (news.plain_rss(body, url) is not None) == is_plain
    read = news.feed(body.encode(), CONTEXT, url=url)
    monkeypatch.setattr(news, "plain_rss", lambda text, url: None)
    assert read == news.feed(body.encode(), CONTEXT, url=url)
    assert read.posts or read.links
