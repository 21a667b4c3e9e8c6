"""What only the cluster has: nodes that go away, months, several programs at once, passwords."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from elasticsearch import BadRequestError, Elasticsearch

from index.errors import Misconfigured, Refused, Unavailable
from index.posts import open_posts
from index.posts.elasticsearch import ElasticsearchPosts
from index.posts.query import Facet, PostState, Query
from tests.factories import NOON, analysis, post
from tests.services import free_port
from tests.services.elasticsearch import new_node


@pytest.mark.elasticsearch
def test_a_node_that_is_down_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    node = new_node(tmp_path / "node")
    posts = ElasticsearchPosts([node.url])
    crowd, later = [post() for _ in range(50)], [post() for _ in range(5)]
    with pytest.raises(Unavailable, match="не отвечает"):
        posts.add(crowd)
    try:
        node.start()
        assert posts.add(crowd).new == 50
        posts.save_analyses({crowd[0].id: analysis()})
        node.stop()
        for call in (lambda: posts.add(later), lambda: posts.count(Query()), lambda: posts.get(crowd[0].id),
                     lambda: posts.save_analyses({crowd[1].id: analysis()}), posts.check):  # fmt: skip
            with pytest.raises(Unavailable):
                call()
        node.start()
        assert posts.add([*crowd, *later]).new == 5
        posts.refresh()
        assert posts.count(Query()) == 55
        assert posts.get(crowd[0].id).state is PostState.ANALYSED
    finally:
        node.stop()
        posts.close()


@pytest.fixture
def two(elasticsearch_url: str, elasticsearch_alias: str):
    """The same index as two programs see it."""
    programs = [ElasticsearchPosts([elasticsearch_url], alias=elasticsearch_alias) for _ in range(2)]
    yield programs
    for program in programs:
        program.close()


@pytest.mark.elasticsearch
def test_a_post_stands_in_the_month_it_was_published_in(
    two: list[ElasticsearchPosts], elasticsearch_url: str, elasticsearch_alias: str
) -> None:
    midnight_in_moscow = datetime(2026, 10, 31, 21, 0, tzinfo=UTC)
    two[0].add([post(published_at=NOON), post(published_at=midnight_in_moscow)])
    with Elasticsearch(elasticsearch_url) as client:
        assert sorted(client.indices.get(index=f"{elasticsearch_alias}-*")) == [
            f"{elasticsearch_alias}-2026.10",
            f"{elasticsearch_alias}-2026.11",
        ]
        assert len(client.indices.get_alias(name=elasticsearch_alias)) == 2


@pytest.mark.elasticsearch
def test_a_field_that_nobody_thought_of_is_refused_by_the_cluster(
    two: list[ElasticsearchPosts], elasticsearch_url: str, elasticsearch_alias: str
) -> None:
    two[0].add([post()])
    with Elasticsearch(elasticsearch_url) as client, pytest.raises(BadRequestError, match="strict"):
        client.index(index=f"{elasticsearch_alias}-2026.11", document={"surprise": 1})


@pytest.mark.elasticsearch
def test_two_programs_add_each_post_once_and_lose_no_analysis(two: list[ElasticsearchPosts]) -> None:
    crowd = [post() for _ in range(200)]
    with ThreadPoolExecutor(4) as threads:
        added = list(threads.map(lambda program: program.add(crowd), two * 2))
    assert sum(each.new for each in added) == 200
    two[0].refresh()
    halves = ({one.id: analysis(model=str(n)) for one in crowd} for n in range(2))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda pair: pair[0].save_analyses(pair[1]), zip(two, halves, strict=True)))
    two[1].refresh()
    assert two[1].count(Query(states=(PostState.ANALYSED,))) == two[1].count(Query(with_deleted=True)) == 200


@pytest.mark.elasticsearch
def test_a_second_encoder_of_another_program_does_not_stop_the_first(two: list[ElasticsearchPosts]) -> None:
    one, other = post(), post(published_at=datetime(2026, 9, 1, tzinfo=UTC))
    two[0].add([one])
    two[0].save_analyses({one.id: analysis(vector=(1.0,) * 384)})
    two[1].add([other])
    two[1].save_analyses({other.id: analysis(vector=(1.0, 0.0))})
    third = post(published_at=datetime(2026, 8, 1, tzinfo=UTC))  # a month that is not there yet
    two[0].add([third])
    two[0].save_analyses({third.id: analysis(vector=(1.0,) * 384)})
    two[1].save_analyses({third.id: analysis(vector=(0.0, 1.0))})
    two[0].refresh()
    assert {r.post.id for r, _ in two[0].nearest((1.0, 0.0), Query())} == {other.id, third.id}
    with pytest.raises(Refused, match="4096"):
        two[0].save_analyses({one.id: analysis(vector=(0.1,) * 5_000)})


@pytest.mark.elasticsearch
def test_facets_of_very_many_values_are_counted_exactly(
    two: list[ElasticsearchPosts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.posts.elasticsearch.EXACT_VALUES", 2)
    monkeypatch.setattr("index.posts.elasticsearch.PAGE", 10)
    months = [datetime(2026, month, 5, tzinfo=UTC) for month in (9, 10, 11)]
    crowd = [post(author=f"a{n % 25:02}", published_at=months[n % 3]) for n in range(90)]
    two[0].add([*crowd, post(author="a24"), post(author="a24")])
    two[0].refresh()
    counts = [(count.value, count.posts) for count in two[0].count_by(Query(), Facet.AUTHOR, limit=3)]
    assert counts == [("a24", 5), ("a00", 4), ("a01", 4)]


def test_a_password_in_the_address_shows_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    posts = open_posts(f"http://mcu:s3cret%21@127.0.0.1:{free_port()}", tmp_path)
    with pytest.raises(Unavailable) as failure:
        posts.count(Query())
    shown = f"{failure.value} {failure.value.__cause__!r} {caplog.text}"
    assert "s3cret" not in shown
    assert "Traceback" not in caplog.text
    posts.close()


@pytest.mark.parametrize("address", ["http://", "http:///path", "https://:9200", "http://host:port"])
def test_an_address_without_a_host_is_refused_with_the_remedy(tmp_path: Path, address: str) -> None:
    with pytest.raises(Misconfigured, match="INDEX"):
        open_posts(address, tmp_path)
