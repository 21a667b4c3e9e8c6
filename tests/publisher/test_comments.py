"""Who may answer where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from index.domain.page import Page
from index.domain.post import Network
from index.errors import Refused
from publisher.channels.base import Channel
from publisher.comments import check_answer, speakers
from tests.publisher.conftest import PAGES

VK, TELEGRAM, MAX = PAGES["vk"], replace(PAGES["telegram"], discussion="-10077"), PAGES["max"]
OTHER = Page(id="vk2", network=Network.VK, address="club2", title="Школа")


@pytest.mark.parametrize(
    ("post_id", "wanted"),
    [
        ("vk:-2_5_r7", ["vk2", "vk"]),  # the page it stands on first
        ("vk:-99_5", ["vk", "vk2"]),
        ("telegram:rayon_adm/5", ["telegram"]),
        ("telegram:c77/9", ["telegram"]),
        ("telegram:c78/9", []),
        ("telegram:somebody/5", []),
        ("max:mid.1", ["max"]),
        ("news:abc", []),
    ],
)
def test_only_pages_that_can_be_heard_there_speak(post_id: str, wanted: list[str]):
    assert [page.id for page in speakers(post_id, [VK, OTHER, TELEGRAM, MAX])] == wanted


def test_a_page_that_is_off_does_not_speak():
    assert speakers("vk:-1_5", [replace(VK, is_enabled=False)]) == []


@pytest.mark.parametrize(
    ("page", "post_id", "text", "field"),
    [
        (VK, "vk:-1_5", "я" * 16_001, "text"),
        (VK, "vk:topic-1_5_r3", "Ответ", "reply_to"),
        (VK, "ok:1", "Ответ", "reply_to"),
        (MAX, "max:mid.1", "Смотрите www.site.ru", "text"),
        (replace(TELEGRAM, discussion=None), "telegram:rayon_adm/5", "Ответ", "page_id"),
    ],
)
def test_an_answer_that_cannot_go_there_is_refused_before_approval(
    channels: Callable[[Page], Channel], page: Page, post_id: str, text: str, field: str
):
    with pytest.raises(Refused) as refused:
        check_answer(channels, page, post_id, text)
    assert refused.value.field == field


def test_an_answer_that_fits_passes(channels: Callable[[Page], Channel]):
    check_answer(channels, VK, "vk:-1_5_r3", "Сегодня к 18:00.")
    check_answer(channels, TELEGRAM, "telegram:c77/9", "Сегодня к 18:00.")
