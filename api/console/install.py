"""Mounts the console on the web application and registers its pages."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from api.console import (
    alerts,
    feed,
    incidents,
    login,
    models,
    morning,
    people,
    publications,
    rules,
    sources,
    summary,
)
from api.service import Service


def install_console(app: FastAPI, service: Service) -> None:
    """Mount the console on the application; once a process, since NiceGUI keeps its pages globally."""
    app.include_router(login.router)
    app.include_router(morning.router)
    app.mount("/assets", StaticFiles(directory=Path(__file__).parent / "assets"), name="assets")
    for page in (alerts, rules, feed, incidents, publications, summary, sources, people, models):
        page.register(service)
    ui.run_with(
        app,
        title="МЦУ монитор",
        language="ru",
        dark=None,
        storage_secret=service.console_secret,
        show_welcome_message=False,
        tailwind=False,
    )
