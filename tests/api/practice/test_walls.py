"""The pages for people: what stands on the networks, our answers marked, no text able to break them."""

from __future__ import annotations

from parsel import Selector

from api.practice.twin import Twin
from tests.api.practice.calls import PNG, Caller


def test_the_answer_is_seen_under_the_post(twin: Twin, call: Caller) -> None:
    post = twin.say("vk", "club1", "Нет тепла", author=5)
    call.vk("wall.createComment", owner_id=-1, post_id=1, from_group=1, message="Чиним")
    page = call.http.get(f"{twin.url}/walls/vk/club1")
    article = Selector(page.text).css("article")
    assert article.attrib["id"] == post
    assert article.css(".text::text").getall() == ["Нет тепла", "Чиним"]
    assert article.css(".comment.ours .mark::text").get() == "ответ службы"


def test_the_list_counts_what_is_ours(twin: Twin, call: Caller) -> None:
    twin.community("vk", "club1", title="Администрация").more["ours"] = True
    call.vk("wall.post", owner_id=-1, from_group=1, message="Воду дадут")
    row = " ".join(Selector(call.http.get(f"{twin.url}/").text).css("li ::text").getall())
    assert "Администрация" in row
    assert "от службы 1" in row


def test_a_text_is_led_to_by_its_id(twin: Twin, call: Caller) -> None:
    post = twin.say("telegram", "rayon", "Пост")
    comment = twin.say("telegram", "rayon", "Вопрос", parent=post)
    answer = call.http.get(f"{twin.url}/see/{comment}")
    assert answer.headers["location"].startswith("/walls/telegram/rayon#telegram")
    assert call.http.get(f"{twin.url}/see/vk:-1_404").status_code == 404


def test_a_hostile_text_stays_a_text(twin: Twin, call: Caller) -> None:
    twin.say("vk", "club1", "<script>alert(1)</script>", author="<b>", photos=[PNG])
    page = call.http.get(f"{twin.url}/walls/vk/club1").text
    assert "<script>" not in page
    assert call.http.get(Selector(page).css("article img").attrib["src"]).content == PNG
