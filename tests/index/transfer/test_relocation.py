"""Everything moves from the embedded databases to the others and back; an interrupted move goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from index.desk import open_desk
from index.desk.tables import cursors, metadata
from index.domain.analysis import Risk
from index.errors import Conflict, Refused
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.elasticsearch import ElasticsearchPosts
from index.posts.query import PostState
from index.posts.sqlite import SqlitePosts
from index.settings import Settings
from index.transfer import move
from index.transfer.relocation import PAGE, WHOLE, Progress, move_posts
from tests.factories import NOON, alert, analysis, page, person, post

PASSWORD = "долгий пароль 17"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
def old(settings: Settings) -> Iterator[PostIndex]:
    """Posts in every state, one of them edited, one deleted, over two months."""
    with closing(open_posts("sqlite", settings.data)) as posts:
        crowd = [post(published_at=NOON - timedelta(days=number)) for number in range(40)]
        posts.add(crowd)
        posts.add([replace(crowd[1], text="Тепло дали"), replace(crowd[2], is_deleted=True)])
        said = {one.id: analysis(vector=(0.5,) * 384, risks=(Risk.OUTAGE,)) for one in crowd[3:30]}
        posts.save_analyses(said, PostState.WATCHED)
        posts.save_analyses({crowd[4].id: analysis()})
        posts.quarantine(crowd[5].id, "сломался")
        yield posts


def everything(posts: PostIndex) -> list[object]:
    posts.refresh()
    records = posts.find(WHOLE, limit=10_000).records
    return [(record, posts.versions(record.post.id)) for record in records]


@pytest.mark.elasticsearch
def test_posts_move_to_elasticsearch_and_back(
    settings: Settings, old: PostIndex, elasticsearch_url: str, elasticsearch_alias: str, tmp_path: Path
) -> None:
    cluster = ElasticsearchPosts([elasticsearch_url], alias=elasticsearch_alias)
    back = SqlitePosts(tmp_path / "back.sqlite3")
    assert move_posts(old, cluster, progress=Progress(settings.data, "index", "cluster")) == 40
    assert move_posts(cluster, back, progress=Progress(settings.data, "index", "back")) == 40
    assert everything(back) == everything(cluster) == everything(old)
    cluster.close()
    back.close()


def test_an_interrupted_move_goes_on_and_repeating_it_adds_nothing(
    settings: Settings, old: PostIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.transfer.relocation.PAGE", 7)
    new = Interrupted(SqlitePosts(tmp_path / "new.sqlite3"), after=3)
    with pytest.raises(KeyboardInterrupt):
        move_posts(old, new, progress=Progress(settings.data, "index", "new"))
    assert new.count(WHOLE) == 21
    assert move_posts(old, new, progress=Progress(settings.data, "index", "new")) == 40
    assert new.pages == 3 + 1 + 3  # three whole, the one that was cut off, the rest; none from the beginning
    assert everything(new) == everything(old)
    new.close()


class Interrupted:
    """An index whose machine goes down once."""

    def __init__(self, inner: PostIndex, *, after: int) -> None:
        self._inner, self._left, self.pages = inner, after, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def keep(self, kept: object) -> int:
        self.pages += 1
        self._left -= 1
        if self._left == -1:
            raise KeyboardInterrupt
        return self._inner.keep(kept)  # type: ignore[arg-type]


def test_an_index_with_posts_of_its_own_takes_no_others(
    settings: Settings, old: PostIndex, tmp_path: Path
) -> None:
    new = SqlitePosts(tmp_path / "new.sqlite3")
    new.add([post()])
    with pytest.raises(Refused, match="только в пустой"):
        move_posts(old, new, progress=Progress(settings.data, "index", "new"))
    new.close()


def test_a_post_that_came_meanwhile_is_noticed_and_taken_by_the_next_try(
    settings: Settings, old: PostIndex, tmp_path: Path
) -> None:
    new = Meanwhile(SqlitePosts(tmp_path / "new.sqlite3"), old)
    with pytest.raises(Conflict, match="Остановите службу"):
        move_posts(old, new, progress=Progress(settings.data, "index", "new"))
    assert move_posts(old, new, progress=Progress(settings.data, "index", "new")) == 41
    new.close()


class Meanwhile(Interrupted):
    """Somebody adds an old post to the other index while its newest are carried."""

    def __init__(self, inner: PostIndex, old: PostIndex) -> None:
        super().__init__(inner, after=10**6)
        self._old: PostIndex | None = old

    def keep(self, kept: object) -> int:
        count = super().keep(list(kept))  # type: ignore[call-overload]
        if self._old is not None:
            self._old.add([post(published_at=NOON - timedelta(days=300))])
            self._old = None
        return count


def test_a_move_to_where_the_data_is_is_refused(settings: Settings) -> None:
    with pytest.raises(Refused, match="--to-index"):
        move(settings, to_index="sqlite")
    with pytest.raises(Refused, match="--to-desk"):
        move(settings, to_desk="sqlite")


def fill_desk(settings: Settings) -> None:
    with closing(open_desk("sqlite", settings.data)) as desk:
        desk.people.add(person(login="ivanova"), PASSWORD, actor="admin", at=NOON)
        desk.pages.add(page(id="vk-1"), actor="admin", at=NOON)
        with desk.database.write() as tx:
            many = [
                {"source_id": f"vk:club{n}", "name": "posts", "value": {"newest": n}} for n in range(PAGE + 7)
            ]
            tx.execute(insert(cursors), many)
        raised = desk.alerts.raise_alert(alert())
        desk.alerts.accept(raised.id, actor="ivanova", at=NOON, version=raised.version)
        desk.quarantine.add(stage="crawl", network=None, source_id=None, raw="{", error="x", at=NOON)


def rows(setting: str, data: Path) -> dict[str, list[object]]:
    with closing(open_desk(setting, data)) as desk, desk.database.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
        }


def test_a_desk_moves_to_another_file_with_its_audit(settings: Settings, tmp_path: Path) -> None:
    fill_desk(settings)
    new = f"sqlite:///{tmp_path / 'new.sqlite'}"
    moved = move(settings, to_desk=new)
    assert rows(new, settings.data) == rows("sqlite", settings.data)
    assert moved.rows == sum(map(len, rows("sqlite", settings.data).values())) > PAGE
    with closing(open_desk(new, settings.data)) as desk:
        assert desk.audit.verify() is None
        assert desk.people.verify("ivanova", PASSWORD, now=NOON).login == "ivanova"


@pytest.mark.postgres
def test_a_desk_moves_to_postgresql_and_goes_on_working(settings: Settings, postgres_url: str) -> None:
    fill_desk(settings)
    move(settings, to_desk=postgres_url)
    assert rows(postgres_url, settings.data) == rows("sqlite", settings.data)
    with closing(open_desk(postgres_url, settings.data)) as desk:
        assert desk.audit.verify() is None
        known = {row.id for row in desk.quarantine.list()}
        number = desk.quarantine.add(stage="crawl", network=None, source_id=None, raw="[", error="y", at=NOON)
        assert number not in known


def test_a_move_of_the_desk_that_broke_off_is_repeated(settings: Settings, tmp_path: Path) -> None:
    fill_desk(settings)
    new = f"sqlite:///{tmp_path / 'new.sqlite'}"
    move(settings, to_desk=new)
    with pytest.raises(Refused, match="только в пустую"):
        move(settings, to_desk=new)
    Progress(settings.data, "desk", new).begin()  # as if it had broken off at its end
    assert move(settings, to_desk=new).rows > PAGE
    assert rows(new, settings.data) == rows("sqlite", settings.data)


def test_the_address_of_the_target_is_never_written_down(settings: Settings, tmp_path: Path) -> None:
    settings.data.mkdir()
    Progress(settings.data, "desk", "postgresql://mcu:тайна@db/mcu").begin()
    assert "тайна" not in (settings.data / "desk-move.json").read_text(encoding="utf-8")
