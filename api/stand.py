"""`mcu up` and `mcu serve`: the web server, with `up` all stages, when asked the practice networks."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import uvicorn

from api.app import create_app
from api.compose import open_service
from api.console.install import install_console
from api.practice.scenario import open_stand
from api.practice.setup import prepare
from api.practice.twin import Twin
from api.run import start_ticks
from api.service import Service
from api.stages import all_stages
from index.errors import Misconfigured
from index.settings import Settings

logger = logging.getLogger(__name__)

PRACTICE_PORT_SHIFT = (
    100  # the practice networks stand at the console's port and this, the same at every start
)


def run_up(settings: Settings, *, practice: bool, host: str, port: int) -> None:
    """Everything in one process until a signal. Raises Misconfigured, Unavailable."""
    _must_be_free(host, port)
    if not practice:
        with open_service(settings) as service:
            _run(service, host=host, port=port)
        return
    if host not in ("127.0.0.1", "localhost", "::1"):
        raise Misconfigured(
            "Учебный стенд с открытыми паролями слушает только 127.0.0.1.", remedy="Уберите --host."
        )
    folder = settings.data / "practice"
    folder.mkdir(parents=True, exist_ok=True)
    networks = folder / "networks.json"
    with open_stand(port=port + PRACTICE_PORT_SHIFT, store=networks) as twin:
        # Practice data lives apart, so that invented posts and open passwords never mix with the real ones.
        with open_service(_practice_settings(settings, folder, twin), practice_url=twin.url) as service:
            prepare(service.desk, twin, service.now())
            _run(service, host=host, port=port)


def serve_web(service: Service, *, host: str, port: int) -> None:
    """Console and API until a signal; stages run elsewhere."""
    _must_be_free(host, port)
    app = create_app(service)
    install_console(app, service)
    _say_address(service, host, port)
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=3
    )
    uvicorn.Server(config).run()


def _run(service: Service, *, host: str, port: int) -> None:
    stages = all_stages(service)
    scheduler = start_ticks(service, stages)
    try:
        serve_web(service, host=host, port=port)
    finally:
        scheduler.shutdown(wait=True)  # what is being sent is finished, what is half read is read again
        for stage in stages:
            stage.close()


def _practice_settings(settings: Settings, folder: Path, twin: Twin) -> Settings:
    """The person's settings, the twins in place of the networks, embedded databases in their own folder."""
    overrides: dict[str, Any] = {**twin.settings(), "data": folder, "index": "sqlite", "desk": "sqlite"}
    return Settings(**settings.model_dump() | overrides)


def _must_be_free(host: str, port: int) -> None:
    """Said before anything is started, in words, instead of a traceback after it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                f"Порт {port} на {host} занят или недоступен ({error.strerror}).",
                remedy="Укажите другой: --port.",
            ) from error


def _say_address(service: Service, host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    logger.info("Консоль: http://%s:%s", shown, port, extra={"action": "console_ready"})
    if service.practice_url:
        logger.info("Учебные сети: %s", service.practice_url, extra={"action": "practice_ready"})
    elif not service.desk.people.list():
        logger.warning("Сотрудников ещё нет: mcu user add ЛОГИН --role admin", extra={"action": "no_people"})
