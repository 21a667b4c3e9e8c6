"""Who may do what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from index.domain.person import RIGHTS, Right, Role
from index.errors import Refused
from tests.factories import person


def test_every_role_has_rights_and_every_right_a_role():
    assert set(RIGHTS) == set(Role)
    assert frozenset().union(*RIGHTS.values()) == set(Right)


def test_roles_add_up_and_a_disabled_person_may_nothing():
    both = person(roles=frozenset({Role.READER, Role.EDITOR}))
    assert both.may(Right.APPROVE_PUBLICATION)
    assert not replace(both, is_enabled=False).may(Right.READ)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"login": "Иванова"}, "login"),
        ({"login": "x"}, "login"),
        ({"name": " "}, "name"),
        ({"roles": frozenset()}, "roles"),
        ({"roles": frozenset({Role.SECTOR_LEAD})}, "sector"),
    ],
)
def test_a_wrong_field_is_named(facts, field):
    with pytest.raises(Refused) as refused:
        person(**facts).checked()
    assert refused.value.field == field
