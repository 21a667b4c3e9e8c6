"""Errors as RFC 9457 problem documents; the only place that knows HTTP status codes of service errors."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from index.errors import Conflict, Misconfigured, NotFound, Refused, ServiceError, Unavailable

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[ServiceError], tuple[int, str]] = {
    NotFound: (404, "Не найдено"),
    Conflict: (409, "Состояние изменилось"),
    Refused: (422, "Данные не приняты"),
    Unavailable: (503, "Хранилище не отвечает"),
    Misconfigured: (500, "Ошибка настройки"),
}
TITLES = {
    401: "Нужен ключ доступа",
    403: "Нет прав",
    404: "Не найдено",
    405: "Метод не поддерживается",
    413: "Слишком большой запрос",
    422: "Данные не приняты",
}


def problem(
    status: int, title: str, detail: str = "", *, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        **({"detail": detail} if detail else {}),
        **more,
    }
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install_problems(app: FastAPI) -> None:
    """Every error of the JSON API becomes a problem document; nothing of the input is echoed."""
    app.exception_handler(ServiceError)(_service_error)
    app.exception_handler(RequestValidationError)(_wrong_request)
    app.exception_handler(HTTPException)(_http_error)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route: which problems it may answer with, for the OpenAPI document."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": TITLES.get(status, "Ошибка"), "content": {MEDIA_TYPE: schema}}
        for status in statuses
    }


def _service_error(request: Request, error: Exception) -> JSONResponse:
    status, title = next(
        (found for kind, found in STATUS.items() if isinstance(error, kind)), (500, "Внутренняя ошибка")
    )
    if status >= 500:
        logger.error(
            "A request failed.",
            extra={"action": "request_failed", "path": request.url.path, "error": str(error)},
        )
    more: dict[str, Any] = {"field": error.field} if isinstance(error, Refused) and error.field else {}
    headers = {"Retry-After": "5"} if status == 503 else None
    return problem(status, title, str(error), headers=headers, **more)


def _wrong_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  (registered for this class only)
    faults = [
        {"field": ".".join(map(str, fault["loc"][1:])), "detail": fault["msg"]} for fault in error.errors()
    ]
    return problem(422, TITLES[422], "Проверьте поля запроса.", errors=faults)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for this class only)
    title = TITLES.get(error.status_code, "Ошибка")
    detail = error.detail if error.detail and error.detail != title and not error.detail.isascii() else ""
    return problem(error.status_code, title, detail, headers=dict(error.headers or {}) or None)
