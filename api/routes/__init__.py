"""The JSON API, one module a resource; `routers` is all of it."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import (
    alerts,
    audit,
    catalogue,
    incidents,
    pages,
    posts,
    publications,
    reports,
    risks,
    sources,
    stories,
)

routers: tuple[APIRouter, ...] = tuple(
    module.router
    for module in (
        posts, stories, alerts, incidents, publications, pages, sources, catalogue, risks, reports, audit,
    )
)  # fmt: skip
