"""The index template of Elasticsearch: what each field of a stored post is for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from index.errors import Refused

MAX_DIMS = 4096  # of a dense_vector
USUAL_DIMS = 384

_EXACT = {"type": "keyword"}
_SHOWN = {"type": "keyword", "index": False, "doc_values": False}  # kept to be shown, of any length
_KEPT = {"type": "object", "enabled": False}  # kept as it is
_FLAG = {"type": "boolean"}


def template(alias: str, dims: Iterable[int]) -> dict[str, Any]:
    """Every index `{alias}-YYYY.MM` made from it joins the alias that is read."""
    return {
        "index_patterns": [f"{alias}-*"],
        "priority": 500,
        "template": {
            "settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1"},
            "mappings": {
                "dynamic": "strict",
                "_meta": {"fingerprint": fingerprint(dims)},
                "properties": properties(dims),
            },
            "aliases": {alias: {}},
        },
    }


def fingerprint(dims: Iterable[int]) -> str:
    """Tells whether the cluster has this mapping already: a change of it is work for every node."""
    return hashlib.sha256(json.dumps(properties(dims), sort_keys=True).encode()).hexdigest()[:16]


def properties(dims: Iterable[int]) -> dict[str, Any]:
    return {
        "id": _EXACT,  # `_id` can't be sorted by
        "network": _EXACT,
        "kind": _EXACT,
        "source": _SHOWN,
        "source_id": _EXACT,
        "source_home": _EXACT,
        "author": _EXACT,
        "author_kind": _EXACT,
        "published_at": {"type": "date"},  # for histograms; milliseconds
        "published_us": {"type": "long"},  # for order and ranges; microseconds since 1970
        "collected_at": {"type": "date"},
        "seen_at": {"type": "date"},  # when the present text was first seen
        "text": _SHOWN,
        "parent_id": _EXACT,
        "reply_to_id": _EXACT,
        "origin_id": _EXACT,
        "url": _SHOWN,
        "attachments": _KEPT,
        "counters": _KEPT,
        "is_edited": _FLAG,
        "is_deleted": _FLAG,
        "print": _SHOWN,
        "content_hash": _EXACT,
        "shard_key": {"type": "short"},
        "state": _EXACT,
        "error": _SHOWN,
        "versions": {"type": "integer"},
        "history": _KEPT,  # earlier texts, oldest first
        "analysis": {"properties": _analysis()},
        **{vector_field(count): _vector(count) for count in sorted(dims)},
    }


def vector_field(dims: int) -> str:
    """Vectors of another encoder stand in a field of their own. Raises Refused for too long ones."""
    if not 0 < dims <= MAX_DIMS:
        raise Refused(f"Вектор из {dims} чисел: Elasticsearch хранит до {MAX_DIMS}.", field="vector")
    return f"vector_{dims}"


def dims_of(fields: Iterable[str]) -> set[int]:
    """Lengths of the vectors that a mapping has fields for."""
    return {int(name.removeprefix("vector_")) for name in fields if name.startswith("vector_")}


def _analysis() -> dict[str, Any]:
    return {
        "model": _EXACT,
        "analysed_at": {"type": "date"},
        # Tokens are made by `document.tokens`, the same for every backend; only spaces part them here.
        "lemmas": {"type": "text", "analyzer": "whitespace", "index_options": "freqs"},
        "relevance": {"type": "float"},
        "relevant": _FLAG,
        "places": _EXACT,
        "scope": _EXACT,
        "address": _SHOWN,
        "intent": _EXACT,
        "topic_group": _EXACT,
        "topic": _EXACT,
        "sentiment": _EXACT,
        "toxicity": {"type": "float"},
        "risk_scores": _KEPT,
        "risks": _EXACT,
        "severity": {"type": "byte"},
        "needs_answer": _FLAG,
        "entities": _KEPT,
        "evidence": _KEPT,
        "duplicate_of": _EXACT,
        "story_id": _EXACT,
        "risk_score": {"type": "integer"},
        "risk_parts": _KEPT,
    }


def _vector(dims: int) -> dict[str, Any]:
    return {
        "type": "dense_vector",
        "dims": dims,
        "index": True,
        "similarity": "cosine",
        "index_options": {"type": "int8_hnsw"},
    }
