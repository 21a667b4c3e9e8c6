"""The watching stage on a real index and desk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from index.desk import Desk, open_desk
from index.domain.alert import AlertKind, AlertState
from index.domain.analysis import Risk, Severity
from index.domain.post import AuthorKind, Network, PostKind
from index.domain.source import Source, SourceHealth, SourceState
from index.errors import Refused
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.query import PostState
from nlp.analyse import Analyser, analyse_waiting
from nlp.district import District, load_district
from nlp.history import replay_rule
from nlp.watch import Watcher, WatchReport
from tests.factories import NOON, post
from tests.nlp.fakes import SpokenModels


@pytest.fixture(scope="module")
def district() -> District:
    return load_district()


@pytest.fixture
def posts(tmp_path: Path) -> Iterator[PostIndex]:
    index = open_posts("sqlite", tmp_path)
    yield index
    index.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = open_desk("sqlite", tmp_path)
    yield desk
    desk.close()


class Stage:
    """nlp as it runs: analysis, then watching."""

    def __init__(self, posts: PostIndex, desk: Desk, district: District) -> None:
        self.posts, self.desk, self.district = posts, desk, district
        self.analyser = Analyser(SpokenModels(), district)
        self.restart()

    def restart(self) -> None:
        self.watcher = Watcher(self.posts, self.desk, self.district, encoder="words-32")

    def take(self, *written, now=NOON) -> WatchReport:
        self.posts.add(written)
        analyse_waiting(self.posts, self.analyser, now=now)
        return self.watcher.run(now)

    def alerts(self, **asked):
        return self.desk.alerts.find(**asked)[0]


@pytest.fixture
def stage(posts: PostIndex, desk: Desk, district: District) -> Stage:
    return Stage(posts, desk, district)


def test_a_dangerous_post_becomes_an_alert_with_its_reasons(stage: Stage) -> None:
    stage.take(post(id="vk:-1_1", text="В Курлово горит дом на ул. Советская, 5, внутри люди"))
    (alert,) = stage.alerts()
    assert (alert.kind, alert.post_ids, alert.places) == (AlertKind.POST, ("vk:-1_1",), ("Курлово",))
    assert alert.score == sum(part.points for part in alert.parts)
    assert alert.title == "Происшествие (Безопасность и правопорядок): Курлово, ул. Советская, 5"


def test_ordinary_talk_raises_nothing_and_is_watched_all_the_same(stage: Stage) -> None:
    report = stage.take(post(id="vk:-1_1", text="Доброе утро, соседи"))
    assert (report.watched, report.alerts) == (1, ())
    assert stage.posts.get("vk:-1_1").state is PostState.WATCHED


def test_a_copy_joins_the_alert_of_its_original(stage: Stage) -> None:
    text = "Срочно! В Курлово горит школа, пожарные едут из Гуся, рядом детский сад"
    stage.take(post(id="vk:-1_1", text=text))
    stage.take(
        post(id="ok:2", network=Network.OK, text=text + "!!", published_at=NOON + timedelta(minutes=5))
    )
    (alert,) = stage.alerts()
    assert set(alert.post_ids) == {"vk:-1_1", "ok:2"}
    assert stage.posts.get("ok:2").analysis.duplicate_of == "vk:-1_1"


CHAIN = "Перешлите всем! Говорят, в Курлово ночью взорвут мост и никого не выпустят, заправляйте машины"


def copies(count: int):
    return [
        post(id=f"vk:-{n}_1", text=CHAIN + "!" * n, published_at=NOON + timedelta(minutes=n))
        for n in range(1, count + 1)
    ]


def test_a_rumour_in_three_copies_is_a_mass_fake_and_raises_one_alert(stage: Stage) -> None:
    first, second, third = copies(3)
    stage.take(first, second)
    assert stage.alerts() == []
    stage.take(third)
    (alert,) = stage.alerts()
    assert {each.id for each in (first, second, third)} == set(alert.post_ids)
    for each in (first, second, third):
        analysis = stage.posts.get(each.id).analysis
        assert analysis.severity is Severity.NOW
        assert "Массовая рассылка слуха" in [part.name for part in analysis.risk_parts]
        assert analysis.risk_score == sum(part.points for part in analysis.risk_parts)


def test_a_chain_goes_on_after_a_restart(stage: Stage) -> None:
    *early, last = copies(3)
    stage.take(*early)
    stage.restart()
    stage.take(last)
    assert stage.posts.get(early[0].id).analysis.severity is Severity.NOW


def test_copies_of_what_is_no_rumour_are_no_mass_fake(stage: Stage) -> None:
    stage.take(*(replace(each, text=each.text.replace("Говорят, в", "Завтра в")) for each in copies(4)))
    assert stage.alerts() == []


def test_a_copy_that_is_not_about_the_district_is_not_made_urgent(stage: Stage) -> None:
    *about, elsewhere = copies(3)
    elsewhere = replace(elsewhere, text=elsewhere.text + " спам")
    stage.take(*about, elsewhere)
    severities = [stage.posts.get(each.id).analysis.severity for each in (*about, elsewhere)]
    assert severities == [Severity.NOW, Severity.NOW, Severity.NONE]


def test_a_denial_and_its_copies_are_no_mass_fake(stage: Stage) -> None:
    stage.take(*(replace(each, author_kind=AuthorKind.OFFICIAL) for each in copies(3)))
    assert stage.alerts() == []


def test_short_echoes_are_no_chain_message(stage: Stage) -> None:
    stage.take(*(replace(each, text="говорят, да") for each in copies(3)))
    assert stage.alerts() == []


def test_the_edit_of_a_copy_leaves_the_others_as_they_were(stage: Stage) -> None:
    first, second, third = copies(3)
    stage.take(first, second, third)
    stage.take(replace(third, text="Доброе утро, соседи, это была глупая рассылка, не верьте ей"))
    kept, edited = (stage.posts.get(each.id).analysis for each in (first, third))
    assert (kept.severity, edited.severity) == (Severity.NOW, Severity.NONE)
    assert kept.risk_score == sum(part.points for part in kept.risk_parts)


def test_an_officers_pin_holds_in_the_turn_that_shows_a_mass_fake(stage: Stage) -> None:
    water = three_without_water()
    *early, last = copies(3)
    stage.take(*water, *early)
    story_id = stage.posts.get(water[0].id).analysis.story_id
    stage.desk.stories.pin(early[0].id, story_id, actor="petrova", at=NOON)
    stage.take(last)
    analysis = stage.posts.get(early[0].id).analysis
    assert (analysis.story_id, analysis.severity) == (story_id, Severity.NOW)


def three_without_water():
    texts = (
        "В Курлово нет воды второй день, ул. Советская, стоим с вёдрами",
        "Курлово, Советская: нет воды, второй день с вёдрами ходим на колонку",
        "Курлово, нет воды уже второй день на Советской, колонка тоже сухая, вёдра пустые",
    )
    return [
        post(id=f"vk:-1_{n}", text=text, published_at=NOON + timedelta(minutes=n))
        for n, text in enumerate(texts)
    ]


def test_three_authors_about_one_event_raise_one_story(stage: Stage) -> None:
    stage.take(*three_without_water(), now=NOON + timedelta(minutes=10))
    stories, _ = stage.desk.stories.find(min_authors=3)
    assert [(story.posts, story.authors, story.places) for story in stories] == [(3, 3, ("Курлово",))]
    (alert,) = stage.alerts(kinds=[AlertKind.STORY])
    assert (alert.story_id, alert.authors, alert.risks) == (stories[0].id, 3, (Risk.OUTAGE,))


def test_one_author_alone_raises_no_story(stage: Stage) -> None:
    stage.take(
        *(replace(each, author="a1") for each in three_without_water()), now=NOON + timedelta(minutes=10)
    )
    assert stage.desk.stories.find(min_authors=3)[0] == []
    assert stage.alerts(kinds=[AlertKind.STORY]) == []


def test_the_first_post_learns_its_story_when_the_second_comes(stage: Stage) -> None:
    first, second, _ = three_without_water()
    stage.take(first)
    assert stage.posts.get(first.id).analysis.story_id is None
    stage.take(second)
    assert stage.posts.get(first.id).analysis.story_id == stage.posts.get(second.id).analysis.story_id != None  # noqa: E711


def test_a_comment_joins_the_story_of_its_post_and_starts_none(stage: Stage) -> None:
    first, second, _ = three_without_water()
    comment = post(
        id="vk:-1_9",
        kind=PostKind.COMMENT,
        parent_id=second.id,
        text="и у нас тоже нет воды",
        published_at=NOON + timedelta(minutes=9),
    )
    orphan = replace(comment, id="vk:-1_10", parent_id="vk:-1_999", author="b1")
    stage.take(first, second, comment, orphan, now=NOON + timedelta(minutes=10))
    assert stage.posts.get(comment.id).analysis.story_id == stage.posts.get(first.id).analysis.story_id
    assert stage.posts.get(orphan.id).analysis.story_id is None


def test_watching_again_after_a_kill_changes_nothing(stage: Stage) -> None:
    written = three_without_water()
    stage.take(*written, now=NOON + timedelta(minutes=10))
    alerts, analyses = stage.alerts(), {each.id: stage.posts.get(each.id).analysis for each in written}
    stage.posts.save_analyses(analyses, PostState.ANALYSED)  # as if killed before the last write
    stage.restart()
    stage.watcher.run(NOON + timedelta(minutes=10))
    assert {each.id: stage.posts.get(each.id).analysis for each in written} == analyses
    assert [(a.id, a.key, a.posts, a.authors, a.score) for a in stage.alerts()] == [
        (a.id, a.key, a.posts, a.authors, a.score) for a in alerts
    ]


def test_a_restart_goes_on_with_the_same_story(stage: Stage) -> None:
    first, second, third = three_without_water()
    stage.take(first, second)
    stage.restart()
    stage.take(third)
    story_id = stage.posts.get(first.id).analysis.story_id
    assert story_id is not None
    assert stage.posts.get(third.id).analysis.story_id == story_id


def test_a_dismissed_alert_stays_dismissed_within_the_cooldown(stage: Stage) -> None:
    text = "В Курлово горит сарай за гаражами, дым на всю улицу"
    stage.take(post(id="vk:-1_1", text=text))
    (alert,) = stage.alerts()
    stage.desk.alerts.dismiss(alert.id, "учения", actor="petrova", at=NOON, version=alert.version)
    stage.take(
        post(id="vk:-1_2", text=text, published_at=NOON + timedelta(hours=1)), now=NOON + timedelta(hours=1)
    )
    assert [each.state for each in stage.alerts()] == [AlertState.DISMISSED]


def test_a_snoozed_alert_wakes_at_its_time(stage: Stage) -> None:
    stage.take(post(text="В Курлово горит сарай за гаражами"))
    (alert,) = stage.alerts()
    stage.desk.alerts.snooze(
        alert.id, NOON + timedelta(hours=2), actor="petrova", at=NOON, version=alert.version
    )
    stage.watcher.run(NOON + timedelta(hours=1))
    assert stage.alerts()[0].state is AlertState.SNOOZED
    stage.watcher.run(NOON + timedelta(hours=3))
    assert stage.alerts()[0].state is AlertState.OPEN


def test_an_officers_pin_wins(stage: Stage) -> None:
    first, second, third = three_without_water()
    stage.take(first, second, third)
    stage.desk.stories.pin(third.id, None, actor="petrova", at=NOON)
    stage.watcher.run(NOON)
    assert stage.posts.get(third.id).analysis.story_id is None
    stage.restart()
    stage.watcher.run(NOON)
    assert stage.posts.get(third.id).analysis.story_id is None


def test_a_merge_moves_the_posts_and_takes_the_next_ones(stage: Stage) -> None:
    fires = [post(id=f"ok:{n}", text=f"В Анопино горит склад стекла, дым видно {n}") for n in range(2)]
    first, second, third = three_without_water()
    stage.take(first, second, *fires)
    water, fire = (stage.posts.get(each).analysis.story_id for each in (first.id, "ok:0"))
    assert water != fire
    stage.desk.stories.merge([water], fire, actor="petrova", at=NOON)
    stage.take(third)
    assert {stage.posts.get(each.id).analysis.story_id for each in (first, second, third)} == {fire}


def test_a_silent_source_is_an_alert_by_itself(stage: Stage) -> None:
    source = Source(id="vk:club1", network=Network.VK, address="club1", title="Подслушано Курлово")
    stage.desk.sources.add([source], actor="petrova", at=NOON)
    stage.desk.sources.save_health(
        SourceHealth(source_id="vk:club1", state=SourceState.BANNED, visited_at=NOON)
    )
    stage.watcher.run(NOON)
    (alert,) = stage.alerts(kinds=[AlertKind.SOURCE])
    assert (alert.source_id, alert.title) == ("vk:club1", "Доступ к источнику закрыт: Подслушано Курлово")


def test_a_burst_fires_on_the_rise_once(stage: Stage) -> None:
    crowd = [
        post(
            id=f"vk:-1_{n}",
            text=f"Анопино, нет воды, подъезд {n}, этаж {n * 7}, {'слово' * n}",
            published_at=NOON - timedelta(minutes=5 * n),
        )
        for n in range(8)
    ]
    stage.take(*crowd)
    stage.take(post(text="спам про окна"), now=NOON + timedelta(minutes=1))
    (alert,) = stage.alerts(kinds=[AlertKind.BURST])
    assert (alert.places, alert.topic_group, alert.posts) == (("Анопино",), "ЖКХ", 8)
    assert alert.score == sum(part.points for part in alert.parts)
    assert "Отключение" in [part.name for part in alert.parts]  # why it is grave, not only that it grows


def test_a_question_weighs_more_the_longer_nobody_answers(stage: Stage) -> None:
    question = post(id="vk:-1_1", text="Почему в Анопино нет воды? Кто даст ответ?")
    stage.take(question)
    before = stage.posts.get(question.id).analysis.risk_score
    stage.watcher.run(NOON + timedelta(hours=20))
    after = stage.posts.get(question.id).analysis
    assert after.risk_score > before
    assert any(part.name == "Власти молчат 20 ч" for part in after.risk_parts)


def test_an_official_answer_ends_the_silence(stage: Stage) -> None:
    question = post(id="vk:-1_1", text="Почему в Анопино нет воды? Кто даст ответ?")
    answer = post(
        kind=PostKind.COMMENT, parent_id=question.id, author_kind=AuthorKind.OFFICIAL, text="Бригада на месте"
    )
    stage.take(question, answer)
    stage.watcher.run(NOON + timedelta(hours=20))
    parts = stage.posts.get(question.id).analysis.risk_parts
    assert not any(part.name.startswith("Власти молчат") for part in parts)


def test_an_import_of_history_raises_nothing(stage: Stage) -> None:
    stage.take(post(text="В Курлово горит дом, внутри люди", published_at=NOON - timedelta(days=30)))
    assert stage.alerts() == []


def test_a_rule_in_monitor_mode_only_counts(posts: PostIndex, desk: Desk, district: District) -> None:
    from nlp.rules import RuleMode

    quiet = replace(district, rules=tuple(replace(rule, mode=RuleMode.MONITOR) for rule in district.rules))
    stage = Stage(posts, desk, quiet)
    stage.take(post(text="В Курлово горит дом, внутри люди"))
    assert stage.alerts() == []
    assert [count.rule for count in desk.alerts.rule_counts(NOON - timedelta(days=1))] == ["critical-post"]


def test_an_edited_post_is_placed_anew(stage: Stage) -> None:
    first, second, third = three_without_water()
    stage.take(first, second, third)
    edited = replace(third, text="Кто потерял рыжего кота у магазина в Анопино?", is_edited=True)
    stage.take(edited)
    assert stage.posts.get(third.id).analysis.story_id is None


def test_a_rule_is_tried_on_the_index(stage: Stage) -> None:
    stage.take(*three_without_water(), post(text="В Анопино горит дом"), now=NOON + timedelta(minutes=10))
    by_id = {rule.id: rule for rule in stage.district.rules}
    asked = {"since": NOON - timedelta(days=30), "until": NOON + timedelta(hours=1)}
    assert len(replay_rule(stage.posts, by_id["critical-post"], **asked).raised) == 1  # the fire
    assert len(replay_rule(stage.posts, by_id["story"], **asked).raised) == 1
    with pytest.raises(Refused):
        replay_rule(stage.posts, by_id["source-silent"], **asked)
