"""The web application: JSON API under /api/v1, health, metrics, and the console at /."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.errors import install_problems, problem
from api.metrics import registry_of
from api.routes import hooks, routers
from api.routes.shapes import Problem
from api.service import Service
from api.words import STAGE_WORDS
from index.errors import ServiceError

logger = logging.getLogger(__name__)

BODY_BYTES = 20 * 1024 * 1024  # the largest request taken: a photo for a publication with its form
BEAT_LIMIT = timedelta(minutes=2)  # a stage that has not ticked for longer is not ready
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def create_app(service: Service) -> FastAPI:
    """The application over an open service. Stages are not started here: see api.run."""
    app = FastAPI(
        title="МЦУ монитор",
        version="1",
        description="Посты жителей, разбор, сигналы, инциденты, публикации и сводка рисков района.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # the page of FastAPI loads scripts from outside
        redoc_url=None,
    )
    app.state.service = service
    install_problems(app)
    v1 = APIRouter(prefix="/api/v1")
    for router in routers:
        v1.include_router(router)
    app.include_router(v1)
    app.include_router(_health())
    app.state.receiver = hooks.receiver_of(service)
    app.include_router(hooks.router)
    _document_problems(app)
    app.middleware("http")(_guard)
    return app


async def _guard(request: Request, call_next: Callable) -> Response:  # type: ignore[type-arg]
    """Refuses bodies over the limit before they are read; adds security headers to every answer."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > BODY_BYTES:
        return problem(413, "Слишком большой запрос", "Не больше 20 МБ.")
    response: Response = await call_next(request)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _health() -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_class=PlainTextResponse)
    def alive() -> str:
        """The process answers."""
        return "ok"

    @router.get("/readyz")
    def ready(request: Request) -> JSONResponse:
        """The state of each part; 503 when the desk or the index does not answer."""
        parts = readiness(request.app.state.service)
        is_ready = all(part["ok"] for name, part in parts.items() if name in ("desk", "index"))
        return JSONResponse({"ready": is_ready, "parts": parts}, status_code=200 if is_ready else 503)

    @router.get("/metrics")
    def metrics(request: Request) -> Response:
        """Prometheus."""
        return Response(
            generate_latest(registry_of(request.app.state.service)), media_type=CONTENT_TYPE_LATEST
        )

    return router


def readiness(service: Service) -> dict[str, dict[str, object]]:
    """Each part with `ok` and, when it is not, the reason in Russian."""
    parts: dict[str, dict[str, object]] = {
        "desk": _answers(service.desk.check),
        "index": _answers(lambda: service.posts.get_many(["none"])),
    }
    if parts["desk"]["ok"]:
        now = service.now()
        for beat in service.desk.beats.all().values():
            if beat.stage not in STAGE_WORDS:
                continue  # keeps notes (keys of pages, upkeep), promises no rhythm
            is_late = now - beat.at > BEAT_LIMIT
            reason = "нет отметки дольше двух минут" if is_late else str(beat.detail.get("error", ""))
            parts[f"stage:{beat.stage}"] = {"ok": not reason, "at": beat.at.isoformat(), "reason": reason}
    return parts


def _answers(call: Callable[[], object]) -> dict[str, object]:
    try:
        call()
    except ServiceError as error:
        return {"ok": False, "reason": str(error)}
    return {"ok": True, "reason": ""}


def _document_problems(app: FastAPI) -> None:
    document = app.openapi()
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = schema
