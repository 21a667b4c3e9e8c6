"""«Модели»: which models read the posts, what they learnt from corrections, and whether the talk has moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from nicegui import run, ui

from api.console.button import Button
from api.console.frame import Visit, frame, guarded, told
from api.console.parts import heading, moment_html, names_of, panel
from api.console.russian import POSTS, grouped, number, plural
from api.service import Service
from api.stages import MODELS_NOTE
from api.words import AUDIT_WORDS, NETWORK_WORDS, RISK_WORDS, SEVERITY_WORDS
from index.desk.audit import AuditRow
from index.domain.analysis import Risk, Severity
from index.domain.person import Right
from index.domain.post import Network
from index.errors import ServiceError
from nlp.drift import BEFORE, Drift, Measure, Shift, drift
from nlp.models import SHIPPED, current_heads, heads_version, outdated_heads
from nlp.models.heads import read_heads
from nlp.training.heads import (
    ENOUGH,
    KEPT,
    SUBJECT,
    TAUGHT,
    can_step_back,
    is_training,
    step_back,
    train_on_corrections,
)

PATH = "/models"
CORRECTIONS = ("правка", "правки", "правок")
HISTORY_SHOWN = 8
MOVED = '<span class="chip risk">сдвиг</span>'
WAITING_SHOWN = 500  # posts that wait for other models are counted up to this
TEST_WORDS = (
    "Как считается: сдвиг назван, когда сходятся две проверки с поправкой Холма на число классов, обе на уровне 1 %: "
    "точная по постам (критерий Фишера, с карточкой — биномиальный) и критерий Уэлча по дням, где день — одно наблюдение: "
    "посты об одном событии приходят вместе. Тексты сравнивает критерий Манна — Уитни, по 10 постов из каждых шести часов."
)
CLASS_WORDS = {
    "relevant": "О районе",
    "needs_answer": "Ждут ответа",
    **{f"severity {int(level)}": f"Тяжесть «{SEVERITY_WORDS[level]}»" for level in Severity},
    **{f"risk {risk.value}": RISK_WORDS[risk] for risk in Risk},
    **{f"network {network.value}": NETWORK_WORDS[network] for network in Network},
}
MEASURE_WORDS = {
    "unknown_words": "Слова, которых модели не знают",
    "unknown_letters": "Незнакомые буквосочетания",
    "unknown_pieces": "Знаки, которых не знает кодировщик",
    "length": "Длина текста, знаков (медиана)",
}


def register(service: Service) -> None:
    guarded(service, PATH, "Модели", build)


def build(visit: Visit) -> None:
    with frame(visit, "Модели", here="/people" if visit.may(Right.EDIT_PEOPLE) else "/alerts") as bar:
        if visit.may(Right.TRAIN_MODELS):
            with bar:
                ui.element("div").classes("grow")
                _buttons(visit)
        with ui.element("section").classes("sheet columns"):
            _in_use(visit)
            _learning(visit)
            _drift(visit)


# ── what is in use, and what it learnt ───────────────────────────────────────────────────────────────────────────────


def _in_use(visit: Visit) -> None:
    data, desk = visit.service.settings.data, visit.service.desk
    with panel("Что работает сейчас"):
        try:
            version = heads_version(current_heads(data))
        except ServiceError as error:
            ui.label(str(error)).classes("chip bad")
            return
        ui.html(f'<b lang="en">{escape(version)}</b> {_kind(version)}', sanitize=False)
        note = desk.beats.all().get(MODELS_NOTE)
        if note is None:
            ui.label("Разбор ещё не запускался.").classes("soft")
        else:
            running = str(note.detail.get("version", ""))
            words = "Разбор читает ими с" if running.startswith(version) else "Разбор ещё читает прежними, с"
            ui.html(f"{words} {moment_html(visit, note.at)}", sanitize=False).classes("small soft")
            if fault := str(note.detail.get("error", "")):
                ui.label(fault).classes("chip bad")
        if outdated := outdated_heads(data):
            ui.html(
                f'Дообученные модели <span lang="en">{escape(outdated)}</span> остались от прежней версии сервиса и не '
                "работают. Правки сохранены: дообучите заново.",
                sanitize=False,
            ).classes("notice")
        if note is not None:
            waiting = len(visit.service.posts.waiting(limit=WAITING_SHOWN, model=str(note.detail["version"])))
            ui.label(waiting_words(waiting)).classes("small soft")


def _kind(version: str) -> str:
    return "дообучены на правках" if "+" in version else "встроенные"


def waiting_words(waiting: int) -> str:
    if not waiting:
        return "Все посты разобраны ими."
    many = f"больше {WAITING_SHOWN - 1} постов" if waiting >= WAITING_SHOWN else plural(waiting, POSTS)
    return f"Ждут разбора или пересмотра: {many}; свежие идут первыми, лента работает как обычно."


def _learning(visit: Visit) -> None:
    rows, _ = visit.service.desk.audit.find(limit=HISTORY_SHOWN, subject=SUBJECT)
    last = next((row for row in rows if row.action in (TAUGHT, KEPT)), None)
    since = visit.service.desk.corrections.since(last.at if last else None)
    with panel("Чему научились на правках"):
        ui.label(learning_words(last)).classes("strong" if last else "soft")
        fresh = plural(len(since), CORRECTIONS)
        ui.label(f"С тех пор {fresh}." if last else f"Правок сотрудников: {len(since)}.")
        if len({each.post_id for each in since}) < ENOUGH and last is None:
            ui.label(f"Для первого дообучения нужно {plural(ENOUGH, POSTS)} с правками.").classes(
                "small soft"
            )
        names = names_of(visit)
        for row in rows:
            ui.html(
                f'<div class="small">{moment_html(visit, row.at)} · <b>{escape(names.get(row.actor, row.actor))}</b>: '
                f'{AUDIT_WORDS[row.action]} <span lang="en">{escape(str(row.detail.get("version", "")))}</span></div>',
                sanitize=False,
            )


def learning_words(last: AuditRow | None) -> str:
    """What the last retraining gave, on corrections that it had not seen."""
    if last is None:
        return "Ещё не дообучались."
    said: Mapping[str, Any] = last.detail
    probe = float(said["probe"])
    sign = "−" if probe < 0 else "+"
    verdict = "новые модели вступили в работу" if said["taken"] else "новые не лучше, остались прежние"
    return (
        f"Верно на отложенных правках: было {percent(said['before'])}, стало {percent(said['after'])}; "
        f"на проверочных постах {sign}{percent(abs(probe))}. Постов с правками {said['posts']}: {verdict}."
    )


# ── deciding ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _buttons(visit: Visit) -> None:
    service = visit.service
    data = service.settings.data

    async def train() -> None:
        button.disable()
        button.text = "Дообучаются… можно уйти со страницы"
        said = await run.io_bound(train_now, service, visit.person.login)
        if said is None or button.is_deleted:  # the server is being stopped, or the person has left the page
            return
        _tell(said)

    def back() -> None:
        version = told(
            lambda: step_back(service.desk, data=data, now=service.now(), actor=visit.person.login)
        )
        if version is not None:
            ui.navigate.reload()

    button = Button(
        "Дообучить сейчас", kind="first",
        on_click=lambda: ask(
            "Дообучить модели на правках сотрудников?",
            "Займёт около минуты. Новые вступят в работу, только если окажутся лучше на отложенных правках; посты будут "
            "пересмотрены в фоне, свежие первыми.",
            "Дообучить", train,
        ),
    )  # fmt: skip
    if is_training(data):
        button.disable()
        button.text = "Дообучаются…"
    if can_step_back(data):
        Button(
            "Вернуть прежние", kind="danger",
            on_click=lambda: ask(
                "Вернуть модели, которые были до последнего дообучения?",
                "Правки сотрудников останутся; посты будут пересмотрены прежними моделями в фоне.",
                "Вернуть", back,
            ),
        )  # fmt: skip


def train_now(service: Service, actor: str) -> str | ServiceError:
    """What came of it, in words; the audit keeps the figures even when nobody waits for them."""
    try:
        return train_on_corrections(
            service.desk, service.posts, settings=service.settings, now=service.now(), actor=actor
        ).as_text()
    except ServiceError as error:
        return error


def _tell(said: str | ServiceError) -> None:
    """The result in a dialog: closing it shows the page anew."""
    with ui.dialog().props("persistent") as dialog, ui.card().style("max-width:520px"):
        ui.label("Не получилось" if isinstance(said, ServiceError) else "Дообучение закончено").classes(
            "strong"
        )
        ui.label(str(said))
        Button("Понятно", kind="first", on_click=lambda: (dialog.close(), ui.navigate.reload()))
    dialog.open()


def ask(question: str, more: str, yes: str, act: Callable[[], Any]) -> None:
    """A question before what all officers will feel."""
    with ui.dialog() as dialog, ui.card().style("max-width:520px"):
        ui.label(question).classes("strong")
        ui.label(more)

        async def agree() -> None:
            dialog.close()
            done = act()
            if done is not None:
                await done

        with ui.element("div").classes("acts"):
            Button(yes, on_click=agree, kind="first")
            Button("Отмена", on_click=dialog.close)
    dialog.open()


# ── whether the talk has moved ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    heads: tuple[str, str, str]
    rows: Sequence[Shift | Measure]


def _drift(visit: Visit) -> None:
    with panel("Не сдвинулось ли то, что мы читаем").classes("wide"):
        box = ui.element("div").props('aria-live="polite"')
    with box:
        ui.label("Сравниваем последние 7 дней с прежними…").classes("soft")

    async def compare() -> None:
        found = await run.io_bound(_compared, visit.service)
        if found is None or box.is_deleted:
            return
        box.clear()
        with box:
            _result(found)

    ui.timer(0.1, compare, once=True)


def _compared(service: Service) -> Drift | str:
    try:
        return drift(service.posts, rates=read_heads(SHIPPED).card.get("rates", {}), now=service.now())
    except ServiceError as error:
        return str(error)


def _result(found: Drift | str) -> None:
    if isinstance(found, str):
        ui.label(found).classes("strong")
        return
    for sentence in drift_sentences(found):
        ui.label(sentence).classes("strong")
    tables = (
        ("Классы: 7 дней и четыре недели до них", _Table(heads=("Класс", "7 дней", "4 недели"), rows=found.against_weeks)),
        ("Классы: 7 дней и карточка моделей", _Table(heads=("Класс", "7 дней", "карточка"), rows=found.against_card)),
        ("Сети", _Table(heads=("Сеть", "7 дней", "4 недели"), rows=found.networks)),
        ("Тексты", _Table(heads=("Что", "7 дней", "4 недели"), rows=found.inputs)),
    )  # fmt: skip
    with ui.element("div").classes("two even"):
        for title, table in tables:
            if table.rows:
                with ui.element("div"):
                    heading(title)
                    ui.html(table_html(table.heads, table.rows), sanitize=False)
    ui.label(TEST_WORDS).classes("small soft")
    ui.label(
        "Карточка описывает посты, по которым модели настраивали; сдвиг от неё говорит о районе и времени года, а не сразу об ошибке."
    ).classes("small soft")


def drift_sentences(found: Drift) -> list[str]:
    """What moved, in plain words; what could not be compared; or that nothing moved."""
    weeks = BEFORE.days // 7
    if not found.against_card:
        return [f"Недостаточно данных: за 7 дней разобрано {plural(found.posts, POSTS)}."]
    said = [
        f"{CLASS_WORDS[shift.name]}: {percent(shift.now)} постов за 7 дней против {percent(shift.then)} за {weeks} недели "
        f"до них — {_direction(shift)}, чем объяснил бы случай."
        for shift in (*found.against_weeks, *found.networks)
        if shift.has_moved
    ]
    said += [
        f"{CLASS_WORDS[shift.name]}: {percent(shift.now)} постов за 7 дней, а в карточке моделей {percent(shift.then)} — "
        f"{_direction(shift)}, чем объяснил бы случай."
        for shift in found.against_card
        if shift.has_moved
    ]
    said += [
        f"{MEASURE_WORDS[each.name]}: {measured(each, each.now)} против {measured(each, each.then)} — это не случайность."
        for each in found.inputs
        if each.has_moved
    ]
    if not found.against_weeks:
        said.append(
            f"С прежними неделями сравнить нельзя: за них разобрано {plural(found.posts_before, POSTS)}."
        )
    return said or ["Ничего не сдвинулось сильнее, чем объяснил бы случай."]


def _direction(shift: Shift) -> str:
    return "чаще" if shift.now > shift.then else "реже"


def table_html(heads: Sequence[str], rows: Sequence[Shift | Measure]) -> str:
    """A row a class or measure; what has moved carries a chip with its word, never a colour alone."""
    words = CLASS_WORDS | MEASURE_WORDS
    first = "".join(f"<th>{head}</th>" for head in (*heads, ""))
    body = "".join(
        f"<tr><td>{words[row.name]}</td><td class='number' data-name='{heads[1]}'>{measured(row, row.now)}</td>"
        f"<td class='number' data-name='{heads[2]}'>{measured(row, row.then)}</td>"
        f"<td>{MOVED if row.has_moved else ''}</td></tr>"
        for row in rows
    )
    return f'<table class="plain stack"><tr>{first}</tr>{body}</table>'


def measured(row: Shift | Measure, value: float) -> str:
    return grouped(round(value)) if row.name == "length" else percent(value)


def percent(share: float) -> str:
    """«12,5 %», «0,04 %»: small shares keep two places."""
    value = 100 * float(share)
    shown = f"{value:.2f}".replace(".", ",") if 0 < value < 0.1 else number(value)
    return f"{shown}\u00a0%"
