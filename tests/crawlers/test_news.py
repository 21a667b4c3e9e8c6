"""Sites: failed articles wait, those that cannot be had are kept as the feed tells them, edits are seen."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from index.domain.source import SourceState
from tests.crawlers.conftest import Stand

WORDS = "Администрация района сообщает, что движение по мосту закрыто до конца недели. " * 8


class Site:
    """A site whose pages a test writes: path -> (status, content type, body)."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str, str]] = {}
        self.asked: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                status, kind, body = site.pages.get(self.path, (404, "text/html", "нет такой страницы"))
                self.send_response(status)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def feed(self, *titles: str) -> None:
        items = "".join(
            f"<item><title>{t}</title><link>{self.url}/{t}.html</link><description>{t}: начало…</description>"
            f"<pubDate>Mon, 23 Nov 2026 09:0{n}:00 +0300</pubDate></item>"
            for n, t in enumerate(titles)
        )
        rss = f"<?xml version='1.0'?><rss version='2.0'><channel><title>Вести</title>{items}</channel></rss>"
        self.pages["/rss.xml"] = (200, "application/rss+xml", rss)

    def article(
        self, title: str, text: str = WORDS, *, date: str | None = "2026-11-23T09:00:00+03:00"
    ) -> None:
        meta = f"<meta property='article:published_time' content='{date}'>" if date else ""
        page = (
            f"<html><head><title>{title}</title>{meta}</head><body><article><h1>{title}</h1><p>{text}</p></article>"
            "</body></html>"
        )
        self.pages[f"/{title}.html"] = (200, "text/html", page)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_rest(seconds: float) -> None: ...

    monkeypatch.setattr("crawlers.pace.rest", no_rest)


@pytest.fixture(autouse=True)
def _the_day_after(stand: Stand) -> None:
    """What the sites write is of yesterday, whenever the tests run."""
    stand.ahead = datetime(2026, 11, 24, 12, tzinfo=UTC) - datetime.now(UTC)


def text_of(stand: Stand, word: str) -> str:
    return next(post.text for post in stand.all_posts().values() if word in post.text)


def test_the_article_is_kept_and_not_the_start_in_the_feed(stand: Stand, site: Site) -> None:
    site.feed("bridge")
    site.article("bridge")
    source = stand.watch("news", f"{site.url}/rss.xml")
    assert stand.crawl(source).new == 1
    assert "движение по мосту" in text_of(stand, "bridge")
    assert stand.crawl(source).changed == 0


@pytest.mark.parametrize("on_page", [None, "2020-01-01T00:00:00+03:00"])
def test_the_feeds_date_stands_for_an_article_whatever_its_page_says(
    stand: Stand, site: Site, on_page: str | None
) -> None:
    site.feed("bridge")
    site.article("bridge", date=on_page)
    source = stand.watch("news", f"{site.url}/rss.xml")
    stand.crawl(source)
    ((post_id, post),) = stand.all_posts().items()
    assert "движение по мосту" in post.text
    assert post.published_at == datetime(2026, 11, 23, 6, tzinfo=UTC)
    assert not stand.desk.quarantine.list()
    site.article("bridge", WORDS + "Объезд через Курлово.", date=on_page)
    stand.ahead += timedelta(hours=13)  # the page is read again, without the feed
    stand.crawl(source)
    again = stand.posts.get(post_id).post
    assert "Объезд" in again.text
    assert again.published_at == post.published_at


def test_the_state_of_before_dates_were_kept_is_read(stand: Stand, site: Site) -> None:
    site.feed()
    site.article("bridge")
    source = stand.watch("news", f"{site.url}/rss.xml")
    stand.desk.cursors.save(source, {"waiting": [[f"{site.url}/bridge.html", None, 0]]}, "posts")
    stand.crawl(source)
    assert "движение" in text_of(stand, "bridge")


@pytest.mark.parametrize("status", [404, 403])
def test_an_article_that_cannot_be_had_is_kept_as_the_feed_tells_it(
    stand: Stand, site: Site, status: int
) -> None:
    site.feed("bridge")
    site.pages["/bridge.html"] = (status, "text/html", "нет")
    source = stand.watch("news", f"{site.url}/rss.xml")
    stand.crawl(source)
    stand.crawl(source)
    assert "начало" in text_of(stand, "bridge")
    assert stand.health(source).state is SourceState.FINE
    assert site.asked.count("/bridge.html") == 1


