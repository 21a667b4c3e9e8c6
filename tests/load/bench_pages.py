"""How many posts a second one core reads out of the networks' answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from crawlers.pages import max as max_pages
from crawlers.pages import news, ok, telegram, vk
from crawlers.pages.base import Context, Parsed
from tests.crawlers.pages.cases import HERE

COMMAND = "python -m tests.load.bench_pages"
CONTEXT = Context(secret=b"bench", fetched_at=datetime(2026, 11, 24, 9, tzinfo=UTC))
SECONDS = 1.0  # of processor time, each measure: neighbours on the machine take none of it
ATTEMPTS = 2  # the better one counts: the first warms up

TEXTS = (
    "На Строительной второй день нет тепла, в квартире +14. Звонили в управляющую 8-910-123-45-67, обещают к"
    " вечеру. [id1999999101|Анна], у вас так же? Подробнее: https://vk.com/wall-1_20 &quot;ждите&quot;<br>",
    "Яма у школы № 2 на Калинина, уже два колеса пробили! [club77|Администрация], когда почините? " * 3,
    "Спасибо!",
    "Продам дрова колотые, доставка по району. Тел. 8 (49241) 2-15-33, карта 2202 2012 3456 7890 " * 2,
)


def run() -> list[tuple[str, str, str]]:
    """What was measured, the figure, the command."""
    return [(what, f"{speed(read):,.0f} posts/s", COMMAND) for what, read in MEASURES]


def speed(read: Callable[[], Parsed]) -> float:
    """Posts a second, the best of ATTEMPTS."""
    return max(_attempt(read) for _ in range(ATTEMPTS))


def _attempt(read: Callable[[], Parsed]) -> float:
    posts, start = 0, time.process_time()
    while (spent := time.process_time() - start) < SECONDS:
        parsed = read()
        posts += len(parsed.posts) + len(parsed.same)
    return posts / spent


def _wall(number: int) -> dict[str, Any]:
    photo = {"id": number, "owner_id": -1, "album_id": -7, "date": 1, "text": "", "sizes": []}
    return {
        "id": number,
        "owner_id": -1,
        "from_id": 1_999_999_000 + number if number % 3 else -1,
        "date": 1_795_510_800 - number,
        "post_type": "post",
        "type": "post",
        "inner_type": "wall_wallpost",
        "text": TEXTS[number % len(TEXTS)],
        "attachments": [{"type": "photo", "photo": photo}] * (number % 3),
        "comments": {"count": number % 7},
        "likes": {"count": number},
        "reposts": {"count": 1},
        "views": {"count": 100 + number},
        "copy_history": []
        if number % 10
        else [{"id": 1, "owner_id": -2, "text": TEXTS[1], "attachments": []}],
    }


def _vk_wall() -> Callable[[], Parsed]:
    body = json.dumps({"response": {"count": 100, "items": [_wall(number) for number in range(100)]}})
    return lambda: vk.wall(json.loads(body), CONTEXT)


def _known(read: Callable[[Context], Parsed]) -> Callable[[], Parsed]:
    """The same answer once more: the index holds everything in it."""
    first = read(replace(CONTEXT, kept={}))
    known = replace(CONTEXT, kept={post.id: post.print for post in first.posts if post.print})
    return lambda: read(known)


def _vk_wall_again() -> Callable[[], Parsed]:
    body = json.dumps({"response": {"count": 100, "items": [_wall(number) for number in range(100)]}})
    return _known(lambda context: vk.wall(json.loads(body), context))


def _telegram_page_again() -> Callable[[], Parsed]:
    page = _telegram_body()
    return _known(lambda context: telegram.page(page, context))


def _vk_comments() -> Callable[[], Parsed]:
    common = {"date": 1_795_510_800, "post_id": 5, "owner_id": -1}
    items = [{"id": n, "from_id": 1_999_999_000 + n, "text": TEXTS[n % 4], **common} for n in range(100)]
    body = json.dumps({"response": {"count": 100, "items": items}})
    return lambda: vk.comments(json.loads(body), CONTEXT, post_id="vk:-1_5")


def _ok_comments() -> Callable[[], Parsed]:
    items = [
        {"id": f"c{n}=", "author_id": str(n), "date": "2026-11-24 12:00:00", "text": TEXTS[n % 4]}
        for n in range(100)
    ]
    body = json.dumps({"comments": items, "has_more": False})
    return lambda: ok.comments(json.loads(body), CONTEXT, post_id="ok:1")


def _telegram_body() -> bytes:
    body = (HERE / "telegram" / "tme_s_2026" / "input.html").read_bytes()
    start, _, rest = body.partition(b'<div class="tgme_widget_message_wrap')
    messages, _, end = rest.partition(b"</section>")
    return start + (b'<div class="tgme_widget_message_wrap' + messages) * 10 + b"</section>" + end


def _telegram_page() -> Callable[[], Parsed]:
    page = _telegram_body()
    return lambda: telegram.page(page, CONTEXT)


def _max_messages() -> Callable[[], Parsed]:
    items = [
        {
            "recipient": {"chat_id": -7, "chat_type": "channel", "user_id": None},
            "timestamp": 1_795_510_800_000 + n,
            "body": {"mid": f"mid.{n:016x}", "seq": n, "text": TEXTS[n % 4], "attachments": None},
        }
        for n in range(100)
    ]
    body = json.dumps({"messages": items})
    return lambda: max_pages.messages(json.loads(body), CONTEXT)


def _feed() -> Callable[[], Parsed]:
    entry = (
        "<item><title>Новость {n}</title><link>https://a.example/news/{n}</link><description><![CDATA[<p>{text}</p>]]>"
        "</description><pubDate>Tue, 24 Nov 2026 10:30:00 +0300</pubDate></item>"
    )
    entries = "".join(entry.format(n=n, text=TEXTS[n % 4]) for n in range(50))
    body = f'<rss version="2.0"><channel><title>Вести</title>{entries}</channel></rss>'.encode()
    return lambda: news.feed(body, CONTEXT, url="https://a.example/rss")


def _article() -> Callable[[], Parsed]:
    body = (HERE / "news" / "article_windows_1251" / "input.html").read_bytes()
    return lambda: news.article(body, CONTEXT, url="https://vesti-gus.ru/news/123")


MEASURES: list[tuple[str, Callable[[], Parsed]]] = [
    ("parsing: VK walls", _vk_wall()),
    ("parsing: VK comments", _vk_comments()),
    ("parsing: OK comments", _ok_comments()),
    ("parsing: Telegram pages", _telegram_page()),
    ("parsing: MAX messages", _max_messages()),
    ("parsing: RSS", _feed()),
    ("parsing: news articles", _article()),
    ("passing over what did not change: VK walls", _vk_wall_again()),
    ("passing over what did not change: Telegram pages", _telegram_page_again()),
]


if __name__ == "__main__":
    for row in run():
        print(*row, sep="\t")
