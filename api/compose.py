"""Composition: opens the desk, the index, the district and the models that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from api.service import Service
from index.desk import open_desk
from index.posts import open_posts
from index.secrets import read_or_make_secret
from index.settings import Settings
from nlp.district import load_district
from nlp.district.promises import promises_of


@contextmanager
def open_service(settings: Settings, *, practice_url: str | None = None) -> Iterator[Service]:
    """The service over open databases, closed at the end. Raises Misconfigured or Unavailable."""
    settings.data.mkdir(parents=True, exist_ok=True)
    district = load_district(settings.district)
    desk = open_desk(
        settings.desk,
        settings.data,
        promises=promises_of(district),
        two_person_approval=settings.two_person_approval,
    )
    try:
        posts = open_posts(settings.index, settings.data)
        try:
            yield Service(
                desk=desk,
                posts=posts,
                district=district,
                settings=settings,
                console_secret=console_secret(settings),
                practice_url=practice_url,
            )
        finally:
            posts.close()
    finally:
        desk.close()


def author_secret(settings: Settings) -> bytes:
    """Key of the authors' pseudonyms: the setting, else one made in the data folder."""
    if settings.author_secret is not None:
        return settings.author_secret.get_secret_value().encode()
    return read_or_make_secret(settings.data, "authors").encode()


def console_secret(settings: Settings) -> str:
    if settings.console_secret is not None:
        return settings.console_secret.get_secret_value()
    return read_or_make_secret(settings.data, "console")
