"""What explains a change: shares add up, sources are named where they carry it, thin data say so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from index.posts.query import PostState, Record
from nlp.growth import ALL, THIN, explain
from tests.factories import analysis, post


def record(
    topic: str | None = "ЖКХ", place: str | None = "Курлово", source: str = "Подслушано Курлово"
) -> Record:
    told = analysis(topic_group=topic, places=(place,) if place else ())
    return Record(post=post(source=source), state=PostState.WATCHED, analysis=told)


def test_the_place_that_grew_explains_the_growth() -> None:
    calm = [record(place="Анопино") for _ in range(10)]
    growth = explain([*calm, *(record() for _ in range(20))], [*calm, *(record() for _ in range(4))])
    (factor,) = growth.factors
    assert (growth.change, factor.place, factor.topic_group, factor.change) == (16, "Курлово", "ЖКХ", 16)
    assert (factor.source, factor.share, growth.rest) == ("Подслушано Курлово", 1.0, 0.0)
    assert len(factor.post_ids) == 10


def test_several_sources_are_not_blamed_on_one() -> None:
    newer = [record(source=f"Источник {n}") for n in range(12)]
    (factor,) = explain(newer, []).factors
    assert factor.source == ALL


def test_thin_data_explain_nothing() -> None:
    growth = explain([record()], [])
    assert (growth.note, growth.factors) == (THIN, ())


RECORDS = st.lists(
    st.builds(
        record, st.sampled_from(["ЖКХ", "Дороги", None]), st.sampled_from(["Курлово", "Анопино", None])
    ),
    max_size=30,
)


@given(RECORDS, RECORDS)
def test_shares_add_up_to_the_whole_change(newer: list[Record], older: list[Record]) -> None:
    growth = explain(newer, older)
    if growth.factors:
        assert abs(sum(factor.share for factor in growth.factors) + growth.rest - 1) < 1e-9
