"""Stories: what joins, what stays apart, and who has the last word."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from index.domain.analysis import Intent, Risk, Severity
from index.domain.post import PostKind
from nlp.beside import place_all
from nlp.district import load_district
from nlp.linking import FEATURES, Linker, read_weights
from nlp.models import SHIPPED
from nlp.stages.text import lemmas
from nlp.stories import StoryBook
from tests.factories import NOON, analysis, post

LINKER = Linker(read_weights(), reads_vectors=False)
WATER = "В Курлово на Советской нет воды второй день, колонка тоже сухая"


def seen(id: str, text: str, *, hours: float = 0, parent: str | None = None, **facts):
    written = post(
        id=id,
        text=text,
        published_at=NOON + timedelta(hours=hours),
        kind=PostKind.COMMENT if parent else PostKind.POST,
        parent_id=parent,
    )
    ordinary = {
        "lemmas": lemmas(text),
        "places": ("Курлово",),
        "topic_group": "ЖКХ",
        "risks": (Risk.OUTAGE,),
        "severity": Severity.TODAY,
        "intent": Intent.COMPLAINT,
    }
    return LINKER.see(written, analysis(**ordinary | facts))


@pytest.fixture
def book() -> StoryBook:
    book = StoryBook(LINKER)
    book.place(seen("a", WATER))
    return book


def test_a_lone_post_is_no_story(book: StoryBook) -> None:
    assert book.story_of("a") is None


def test_two_posts_about_one_event_make_one(book: StoryBook) -> None:
    placing = book.place(seen("b", "Советская, Курлово: второй день воды нет, колонка сухая", hours=2))
    assert placing.story_id == book.story_of("a")
    assert placing.changed == {"a": placing.story_id}


def test_another_place_is_another_story(book: StoryBook) -> None:
    book.place(
        seen("b", "В Анопино на Лесной нет света", hours=1, places=("Анопино",), topic_group="Энергетика")
    )
    assert book.story_of("b") is None


def test_after_three_days_without_company_a_post_finds_none(book: StoryBook) -> None:
    book.place(seen("b", WATER + " опять", hours=80))
    assert book.story_of("b") is None


def test_after_three_days_of_silence_a_story_takes_no_posts(book: StoryBook) -> None:
    book.place(seen("b", WATER + "!", hours=1))
    assert book.place(seen("c", WATER + " опять", hours=74)).story_id is None


def two_stories() -> tuple[StoryBook, str, str]:
    """Of one event, told so that neither knew of the other."""
    book = StoryBook(LINKER)
    for number, post_id in enumerate("abcd"):
        book.restore(seen(post_id, WATER + "!" * number, hours=number), "s-1" if post_id in "ab" else "s-2")
    return book, "s-1", "s-2"


def test_a_post_that_fits_two_stories_shows_that_they_are_one() -> None:
    book, older, younger = two_stories()
    placing = book.place(seen("e", WATER + " опять", hours=5))
    assert placing.story_id == older
    assert placing.merged == {younger: older}
    assert placing.changed == {"c": older, "d": older}


def test_a_story_that_an_officer_has_checked_keeps_its_id_and_takes_the_other() -> None:
    book, older, younger = two_stories()
    book.obey({}, {}, checked=[younger])
    assert book.place(seen("e", WATER + " опять", hours=5)).merged == {older: younger}


def test_what_an_officer_has_split_is_not_put_together_again() -> None:
    book, older, younger = two_stories()
    book.obey({"c": younger, "d": younger}, {}, checked=[older])
    assert book.place(seen("e", WATER + " опять", hours=5)).merged == {}
    assert book.ids() == [older, younger]


def test_a_post_that_an_officer_took_out_of_a_story_stays_out_of_it(book: StoryBook) -> None:
    book.place(seen("b", WATER + "!", hours=1))
    book.obey({"b": None}, {})
    book.place(seen("c", WATER + "!!", hours=2))
    assert book.story_of("b") is None


def test_the_settlement_of_the_source_says_where_even_when_the_text_names_another() -> None:
    one = LINKER.see(post(id="a", text=WATER), analysis(places=("Иванищи",)), {"Курлово"})
    other = LINKER.see(post(id="b", text=WATER), analysis(places=()), {"Курлово"})
    told = dict(zip(FEATURES, LINKER.features(one, other), strict=True))
    assert (told["around"], told["place"], told["other_around"]) == (True, False, False)


@pytest.mark.parametrize(("one", "other"), [("улице Мира, 5", "Мира 7"), ("ул. Калинина", "на Калининой")])
def test_the_word_street_is_no_name_of_a_street(one: str, other: str) -> None:
    a, b = (LINKER.see(post(id=each, text=each), analysis(address=each)) for each in (one, other))
    assert a.address == b.address


def test_an_advertisement_joins_nothing(book: StoryBook) -> None:
    book.place(seen("b", WATER + " — ставим насосы", intent=Intent.AD))
    assert book.story_of("b") is None


def test_a_comment_goes_with_its_post(book: StoryBook) -> None:
    placing = book.place(seen("c", "и у нас", parent="a", hours=1, places=(), topic_group=None, risks=()))
    assert placing.story_id == book.story_of("a") != None  # noqa: E711


def test_a_comment_under_mere_talk_starts_nothing() -> None:
    book = StoryBook(LINKER)
    talk = {
        "places": (),
        "topic_group": None,
        "risks": (),
        "severity": Severity.NONE,
        "intent": Intent.CHATTER,
    }
    book.place(seen("a", "Доброе утро, соседи!", relevant=False, relevance=0.1, **talk))
    assert book.place(seen("c", "и вам", parent="a", **talk)).story_id is None


def test_a_pin_moves_a_post_and_sticks(book: StoryBook) -> None:
    story_id = book.place(seen("b", WATER + "!", hours=1)).story_id
    assert book.obey({"b": None}, {}) == {"b": None}
    assert book.obey({"b": None}, {}) == {}
    assert book.obey({"b": story_id}, {}) == {"b": story_id}


def test_a_merged_story_sends_its_posts_on(book: StoryBook) -> None:
    old = book.place(seen("b", WATER + "!", hours=1)).story_id
    assert book.obey({}, {old: "s-other"}) == {"a": "s-other", "b": "s-other"}
    assert book.place(seen("d", WATER + "?!", hours=2)).story_id == "s-other"


def test_the_story_counts_authors_not_posts(book: StoryBook) -> None:
    story_id = book.place(seen("b", WATER + "!", hours=1)).story_id
    story = book.story(story_id)
    assert (story.posts, story.authors, story.severity, story.places) == (2, 2, Severity.TODAY, ("Курлово",))
    assert story.title.startswith("В Курлово на Советской нет воды")


def test_its_id_is_the_same_after_a_restart(book: StoryBook) -> None:
    again = StoryBook(LINKER)
    again.restore(seen("a", WATER), None)
    assert (
        again.place(seen("b", WATER + "!", hours=1)).story_id
        == book.place(seen("b", WATER + "!", hours=1)).story_id
    )


def test_a_file_of_posts_is_read_in_order_of_time_and_answered_in_its_own() -> None:
    texts = [WATER + "!", WATER, "Доброе утро"]
    posts = [post(id=str(n), text=t, published_at=NOON - timedelta(hours=n)) for n, t in enumerate(texts)]
    water = {
        "places": ("Курлово",),
        "topic_group": "ЖКХ",
        "risks": (Risk.OUTAGE,),
        "intent": Intent.COMPLAINT,
    }
    analyses = [analysis(lemmas=lemmas(t), **(water if "Курлово" in t else {})) for t in texts]
    told = place_all(posts, analyses, load_district(), encoder="none of ours")
    assert [each.duplicate_of for each in told] == ["1", None, None]
    assert told[0].story_id == told[1].story_id != told[2].story_id


def test_the_weights_were_learnt_on_the_vectors_of_the_shipped_encoder() -> None:
    """After `make train`: python -m nlp.linking.fit nlp/training/corpus/g*.jsonl.gz."""
    heads = json.loads((SHIPPED / "heads.json").read_text(encoding="utf-8"))
    assert read_weights().encoder == heads["encoder"]
