"""What every PostIndex does: one suite over SQLite and a real Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index.domain.analysis import Entity, Evidence, Intent, Risk, ScorePart, Sentiment, Severity
from index.domain.post import Attachment, AuthorKind, Counters, Network, PostKind, Print
from index.errors import NotFound, Refused
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.elasticsearch import ElasticsearchPosts
from index.posts.query import Added, Count, Facet, Kept, Order, PostState, Query, Record
from tests.factories import NOON, analysis, post
from tests.services.elasticsearch import empty

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", pytest.param("elasticsearch", marks=pytest.mark.elasticsearch)])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PostIndex]:
    """An empty index of each kind."""
    if request.param == "sqlite":
        opened = open_posts("sqlite", tmp_path)
        yield opened
        opened.close()
        return
    url, alias = (request.getfixturevalue(f"elasticsearch_{name}") for name in ("url", "module_alias"))
    opened = ElasticsearchPosts([url], alias=alias)
    yield opened
    opened.close()
    empty(url, alias)


def ids(index: PostIndex, **conditions: object) -> list[str]:
    index.refresh()
    return [record.post.id for record in index.find(Query(**conditions)).records]


class TestAdd:
    def test_a_post_is_kept_once(self, index: PostIndex) -> None:
        one, two = post(), post()
        assert index.add([one]) == Added(new=1, new_ids=(one.id,))
        assert index.add([one, two]) == Added(new=1, known=1, new_ids=(two.id,))
        index.refresh()
        assert index.count(Query()) == 2

    def test_the_same_post_twice_in_one_call_is_new_once(self, index: PostIndex) -> None:
        one = post()
        edited = replace(one, text="Тепло дали")
        assert index.add([one, one, edited]) == Added(new=1, changed=1, known=1, new_ids=(one.id,))
        assert index.get(one.id).versions == 2

    def test_a_changed_text_keeps_the_old_one_and_waits_for_nlp_again(self, index: PostIndex) -> None:
        one = post(text="Нет тепла")
        index.add([one])
        index.save_analyses({one.id: analysis()})
        assert index.add([replace(one, text="Дали тепло", collected_at=NOON + HOUR)]).changed == 1
        record = index.get(one.id)
        assert (record.post.text, record.state, record.analysis) == ("Дали тепло", PostState.COLLECTED, None)
        assert [(v.text, v.seen_at) for v in index.versions(one.id)] == [("Нет тепла", NOON)]
        index.refresh()
        assert index.count(Query(lemmas=("тепло",))) == 0

    def test_versions_stand_newest_first(self, index: PostIndex) -> None:
        one = post(text="раз")
        for text in ("раз", "два", "три"):
            index.add([replace(one, text=text)])
        assert [version.text for version in index.versions(one.id)] == ["два", "раз"]
        assert index.get(one.id).versions == 3

    def test_changed_counters_alone_do_not_ask_for_another_analysis(self, index: PostIndex) -> None:
        one = post(counters=Counters(views=10, likes=1))
        index.add([one])
        index.save_analyses({one.id: analysis()})
        assert index.add([replace(one, counters=Counters(views=25))]).changed == 1
        record = index.get(one.id)
        assert record.state is PostState.ANALYSED
        assert record.post.counters == Counters(views=25, likes=1)
        assert record.versions == 1

    def test_a_deletion_mark_keeps_the_text(self, index: PostIndex) -> None:
        one = post(text="Нет тепла")
        index.add([one])
        index.add([replace(one, text="", is_deleted=True)])
        assert index.get(one.id).post == replace(one, is_deleted=True)
        assert ids(index) == []
        assert ids(index, with_deleted=True) == [one.id]

    def test_a_deleted_post_that_is_seen_again_is_back(self, index: PostIndex) -> None:
        one = post(is_deleted=True)
        index.add([one])
        index.add([replace(one, is_deleted=False)])
        assert ids(index) == [one.id]

    def test_a_post_whose_date_moved_to_another_month_is_not_doubled(self, index: PostIndex) -> None:
        one = post(published_at=datetime(2026, 10, 31, 23, 59, tzinfo=UTC))
        index.add([one])
        assert index.add([replace(one, published_at=NOON)]).new == 0
        index.refresh()
        assert index.add([replace(one, published_at=NOON + DAY)]).new == 0
        assert index.count(Query()) == 1
        assert index.get(one.id).post.published_at == one.published_at

    def test_a_post_found_by_search_learns_its_source_later(self, index: PostIndex) -> None:
        one = post(source_id=None)
        index.add([one])
        index.add([replace(one, source_id="vk:club7")])
        assert ids(index, source_ids=("vk:club7",)) == [one.id]

    def test_everything_of_a_post_comes_back(self, index: PostIndex) -> None:
        one = post(
            kind=PostKind.COMMENT, source_home="Курлово", author_kind=AuthorKind.OFFICIAL,
            parent_id="vk:-1_1",
            reply_to_id="vk:-1_2", origin_id="vk:-3_3", url="https://vk.com/wall-1_1", is_edited=True,
            attachments=(Attachment(kind="photo", url="https://x", title="яма", text="во дворе"),),
            counters=Counters(views=1, likes=2, reposts=3, comments=None), text="Ё «ёлки» 😀\nвторая\tстрока",
            published_at=NOON.replace(microsecond=123456),
        )  # fmt: skip
        index.add([one])
        assert index.get(one.id).post == one

    def test_a_crowd_at_one_moment_is_kept_whole(self, index: PostIndex) -> None:
        crowd = [post() for _ in range(1_200)]
        assert index.add(crowd).new == len(crowd)
        index.refresh()
        assert index.count(Query()) == len(crowd)

    def test_a_cut_emoji_is_mended(self, index: PostIndex) -> None:
        one = post(text="Тепло\ud83d!", attachments=(Attachment(kind="link", title="\ude00"),))
        index.add([one])
        assert index.get(one.id).post.text == "Тепло�!"

    def test_a_post_of_a_megabyte_is_kept(self, index: PostIndex) -> None:
        one = post(text="яма " * 250_000)
        index.add([one])
        index.save_analyses({one.id: analysis(lemmas=("яма",) * 250_000)})
        assert ids(index, lemmas=("яма",)) == [one.id]

    @pytest.mark.parametrize(
        ("facts", "field"),
        [
            ({"id": ""}, "id"),
            ({"id": "я" * 300}, "id"),
            ({"published_at": NOON.replace(tzinfo=None)}, "published_at"),
            ({"published_at": NOON.replace(year=1970)}, "published_at"),
            ({"collected_at": NOON.replace(tzinfo=None)}, "collected_at"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(
        self, index: PostIndex, facts: dict[str, object], field: str
    ) -> None:
        with pytest.raises(Refused) as refusal:
            index.add([post(**facts)])
        assert refusal.value.field == field

    def test_many_writers_of_the_same_posts_add_each_once(self, index: PostIndex) -> None:
        crowd = [post() for _ in range(60)]
        with ThreadPoolExecutor(8) as threads:
            added = list(threads.map(index.add, [crowd] * 8))
        assert sum(each.new for each in added) == len(crowd)
        assert sorted(i for each in added for i in each.new_ids) == sorted(one.id for one in crowd)

    def test_many_edits_at_once_lose_none(self, index: PostIndex) -> None:
        one = post(text="0")
        index.add([one])
        edits = [[replace(one, text=str(number))] for number in range(1, 9)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(index.add, edits))
        texts = {version.text for version in index.versions(one.id)} | {index.get(one.id).post.text}
        assert texts == {str(number) for number in range(9)}


class TestGet:
    def test_a_post_is_read_at_once_after_it_was_written(self, index: PostIndex) -> None:
        one = post()
        index.add([one])
        assert index.get(one.id).post == one

    def test_an_unknown_post_is_not_found(self, index: PostIndex) -> None:
        with pytest.raises(NotFound):
            index.get("vk:-1_0")
        assert index.versions("vk:-1_0") == []

    def test_those_that_exist_are_given_by_id(self, index: PostIndex) -> None:
        one, two = post(), post(published_at=NOON - 60 * DAY)
        index.add([one, two])
        found = index.get_many([one.id, "vk:-1_0", two.id])
        assert {post_id: record.post for post_id, record in found.items()} == {one.id: one, two.id: two}

    def test_an_empty_index_answers(self, index: PostIndex) -> None:
        index.check()
        assert index.get_many([]) == {}
        assert index.find(Query()).records == ()
        assert index.count(Query()) == index.authors(Query()) == 0
        assert index.count_by(Query(), Facet.PLACE) == []
        assert index.histogram(Query(), step=DAY) == []
        assert index.nearest([0.1] * 384, Query()) == []
        assert index.waiting(limit=5, model="m") == index.analysed(limit=5) == []
        assert index.erase(post_ids=["x"], author="y") == index.forget_before(NOON) == 0


class TestAnalyses:
    def test_everything_of_an_analysis_comes_back(self, index: PostIndex) -> None:
        full = analysis(
            places=("Курлово", "Мезиновский"), scope="district", address="ул. Строительная, 5",
            intent=Intent.COMPLAINT, topic_group="ЖКХ", topic="Отопление", sentiment=Sentiment.NEGATIVE,
            toxicity=0.25, risk_scores={Risk.OUTAGE: 0.9, Risk.EMERGENCY: 0.1}, risks=(Risk.OUTAGE,),
            severity=Severity.TODAY, needs_answer=True,
            entities=(Entity(text="Строительной", type="LOC", start=3, stop=15),),
            evidence=(Evidence(risk=Risk.OUTAGE, start=27, stop=37, weight=0.5),),
            vector=tuple([0.05, -0.0512] * 192), duplicate_of="vk:-1_1", story_id="s-1", risk_score=61,
            risk_parts=(ScorePart(name="ЖКХ: авария", points=40), ScorePart(name="рост", points=-3)),
        )  # fmt: skip
        one = post()
        index.add([one])
        index.save_analyses({one.id: full})
        found = index.get(one.id).analysis
        assert found is not None
        assert found.vector == pytest.approx(full.vector, abs=0.0001)
        assert replace(found, vector=full.vector) == full

    def test_never_analysed_posts_wait_oldest_first(self, index: PostIndex) -> None:
        late, early, done = post(), post(published_at=NOON - 40 * DAY), post(published_at=NOON - DAY)
        index.add([late, early, done])
        index.save_analyses({done.id: analysis()})
        assert index.waiting(limit=10) == [early, late]
        assert index.waiting(limit=1) == [early]

    def test_what_was_just_analysed_does_not_wait_again(self, index: PostIndex) -> None:
        index.add([post() for _ in range(30)])
        drained = []
        while batch := index.waiting(limit=7):
            index.save_analyses({one.id: analysis() for one in batch})
            drained += batch
        assert len(drained) == len({one.id for one in drained}) == 30

    def test_posts_of_another_model_wait_behind_newest_first(self, index: PostIndex) -> None:
        fresh, *old = (post(published_at=NOON + number * HOUR) for number in range(4))
        index.add([fresh, *old])
        index.save_analyses({one.id: analysis(model=f"old-{n % 2}") for n, one in enumerate(old)})
        index.save_analyses({old[1].id: analysis(model="new")}, PostState.WATCHED)
        assert index.waiting(limit=10, model="new") == [fresh, old[2], old[0]]
        assert index.waiting(limit=2, model="new") == [fresh, old[2]]

    def test_shards_share_the_waiting_posts(self, index: PostIndex) -> None:
        crowd = [post() for _ in range(50)]
        index.add(crowd)
        halves = [index.waiting(limit=100, shard=shard) for shard in (range(100), range(100, 256))]
        assert all(one.shard_key < 100 for one in halves[0])
        assert sorted(one.id for half in halves for one in half) == sorted(one.id for one in crowd)

    def test_the_queue_of_the_watch_is_oldest_first(self, index: PostIndex) -> None:
        late, early, seen = post(), post(published_at=NOON - 40 * DAY), post()
        index.add([late, early, seen])
        index.save_analyses({late.id: analysis(), early.id: analysis()})
        index.save_analyses({seen.id: analysis()}, PostState.WATCHED)
        assert [record.post.id for record in index.analysed(limit=10)] == [early.id, late.id]

    def test_an_analysis_replaces_the_one_before(self, index: PostIndex) -> None:
        one = post()
        index.add([one])
        index.save_analyses({one.id: analysis(lemmas=("яма",), places=("Курлово",), vector=(0.6, 0.8))})
        index.save_analyses({one.id: analysis(lemmas=("свет",), places=("Гусевский",))}, PostState.WATCHED)
        assert ids(index, lemmas=("яма",)) == ids(index, places=("Курлово",)) == []
        assert ids(index, lemmas=("свет",), places=("Гусевский",), states=(PostState.WATCHED,)) == [one.id]
        assert index.nearest((0.6, 0.8), Query()) == []

    def test_an_analysis_of_nobody_is_left_out(self, index: PostIndex) -> None:
        index.save_analyses({"vk:-1_0": analysis()})
        assert ids(index) == []

    def test_an_analysis_of_an_old_text_does_not_hide_the_new_one(self, index: PostIndex) -> None:
        one, two = post(text="Нет тепла"), post()
        index.add([one, two])
        index.add([replace(one, text="Пожар!")])
        made_of = {one.id: one.content_hash, two.id: two.content_hash}
        index.save_analyses({one.id: analysis(), two.id: analysis()}, content_hashes=made_of)
        assert [waiting.text for waiting in index.waiting(limit=5)] == ["Пожар!"]

    def test_a_quarantined_post_keeps_its_text_and_waits_no_more(self, index: PostIndex) -> None:
        one = post()
        index.add([one])
        index.save_analyses({one.id: analysis()})
        index.quarantine(one.id, "модель упала")
        record = index.get(one.id)
        assert (record.state, record.analysis, record.error) == (PostState.QUARANTINED, None, "модель упала")
        assert record.post == one
        assert index.waiting(limit=5, model="new") == []

    def test_a_quarantined_post_that_is_analysed_after_all_has_no_error(self, index: PostIndex) -> None:
        one = post()
        index.add([one])
        index.quarantine(one.id, "модель упала")
        index.save_analyses({one.id: analysis()})
        assert index.get(one.id).error == ""


class TestWords:
    @pytest.mark.parametrize(
        ("lemmas", "asked", "is_found"),
        [
            (("желтый", "трамвай"), ("трамвай",), True),
            (("желтый", "трамвай"), ("трамвай", "желтый"), True),
            (("желтый", "трамвай"), ("желтый", "автобус"), False),
            (("желтый",), ("желт",), False),
            (("гусь-хрустальный",), ("гусь-хрустальный",), True),
            (("гусь-хрустальный",), ("гусь",), False),
            (("м'яч", '"кавычка"', "a*b", "c++"), ("м'яч", '"кавычка"', "a*b", "c++"), True),
            (("not", "or", "and", "near"), ("or", "and"), True),
            (("abc",), ("ABC",), True),
            (("й",), ("и",), False),
            (("ж" * 300,), ("ж" * 300,), True),
            (("два слова",), ("слова",), True),
            (("дождь", "😀"), ("😀",), True),
            (("дождь",), ("", " "), True),
        ],
    )
    def test_all_lemmas_must_stand_in_the_text(
        self, index: PostIndex, lemmas: tuple[str, ...], asked: tuple[str, ...], is_found: bool
    ) -> None:
        one = post()
        index.add([one])
        index.save_analyses({one.id: analysis(lemmas=lemmas)})
        assert ids(index, lemmas=asked) == ([one.id] if is_found else [])

    def test_the_best_match_comes_first(self, index: PostIndex) -> None:
        vague, exact = post(), post(published_at=NOON - HOUR)
        index.add([vague, exact, other := post()])
        index.save_analyses(
            {
                vague.id: analysis(lemmas=("яма", *("слово",) * 40)),
                exact.id: analysis(lemmas=("яма", "яма", "двор")),
                other.id: analysis(lemmas=("свет",)),
            }
        )
        assert ids(index, lemmas=("яма",), order=Order.BEST) == [exact.id, vague.id]


class TestPages:
    @pytest.mark.parametrize("order", list(Order))
    def test_pages_give_every_post_once_in_order(self, index: PostIndex, order: Order) -> None:
        moments = (
            NOON,
            NOON,
            NOON,
            NOON.replace(microsecond=700),
            NOON.replace(microsecond=1),
            NOON - 40 * DAY,
        )
        crowd = [post(published_at=moments[n % len(moments)]) for n in range(23)]
        index.add(crowd)
        index.save_analyses({one.id: analysis(risk_score=n % 3) for n, one in enumerate(crowd) if n % 5})
        index.refresh()
        lemmas = ("тепло",) if order is Order.BEST else ()
        whole = [r.post.id for r in index.find(Query(order=order, lemmas=lemmas), limit=100).records]
        assert len(whole) == len(set(whole)) == (18 if lemmas else 23)
        paged, cursor = [], None
        while True:
            found = index.find(Query(order=order, lemmas=lemmas), limit=4, cursor=cursor)
            paged += [record.post.id for record in found.records]
            if (cursor := found.next) is None:
                break
        assert paged == whole

    def test_newest_is_by_time_then_id(self, index: PostIndex) -> None:
        index.add([post(id="b"), post(id="a"), post(id="c", published_at=NOON + timedelta(microseconds=1))])
        assert ids(index) == ["c", "b", "a"]
        assert ids(index, order=Order.OLDEST) == ["a", "b", "c"]

    def test_a_post_not_analysed_yet_has_no_risk(self, index: PostIndex) -> None:
        waiting, calm, risky = post(), post(published_at=NOON - HOUR), post(published_at=NOON - DAY)
        index.add([waiting, calm, risky])
        index.save_analyses({calm.id: analysis(risk_score=0), risky.id: analysis(risk_score=7)})
        assert ids(index, order=Order.RISK) == [risky.id, waiting.id, calm.id]

    def test_bounds_of_time_are_exact_to_the_microsecond(self, index: PostIndex) -> None:
        moments = [NOON + timedelta(microseconds=number) for number in (0, 1, 999, 1000)]
        index.add(crowd := [post(published_at=moment) for moment in moments])
        named = [one.id for one in crowd]
        for number, moment in enumerate(moments):
            assert ids(index, until=moment, order=Order.OLDEST) == named[:number]
            assert ids(index, since=moment, order=Order.OLDEST) == named[number:]

    def test_a_cursor_goes_on_where_it_was_when_new_posts_came(self, index: PostIndex) -> None:
        crowd = [post(published_at=NOON - number * HOUR) for number in range(6)]
        index.add(crowd)
        index.refresh()
        cursor = index.find(Query(), limit=3).next
        index.add([post(published_at=NOON + HOUR)])
        index.refresh()
        rest = index.find(Query(), limit=3, cursor=cursor)
        assert [record.post for record in rest.records] == crowd[3:]
        assert rest.next is None

    @pytest.mark.parametrize("cursor", ["", "x", "мусор", "AAAA", "eyJhIjoxfQ", "0" * 10_000])
    def test_a_cursor_that_is_not_ours_is_refused(self, index: PostIndex, cursor: str) -> None:
        with pytest.raises(Refused) as refusal:
            index.find(Query(), cursor=cursor)
        assert refusal.value.field == "cursor"

    def test_a_cursor_of_another_order_is_refused(self, index: PostIndex) -> None:
        index.add([post(), post()])
        index.refresh()
        cursor = index.find(Query(), limit=1).next
        with pytest.raises(Refused):
            index.find(Query(order=Order.OLDEST), cursor=cursor)


class TestCounts:
    def test_facets_are_largest_first_then_by_value(self, index: PostIndex) -> None:
        crowd = [post(network=network) for network in (Network.VK, Network.OK, Network.OK, Network.MAX)]
        index.add(crowd)
        index.refresh()
        assert index.count_by(Query(), Facet.NETWORK) == [
            Count(value="ok", posts=2), Count(value="max", posts=1), Count(value="vk", posts=1)
        ]  # fmt: skip
        assert index.count_by(Query(), Facet.NETWORK, limit=1) == [Count(value="ok", posts=2)]

    def test_a_post_with_several_places_counts_in_each(self, index: PostIndex) -> None:
        index.add(crowd := [post(), post(), post()])
        index.save_analyses(
            {
                crowd[0].id: analysis(places=("Курлово", "Гусевский")),
                crowd[1].id: analysis(places=("Курлово",)),
            }
        )
        index.refresh()
        assert index.count_by(Query(), Facet.PLACE) == [
            Count(value="Курлово", posts=2), Count(value="Гусевский", posts=1)
        ]  # fmt: skip

    def test_authors_are_counted_once(self, index: PostIndex) -> None:
        index.add([post(author=author) for author in ("a", "b", "a", "c")])
        index.refresh()
        assert index.authors(Query()) == 3

    def test_a_day_begins_at_midnight_of_the_zone(self, index: PostIndex) -> None:
        before, after = datetime(2026, 11, 23, 20, 59, tzinfo=UTC), datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
        index.add([post(published_at=before), post(published_at=after), post(published_at=after + 3 * DAY)])
        index.refresh()
        midnight = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
        assert index.histogram(Query(), step=DAY, zone="Europe/Moscow") == [
            (midnight - DAY, 1), (midnight, 1), (midnight + DAY, 0), (midnight + 2 * DAY, 0),
            (midnight + 3 * DAY, 1),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("step", "zone"),
        [
            (timedelta(minutes=30), "UTC"),
            (timedelta(hours=5), "UTC"),
            (timedelta(days=1, hours=1), "UTC"),
            (timedelta(0), "UTC"),
            (-DAY, "UTC"),
            (DAY, "Europe/Atlantis"),
            (DAY, "../../etc/passwd"),
        ],
    )
    def test_a_step_that_no_wall_clock_shows_is_refused(
        self, index: PostIndex, step: timedelta, zone: str
    ) -> None:
        with pytest.raises(Refused):
            index.histogram(Query(), step=step, zone=zone)

    def test_conditions_need_aware_times(self, index: PostIndex) -> None:
        with pytest.raises(Refused) as refusal:
            index.count(Query(since=NOON.replace(tzinfo=None)))
        assert refusal.value.field == "since"

    def test_the_ends_of_time_are_ordinary_bounds(self, index: PostIndex) -> None:
        index.add([post()])
        always = Query(since=datetime.min.replace(tzinfo=UTC), until=datetime.max.replace(tzinfo=UTC))
        index.refresh()
        assert index.count(always) == 1
        assert index.count(Query(since=datetime.max.replace(tzinfo=UTC))) == 0
        assert index.count(Query(until=datetime.min.replace(tzinfo=UTC))) == 0


class TestNearest:
    def test_the_closest_come_first_with_their_cosine(self, index: PostIndex) -> None:
        index.add(crowd := [post(), post(published_at=NOON - 40 * DAY), post(), post()])
        vectors = [(0.0, 1.0, 0.0), (0.6, 0.8, 0.0), (-1.0, 0.0, 0.0)]
        index.save_analyses(
            {one.id: analysis(vector=vector) for one, vector in zip(crowd, vectors, strict=False)}
        )
        index.refresh()
        found = index.nearest((1.0, 0.0, 0.0), Query(lemmas=("нет-такого",)))
        assert [record.post.id for record, _ in found] == [crowd[1].id, crowd[0].id, crowd[2].id]
        assert [cosine for _, cosine in found] == pytest.approx([0.6, 0.0, -1.0], abs=0.002)
        assert [r.post.id for r, _ in index.nearest((1.0, 0.0, 0.0), Query(until=NOON))] == [crowd[1].id]

    def test_vectors_of_another_encoder_are_left_out(self, index: PostIndex) -> None:
        index.add(crowd := [post(), post()])
        index.save_analyses(
            {crowd[0].id: analysis(vector=(1.0, 0.0)), crowd[1].id: analysis(vector=(1.0,) * 384)}
        )
        index.refresh()
        assert [record.post.id for record, _ in index.nearest((1.0, 0.0), Query())] == [crowd[0].id]


class TestKeep:
    def test_a_post_arrives_as_it_stood_elsewhere(self, index: PostIndex, tmp_path: Path) -> None:
        old = open_posts("sqlite", tmp_path / "old")
        one = post(text="раз", collected_at=NOON - HOUR)
        old.add([one, replace(one, text="два", collected_at=NOON)])
        old.save_analyses({one.id: analysis(vector=(0.5, -0.25))}, PostState.WATCHED)
        kept = Kept(record=old.get(one.id), versions=tuple(old.versions(one.id)))
        assert (index.keep([kept]), index.keep([kept])) == (1, 0)
        assert index.get(one.id) == kept.record
        assert index.versions(one.id) == list(kept.versions)
        assert ids(index, lemmas=("тепло",), states=(PostState.WATCHED,)) == [one.id]
        old.close()

    def test_what_comes_from_elsewhere_replaces_what_is_here(self, index: PostIndex) -> None:
        one = post()
        index.add([one])
        index.save_analyses({one.id: analysis(places=("Курлово",))})
        waiting = Record(post=one, state=PostState.QUARANTINED, error="сломался", versions=3, seen_at=NOON)
        index.keep([Kept(record=waiting)])
        assert index.get(one.id) == waiting
        assert ids(index, places=("Курлово",)) == []


class TestForgetting:
    def test_a_resident_is_erased_with_versions_and_analyses(self, index: PostIndex) -> None:
        mine, other, third = post(author="me", text="раз"), post(), post()
        index.add([mine, other, third])
        index.add([replace(mine, text="два")])
        index.save_analyses({mine.id: analysis(places=("Курлово",), lemmas=("яма",), vector=(1.0, 0.0))})
        assert index.erase(author="me", post_ids=[third.id, "vk:-1_0"]) == 2
        assert index.erase(author="me", post_ids=[third.id]) == 0
        assert ids(index, with_deleted=True) == [other.id]
        assert index.versions(mine.id) == index.nearest((1.0, 0.0), Query()) == []
        assert index.count_by(Query(), Facet.PLACE) == []
        assert index.add([mine]).new == 1

    def test_retention_drops_whole_months_before_the_month_of_the_moment(self, index: PostIndex) -> None:
        kept = post(published_at=datetime(2026, 11, 1, tzinfo=UTC))
        gone = [post(published_at=datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
                post(published_at=datetime(2025, 12, 5, tzinfo=UTC))]  # fmt: skip
        index.add([kept, *gone])
        assert index.forget_before(NOON) == 2
        assert index.forget_before(NOON) == 0
        assert ids(index) == [kept.id]
        assert index.get_many([one.id for one in gone]) == {}


PRINT = Print(record="5f0c" * 6, counters="a1b2c3d4", at=NOON)


def test_a_print_stands_beside_its_post_until_the_post_comes_in_another_form_without_one(index: PostIndex):
    printed, bare = post(print=PRINT), post()
    index.add([printed, bare])
    assert index.prints([printed.id, bare.id, "vk:-1_0"]) == {printed.id: PRINT}
    assert index.prints([printed.id])[printed.id].at == NOON
    assert index.add([replace(printed, print=None)]) == Added(known=1)  # the same form: it stays
    assert index.prints([printed.id]) == {printed.id: PRINT}
    index.add([replace(printed, text="Тепло дали", print=None)])
    assert index.prints([printed.id]) == {}


def test_another_print_of_the_same_post_is_written(index: PostIndex):
    found = post(print=PRINT)
    index.add([found])
    later = replace(PRINT, counters="00000000", at=NOON + HOUR)
    index.add([replace(found, print=later)])
    assert index.prints([found.id]) == {found.id: later}
    assert index.get(found.id).versions == 1


def test_neither_a_deletion_nor_an_erasure_leaves_a_print(index: PostIndex):
    deleted, erased = post(print=PRINT), post(print=PRINT)
    index.add([deleted, erased])
    index.add([replace(deleted, is_deleted=True)])
    index.refresh()
    index.erase(post_ids=[erased.id])
    assert index.prints([deleted.id, erased.id]) == {}
