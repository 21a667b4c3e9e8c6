"""«Модели»: what it says of the models, and that its buttons ask first and leave their trace."""

from __future__ import annotations

from pathlib import Path

import pytest
from nicegui.testing import User

from api.console import models
from api.service import Service
from index.desk.audit import AuditRow
from index.domain.person import Role
from index.errors import Conflict
from nlp.drift import Drift, Measure, Shift
from nlp.models import SHIPPED, current_heads, heads_version
from nlp.models.heads import read_heads
from nlp.training.heads import CURRENT, KEPT, PREVIOUS, RETURNED, SUBJECT, TAUGHT, _alone
from tests.api.console.simulated import Walk, press, until, visit
from tests.factories import NOON, post

pytestmark = pytest.mark.model


def look(service: Service, walk: Walk, *, role: Role = Role.HEAD) -> None:
    visit(service, models.register, models.PATH, walk, role=role)


def teach_nothing(data: Path) -> None:
    """A folder as a retraining leaves it, with the shipped heads in it: only what points to it matters."""
    folder = data / "models"
    (folder / "heads-1").mkdir(parents=True)
    for name in ("heads.json", "heads.npz"):
        (folder / "heads-1" / name).write_bytes((SHIPPED / name).read_bytes())
    card = (folder / "heads-1" / "heads.json").read_text(encoding="utf-8")
    shipped = heads_version(None)
    (folder / "heads-1" / "heads.json").write_text(card.replace(shipped, f"{shipped}+1"), encoding="utf-8")
    (folder / CURRENT).write_text("heads-1\n")
    (folder / PREVIOUS).write_text("\n")


def actions(service: Service) -> list[tuple[str, str]]:
    return [(row.actor, row.action) for row in service.desk.audit.find(subject=SUBJECT)[0]]


def test_it_shows_the_shipped_models_and_that_nothing_was_taught(service: Service) -> None:
    async def walk(user: User) -> None:
        await user.should_see(heads_version(None))
        await user.should_see("Ещё не дообучались.")
        await user.should_see("Недостаточно данных: за 7 дней разобрано 0 постов.", retries=50)
        await user.should_not_see("Вернуть прежние")

    look(service, walk)


def test_the_way_back_is_asked_first_then_gone_and_written_down(service: Service) -> None:
    teach_nothing(service.settings.data)

    async def walk(user: User) -> None:
        press(user, "Вернуть прежние")
        await user.should_see("Вернуть модели, которые были до последнего дообучения?")
        press(user, "Отмена")
        assert current_heads(service.settings.data) is not None
        press(user, "Вернуть прежние")
        await user.should_see("Правки сотрудников останутся")
        press(user, "Вернуть")
        await until(lambda: bool(actions(service)))

    look(service, walk)
    assert current_heads(service.settings.data) is None
    assert actions(service) == [("ivanova", RETURNED)]


def test_who_only_reads_has_no_buttons(service: Service) -> None:
    teach_nothing(service.settings.data)

    async def walk(user: User) -> None:
        await user.should_see("дообучены на правках")
        await user.should_not_see("Дообучить сейчас")
        await user.should_not_see("Вернуть прежние")

    look(service, walk, role=Role.EDITOR)


def test_teaching_is_asked_first_and_tells_what_came_of_it(service: Service) -> None:
    written = [post(id=f"vk:-1_{n}", text=f"Доброе утро, соседи, {n}") for n in range(24)]
    service.posts.add(written)
    for each in written:
        service.desk.corrections.add(each.id, {"risks": []}, actor="ivanova", at=NOON)

    async def walk(user: User) -> None:
        await user.should_see("Правок сотрудников: 24.")
        press(user, "Дообучить сейчас")
        await user.should_see("Дообучить модели на правках сотрудников?")
        assert actions(service) == []
        press(user, "Дообучить")
        await until(lambda: bool(actions(service)))
        await user.should_see("Новые не лучше, модели прежние", retries=100)

    look(service, walk)
    assert actions(service) == [("ivanova", KEPT)]  # the heads say so anyway: nothing was learnt


def test_a_second_teacher_is_told_to_wait(service: Service) -> None:
    with _alone(service.settings.data):
        assert isinstance(models.train_now(service, "petrov"), Conflict)


def test_the_last_retraining_is_told_in_words() -> None:
    detail = {"posts": 40, "before": 0.71, "after": 0.884, "probe": -0.002, "taken": True}
    row = AuditRow(
        number=1, at=NOON, actor="a", action=TAUGHT, subject=SUBJECT, detail=detail, previous="", hash=""
    )
    said = models.learning_words(row)
    assert "было 71\u00a0%, стало 88,4\u00a0%" in said
    assert "−0,2\u00a0%" in said
    assert "вступили" in said


def test_what_moved_is_a_plain_sentence_and_the_rest_is_silent() -> None:
    outage = Shift(name="risk outage", now=0.12, then=0.06, p=0.0001, has_moved=True)
    crime = Shift(name="risk crime", now=0.01, then=0.01, p=0.9)
    words = Measure(name="unknown_words", now=0.31, then=0.12, p=0.0, has_moved=True)
    found = Drift(
        posts=900, posts_before=3600, against_weeks=(outage, crime), against_card=(crime,), inputs=(words,)
    )
    assert models.drift_sentences(found) == [
        "Отключение: 12\u00a0% постов за 7 дней против 6\u00a0% за 4 недели до них — "
        "чаще, чем объяснил бы случай.",
        "Слова, которых модели не знают: 31\u00a0% против 12\u00a0% — это не случайность.",
    ]
    assert models.table_html(("Класс", "7 дней", "4 недели"), (outage, crime)).count("сдвиг") == 1


def test_calm_and_thin_data_are_said() -> None:
    crime = Shift(name="risk crime", now=0.01, then=0.01, p=0.9)
    calm = Drift(posts=900, posts_before=900, against_weeks=(crime,), against_card=(crime,))
    assert models.drift_sentences(calm) == ["Ничего не сдвинулось сильнее, чем объяснил бы случай."]
    assert models.drift_sentences(Drift(posts=21, posts_before=0))[0].endswith("разобрано 21 пост.")
    assert "больше 499" in models.waiting_words(models.WAITING_SHOWN)


def test_every_class_of_the_card_has_its_words() -> None:
    rates = read_heads(SHIPPED).card["rates"]
    assert set(rates) <= set(models.CLASS_WORDS)
