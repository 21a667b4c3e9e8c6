"""The console has a Russian word for everything that the desk writes."""

from __future__ import annotations

import re
from pathlib import Path

import index.desk
from api.words import AUDIT_WORDS, STAGE_WORDS, SUBJECT_WORDS
from index.domain.publication import DeliveryState
from index.domain.source import ProposalState

DESK = "\n".join(path.read_text(encoding="utf-8") for path in Path(index.desk.__file__).parent.glob("*.py"))


def test_every_audited_action_has_words() -> None:
    written = set(re.findall(r'audit\(\s*"([a-z_]+)"', DESK))
    assert len(written) > 30, "the pattern finds nothing any more"
    assert written <= set(AUDIT_WORDS)
    assert {f"delivery_{state.value}" for state in DeliveryState} <= set(AUDIT_WORDS)
    decided = {f"proposal_{state.value}" for state in ProposalState if state is not ProposalState.WAITING}
    assert decided <= set(AUDIT_WORDS)


def test_every_audited_subject_has_words() -> None:
    written = set(re.findall(r'audit\(\s*f?"[^"]+", f"([a-z]+):', DESK))
    assert {"alert", "incident", "publication", "reply", "delivery", "story", "post"} <= written
    assert written <= set(SUBJECT_WORDS)


def test_the_stages_that_must_tick_have_words() -> None:
    assert set(STAGE_WORDS) == {"crawl", "analyse", "watch", "publish"}