def test_one_failing_article_does_not_hold_back_the_others(stand: Stand, site: Site) -> None:
    site.feed("bridge", "school")
    site.article("school")
    site.pages["/bridge.html"] = (500, "text/html", "ошибка")
    source = stand.watch("news", f"{site.url}/rss.xml")
    stand.crawl(source)
    assert "движение" in text_of(stand, "school")


def test_a_page_that_robots_forbid_is_not_asked_for(stand: Stand, site: Site) -> None:
    site.feed("bridge")
    site.article("bridge")
    site.pages["/robots.txt"] = (200, "text/plain", "User-agent: *\nDisallow: /bridge.html\n")
    source = stand.watch("news", f"{site.url}/rss.xml")
    stand.crawl(source)
    stand.crawl(source)
    assert "/bridge.html" not in site.asked
    assert "начало" in text_of(stand, "bridge")


def test_sources_of_one_site_that_are_asked_for_at_once_all_keep_to_its_robots(
    stand: Stand, site: Site
) -> None:
    site.feed("bridge")
    site.pages["/robots.txt"] = (200, "text/plain", "User-agent: *\nDisallow: /no/\n")
    for number in range(5):
        site.pages[f"/no/{number}.xml"] = site.pages["/rss.xml"]
    sources = [stand.watch("news", f"{site.url}/no/{number}.xml") for number in range(5)]
    stand.crawl(*sources)
    assert site.asked == ["/robots.txt"]
    assert {stand.health(source).state for source in sources} == {SourceState.BANNED}


def test_a_site_that_forbids_its_feed_is_banned_by_its_own_word(stand: Stand, site: Site) -> None:
    site.feed("bridge")
    site.pages["/robots.txt"] = (200, "text/plain", "User-agent: *\nDisallow: /\n")
    source = stand.watch("news", f"{site.url}/rss.xml")
    stand.crawl(source)
    assert stand.health(source).state is SourceState.BANNED
    assert "robots" in stand.health(source).reason


def test_a_page_that_announces_a_feed_is_read_by_it(stand: Stand, site: Site) -> None:
    site.feed("bridge")
    site.article("bridge")
    link = "<link rel='alternate' type='application/rss+xml' href='/rss.xml'>"
    site.pages["/"] = (200, "text/html", f"<html><head>{link}</head><body>Главная</body></html>")
    source = stand.watch("news", f"{site.url}/")
    assert stand.crawl(source).new == 1
    stand.crawl(source)
    assert site.asked.count("/") == 1


def test_a_sitemap_names_the_articles(stand: Stand, site: Site) -> None:
    site.article("bridge")
    xml = f"<url><loc>{site.url}/bridge.html</loc><lastmod>{stand.clock().date()}</lastmod></url>"
    body = f"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{xml}</urlset>"
    site.pages["/sitemap.xml"] = (200, "application/xml", body)
    source = stand.watch("news", f"{site.url}/sitemap.xml")
    assert stand.crawl(source).new == 1


def test_an_edited_article_is_noticed_and_a_deleted_one_marked(stand: Stand, site: Site) -> None:
    site.feed("bridge")
    site.article("bridge")
    source = stand.watch("news", f"{site.url}/rss.xml")
    stand.crawl(source)
    (post_id,) = stand.all_posts()
    site.article("bridge", WORDS + "Объезд через Курлово.")
    stand.ahead += timedelta(hours=13)
    stand.crawl(source)
    assert "Объезд" in stand.posts.get(post_id).post.text
    del site.pages["/bridge.html"]
    for hours in (13, 2):
        stand.ahead += timedelta(hours=hours)
        stand.crawl(source)
    assert stand.posts.get(post_id).post.is_deleted


def test_a_feed_that_lost_its_entries_is_a_changed_layout(stand: Stand, site: Site) -> None:
    site.feed("bridge")
    site.article("bridge")
    source = stand.watch("news", f"{site.url}/rss.xml")
    stand.crawl(source)
    site.feed()
    stand.crawl(source)
    assert stand.health(source).state is SourceState.LAYOUT_CHANGED


def video_list(
    site: Site, *titles: str, following: str | None = None, at: str = "2026-11-23T09:00:00"
) -> str:
    """Rutube's open JSON of a channel, and the comments of its first video."""
    results = [
        {
            "id": f"{n:032x}",
            "video_url": f"https://rutube.ru/video/{n:032x}/",
            "title": title,
            "description": f"{title}: описание",
            "publication_ts": at,
            "author": {"id": 5, "name": "Телеканал"},
        }
        for n, title in enumerate(titles, 1)
    ]
    return json.dumps({"results": results, "has_next": bool(following), "next": following})


