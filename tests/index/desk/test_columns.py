"""What a column gives back is what was put in, whatever it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.desk import Desk, open_desk
from index.desk.columns import Moment, storable
from tests.factories import NOON


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = open_desk("sqlite", tmp_path_factory.mktemp("desk"))
    yield desk
    desk.close()


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | names
)
values = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=10)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(names, values))
def test_json_comes_back_as_it_was(desk: Desk, value: dict):
    desk.cursors.save("vk:a", value)
    assert desk.cursors.get("vk:a") == value


@settings(deadline=None, max_examples=50)
@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_a_moment_comes_back_to_the_microsecond_in_utc(desk: Desk, moment: datetime):
    desk.beats.beat("crawl", moment)
    back = desk.beats.all()["crawl"].at
    assert (back, back.tzinfo) == (moment.astimezone(UTC), UTC)


def test_a_moment_without_a_zone_is_a_mistake():
    with pytest.raises(ValueError, match="naive"):
        Moment().process_bind_param(NOON.replace(tzinfo=None), None)


@given(st.text(st.characters()))
def test_any_text_becomes_one_that_both_databases_take(text: str):
    kept = storable(text)
    assert "\x00" not in kept
    kept.encode("utf-8")
    assert storable(kept) == kept


@given(names)
def test_ordinary_text_stays_as_it_is(text: str):
    assert storable(text) == text
