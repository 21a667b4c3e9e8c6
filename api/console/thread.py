"""The thread of an incident: the posts residents wrote, comments around them, and our answers in their place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from html import escape

from nicegui import ui

from api.console.frame import Visit
from api.console.parts import moment_html, names_of, post_card
from api.console.russian import plural
from api.words import REPLY_STATE_WORDS
from index.domain.incident import Incident, Reply
from index.domain.post import AuthorKind
from index.posts.query import Order, Query, Record

POSTS_SHOWN = 20
COMMENTS_READ = 100
COMMENTS = ("комментарий", "комментария", "комментариев")


def show_thread(visit: Visit, incident: Incident, replies: Sequence[Reply]) -> None:
    """Each root once, its comments under it; those that are not of the incident are folded."""
    own = visit.service.posts.get_many(incident.post_ids[:POSTS_SHOWN])
    if not own:
        ui.label("Постов у инцидента нет: он пришёл из другой системы или открыт вручную.").classes("soft")
        return
    answers: dict[str, list[Reply]] = defaultdict(list)
    for reply in replies:
        answers[reply.post_id].append(reply)
    roots = dict.fromkeys(own[i].post.parent_id or i for i in incident.post_ids[:POSTS_SHOWN] if i in own)
    parents = visit.service.posts.get_many(list(roots))
    for root in roots:
        _root(visit, root, parents.get(root), own, answers)
    if len(incident.post_ids) > POSTS_SHOWN:
        ui.label(f"и ещё {len(incident.post_ids) - POSTS_SHOWN}").classes("soft small")


def _root(
    visit: Visit,
    root: str,
    parent: Record | None,
    own: dict[str, Record],
    answers: dict[str, list[Reply]],
) -> None:
    if parent is not None:
        card = post_card(visit, parent)
        if root not in own:
            card.classes("context")
    _answers(visit, answers.get(root, []))
    query = Query(parent_ids=(root,), order=Order.OLDEST, with_deleted=True)
    comments = visit.service.posts.find(query, limit=COMMENTS_READ).records
    others: list[Record] = []
    for comment in comments:
        is_ours = comment.post.author_kind is AuthorKind.OFFICIAL
        if comment.post.id in own or comment.post.id in answers or is_ours:
            _folded(visit, others)
            others = []
            card = post_card(visit, comment, with_source=False)
            if is_ours:
                card.classes("ours")
            _answers(visit, answers.get(comment.post.id, []))
        else:
            others.append(comment)
    _folded(visit, others)
    missing = [
        i
        for i, record in own.items()
        if record.post.parent_id == root and i not in {c.post.id for c in comments}
    ]
    for post_id in missing:  # a thread longer than what was read
        post_card(visit, own[post_id], with_source=False)
        _answers(visit, answers.get(post_id, []))


def _folded(visit: Visit, comments: Sequence[Record]) -> None:
    if not comments:
        return
    with ui.element("details").classes("comments"):
        with ui.element("summary").classes("small soft"):
            ui.label(f"ещё {plural(len(comments), COMMENTS)}").style("display:inline")
        for comment in comments:
            post_card(visit, comment, with_source=False)


def _answers(visit: Visit, replies: Sequence[Reply]) -> None:
    names = names_of(visit)
    for reply in replies:
        kind = "Промежуточный ответ" if reply.is_interim else "Наш ответ"
        with ui.element("article").classes("post comment ours"):
            ui.html(
                f"<b>{kind}</b> · {REPLY_STATE_WORDS[reply.state]} · {escape(names.get(reply.author, reply.author))} · "
                f"{moment_html(visit, reply.created_at)}",
                sanitize=False,
            ).classes("small soft")
            ui.label(reply.text).classes("text")
