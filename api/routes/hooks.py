"""Where networks bring their events: VK Callback API and MAX webhooks. Off (404) until configured.

No key of ours is asked for: the network proves itself by the secret that the administrator gave it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from api.errors import problem, responses
from api.service import Service
from index.errors import Refused

if TYPE_CHECKING:
    from crawlers.webhooks import Receiver

EVENT_BYTES = 512 * 1024  # an event is one post: the longest text with all its attachments is a tenth of it

router = APIRouter(prefix="/hooks", tags=["hooks"], responses=responses(403, 404, 413, 422, 503))


def receiver_of(service: Service) -> Receiver | None:
    """None: no network is told to bring its events. Raises Misconfigured."""
    if not service.settings.vk_callbacks and service.settings.max_webhook_secret is None:
        return None
    from api.compose import author_secret
    from crawlers.webhooks import Receiver  # Scrapy with it: only where it is wanted

    return Receiver(
        desk=service.desk,
        posts=service.posts,
        settings=service.settings,
        secret=author_secret(service.settings),
        clock=service.now,
    )


@router.post("/vk", response_class=PlainTextResponse)
async def take_vk(request: Request) -> Response:
    """One event of VK Callback API; answers `ok`, or the confirmation string of the community."""
    receiver: Receiver | None = request.app.state.receiver
    if receiver is None or not receiver.has_vk:
        return problem(404, "Не найдено", "Callback API не настроен: VK_CALLBACKS.")
    body = await _body(request.stream())
    if body is None:
        return _too_big()
    try:
        return PlainTextResponse(await run_in_threadpool(receiver.vk, body))
    except Refused as error:
        return _refused(error)


@router.post("/max")
async def take_max(request: Request) -> Response:
    """One update of the MAX bot; the header X-Max-Bot-Api-Secret must be ours."""
    receiver: Receiver | None = request.app.state.receiver
    if receiver is None or not receiver.has_max:
        return problem(404, "Не найдено", "Webhook MAX не настроен: MAX_WEBHOOK_SECRET.")
    body = await _body(request.stream())
    if body is None:
        return _too_big()
    try:
        await run_in_threadpool(receiver.max, body, request.headers.get("x-max-bot-api-secret"))
    except Refused as error:
        return _refused(error)
    return PlainTextResponse("ok")


async def _body(stream: AsyncIterator[bytes]) -> bytes | None:
    """None: over the limit. Counted as it comes: a chunked request names no length."""
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > EVENT_BYTES:
            return None
    return bytes(body)


def _too_big() -> Response:
    return problem(413, "Слишком большой запрос", f"Событие не больше {EVENT_BYTES // 1024} КБ.")


def _refused(error: Refused) -> Response:
    from crawlers.webhooks import Forbidden

    if isinstance(error, Forbidden):
        return problem(403, "Нет прав", str(error))
    return problem(422, "Данные не приняты", str(error))
