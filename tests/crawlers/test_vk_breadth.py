"""What ВКонтакте holds beside its walls: communities found by name, videos and photos with their comments."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.practice.twin import COMMUNITY
from api.practice.vk import SERVICE_TOKEN, USER_TOKEN
from crawlers.discovery import propose
from index.domain.source import SourceState
from tests.crawlers.conftest import Stand
from tests.factories import analysis

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_rest(seconds: float) -> None: ...

    monkeypatch.setattr("crawlers.pace.rest", no_rest)


def calls(stand: Stand, method: str) -> int:
    """How often the method was asked for, alone or inside `execute`."""
    made = [call for call in stand.twin.calls if call.network == "vk"]
    return sum(
        (call.method == method) + call.parameters.get("code", "").count(f"API.{method}(") for call in made
    )


def community(stand: Stand, address: str, title: str, posts: int, **facts: Any) -> None:
    stand.twin.community("vk", address, title=title, **facts)
    for number in range(posts):
        stand.twin.say("vk", address, f"{title}: в посёлке нет воды {number}", author=COMMUNITY)


def read_by_nlp(stand: Stand, *, relevant: bool = True) -> None:
    stand.posts.save_analyses({post_id: analysis(relevant=relevant) for post_id in stand.all_posts()})


def search(stand: Stand, *names: str) -> None:
    stand.queries = names
    stand.crawl("vk:search")


def state(stand: Stand) -> dict[str, Any]:
    return dict(stand.desk.cursors.get("vk:search", "communities") or {})


def proposed(stand: Stand) -> list[str]:
    propose(stand.desk, stand.posts, stand.clock())
    return [proposal.id for proposal in stand.desk.sources.proposals()]


def test_a_community_found_by_a_settlements_name_is_proposed_by_what_stands_on_its_wall(stand: Stand) -> None:
    community(stand, "kurlovo_live", "Подслушано в Курлово", 4, members=1240)
    search(stand, "Курлово")
    assert proposed(stand) == []  # nothing has been analysed yet
    read_by_nlp(stand)
    number = stand.twin.community("vk", "kurlovo_live").number
    assert proposed(stand) == [f"vk:club{number}"]
    (proposal,) = stand.desk.sources.proposals()
    assert proposal.title == "Подслушано в Курлово"
    assert "поиском сообществ по названию «Курлово», участников 1240" in proposal.reason
    assert "4 из 4" in proposal.reason


def test_a_community_of_a_namesake_elsewhere_is_not_proposed(stand: Stand) -> None:
    community(stand, "other_kurlovo", "Курлово на Каме", 4)
    search(stand, "Курлово")
    read_by_nlp(stand, relevant=False)
    assert proposed(stand) == []


def test_a_rejected_community_is_neither_looked_at_nor_proposed_again_under_any_name(stand: Stand) -> None:
    community(stand, "kurlovo_live", "Подслушано в Курлово", 4)
    search(stand, "Курлово")
    read_by_nlp(stand)
    (found,) = proposed(stand)
    stand.desk.sources.decide(found, False, actor="incident", at=stand.clock())
    for number in range(3):  # others link to it by its screen name
        stand.watch("vk", f"club{number + 1}")
        stand.twin.say("vk", f"club{number + 1}", "Смотрите https://vk.com/kurlovo_live")
        stand.crawl(f"vk:club{number + 1}")
    stand.twin.say("vk", "kurlovo_live", "ещё одна запись о Курлово", author=COMMUNITY)
    stand.ahead += DAY
    before = calls(stand, "wall.get")
    search(stand, "Курлово")
    assert calls(stand, "wall.get") == before
    read_by_nlp(stand)
    assert proposed(stand) == []


def test_a_community_watched_under_another_name_is_not_looked_at(stand: Stand) -> None:
    stand.queries = ("Курлово",)
    community(stand, "kurlovo_live", "Подслушано в Курлово", 4)
    stand.crawl(stand.watch("vk", "kurlovo_live"))
    search(stand, "Курлово")
    assert state(stand)["looked_at"] == 0


def test_a_settlement_a_day_is_asked_for_in_turn(stand: Stand) -> None:
    stand.overrides["vk_tokens"] = USER_TOKEN
    for _ in range(3):
        search(stand, "Курлово", "Уршельский")
    assert calls(stand, "groups.search") == 1
    assert state(stand)["name"] == "Курлово"
    stand.ahead += DAY
    search(stand, "Курлово", "Уршельский")
    assert calls(stand, "groups.search") == 2
    assert state(stand)["name"] == "Уршельский"


def test_only_a_few_walls_are_looked_at_and_the_others_come_next_time(stand: Stand) -> None:
    for number in range(8):
        community(stand, f"club{number + 10}", f"Курлово {number}", 1, members=100 - number)
    search(stand, "Курлово")
    assert state(stand)["sampled"] == ["10", "11", "12", "13", "14"]
    stand.ahead += DAY
    search(stand, "Курлово")
    assert state(stand)["sampled"][5:] == ["15", "16", "17"]


def test_a_closed_community_is_passed_over(stand: Stand) -> None:
    from api.practice.world import Access

    community(stand, "club10", "Курлово закрытое", 3, access=Access.CLOSED)
    search(stand, "Курлово")
    assert (state(stand)["found"], stand.all_posts()) == (0, {})


def test_a_service_key_alone_searches_posts_and_says_why_not_communities(stand: Stand) -> None:
    stand.overrides["vk_tokens"] = SERVICE_TOKEN
    community(stand, "club10", "Курлово", 3)
    search(stand, "Курлово")
    search(stand, "Курлово")
    assert calls(stand, "groups.search") == 1
    assert "только ключу пользователя" in state(stand)["trouble"]
    health = stand.health("vk:search")
    assert (health.state, health.reason) == (SourceState.FINE, "")


def test_the_key_of_a_user_takes_what_the_service_key_may_not(stand: Stand) -> None:
    stand.overrides["vk_tokens"] = f"{SERVICE_TOKEN},{USER_TOKEN}"
    community(stand, "club10", "Подслушано в Курлово", 3)
    search(stand, "Курлово")
    assert state(stand)["found"] == 1
    assert state(stand)["trouble"] == ""


def test_videos_of_a_community_are_posts_with_their_comments_and_threads(stand: Stand) -> None:
    source = stand.watch("vk", "club1", home="Курлово")
    video = stand.twin.say("vk", "club1", "Прямая линия главы", author=COMMUNITY, film="Ответы на вопросы")
    comment = stand.twin.say("vk", "club1", "А что с водой?", parent=video)
    replies = {stand.twin.say("vk", "club1", f"ответ {n}", parent=comment) for n in range(12)}
    stand.crawl(source)
    posts = stand.all_posts()
    assert posts[video].text == "Ответы на вопросы\n\nПрямая линия главы"
    assert (posts[video].url, posts[video].source_id) == (f"https://vk.com/{video[3:]}", source)
    assert posts[comment].parent_id == video
    assert replies <= set(posts)


def test_a_new_comment_under_a_video_is_found_by_its_counter(stand: Stand) -> None:
    source = stand.watch("vk", "club1")
    video = stand.twin.say("vk", "club1", "описание", film="Ролик")
    stand.crawl(source)
    assert calls(stand, "video.getComments") == 0
    comment = stand.twin.say("vk", "club1", "когда починят?", parent=video)
    stand.crawl(source)
    assert comment not in stand.all_posts()  # videos are looked at every half hour
    stand.ahead += timedelta(hours=1)
    stand.crawl(source)
    assert comment in stand.all_posts()


def test_a_video_with_closed_comments_stops_nothing(stand: Stand) -> None:
    source = stand.watch("vk", "club1")
    closed = stand.twin.say("vk", "club1", "описание", film="Ролик", comments_open=False)
    stand.twin.say("vk", "club1", "комментарий", parent=closed)
    post = stand.twin.say("vk", "club1", "запись")
    stand.crawl(source)
    assert {closed, post} == set(stand.all_posts())
    assert stand.health(source).state is SourceState.FINE


def test_what_is_said_under_photos_is_collected_once(stand: Stand) -> None:
    stand.overrides["vk_tokens"] = USER_TOKEN
    source = stand.watch("vk", "club1")
    photo = stand.twin.say("vk", "club1", "", picture=True)
    now = stand.clock()
    said = {
        stand.twin.say("vk", "club1", f"яма {n}", parent=photo, at=now - timedelta(seconds=200 - n))
        for n in range(130)
    }
    stand.crawl(source)
    assert set(stand.all_posts()) == said
    assert calls(stand, "photos.getAllComments") == 2
    late = stand.twin.say("vk", "club1", "яма всё там же", parent=photo)
    stand.ahead += timedelta(hours=1)
    stand.crawl(source)
    assert calls(stand, "photos.getAllComments") == 3
    assert stand.all_posts()[late].parent_id == photo


def test_with_a_service_key_alone_the_wall_is_read_and_the_key_lives_on(stand: Stand) -> None:
    stand.overrides["vk_tokens"] = SERVICE_TOKEN
    source = stand.watch("vk", "club1")
    post = stand.twin.say("vk", "club1", "запись")
    comment = stand.twin.say("vk", "club1", "комментарий", parent=post)
    stand.twin.say("vk", "club1", "описание", film="Ролик")
    stand.crawl(source)
    later = stand.twin.say("vk", "club1", "вторая запись")
    stand.ahead += timedelta(hours=1)
    stand.crawl(source)
    assert set(stand.all_posts()) == {post, comment, later}
    assert stand.health(source).state is SourceState.FINE
    assert (calls(stand, "video.get"), calls(stand, "photos.getAllComments")) == (1, 1)
