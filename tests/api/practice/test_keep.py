"""A kept world is the same world: posts, comments, photos, links between them, the place in the events."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.practice.twin import COMMUNITY, Twin
from api.practice.world import Access
from index.domain.post import Network
from tests.api.practice.calls import PNG


def test_everything_comes_back(tmp_path: Path) -> None:
    store = tmp_path / "world.json"
    twin = Twin(store=store)
    twin.community("telegram", "rayon", title="Район", discussion="rayon_talk")
    twin.community("vk", "club2", access=Access.CLOSED).more["ours"] = False
    first = twin.say("telegram", "rayon", "Пост", author=COMMUNITY, photos=[PNG], likes=3)
    twin.say("telegram", "rayon", "Ответ на пост", author=COMMUNITY, reply_to=first)
    comment = twin.say("telegram", "rayon", "Вопрос", author="Олег Ткач", parent=first)
    twin.say("telegram", "rayon", "Ответ", author=7, parent=comment)
    twin.say("vk", "club1", "", origin=twin.say("vk", "club1", "исток"))
    twin.delete(twin.say("vk", "club1", "удалено"))
    twin.save()
    again = Twin(store=store)
    for network in Network:
        assert again.addresses(network) == twin.addresses(network)
        for address in twin.addresses(network):
            assert again.posts(network, address) == twin.posts(network, address)
    assert again.community("vk", "club2").access is Access.CLOSED
    assert again.community("telegram", "rayon").discussion is again.community("telegram", "rayon_talk")
    assert again.say("vk", "club1", "дальше") == "vk:-1_4"


def test_a_kill_while_keeping_leaves_the_last_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "world.json"
    twin = Twin(store=store)
    twin.say("vk", "club1", "первое")
    twin.save()
    twin.say("vk", "club1", "второе")
    monkeypatch.setattr("os.replace", _killed)
    with pytest.raises(KeyboardInterrupt):
        twin.save()
    assert [post.text for post in Twin(store=store).posts("vk", "club1")] == ["первое"]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
