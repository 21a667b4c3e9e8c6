"""The crawl from end to end over real sockets: what stands on the networks stands in the index, once."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.practice.twin import COMMUNITY
from api.practice.world import Access
from crawlers.pages.base import BadRecord
from crawlers.spiders.vk import VkSpider
from index.domain.post import AuthorKind, Network, PostKind
from index.domain.source import SourceState
from index.errors import Unavailable
from index.posts.elasticsearch import ElasticsearchPosts
from tests.crawlers.conftest import Stand
from tests.factories import alert

HOUR = timedelta(hours=1)


def test_a_vk_post_its_comments_and_their_threads_are_collected(stand: Stand) -> None:
    source = stand.watch("vk", "club1", home="Курлово", is_official=True)
    post = stand.twin.say("vk", "club1", "Отключаем тепло", author=COMMUNITY)
    comment = stand.twin.say("vk", "club1", "Надолго?", parent=post)
    for number in range(14):  # more than the ten that come along with a comment
        stand.twin.say("vk", "club1", f"ответ {number}", parent=comment)
    report = stand.crawl()
    assert report.new == 16
    first = stand.posts.get(post).post
    assert (first.source_id, first.source_home) == (source, "Курлово")
    assert first.author_kind is AuthorKind.OFFICIAL
    assert stand.posts.get(comment).post.parent_id == post


def test_a_whole_wall_is_read_on_the_first_visit_and_what_is_new_afterwards(stand: Stand) -> None:
    stand.watch("vk", "club1", with_comments=False)
    for number in range(230):
        stand.twin.say("vk", "club1", f"запись {number}")
    assert stand.crawl().new == 230
    assert stand.methods("vk").count("wall.get") == 3
    stand.twin.say("vk", "club1", "новая")
    assert stand.crawl().new == 1
    assert stand.methods("vk").count("wall.get") == 5  # a page with the new one, and a whole known page
    assert stand.crawl().new == 0
    assert stand.methods("vk").count("wall.get") == 6


def test_a_post_that_no_index_takes_is_set_aside_and_the_others_are_kept(stand: Stand) -> None:
    stand.watch("vk", "club1", with_comments=False)
    stand.twin.say("vk", "club1", "из будущего", at=datetime(3000, 1, 1, tzinfo=UTC))
    ordinary = stand.twin.say("vk", "club1", "обычная")
    stand.crawl()
    assert stand.posts.get(ordinary).post.text == "обычная"
    (aside,) = stand.desk.quarantine.list()
    assert "неправдоподобная дата 3000-01-01" in aside.error


def test_a_pinned_post_does_not_hide_the_new_ones(stand: Stand) -> None:
    stand.watch("vk", "club1", with_comments=False)
    stand.twin.say("vk", "club1", "правила", is_pinned=True)
    for number in range(60):
        stand.twin.say("vk", "club1", f"запись {number}")
    stand.crawl()
    for number in range(40):
        stand.twin.say("vk", "club1", f"поздняя {number}")
    assert stand.crawl().new == 40


def test_many_walls_go_in_a_few_batches(stand: Stand) -> None:
    stand.overrides["limits"] = "vk=3/s, vk:wall.get=100000/day"
    for number in range(1, 61):
        stand.watch("vk", f"club{number}")
        stand.twin.say("vk", f"club{number}", f"пишет {number}")
    assert stand.crawl().new == 60
    calls = [call for call in stand.twin.calls if call.network == "vk"]
    assert len(calls) <= 60  # of 240: 60 walls with their boards, videos and photos; 22 when nothing is slow
    alone = {"wall.get", "video.get", "photos.getAllComments", "board.getTopics"}  # see VkCalls._goes_alone
    assert {call.method for call in calls} <= {"execute", *alone}


def test_new_comments_under_an_old_post_are_found_by_its_counter(stand: Stand) -> None:
    stand.watch("vk", "club1")
    old = stand.twin.say("vk", "club1", "старая запись")
    for number in range(30):
        stand.twin.say("vk", "club1", f"запись {number}")
    stand.crawl()
    comment = stand.twin.say("vk", "club1", "поздний ответ", parent=old)
    stand.ahead += 2 * HOUR  # the old post is off the first page, its counter is read by the clock
    stand.crawl()
    assert comment in stand.all_posts()


def test_an_edited_post_changes_and_keeps_its_first_text(stand: Stand) -> None:
    stand.watch("vk", "club1")
    post = stand.twin.say("vk", "club1", "тепла нет")
    stand.crawl()
    stand.twin.edit(post, "тепло дали")
    assert stand.crawl().changed == 1
    assert stand.posts.get(post).post.text == "тепло дали"
    assert [version.text for version in stand.posts.versions(post)] == ["тепла нет"]


def test_a_deleted_post_is_marked_after_two_misses_an_hour_apart(stand: Stand) -> None:
    stand.watch("vk", "club1")
    post = stand.twin.say("vk", "club1", "сотрут")
    stand.twin.say("vk", "club1", "останется")
    stand.crawl()
    stand.twin.delete(post)
    for hours, is_deleted in ((1, False), (1.5, False), (2.6, True)):
        stand.ahead = hours * HOUR
        stand.crawl()
        assert stand.posts.get(post).post.is_deleted is is_deleted


def test_a_deleted_comment_is_marked(stand: Stand) -> None:
    stand.watch("vk", "club1")
    post = stand.twin.say("vk", "club1", "запись")
    comment = stand.twin.say("vk", "club1", "сотрут", parent=post)
    stand.crawl()
    stand.twin.delete(comment)
    for hours in (1, 2.1):
        stand.ahead = hours * HOUR
        stand.crawl()
    assert stand.posts.get(comment).post.is_deleted


def test_search_finds_posts_of_walls_nobody_watches(stand: Stand) -> None:
    stand.queries = ("Курлово", "Уршельский")
    stand.watch("vk", "club1", title="Подслушано")
    ours = stand.twin.say("vk", "club1", "в Курлово нет света")
    other = stand.twin.say("vk", "club77", "приезжайте в Уршельский")
    stand.crawl("vk:search")
    found = stand.all_posts()
    assert set(found) == {ours, other}
    assert found[ours].source_id is None or found[ours].source == "Подслушано"
    assert found[other].source_id is None


def test_a_search_beyond_a_thousand_is_cut_into_windows(stand: Stand) -> None:
    stand.queries = ("Курлово",)
    now = stand.clock()
    for number in range(1_300):
        at = now - timedelta(seconds=60 * number)
        stand.twin.say("vk", f"club{1 + number % 40}", f"Курлово {number}", at=at)
    stand.crawl("vk:search")
    assert len(stand.all_posts()) == 1_300


def test_own_pages_are_heard_by_long_poll(stand: Stand) -> None:
    from api.practice.vk import GROUP_TOKEN

    token = GROUP_TOKEN if isinstance(GROUP_TOKEN, str) else stand.twin.group_token("club1")
    stand.overrides["page_tokens"] = {"vk:club1": token}
    stand.watch("vk", "club1")
    post = stand.twin.say("vk", "club1", "первая")
    stand.crawl()
    comment = stand.twin.say("vk", "club1", "под ней", parent=post)
    stand.crawl()
    walls = stand.methods("vk").count("wall.get")
    assert comment in stand.all_posts()
    assert walls == 1


def test_ok_topics_and_discussions_are_collected(stand: Stand) -> None:
    stand.watch("ok", "57000000007")
    topic = stand.twin.say("ok", "57000000007", "Сход граждан в субботу")
    comment = stand.twin.say("ok", "57000000007", "Во сколько?", parent=topic)
    stand.crawl()
    assert {topic, comment} <= set(stand.all_posts())
    edited = "Сход граждан в воскресенье"
    stand.twin.edit(topic, edited)
    stand.crawl()
    assert stand.posts.get(topic).post.text == edited


def test_a_telegram_channel_is_read_back_page_by_page_with_its_discussions(stand: Stand) -> None:
    stand.watch("telegram", "kurlovo_news")
    stand.twin.community(
        "telegram",
        "kurlovo_news",
        discussion=stand.twin.community("telegram", "kurlovo_chat", is_channel=False),
    )
    before = stand.clock() - HOUR
    posts = [
        stand.twin.say("telegram", "kurlovo_news", f"пост {n}", at=before + timedelta(seconds=n))
        for n in range(50)
    ]
    comment = stand.twin.say("telegram", "kurlovo_news", "а горячая?", parent=posts[-1])
    stand.crawl("telegram:kurlovo_news")
    found = stand.all_posts()
    assert set(posts) <= set(found)
    assert comment in found


def test_a_telegram_channel_without_preview_is_banned_and_not_silent(stand: Stand) -> None:
    source = stand.watch("telegram", "closed_news")
    stand.twin.community("telegram", "closed_news", access=Access.NO_PREVIEW)
    stand.twin.say("telegram", "closed_news", "не видно")
    stand.crawl(source)
    assert stand.health(source).state is SourceState.BANNED
    assert "предпросмотр" in stand.health(source).reason


def test_max_posts_come_by_updates_and_by_history(stand: Stand) -> None:
    stand.watch("max", "-70000000001")
    before = stand.twin.say("max", "-70000000001", "до бота")
    stand.crawl()
    after = stand.twin.say("max", "-70000000001", "после")
    comment = stand.twin.say("max", "-70000000001", "когда?", parent=before)
    stand.crawl("max:updates")
    assert {before, after} <= set(stand.all_posts())
    stand.ahead += HOUR
    stand.crawl()
    assert comment in stand.all_posts()


def test_news_come_from_a_feed_with_the_whole_article_and_an_unchanged_feed_costs_nothing(
    stand: Stand,
) -> None:
    source = stand.watch("news", stand.twin.feed("kurlovo-city.example"))
    stand.twin.say("news", "kurlovo-city.example", "Воду отключат до вечера. " * 40)
    assert stand.crawl().new == 1
    assert stand.health(source).state is SourceState.FINE
    seen = len(stand.methods("news"))
    assert stand.crawl().new == 0
    assert len(stand.methods("news")) == seen + 1  # one conditional GET, no article again


def test_reading_everything_again_adds_nothing(stand: Stand) -> None:
    stand.watch("vk", "club1")
    stand.watch("telegram", "kurlovo_news")
    for number in range(30):
        stand.twin.say("vk", "club1", f"запись {number}")
        stand.twin.say("telegram", "kurlovo_news", f"пост {number}")
    first = stand.crawl()
    stand.desk.cursors.save("vk:club1", {}, "posts")
    stand.desk.cursors.save("telegram:kurlovo_news", {}, "posts")
    again = stand.another()
    stand.make_due()
    report = again.run_due(stand.clock())
    assert (first.new, report.new, report.changed) == (60, 0, 0)


def test_two_crawlers_share_the_sources(stand: Stand) -> None:
    for number in range(1, 31):
        stand.watch("vk", f"club{number}")
        stand.twin.say("vk", f"club{number}", "запись")
    one, two = stand.crawler(), stand.another()
    now = stand.clock()
    first = one.run_due(now, patience=timedelta(0))
    second = two.run_due(now)
    rest = one.run_due(now)
    assert first.visited + second.visited + rest.visited == 30 + 2  # with the updates of both bots
    assert len(stand.all_posts()) == 30


def test_an_index_that_is_down_stops_the_crawl_and_moves_no_cursor(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.watch("vk", "club1")
    stand.twin.say("vk", "club1", "запись")

    def down(*_: object) -> None:
        raise Unavailable("нет связи с индексом")

    with monkeypatch.context() as broken:
        broken.setattr(stand.posts, "add", down)
        with pytest.raises(Unavailable):
            stand.crawl("vk:club1")
    assert stand.desk.cursors.get("vk:club1") is None
    assert stand.crawl("vk:club1").new == 1


def test_a_slow_network_does_not_hold_back_the_others(stand: Stand) -> None:
    stand.watch("telegram", "kurlovo_news")
    stand.watch("vk", "club1")
    stand.twin.say("vk", "club1", "запись")
    stand.twin.fail("telegram", "*", "slow", times=None, seconds=6)
    started = time.monotonic()
    report = stand.crawler().run_due(stand.clock(), patience=timedelta(seconds=2))
    assert time.monotonic() - started < 4
    assert report.running >= 1
    assert stand.texts() == {"запись"}


def test_comments_are_left_where_the_register_says_so(stand: Stand) -> None:
    stand.watch("vk", "club1", with_comments=False)
    post = stand.twin.say("vk", "club1", "запись")
    stand.twin.say("vk", "club1", "ответ", parent=post)
    stand.crawl()
    assert [p.kind for p in stand.all_posts().values()] == [PostKind.POST]


def test_the_next_visit_is_planned_and_a_quiet_run_visits_nothing(stand: Stand) -> None:
    source = stand.watch("vk", "club1")
    stand.twin.say("vk", "club1", "запись")
    stand.crawl()
    due_at = stand.health(source).due_at
    assert due_at is not None
    assert due_at > stand.clock()
    assert stand.crawler().run_due(due_at - timedelta(seconds=1), only=[source]).visited == 0


def test_a_long_max_history_is_read_once_to_its_start(stand: Stand) -> None:
    stand.watch("max", "-70000000001", with_comments=False)
    start = stand.clock() - 5 * HOUR
    for number in range(230):
        stand.twin.say("max", "-70000000001", f"пост {number}", at=start + timedelta(seconds=number))
    assert stand.crawl("max:-70000000001").new == 230
    assert stand.methods("max").count("GET /messages") == 3


def test_a_record_that_cannot_be_read_is_put_aside_and_comes_back_when_the_parser_is_mended(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crawlers.pages import vk

    stand.watch("vk", "club1", with_comments=False)
    stand.twin.say("vk", "club1", "хорошая")
    spoilt = stand.twin.say("vk", "club1", "сломанная")
    read = vk.Reading.post

    def broken(self: vk.Reading, item: Any) -> None:
        if "сломанная" in item.get("text", ""):
            raise BadRecord("не разобрать")
        read(self, item)

    with monkeypatch.context() as unmended:
        unmended.setattr(vk.Reading, "post", broken)
        assert stand.crawl("vk:club1").broken == 1
        assert stand.crawler().replay(stand.clock()).mended == 0
    assert stand.texts() == {"хорошая"}
    (record,) = stand.desk.quarantine.list()
    assert (record.stage, record.source_id) == ("crawl:vk.wall", "vk:club1")
    report = stand.crawler().replay(stand.clock())
    assert (report.mended, report.new) == (1, 1)
    assert stand.posts.get(spoilt).post.text == "сломанная"
    assert stand.desk.quarantine.count() == 0


def test_raw_records_are_forgotten_after_a_week(stand: Stand) -> None:
    stand.desk.quarantine.add(
        stage="crawl:vk.wall", network=Network.VK, source_id="vk:club1", raw="{}", error="?",
        at=stand.clock() - timedelta(days=8),
    )  # fmt: skip
    stand.crawl()
    assert stand.desk.quarantine.count() == 0


def test_discussions_of_a_community_are_read_and_watched(stand: Stand) -> None:
    stand.watch("vk", "club1")
    topic = stand.twin.say("vk", "club1", "Кто отвечает за двор?", board="Двор на Калинина")
    first = stand.twin.say("vk", "club1", "никто", parent=topic)
    stand.crawl("vk:club1")
    assert stand.posts.get(topic).post.kind is PostKind.POST
    assert stand.posts.get(first).post.parent_id == topic
    late = stand.twin.say("vk", "club1", "уже месяц", parent=topic)
    stand.ahead = timedelta(minutes=20)
    stand.crawl("vk:club1")
    assert late in stand.all_posts()


def test_comments_under_a_post_of_an_alert_come_before_their_time(stand: Stand) -> None:
    stand.watch("max", "-70000000001")
    post = stand.twin.say("max", "-70000000001", "Авария на сетях")
    stand.crawl("max:-70000000001")
    comment = stand.twin.say("max", "-70000000001", "дым у подстанции", parent=post)
    stand.ahead = timedelta(minutes=2)
    stand.crawl("max:-70000000001")
    assert comment not in stand.all_posts()
    stand.desk.alerts.raise_alert(alert(post_ids=(post,)))
    stand.ahead = timedelta(minutes=3)
    stand.crawl("max:-70000000001")
    assert comment in stand.all_posts()


@pytest.mark.elasticsearch
def test_the_same_crawl_gives_the_same_posts_on_elasticsearch(
    stand: Stand, elasticsearch_url: str, elasticsearch_alias: str
) -> None:
    for network, address in (("vk", "club1"), ("telegram", "kurlovo_news"), ("ok", "57000000007")):
        stand.watch(network, address)
        for number in range(25):
            post = stand.twin.say(network, address, f"запись {number} 🚒 №5")
        stand.twin.say(network, address, "ответ", parent=post)
    stand.crawl()
    on_sqlite = stand.all_posts()
    for source in stand.desk.sources.list():
        for name in ("posts", "young", "discussions"):
            stand.desk.cursors.save(source.id, {}, name)
    sqlite, stand.posts = stand.posts, ElasticsearchPosts([elasticsearch_url], alias=elasticsearch_alias)
    try:
        stand.make_due()
        stand.another().run_due(stand.clock(), only=[source.id for source in stand.desk.sources.list()])
        on_elasticsearch = stand.all_posts()
    finally:
        stand.posts.close()
        stand.posts = sqlite
    assert {i: replace(p, collected_at=None) for i, p in on_elasticsearch.items()} == {
        i: replace(p, collected_at=None) for i, p in on_sqlite.items()
    }


def test_numbers_beyond_two_billion_and_posts_of_tomorrow_are_kept(stand: Stand) -> None:
    source = stand.watch("vk", "club2200000001")
    post = stand.twin.say(
        "vk", "club2200000001", "далеко", number=3_000_000_000, at=stand.clock() + 24 * HOUR
    )
    comment = stand.twin.say("vk", "club2200000001", "ответ", parent=post)
    stand.crawl(source)
    assert {post, comment} == set(stand.all_posts())
    assert stand.health(source).state is SourceState.FINE
    stand.twin.say("vk", "club2200000001", "сегодня", number=3_000_000_500)
    stand.crawl(source)
    assert "сегодня" in stand.texts()


def test_a_defect_in_one_visit_is_shown_there_and_nowhere_else(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, well = stand.watch("vk", "club1"), stand.watch("vk", "club2")
    stand.twin.say("vk", "club2", "запись")
    wall = VkSpider._wall

    async def defective(self: VkSpider, visit: Any, owner: int) -> None:
        if owner == -1:
            raise KeyError("owner")
        await wall(self, visit, owner)

    monkeypatch.setattr(VkSpider, "_wall", defective)
    stand.crawl(broken, well)
    assert "KeyError" in stand.health(broken).reason
    assert stand.health(well).state is SourceState.FINE
    assert stand.texts() == {"запись"}


def test_searches_and_bots_are_sources_that_an_officer_may_switch_off(stand: Stand) -> None:
    stand.queries = ("Курлово",)
    stand.crawl()
    own = {source.id for source in stand.desk.sources.list()}
    assert own == {"vk:search", "telegram:updates", "max:updates"}
    switched_off = replace(stand.desk.sources.get("vk:search"), is_enabled=False)
    stand.desk.sources.save(switched_off, actor="head", at=stand.clock())
    stand.another().run_due(stand.clock())
    assert not stand.desk.sources.get("vk:search").is_enabled


def test_a_crawler_closed_in_the_middle_of_a_visit_gives_its_source_back(stand: Stand) -> None:
    source = stand.watch("vk", "club1")
    stand.twin.say("vk", "club1", "запись")
    stand.twin.fail("vk", "*", "timeout", times=1, seconds=20)
    crawler = stand.another()
    assert crawler.run_due(stand.clock(), only=[source], patience=timedelta(seconds=0.3)).running == 1
    started = time.monotonic()
    crawler.close()
    assert time.monotonic() - started < 9
    assert stand.another().run_due(stand.clock(), only=[source]).new == 1