def talk(*texts: str, replies: int = 0, first: int = 1) -> str:
    results = [
        {
            "id": n,
            "text": text,
            "created_ts": "2026-11-23T10:00:00",
            "user": {"id": n},
            "replies_number": replies,
        }
        for n, text in enumerate(texts, first)
    ]
    return json.dumps({"results": results})


def test_videos_of_a_rutube_channel_are_kept_with_descriptions_and_comments(stand: Stand, site: Site) -> None:
    site.pages["/api/video/person/5/"] = (200, "application/json", video_list(site, "Новости"))
    comments = f"/api/comments/video/{1:032x}/"
    site.pages[comments] = (200, "application/json", talk("Воды нет третий день", replies=1))
    site.pages[f"{comments}?parent_id=1"] = (200, "application/json", talk("И у нас", first=9))
    source = stand.watch("news", f"{site.url}/api/video/person/5/", home="Курлово")
    stand.ahead = datetime(2026, 11, 24, tzinfo=UTC) - datetime.now(UTC)
    stand.crawl(source)
    posts = {post.text: post for post in stand.all_posts().values()}
    video = posts["Новости: описание"]
    assert posts["Воды нет третий день"].parent_id == posts["И у нас"].parent_id == video.id
    assert posts["И у нас"].source_home == "Курлово"
    assert stand.health(source).state is SourceState.FINE
    asked = site.asked.count(comments)
    stand.crawl(source)
    assert site.asked.count(comments) == asked  # again by the clock, not every minute


def test_a_channel_is_read_back_on_the_first_visit_only(stand: Stand, site: Site) -> None:
    following = f"{site.url}/api/video/person/5/?page=2"
    stand.ahead = datetime(2026, 11, 24, tzinfo=UTC) - datetime.now(UTC)
    site.pages["/api/video/person/5/"] = (
        200,
        "application/json",
        video_list(site, "Первая", following=following),
    )
    second = video_list(site, "", "Вторая", at="2026-11-20T09:00:00")
    site.pages["/api/video/person/5/?page=2"] = (200, "application/json", second)
    source = stand.watch("news", f"{site.url}/api/video/person/5/", with_comments=False)
    stand.crawl(source)
    stand.crawl(source)
    assert site.asked.count("/api/video/person/5/?page=2") == 1
    assert not [path for path in site.asked if "comments" in path]
    assert any("Вторая" in text for text in stand.texts())


def test_comments_in_another_shape_are_told_and_the_descriptions_kept(stand: Stand, site: Site) -> None:
    stand.ahead = datetime(2026, 11, 24, tzinfo=UTC) - datetime.now(UTC)
    site.pages["/api/video/person/5/"] = (200, "application/json", video_list(site, "Новости"))
    site.pages[f"/api/comments/video/{1:032x}/"] = (200, "text/html", "<html>Войдите</html>")
    source = stand.watch("news", f"{site.url}/api/video/person/5/")
    stand.crawl(source)
    assert stand.texts() == {"Новости: описание"}
    assert "comments: false" in stand.health(source).reason


def test_an_article_of_dzen_is_kept_with_its_comments(stand: Stand, site: Site) -> None:
    site.feed("bridge")
    site.article("bridge")
    status, kind, page = site.pages["/bridge.html"]
    meta = "<head><meta content='pub1:d0c1' property='zen_object_id'>"
    site.pages["/bridge.html"] = (status, kind, page.replace("<head>", meta))
    query = "documentId=native:d0c1&publicationPublisherId=pub1"
    said = {"id": 100, "createdTs": 1795510800000, "authorSafeUid": "a1", "text": "Когда откроют мост?"}
    answer = json.dumps({"items": [{"entity": "comment", "entityData": said}]})
    site.pages[f"/api/comments/v2/root-comments?{query}"] = (200, "application/json", answer)
    source = stand.watch("news", f"{site.url}/rss.xml")
    stand.ahead = datetime(2026, 11, 24, 12, tzinfo=UTC) - datetime.now(UTC)
    stand.crawl(source)
    posts = {post.text: post for post in stand.all_posts().values()}
    assert stand.health(source).reason == ""
    (article,) = (post for text, post in posts.items() if "движение" in text)
    assert posts["Когда откроют мост?"].parent_id == article.id
