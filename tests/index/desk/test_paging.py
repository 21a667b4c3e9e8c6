"""Cursors come from outside: whatever they say, the answer is a page or a refusal."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.desk import Desk, open_desk
from index.errors import Refused
from tests.factories import NOON, alert


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = open_desk("sqlite", tmp_path_factory.mktemp("desk"))
    for n in range(3):
        desk.alerts.raise_alert(alert(score=n))
    yield desk
    desk.close()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5),
)
moments = st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
nearly = st.tuples(st.integers(-1, 4), st.integers(), st.text() | moments, st.text()).map(list)
written = (anything | nearly).map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode())


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.text() | written | written.map(lambda text: text.rstrip("=")))
def test_a_cursor_from_outside_is_a_page_or_refused(desk: Desk, cursor: str):
    with contextlib.suppress(Refused):
        found, _ = desk.alerts.find(cursor=cursor)
        assert len(found) <= 3


@pytest.mark.parametrize("limit", [-5, 0, 1, 10**9])
def test_a_page_is_never_empty_nor_endless(desk: Desk, limit: int):
    assert 1 <= len(desk.alerts.find(limit=limit)[0]) <= 500


def test_a_cursor_of_another_list_is_refused(desk: Desk):
    _, cursor = desk.alerts.find(limit=1)
    with pytest.raises(Refused):
        desk.stories.find(cursor=cursor)
    assert desk.alerts.find(limit=1, cursor=cursor, since=NOON)[0]
