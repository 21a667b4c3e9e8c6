"""The index of posts on Elasticsearch 8: an index a month, for many machines and a whole region.

Only the core API is used (no scripts, no by-query writes, nothing licensed). A post stands in the month it
was published in, UTC, under its own id; the alias reads all months.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import uniform
from time import sleep
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import numpy as np
from elasticsearch import ApiError, Elasticsearch, TransportError

from index.domain.analysis import Analysis
from index.domain.post import Post, Print
from index.errors import Misconfigured, NotFound, Refused, ServiceError, Unavailable
from index.posts import dsl, mapping
from index.posts.change import VERSIONS_KEPT, is_same, seen_again
from index.posts.cursor import read_cursor
from index.posts.document import (
    Json,
    admit,
    admit_analysis,
    analysis_from_json,
    analysis_to_json,
    micros,
    month_of,
    pack_vector,
    post_from_json,
    post_to_json,
    print_from_text,
    unpack_vector,
)
from index.posts.query import Added, Count, Facet, Found, Kept, Order, PostState, Query, Record, Version
from index.posts.steps import Steps

logger = logging.getLogger(__name__)
# One line a request, and a traceback a retry: more than the service itself has to say. Which node of
# several has failed is still told, by `elastic_transport.node_pool`.
logging.getLogger("elastic_transport").setLevel(logging.WARNING)
logging.getLogger("elastic_transport.transport").setLevel(logging.ERROR)

ALIAS = "mcu-posts"
REQUEST_TIMEOUT = timedelta(seconds=30)
BATCH = 500  # posts a bulk request: about 3 MB with vectors
PAGE = 1_000  # hits a request; Elasticsearch gives no more than 10,000
RECENT = 50_000  # posts written last whose month is remembered: a search sees them a second later
RACES = 20  # times in a row that another writer may be faster
EXACT_VALUES = 20_000  # distinct values a month up to which one aggregation counts exactly
EXACT_AUTHORS = 40_000  # the most that `cardinality` takes
CANDIDATES = 200  # vectors compared in each month before the closest are chosen

T = TypeVar("T")
_WITHOUT_ANALYSIS = ["analysis", "vector_*", "history"]


class ElasticsearchPosts:
    """PostIndex over a cluster. Safe for threads; writers of all processes meet in `if_seq_no`."""

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        alias: str = ALIAS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Does not connect yet. `alias` is also the prefix of the indices. Raises Misconfigured."""
        self._alias = alias
        self._clock = clock
        self._client = _client(addresses)
        self._dims: set[int] = set()  # of the vectors that the mapping is known to take
        self._recent: OrderedDict[str, str] = OrderedDict()  # post id → its index
        self._lock = threading.Lock()

    def check(self) -> None:
        with _translated():
            self._client.cluster.health(wait_for_status="yellow", timeout="5s")
            self._prepare(mapping.USUAL_DIMS)

    def add(self, posts: Iterable[Post]) -> Added:
        new_ids: list[str] = []
        changed = known = 0
        with _translated():
            for batch in _batches(map(admit, posts), BATCH):
                self._prepare(mapping.USUAL_DIMS)
                for distinct in _without_repeats(batch):
                    added = self._add(distinct)
                    new_ids += added.new_ids
                    changed += added.changed
                    known += added.known
        return Added(new=len(new_ids), changed=changed, known=known, new_ids=tuple(new_ids))

    def get(self, post_id: str) -> Record:
        try:
            return self.get_many([post_id])[post_id]
        except KeyError:
            raise NotFound(f"Пост {post_id} не найден.") from None

    def get_many(self, post_ids: Sequence[str]) -> dict[str, Record]:
        with _translated():
            return {
                post_id: _record(stored.source)
                for batch in _batches(post_ids, BATCH)
                for post_id, stored in self._stored(batch).items()
            }

    def prints(self, post_ids: Sequence[str]) -> dict[str, Print]:
        with _translated():
            texts = {
                post_id: stored.source.get("print")
                for batch in _batches(post_ids, BATCH)
                for post_id, stored in self._stored(batch, only=["print"]).items()
            }
        return {post_id: found for post_id, text in texts.items() if (found := print_from_text(text))}

    def versions(self, post_id: str) -> list[Version]:
        with _translated():
            stored = self._stored([post_id]).get(post_id)
        history = [] if stored is None else stored.source["history"]
        return [
            Version(
                content_hash=v["content_hash"], text=v["text"], seen_at=datetime.fromisoformat(v["seen_at"])
            )
            for v in reversed(history)
        ]

    def waiting(self, *, limit: int, shard: range = range(256), model: str | None = None) -> list[Post]:
        mine: Json = {"range": {"shard_key": {"gte": shard.start, "lt": shard.stop}}}
        collected: Json = {"bool": {"filter": [mine, {"term": {"state": PostState.COLLECTED.value}}]}}
        others: Json = {
            "bool": {
                "filter": [mine, {"exists": {"field": "analysis.model"}}],
                "must_not": [{"term": {"analysis.model": model}}],
            }
        }
        with _translated():
            self._refresh()  # else what was just analysed would be given once more
            hits = self._hits(
                collected, dsl.order(Query(order=Order.OLDEST)), limit, without=_WITHOUT_ANALYSIS
            )
            found = list(hits)
            if model is not None and len(found) < limit:
                left = limit - len(found)
                found += self._hits(others, dsl.order(Query()), left, without=_WITHOUT_ANALYSIS)
        for hit in found:
            self._remember(hit["_id"], hit["_index"])  # its analysis comes next
        return [post_from_json(hit["_source"]) for hit in found]

    def analysed(self, *, limit: int) -> list[Record]:
        query = Query(states=(PostState.ANALYSED,), with_deleted=True, order=Order.OLDEST)
        self.refresh()
        return list(self.find(query, limit=limit).records)

    def save_analyses(
        self,
        analyses: Mapping[str, Analysis],
        state: PostState = PostState.ANALYSED,
        *,
        content_hashes: Mapping[str, str] | None = None,
    ) -> None:
        made_of = content_hashes or {}
        with _translated():
            for batch in _batches(analyses.items(), BATCH):
                admitted = {post_id: admit_analysis(analysis) for post_id, analysis in batch}
                for dims in {len(analysis.vector) for analysis in admitted.values()} - {0}:
                    self._prepare(dims)

                def analysed(source: Json, admitted: Mapping[str, Analysis] = admitted) -> Json | None:
                    if made_of.get(source["id"], source["content_hash"]) != source["content_hash"]:
                        return None  # edited meanwhile: it waits for an analysis of the new text
                    return _with_analysis(source, admitted[source["id"]], state)

                self._change(list(admitted), analysed)

    def quarantine(self, post_id: str, error: str) -> None:
        with _translated():
            self._change([post_id], lambda source: _without_analysis(source, PostState.QUARANTINED, error))

    def find(self, query: Query, *, limit: int = 50, cursor: str | None = None) -> Found:
        start = read_cursor(cursor, query.order)
        after = None if start is None else dsl.after(start, query)
        with _translated():
            hits = list(self._hits(dsl.search(query), dsl.order(query), limit + 1, after=after))
        shown = hits[:limit]
        more = len(hits) > limit and shown
        return Found(
            records=tuple(_record(hit["_source"]) for hit in shown),
            next=dsl.cursor_at(shown[-1]["sort"], query).encode() if more else None,
        )

    def count(self, query: Query) -> int:
        with _translated():
            answer = self._client.count(index=self._alias, query=dsl.search(query), ignore_unavailable=True)
        return int(answer["count"])

    def count_by(self, query: Query, facet: Facet, *, limit: int = 100) -> list[Count]:
        field = dsl.FIELDS[facet]
        terms = {"field": field, "size": limit, "shard_size": max(EXACT_VALUES, limit)}
        with _translated():
            values = self._aggregate(query, {"values": {"terms": terms}})["values"]
            if values["doc_count_error_upper_bound"] == 0:
                return [Count(value=str(b["key"]), posts=b["doc_count"]) for b in values["buckets"]]
            counts = [
                Count(value=str(value), posts=posts) for value, posts in self._every_value(query, field)
            ]
        return sorted(counts, key=lambda count: (-count.posts, count.value))[:limit]

    def authors(self, query: Query) -> int:
        cardinality = {"field": "author", "precision_threshold": EXACT_AUTHORS}
        with _translated():
            return int(self._aggregate(query, {"authors": {"cardinality": cardinality}})["authors"]["value"])

    def histogram(self, query: Query, *, step: timedelta, zone: str = "UTC") -> list[tuple[datetime, int]]:
        steps = Steps(step, zone)
        interval = {"calendar_interval": "day"} if steps.by_days else {"fixed_interval": "1h"}
        by_time = {"field": "published_at", "time_zone": zone, "min_doc_count": 1, **interval}
        with _translated():
            buckets = self._aggregate(query, {"times": {"date_histogram": by_time}})["times"]["buckets"]
        return steps.fill((datetime.fromtimestamp(b["key"] / 1000, UTC), b["doc_count"]) for b in buckets)

    def nearest(
        self, vector: Sequence[float], query: Query, *, limit: int = 10
    ) -> list[tuple[Record, float]]:
        knn = {
            "field": mapping.vector_field(len(vector)),
            "query_vector": [float(number) for number in vector],
            "k": limit,
            "num_candidates": min(max(CANDIDATES, 4 * limit), 10_000),
            "filter": dsl.filters(query),
        }
        with _translated():
            self._prepare(len(vector))
            answer = self._search(knn=knn, size=limit)
        records = [_record(hit["_source"]) for hit in answer["hits"]["hits"]]
        found = [(record, _cosine(record, vector)) for record in records]  # the index only knows it in 8 bits
        return sorted(found, key=lambda pair: -pair[1])

    def keep(self, kept: Iterable[Kept]) -> int:
        new = 0
        with _translated():
            for batch in _batches(kept, BATCH):
                for dims in {len(each.record.analysis.vector) for each in batch if each.record.analysis}:
                    self._prepare(dims or mapping.USUAL_DIMS)
                self._prepare(mapping.USUAL_DIMS)
                operations: list[Json] = []
                for each in batch:
                    place = {"_index": self._index_of(each.record.post), "_id": each.record.post.id}
                    operations += [{"index": place}, _kept(each)]
                for item in self._client.bulk(operations=operations)["items"]:
                    if "error" in item["index"]:
                        raise _item_error(item["index"]["_id"], item["index"])
                    new += item["index"]["status"] == 201
                    self._remember(item["index"]["_id"], item["index"]["_index"])
        return new

    def refresh(self) -> None:
        with _translated():
            self._refresh()

    def erase(self, *, post_ids: Sequence[str] = (), author: str | None = None) -> int:
        wanted: list[Json] = [{"ids": {"values": list(post_ids)}}]
        if author is not None:
            wanted.append({"term": {"author": author}})
        query = {"bool": {"should": wanted, "minimum_should_match": 1}}
        with _translated():
            self._refresh()
            hits = list(self._hits(query, dsl.order(Query()), None, without=["*"]))
            erased = sum(self._delete(batch) for batch in _batches(hits, BATCH))
            self._refresh()
        return erased

    def forget_before(self, moment: datetime) -> int:
        kept = f"{self._alias}-{month_of(moment)}"
        forgotten = 0
        with _translated():
            self._refresh()
            for index in sorted(self._client.indices.get(index=f"{self._alias}-*", features="aliases")):
                if index < kept:
                    forgotten += int(self._client.count(index=index)["count"])
                    self._client.indices.delete(index=index, ignore_unavailable=True)
                    logger.info("A month is forgotten", extra={"action": "month_forgotten", "index": index})
        return forgotten

    def close(self) -> None:
        self._client.close()

    # Writing

    def _add(self, posts: Sequence[Post]) -> Added:
        """Posts of distinct ids: created where nobody stands, else changed under `if_seq_no`."""
        new_ids: list[str] = []
        changed = known = 0
        left = list(posts)
        for attempt in range(RACES):
            sleep(_pause(attempt))
            stored = self._stored([post.id for post in left], months={p.id: self._index_of(p) for p in left})
            writes = []
            for post in left:
                at = stored.get(post.id)
                source = _new(post, self._clock) if at is None else _seen(at.source, post, self._clock)
                if source is None:
                    known += 1
                else:
                    writes.append(_Write(post.id, at.index if at else self._index_of(post), source, at))
            lost = self._write(writes)
            won = [write for write in writes if write.post_id not in lost]
            new_ids += [write.post_id for write in won if write.over is None]
            changed += sum(write.over is not None for write in won)
            left = [post for post in left if post.id in lost]
            if not left:
                return Added(new=len(new_ids), changed=changed, known=known, new_ids=tuple(new_ids))
        raise _outrun()

    def _change(self, post_ids: Sequence[str], change: Callable[[Json], Json | None]) -> None:
        """Replace the documents that exist; `change` gives the new one, or None to leave it."""
        left = set(self._present(post_ids))
        for attempt in range(RACES):
            sleep(_pause(attempt))
            stored = self._stored(sorted(left))
            changed = {post_id: change(at.source) for post_id, at in stored.items()}
            left = self._write(
                [
                    _Write(post_id, stored[post_id].index, source, stored[post_id])
                    for post_id, source in changed.items()
                    if source is not None
                ]
            )
            if not left:
                return
        raise _outrun()

    def _write(self, writes: Sequence[_Write]) -> set[str]:
        """One bulk request; ids that another writer got to first. Raises when any item failed otherwise."""
        if not writes:
            return set()
        operations = [line for write in writes for line in (write.action(), write.source)]
        answer = self._client.bulk(operations=operations)
        lost = set()
        for write, item in zip(writes, answer["items"], strict=True):
            (result,) = item.values()
            if result["status"] == 409:
                lost.add(write.post_id)
            elif "error" in result:
                raise _item_error(write.post_id, result)
            self._remember(write.post_id, write.index)
        return lost

    def _delete(self, hits: Sequence[Json]) -> int:
        answer = self._client.bulk(
            operations=[{"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in hits]
        )
        erased = 0
        for hit, item in zip(hits, answer["items"], strict=True):
            if item["delete"]["status"] not in (200, 404):
                raise _item_error(hit["_id"], item["delete"])
            erased += item["delete"]["status"] == 200
        return erased

    def _index_of(self, post: Post) -> str:
        return f"{self._alias}-{month_of(post.published_at)}"

    def _prepare(self, dims: int) -> None:
        """The template and the months know vectors of this length; asked of the cluster once."""
        mapping.vector_field(dims)  # refuses a length that no index takes
        with self._lock:
            if dims in self._dims:
                return
            present = self._present_mapping()
            # Another process may have met another encoder: its field stays.
            known = mapping.dims_of(present.get("properties", ())) | {dims, mapping.USUAL_DIMS}
            if present.get("_meta", {}).get("fingerprint") != mapping.fingerprint(known):
                self._put_mapping(known)
            self._dims |= known

    def _present_mapping(self) -> Json:
        found = self._client.options(ignore_status=404).indices.get_index_template(name=self._alias)
        for item in found.get("index_templates", ()):
            mappings: Json = item["index_template"]["template"]["mappings"]
            return mappings
        return {}

    def _put_mapping(self, dims: set[int]) -> None:
        """First for the months to come, then for those that are there."""
        self._client.indices.put_index_template(name=self._alias, **mapping.template(self._alias, dims))
        if self._client.indices.exists(index=f"{self._alias}-*", allow_no_indices=False):
            self._client.indices.put_mapping(index=f"{self._alias}-*", properties=mapping.properties(dims))
        logger.info("The index template is in place", extra={"action": "template_put", "alias": self._alias})

    # Reading

    def _present(self, post_ids: Sequence[str]) -> list[str]:
        """Those that exist, also when another program has written them this second."""
        places = self._remembered(post_ids)
        places |= self._places([post_id for post_id in post_ids if post_id not in places])
        if missed := [post_id for post_id in post_ids if post_id not in places]:
            self._refresh()
            places |= self._places(missed)
        for post_id, index in places.items():
            self._remember(post_id, index)
        return list(places)

    def _stored(
        self,
        post_ids: Sequence[str],
        months: Mapping[str, str] | None = None,
        *,
        only: list[str] | None = None,
    ) -> dict[str, _Stored]:
        """Present documents, not as of the last refresh. `months`: where to look first; `only`: the parts
        of the documents that are needed."""
        places = {**(months or {}), **self._remembered(post_ids)}
        found = self._read(places, only)
        missed = [post_id for post_id in post_ids if post_id not in found]
        found |= self._read(self._places(missed), only)
        return found

    def _read(self, places: Mapping[str, str], only: list[str] | None = None) -> dict[str, _Stored]:
        if not places:
            return {}
        docs = [{"_index": index, "_id": post_id} for post_id, index in places.items()]
        answer = self._client.mget(docs=docs, source_includes=only)
        for doc in answer["docs"]:
            kind = doc.get("error", {}).get("type", "index_not_found_exception")
            if kind != "index_not_found_exception":  # a month that does not exist yet
                raise Unavailable(f"Elasticsearch не прочёл пост {doc['_id']}: {kind}.")
        return {
            doc["_id"]: _Stored(doc["_index"], doc["_seq_no"], doc["_primary_term"], doc["_source"])
            for doc in answer["docs"]
            if doc.get("found")
        }

    def _places(self, post_ids: Sequence[str]) -> dict[str, str]:
        """Indices of the posts, as of the last refresh."""
        if not post_ids:
            return {}
        query = {"ids": {"values": list(post_ids)}}
        hits = self._hits(query, dsl.order(Query()), len(post_ids), without=["*"])
        return {hit["_id"]: hit["_index"] for hit in hits}

    def _hits(
        self,
        query: Json,
        sort: list[Json],
        limit: int | None,
        *,
        after: list[Any] | None = None,
        without: list[str] | None = None,
    ) -> Iterator[Json]:
        """Hits in order, page after page. `without`: parts of the documents that are not needed."""
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            more = {} if after is None else {"search_after": after}
            answer = self._search(
                query=query, sort=sort, size=size, source_excludes=without, track_total_hits=False, **more
            )
            hits = answer["hits"]["hits"]
            yield from hits
            if len(hits) < size:
                return
            left = None if left is None else left - size
            after = hits[-1]["sort"]

    def _aggregate(self, query: Query, aggregations: Json) -> Json:
        answer = self._search(query=dsl.search(query), aggs=aggregations, size=0, track_total_hits=False)
        found: Json = answer.get("aggregations", {})
        return found or _nothing_found(aggregations)

    def _every_value(self, query: Query, field: str) -> Iterator[tuple[Any, int]]:
        """All values of a field with their counts, however many there are."""
        after: Json = {}
        while True:
            composite = {"size": PAGE, "sources": [{"value": {"terms": {"field": field}}}], **after}
            found = self._aggregate(query, {"values": {"composite": composite}})["values"]
            yield from ((bucket["key"]["value"], bucket["doc_count"]) for bucket in found["buckets"])
            if "after_key" not in found:
                return
            after = {"after": found["after_key"]}

    def _search(self, **request: Any) -> Any:
        return self._client.search(
            index=self._alias, ignore_unavailable=True, allow_partial_search_results=False, **request
        )

    def _refresh(self) -> None:
        self._client.indices.refresh(index=f"{self._alias}-*")

    def _remember(self, post_id: str, index: str) -> None:
        with self._lock:
            self._recent[post_id] = index
            self._recent.move_to_end(post_id)
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)

    def _remembered(self, post_ids: Sequence[str]) -> dict[str, str]:
        with self._lock:
            return {post_id: self._recent[post_id] for post_id in post_ids if post_id in self._recent}


@dataclass(frozen=True, slots=True)
class _Stored:
    """A document as it stands, with what `if_seq_no` needs."""

    index: str
    seq_no: int
    primary_term: int
    source: Json


@dataclass(frozen=True, slots=True)
class _Write:
    """One line pair of a bulk request: created when `over` is None, else written over exactly that."""

    post_id: str
    index: str
    source: Json
    over: _Stored | None

    def action(self) -> Json:
        place = {"_index": self.index, "_id": self.post_id}
        if self.over is None:
            return {"create": place}
        return {"index": place | {"if_seq_no": self.over.seq_no, "if_primary_term": self.over.primary_term}}


def _pause(attempt: int) -> float:
    """Seconds before another try, so that writers who met once do not meet again."""
    return attempt * uniform(0.0, 0.02)  # noqa: S311  -- spreads writers, guards nothing


def _outrun() -> Unavailable:
    return Unavailable("Те же посты в Elasticsearch меняет кто-то ещё: запись повторится позже.")


def _new(post: Post, clock: Callable[[], datetime]) -> Json:
    seen_at = post.collected_at or clock()
    post = replace(post, collected_at=seen_at)
    return post_to_json(post) | {
        "published_us": micros(post.published_at),
        "content_hash": post.content_hash,
        "shard_key": post.shard_key,
        "seen_at": seen_at.isoformat(),
        "state": PostState.COLLECTED.value,
        "error": "",
        "versions": 1,
        "history": [],
    }


def _seen(source: Json, post: Post, clock: Callable[[], datetime]) -> Json | None:
    """The document after the post was seen again; None when nothing new was seen."""
    known = post_from_json(source)
    now = seen_again(known, post)
    if is_same(known, now):
        return None
    if now.content_hash == known.content_hash:
        return source | post_to_json(now)
    earlier = {"content_hash": known.content_hash, "text": known.text, "seen_at": source["seen_at"]}
    return (
        _without_analysis(source, PostState.COLLECTED)
        | post_to_json(now)
        | {
            "content_hash": now.content_hash,
            "seen_at": (post.collected_at or clock()).isoformat(),
            "versions": source["versions"] + 1,
            "history": [*source["history"], earlier][-VERSIONS_KEPT:],
        }
    )


def _kept(kept: Kept) -> Json:
    """The document of a post that comes from another index."""
    record, post = kept.record, admit(kept.record.post)
    seen_at = record.seen_at or post.collected_at or post.published_at
    source = _new(post, lambda: seen_at) | {
        "seen_at": seen_at.isoformat(),
        "versions": record.versions,
        "history": [
            {"content_hash": v.content_hash, "text": v.text, "seen_at": v.seen_at.isoformat()}
            for v in reversed(kept.versions)
        ],
    }
    if record.analysis is None:
        return _without_analysis(source, record.state, record.error)
    return _with_analysis(source, admit_analysis(record.analysis), record.state)


def _with_analysis(source: Json, analysis: Analysis, state: PostState) -> Json:
    vector = {mapping.vector_field(len(analysis.vector)): _short(analysis.vector)} if analysis.vector else {}
    return _without_analysis(source, state) | {"analysis": analysis_to_json(analysis)} | vector


def _without_analysis(source: Json, state: PostState, error: str = "") -> Json:
    kept = {
        name: value for name, value in source.items() if name != "analysis" and not mapping.dims_of([name])
    }
    return kept | {"state": state.value, "error": error}


def _short(vector: Sequence[float]) -> list[float]:
    """Half precision has five digits; the rest would only be bytes on the wire."""
    return [float(f"{number:.5g}") for number in vector]


def _record(source: Json) -> Record:
    analysis = source.get("analysis")
    vector = next((value for name, value in source.items() if mapping.dims_of([name])), ())
    return Record(
        post=post_from_json(source),
        state=PostState(source["state"]),
        analysis=None
        if analysis is None
        else analysis_from_json(analysis, unpack_vector(pack_vector(vector))),
        error=source["error"],
        versions=source["versions"],
        seen_at=datetime.fromisoformat(source["seen_at"]),
    )


def _cosine(record: Record, vector: Sequence[float]) -> float:
    found = np.asarray(record.analysis.vector if record.analysis else (), dtype=np.float32)
    wanted = np.asarray(vector, dtype=np.float32)
    return float(found @ wanted / (np.linalg.norm(found) * np.linalg.norm(wanted)))


def _nothing_found(aggregations: Json) -> Json:
    """What an alias without indices would answer, if it answered."""
    empty = {"buckets": [], "value": 0, "doc_count_error_upper_bound": 0}
    return dict.fromkeys(aggregations, empty)


def _without_repeats(posts: Sequence[Post]) -> Iterator[list[Post]]:
    """Rounds in which no id stands twice, in the order of the posts."""
    left = list(posts)
    while left:
        now: dict[str, Post] = {}
        later = []
        for post in left:
            if post.id in now:
                later.append(post)
            else:
                now[post.id] = post
        yield list(now.values())
        left = later


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _client(addresses: Sequence[str]) -> Elasticsearch:
    hosts = []
    login: tuple[str, str] | None = None
    for address in addresses:
        host, its_login = _parted(address)
        hosts.append(host)
        login = its_login or login
    return Elasticsearch(
        hosts,
        basic_auth=login,
        request_timeout=REQUEST_TIMEOUT.total_seconds(),
        max_retries=3,  # on another node where there is one
        retry_on_status=(429, 502, 503, 504),
        retry_on_timeout=False,  # it may have been done; our caller repeats, which is always safe
        http_compress=True,
    )


def _parted(address: str) -> tuple[str, tuple[str, str] | None]:
    """The address without its login, so that no log and no error shows it, and the login."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or 9200
    except ValueError:
        parts, host, port = urlsplit(""), "", 0
    if parts.scheme not in ("http", "https") or not host:
        raise Misconfigured(
            "Настройка INDEX неверна.", remedy="Адрес Elasticsearch выглядит так: http://host:9200."
        )
    login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}", login


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of the client as ours: who can do something about it."""
    try:
        yield
    except TransportError as error:
        raise Unavailable(
            f"Elasticsearch не отвечает ({type(error).__name__}); работа продолжится сама."
        ) from error
    except ApiError as error:
        raise _ours(error.status_code, error.error, str(error)) from error


def _ours(status: int, kind: str, explanation: str) -> ServiceError:
    if kind == "cluster_block_exception":
        return Unavailable("Elasticsearch закрыт для записи: проверьте место на его диске.")
    if status in (401, 403):
        return Misconfigured(
            "Elasticsearch не пускает.", remedy="Проверьте имя, пароль и права в настройке INDEX."
        )
    if status in (408, 429) or status >= 500:
        return Unavailable(f"Elasticsearch не справился с запросом ({kind}); работа продолжится сама.")
    return Refused(f"Elasticsearch не принял запрос: {explanation[:300]}")


def _item_error(post_id: str, result: Json) -> ServiceError:
    error = result["error"]
    return _ours(result["status"], error["type"], f"пост {post_id}: {error.get('reason', '')}")
