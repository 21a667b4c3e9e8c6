"""How a wall is read back to the known, and what is remembered of young posts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crawlers.cursors import BACKFILL, MISSES_APART, WATCHED_AT_MOST, Position, Walk, Young
from crawlers.pages.base import Parsed, Sight
from index.domain.post import Counters, Post
from tests.factories import NOON, post

OLD = timedelta(days=90)


class Wall:
    """A wall of numbered posts, one a minute, read by pages of offsets as VK gives them."""

    def __init__(self, newest: int, *, page: int = 10, pinned: int | None = None) -> None:
        self.numbers = list(range(newest, 0, -1))
        self.page = page
        self.pinned = pinned
        self.stored: set[int] = set()

    def read(
        self, position: Position, *, pages_at_most: int = 20, killed_after: int | None = None
    ) -> Position:
        """One visit; `killed_after` so many pages the cursor is never saved."""
        walk = Walk(position=position, now=NOON, pages_at_most=pages_at_most)
        offset, pages = 0, 0
        while True:
            numbers = self.numbers[offset : offset + self.page]
            if self.pinned is not None and offset == 0:
                numbers = [self.pinned, *numbers]
            self.stored |= set(numbers)
            pages += 1
            if killed_after is not None and pages >= killed_after:
                return position
            follows = str(offset + self.page) if offset + self.page < len(self.numbers) else None
            keys = [(n, NOON - timedelta(minutes=10_000 - n)) for n in numbers]
            step = walk.page(keys, next_page=follows, pinned={self.pinned} if self.pinned else ())
            if step is None:
                return walk.after()
            offset = int(step)


def test_a_first_visit_reads_the_whole_wall() -> None:
    wall = Wall(45)
    assert wall.read(Position()).newest == 45
    assert wall.stored == set(range(1, 46))


def test_a_first_visit_stops_a_month_ago() -> None:
    walk = Walk(position=Position(), now=NOON)
    assert walk.page([(9, NOON - BACKFILL / 2)], next_page="2") == "2"
    assert walk.page([(8, NOON - OLD)], next_page="3") is None
    assert walk.is_complete


def test_a_visit_stops_after_a_full_page_of_known_posts() -> None:
    wall = Wall(100)
    assert wall.read(Position(newest=95)).newest == 100
    assert wall.stored == set(range(81, 101))


def test_a_pinned_post_does_not_stop_the_reading() -> None:
    wall = Wall(100, pinned=3)
    wall.read(Position(newest=70))
    assert set(range(71, 101)) <= wall.stored


def test_a_pinned_post_alone_on_a_page_says_nothing() -> None:
    walk = Walk(position=Position(newest=50), now=NOON)
    assert walk.page([(3, NOON)], next_page="1", pinned={3}) == "1"


def test_an_empty_wall_is_complete() -> None:
    walk = Walk(position=Position(), now=NOON)
    assert walk.page([], next_page=None) is None
    assert walk.is_complete
    assert walk.after() == Position()


def test_a_long_reading_goes_on_where_it_stopped() -> None:
    wall, position = Wall(200), Position(newest=10)
    for _ in range(6):
        position = wall.read(position, pages_at_most=5)
    assert position == Position(newest=200)
    assert set(range(11, 201)) <= wall.stored


def test_a_page_lost_to_a_kill_is_read_again() -> None:
    wall = Wall(60)
    position = wall.read(Position(newest=20), killed_after=2)
    assert position == Position(newest=20)
    assert wall.read(position).newest == 60
    assert set(range(21, 61)) <= wall.stored


@given(
    growth=st.lists(st.integers(min_value=0, max_value=35), min_size=1, max_size=12),
    pages_at_most=st.integers(min_value=2, max_value=6),
    kills=st.lists(st.integers(min_value=0, max_value=4), min_size=12, max_size=12),
)
def test_whatever_happens_no_post_is_lost(growth: list[int], pages_at_most: int, kills: list[int]) -> None:
    position, wall = Position(), Wall(5)
    for grown, kill in zip(growth, kills, strict=False):
        wall.numbers = list(range(wall.numbers[0] + grown, 0, -1))
        position = wall.read(position, pages_at_most=pages_at_most, killed_after=kill or None)
    for _ in range(80):
        position = wall.read(position, pages_at_most=pages_at_most)
    assert wall.stored == set(wall.numbers)


def test_a_position_survives_the_desk() -> None:
    position = Position(newest=5, top=9, resume="40")
    assert Position.from_json(position.to_json()) == position
    assert Position.from_json(None) == Position()


def sights(posts: list[Post]) -> list[Sight]:
    """As an answer shows them."""
    return Parsed(posts=tuple(posts)).sights


def test_comments_are_read_when_their_number_changes() -> None:
    young = Young()
    young.seen(sights([post(id="vk:-1_1", counters=Counters(comments=3))]), NOON)
    assert young.unread(NOON, limit=10) == ["vk:-1_1"]
    young.comments_read("vk:-1_1", NOON)
    assert young.unread(NOON, limit=10) == []
    young.seen(sights([post(id="vk:-1_1", counters=Counters(comments=2))]), NOON)
    assert young.unread(NOON, limit=10) == ["vk:-1_1"]


def test_looking_for_edits_under_new_posts_never_holds_back_comments_nobody_has_read() -> None:
    young, now, minute = Young(), NOON + timedelta(minutes=1), timedelta(minutes=1)
    counted = Counters(comments=1)
    posts = [post(counters=counted, published_at=NOON - n * minute / 60) for n in range(130)]
    unread = {one.id for one in posts}
    for _ in range(4):
        young.seen(sights(posts), now)
        for post_id in young.unread(now, limit=40):
            unread.discard(post_id)
            young.comments_read(post_id, now, recheck_at=now + 5 * minute)
        now += 6 * minute
    assert unread == set()


def test_a_post_without_comments_asks_for_none() -> None:
    young = Young()
    young.seen(sights([post(counters=Counters(comments=0))]), NOON)
    assert young.unread(NOON, limit=10) == []


def test_a_post_of_last_month_is_not_watched() -> None:
    young = Young()
    young.seen(sights([post(published_at=NOON - OLD)]), NOON)
    assert young.posts == {}


def test_a_post_is_gone_after_two_misses_an_hour_apart() -> None:
    young = Young()
    young.seen(sights([post(id="vk:-1_1")]), NOON)
    assert young.missed(["vk:-1_1"], NOON) == []
    assert young.missed(["vk:-1_1"], NOON + MISSES_APART / 2) == []
    assert young.missed(["vk:-1_1"], NOON + MISSES_APART) == ["vk:-1_1"]


def test_a_post_that_came_back_was_never_missed() -> None:
    young = Young()
    young.seen(sights([post(id="vk:-1_1")]), NOON)
    young.missed(["vk:-1_1"], NOON)
    young.seen(sights([post(id="vk:-1_1")]), NOON + MISSES_APART / 2)
    assert young.missed(["vk:-1_1"], NOON + 2 * MISSES_APART) == []


def test_a_missed_post_is_asked_for_again_after_an_hour() -> None:
    young = Young()
    young.seen(sights([post(id="vk:-1_1", published_at=NOON - timedelta(days=10))]), NOON)
    young.missed(["vk:-1_1"], NOON)
    assert young.due(NOON + MISSES_APART, limit=5) == ["vk:-1_1"]


def test_young_posts_survive_the_desk() -> None:
    young = Young()
    young.seen(sights([post(id="vk:-1_1", counters=Counters(comments=3))]), NOON)
    young.comments_read("vk:-1_1", NOON)
    young.missed(["vk:-1_1"], NOON)
    assert Young.from_json(young.to_json()) == young


def test_the_oldest_posts_are_let_go() -> None:
    young = Young()
    posts = [post(published_at=NOON - timedelta(minutes=n)) for n in range(WATCHED_AT_MOST + 50)]
    young.seen(sights(posts), NOON)
    young.trim(NOON)
    assert len(young.posts) == WATCHED_AT_MOST
    assert posts[0].id in young.posts
    assert posts[-1].id not in young.posts


def test_comments_on_a_network_that_does_not_count_are_read_by_the_clock() -> None:
    young = Young()
    young.seen(sights([post(id="telegram:a/1")]), NOON)
    assert young.comments_due(NOON, limit=5) == ["telegram:a/1"]
    young.comments_read("telegram:a/1", NOON)
    assert young.comments_due(NOON + timedelta(minutes=1), limit=5) == []
    assert young.comments_due(NOON + timedelta(minutes=6), limit=5) == ["telegram:a/1"]


def test_moments_are_kept_to_the_second() -> None:
    young = Young()
    at = datetime(2026, 11, 24, 9, 0, 7, tzinfo=UTC)
    young.seen(sights([post(id="vk:-1_1", published_at=at)]), at)
    assert Young.from_json(young.to_json()).posts["vk:-1_1"].read_at == at


def test_comments_under_a_post_of_an_open_alert_are_read_every_minute() -> None:
    young, minute = Young(), timedelta(minutes=1)
    young.seen(sights([post(id="telegram:a/1"), post(id="telegram:a/2", published_at=NOON - minute)]), NOON)
    for post_id in list(young.posts):
        young.comments_read(post_id, NOON)
    assert young.comments_due(NOON + minute, limit=5, hot={"telegram:a/2", "telegram:b/9"}) == [
        "telegram:a/2"
    ]
    assert young.unread(NOON + minute, limit=5, hot={"telegram:a/2"}) == ["telegram:a/2"]
