"""«Лента»: what do people write? Every post with filters and search; one post with its thread and earlier texts."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape
from typing import Any

from nicegui import ui

from api.console.button import Button
from api.console.correction import show_correction
from api.console.filters import PERIODS, choice, folded, members, named, options, search_box, switch
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.parts import marked_html, moment_html, parts_table, post_card
from api.console.russian import POSTS, plural
from api.service import Service
from api.words import INTENT_WORDS, NETWORK_WORDS, RISK_WORDS, SENTIMENT_WORDS
from index.domain.analysis import Intent, Risk, Sentiment, Severity
from index.domain.person import Right
from index.domain.post import Network, PostKind
from index.errors import NotFound, ServiceError
from index.posts.query import Found, Order, Query

PATH = "/feed"
ROWS = 40  # posts a page
POLL_SECONDS = 3.0
THREAD_SHOWN = 200
KINDS = {"post": "Публикации", "comment": "Комментарии"}
ORDERS = {"newest": "Новые", "risk": "По риску", "best": "По запросу"}


def register(service: Service) -> None:
    guarded(service, PATH, "Лента", build)
    guarded(service, "/post", "Сообщение", build_post)


def build(
    visit: Visit,
    q: str = "",
    days: int = 7,
    network: str = "",
    kind: str = "",
    place: str = "",
    topic: str = "",
    risk: str = "",
    sentiment: str = "",
    intent: str = "",
    source: str = "",
    author: str = "",
    story: str = "",
    severity: int = 0,
    every: bool = False,
    answer: bool = False,
    order: str = "newest",
    since: str = "",
    until: str = "",
) -> None:
    state = {
        "q": q, "days": days, "network": network, "kind": kind, "place": place, "topic": topic, "risk": risk,
        "sentiment": sentiment, "intent": intent, "source": source, "author": author, "story": story,
        "severity": severity, "every": every, "answer": answer, "order": order, "since": since, "until": until,
    }  # fmt: skip
    feed = _Feed(visit, state)
    with frame(visit, "Лента", here=PATH) as bar:
        with bar:
            feed.filters()
        feed.headline()
        feed.news = ui.element("div")
        with (
            ui.element("section").classes("sheet").props('aria-label="Посты"'),
            ui.element("div").classes("panel"),
        ):
            feed.rows()
        ui.timer(POLL_SECONDS, feed.look_for_news)


class _Feed:
    """One open feed: its query, the pages loaded so far, and how many came since."""

    news: ui.element

    def __init__(self, visit: Visit, state: dict[str, Any]) -> None:
        self.visit = visit
        self.state = state
        self.query = _query(visit, state)
        self.total = visit.service.posts.count(self.query)

    def filters(self) -> None:
        search_box(PATH, self.state, hint="Поиск по словам")
        with folded():
            self._choices()

    def _choices(self) -> None:
        district = self.visit.service.district
        choice(PATH, self.state, "days", "Период", PERIODS, width=110, every=None)
        choice(PATH, self.state, "network", "Сеть", options(NETWORK_WORDS), width=120)
        choice(
            PATH, self.state, "place", "Место", named(sorted({p.name for p in district.places})), width=130
        )
        choice(PATH, self.state, "topic", "Тема", named(group.name for group in district.topics), width=130)
        choice(PATH, self.state, "risk", "Риск", options(RISK_WORDS), width=120)
        choice(PATH, self.state, "sentiment", "Тон", options(SENTIMENT_WORDS), width=110)
        choice(PATH, self.state, "intent", "Намерение", options(INTENT_WORDS), width=150)
        choice(PATH, self.state, "kind", "Вид", KINDS, width=110)
        switch(PATH, self.state, "answer", "Ждут ответа")
        switch(PATH, self.state, "every", "И не о районе")
        choice(PATH, self.state, "order", "Порядок", ORDERS, width=120, every=None)

    def headline(self) -> None:
        """How many, and chips of the filters that have no drop-down, each with its way out."""
        with (
            ui.element("div")
            .classes("sheet small soft")
            .style("padding-bottom:0; display:flex; gap:8px; align-items:center; flex-wrap:wrap")
        ):
            ui.label(plural(self.total, POSTS))
            for name, words in (("source", "источник"), ("author", "автор"), ("story", "сюжет")):
                if value := self.state[name]:
                    without = link(PATH, **{**self.state, name: ""})
                    ui.html(
                        f'<a class="chip accent" href="{without}" title="убрать">{words}: {escape(self._named(name, value))} ✕</a>',
                        sanitize=False,
                    )
            if self.state["severity"]:
                without = link(PATH, **{**self.state, "severity": 0})
                ui.html(
                    f'<a class="chip accent" href="{without}">тяжесть от {self.state["severity"]} ✕</a>',
                    sanitize=False,
                )

    def _named(self, name: str, value: str) -> str:
        try:
            if name == "source":
                return self.visit.service.desk.sources.get(value).title
            if name == "story":
                return self.visit.service.desk.stories.get(value).title
        except NotFound:
            return value
        return value[:6]

    def rows(self) -> None:
        try:
            found = self.find()
        except ServiceError as error:
            empty("Посты сейчас недоступны", str(error))
            return
        if not found.records:
            empty(
                "Ничего не нашлось", "Расширьте период, уберите часть фильтров или включите «И не о районе»."
            )
            return
        self._page(found)

    def find(self, cursor: str | None = None) -> Found:
        return self.visit.service.posts.find(self.query, limit=ROWS, cursor=cursor)

    def _page(self, found: Found) -> None:
        for record in found.records:
            row = ui.element("div").props("tabindex=0")
            row.props["data-row"] = record.post.id
            row.props["data-open"] = link("/post", id=record.post.id)
            with row:
                post_card(self.visit, record)
        if found.next:
            more = Button("Показать ещё")

            def load() -> None:
                more.delete()
                self._page(self.find(found.next))

            more.on_click(load)

    def look_for_news(self) -> None:
        try:
            fresh = self.visit.service.posts.count(self.query) - self.total
        except ServiceError:
            return
        self.news.clear()
        if fresh > 0 and self.state["order"] == "newest":
            words = plural(fresh, ("новый пост", "новых поста", "новых постов"))
            with self.news:
                ui.element("button").classes("fresh").props(
                    f'data-fresh="{fresh}" type=button innerHTML="{words} — показать"'
                ).on("click", lambda: ui.navigate.to(link(PATH, **self.state)))


def _query(visit: Visit, state: dict[str, Any]) -> Query:
    service = visit.service
    since = _moment(state["since"]) or service.now() - timedelta(days=state["days"] or 7)
    words = str(state["q"] or "").strip()
    orders = {order.value: order for order in (Order.NEWEST, Order.RISK, Order.BEST)}
    return Query(
        lemmas=service.lemmas(words) if words else (),
        since=since,
        until=_moment(state["until"]),
        networks=members(Network, state["network"]),
        kinds=members(PostKind, state["kind"]),
        places=(state["place"],) if state["place"] else (),
        topic_groups=(state["topic"],) if state["topic"] else (),
        risks=members(Risk, state["risk"]),
        sentiments=members(Sentiment, state["sentiment"]),
        intents=members(Intent, state["intent"]),
        source_ids=(state["source"],) if state["source"] else (),
        authors=(state["author"],) if state["author"] else (),
        story_ids=(state["story"],) if state["story"] else (),
        min_severity=Severity(max(0, min(3, int(state["severity"])))),
        relevant=None if state["every"] or state["author"] else True,
        needs_answer=True if state["answer"] else None,
        order=orders.get(state["order"], Order.NEWEST),
    )


def build_post(visit: Visit, id: str = "") -> None:
    """One post: the thread it stands in, its score, its earlier texts."""
    with frame(visit, "Сообщение", here=PATH):
        try:
            record = visit.service.posts.get(id)
        except NotFound:
            empty("Такого сообщения нет", "Возможно, его стёрли по просьбе автора или ссылка устарела.")
            return
        root = record.post.parent_id or record.post.id
        with ui.element("div").classes("sheet columns"):
            with ui.element("section").classes("panel").style("grid-column: span 2"):
                _thread(visit, root)
            with ui.element("section").classes("panel"):
                _about(visit, id)


def _thread(visit: Visit, root: str) -> None:
    posts = visit.service.posts
    parent = posts.get_many([root]).get(root)
    if parent:
        post_card(visit, parent)
    else:
        ui.label("Пост, под которым это написано, у нас не сохранён.").classes("soft")
    comments = posts.find(
        Query(parent_ids=(root,), order=Order.OLDEST, with_deleted=True), limit=THREAD_SHOWN
    )
    for comment in comments.records:
        post_card(visit, comment, with_source=False)


def _about(visit: Visit, post_id: str) -> None:
    record = visit.service.posts.get(post_id)
    analysis, post = record.analysis, record.post
    with ui.element("h2"):
        ui.label("Оценка риска")
    if analysis:
        parts_table(analysis.risk_parts, analysis.risk_score)
        ui.label(f"Разбор: {analysis.model}").classes("small soft")
    else:
        ui.label(record.error or "Ещё не разобрано.").classes("soft")
    show_correction(visit, record)
    if post.counters.views is not None:
        ui.label(f"Просмотры: {post.counters.views}").classes("small")
    for version in visit.service.posts.versions(post_id):
        with ui.element("h2"):
            ui.html(f"Раньше было так, до {moment_html(visit, version.seen_at)}", sanitize=False)
        ui.html(marked_html(version.text, ()), sanitize=False).classes("text soft")
    _actions(visit, post_id)


def _actions(visit: Visit, post_id: str) -> None:
    service, person = visit.service, visit.person
    known = service.desk.incidents.of_posts([post_id])
    if known:
        incident = service.desk.incidents.get(known[post_id])
        ui.html(
            f'<a href="{link("/incident", id=incident.id)}">Инцидент {incident.number}</a>', sanitize=False
        )
        return
    if not visit.may(Right.WORK_INCIDENTS):
        return

    def open_incident() -> None:
        record = service.posts.get(post_id)
        analysis = record.analysis
        sector = next(
            (g.sector for g in service.district.topics if analysis and g.name == analysis.topic_group), None
        )
        incident = told(
            lambda: service.desk.incidents.open(
                title=" ".join(record.post.text.split())[:90] or "Сообщение без текста",
                post_ids=(post_id,),
                severity=analysis.severity if analysis else Severity.WATCH,
                topic_group=analysis.topic_group if analysis else None,
                topic=analysis.topic if analysis else None,
                place=analysis.places[0] if analysis and analysis.places else record.post.source_home,
                address=analysis.address if analysis else None,
                sector=sector,
                actor=person.login,
                at=service.now(),
            )
        )
        if incident:
            ui.navigate.to(link("/incident", id=incident.id))

    Button("Открыть инцидент", on_click=open_incident, kind="first")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None
