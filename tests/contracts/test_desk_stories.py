"""Stories on the desk: nlp saves them, an officer's edit always wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from index.desk import Desk
from index.domain.analysis import Risk, Severity
from index.errors import Conflict, NotFound, Refused
from tests.factories import NOON, story

HOUR = timedelta(hours=1)


def test_a_story_comes_back_as_it_was_saved(desk: Desk):
    vector = tuple(map(float, np.random.default_rng(1).random(384, dtype=np.float32)))
    whole = story(vector=vector, places=("Курлово",), risks=(Risk.OUTAGE,), severity=Severity.NOW)
    desk.stories.save(whole)
    assert desk.stories.get(whole.id) == whole
    assert desk.stories.get_many(["s-0", whole.id]) == {whole.id: whole}


def test_nlp_does_not_undo_an_officer(desk: Desk):
    one, two = story(), story()
    desk.stories.save(one, two)
    desk.stories.merge([one.id], two.id, actor="ivanova", at=NOON)
    desk.stories.save(replace(one, posts=9), replace(two, posts=12))
    assert (desk.stories.get(one.id).merged_into, desk.stories.get(one.id).posts) == (two.id, 9)
    assert (desk.stories.get(two.id).is_checked, desk.stories.get(two.id).posts) == (True, 12)


def test_a_merged_story_takes_no_posts_and_is_not_shown(desk: Desk):
    one, two = story(), story()
    desk.stories.save(one, two)
    desk.stories.merge([one.id, two.id], two.id, actor="ivanova", at=NOON)
    assert [s.id for s in desk.stories.open_since(NOON)] == [two.id]
    assert [s.id for s in desk.stories.find()[0]] == [two.id]
    with pytest.raises(Conflict, match="объединён"):
        desk.stories.merge([one.id], two.id, actor="petrov", at=NOON)


def test_merging_follows_earlier_merges_and_pins(desk: Desk):
    a, b, c = story(), story(), story()
    desk.stories.save(a, b, c)
    desk.stories.pin("vk:1", a.id, actor="ivanova", at=NOON)
    desk.stories.merge([a.id], b.id, actor="ivanova", at=NOON)
    desk.stories.merge([b.id], c.id, actor="ivanova", at=NOON)
    assert desk.stories.get(a.id).merged_into == c.id
    assert desk.stories.pinned() == {"vk:1": c.id}


def test_a_story_that_nlp_found_to_be_part_of_another_leads_to_it(desk: Desk):
    a, b, c = story(), story(), story()
    desk.stories.save(a, b, c)
    desk.stories.absorb({a.id: b.id, b.id: c.id, "s-0": c.id})
    assert {each.id: each.merged_into for each in desk.stories.get_many([a.id, b.id, c.id]).values()} == {
        a.id: c.id,
        b.id: c.id,
        c.id: None,
    }


def test_nlp_does_not_absorb_a_story_that_an_officer_has_checked(desk: Desk):
    one, two = story(), story()
    desk.stories.save(one, two)
    desk.stories.check(one.id, actor="ivanova", at=NOON)
    desk.stories.absorb({one.id: two.id})
    assert desk.stories.get(one.id).merged_into is None


def test_merging_a_story_with_itself_is_refused(desk: Desk):
    one = story()
    desk.stories.save(one)
    with pytest.raises(Refused):
        desk.stories.merge([one.id], one.id, actor="ivanova", at=NOON)
    with pytest.raises(NotFound, match="сюжета"):
        desk.stories.merge(["s-0"], one.id, actor="ivanova", at=NOON)


def test_splitting_pins_the_posts_to_the_new_story(desk: Desk):
    whole = story(posts=5)
    desk.stories.save(whole)
    part = desk.stories.split(whole.id, ["vk:1", "vk:2"], title="Прорыв трубы", actor="ivanova", at=NOON)
    assert (part.title, part.posts, part.is_checked) == ("Прорыв трубы", 2, True)
    assert desk.stories.pinned(["vk:1", "vk:2", "vk:3"]) == {"vk:1": part.id, "vk:2": part.id}
    with pytest.raises(Refused):
        desk.stories.split(whole.id, [], title="", actor="ivanova", at=NOON)


def test_a_post_may_be_pinned_to_no_story(desk: Desk):
    desk.stories.pin("vk:1", None, actor="ivanova", at=NOON)
    assert desk.stories.pinned() == {"vk:1": None}


def test_stories_are_found_newest_first(desk: Desk):
    old, new, lonely = story(), story(updated_at=NOON + HOUR), story(authors=2)
    desk.stories.save(old, new, lonely)
    first, cursor = desk.stories.find(min_authors=3, limit=1)
    second, end = desk.stories.find(min_authors=3, limit=1, cursor=cursor)
    assert [s.id for s in (*first, *second)] == [new.id, old.id]
    assert end is None
    assert [s.id for s in desk.stories.find(since=NOON + HOUR)[0]] == [new.id]


def test_looking_at_a_story_checks_it(desk: Desk):
    one = story()
    desk.stories.save(one)
    assert desk.stories.check(one.id, actor="ivanova", at=NOON).is_checked
