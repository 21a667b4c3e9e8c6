"""Saved answers and what must stand in them: one folder a case, `input.*` and `output.json`.

`python -m tests.crawlers.pages.cases` prints what the page objects give now for cases without an output;
it never overwrites one. Compare it with the raw answer by eye before it is committed.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crawlers.pages.base import Context, NetworkRefusal, Parsed, Unreadable
from crawlers.parse import line, read
from index.domain.post import Network

HERE = Path(__file__).parent
CONTEXT = Context(secret=b"test secret", fetched_at=datetime(2026, 11, 24, 9, tzinfo=UTC))


def folders() -> list[Path]:
    return sorted(path.parent for path in HERE.glob("*/*/input.*"))


def outcome(folder: Path, context: Context = CONTEXT) -> dict[str, Any]:
    """Everything the page object says of the case's answer, as JSON; empty facts left out."""
    body = next(folder.glob("input.*")).read_bytes()
    try:
        parsed = read(Network(folder.parent.name), body, context)
    except NetworkRefusal as error:
        after = error.after.total_seconds() if error.after else None
        return {"refused": error.reaction.value, "code": error.code, "text": str(error), "after": after}
    except Unreadable as error:
        return {"unreadable": str(error)}
    return {key: value for key, value in facts(parsed).items() if value not in (None, [], {}, 0, False)}


def facts(parsed: Parsed) -> dict[str, Any]:
    return {
        "posts": [line(post) for post in parsed.posts],
        "broken": [[one.place, one.reason] for one in parsed.broken],
        "gone": list(parsed.gone),
        "next": parsed.next,
        "total": parsed.total,
        "level_count": parsed.level_count,
        "left_out": parsed.left_out,
        "pinned": sorted(parsed.pinned),
        "threads": [[one.comment_id, one.replies, one.read] for one in parsed.threads],
        "mentions": [
            [one.post_id, one.network.value, one.address, one.how, one.title] for one in parsed.mentions
        ],
        "links": list(parsed.links),
        "roots": dict(parsed.roots),
        "communities": [[one.address, one.number, one.title, one.is_gone] for one in parsed.communities],
        "preview_off": parsed.preview_off,
    }


def main() -> None:
    for folder in folders():
        expected = folder / "output.json"
        if not expected.exists():
            found = json.dumps(outcome(folder), ensure_ascii=False, indent=1)
            sys.stdout.write(f"== {folder.relative_to(HERE)}\n{found}\n")
            if "--write" in sys.argv:
                expected.write_text(found + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
