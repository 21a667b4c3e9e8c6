"""Answers of the VK API -> posts and comments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crawlers.pages.base import (
    SERVER_TROUBLE,
    BadRecord,
    Broken,
    Community,
    Context,
    Mention,
    NetworkRefusal,
    Parsed,
    Reaction,
    Rule,
    Sight,
    Thread,
    Unreadable,
    from_unix,
    latest,
    must,
    read_each,
    refuse,
    title_of,
    voice,
    whole,
)
from crawlers.pages.mentions import named
from crawlers.pages.prints import is_kept, printed
from crawlers.pages.text import MAX_CHARACTERS, from_markup, presentable
from index.domain.post import Attachment, AuthorKind, Counters, Network, Post, PostKind, Print

Answer = Mapping[str, Any]

TOO_BIG = "13"  #: code of an execute whose answer went over 5 MB: ask for fewer calls at once
SHORT = "execute_short"  #: code of a call that the answer of execute does not hold

_TOKEN = Rule(reaction=Reaction.STOP_TOKEN)
_PERSON = Rule(reaction=Reaction.CAPTCHA)
_CLOSED = Rule(reaction=Reaction.NO_ACCESS)
_BAD = Rule(reaction=Reaction.BAD_REQUEST)
_TOMORROW = Rule(reaction=Reaction.FREEZE_METHOD, until_tomorrow=True, after=timedelta(hours=1))

#: Reactions when reading. A code that is not here is UNKNOWN and fails with the server's text.
ERRORS: Mapping[str, Rule] = {
    "1": SERVER_TROUBLE,  # unknown error
    "2": _TOKEN,  # the application is switched off
    "3": _BAD,  # unknown method
    "4": _TOKEN,  # wrong signature
    "5": _TOKEN,  # authorization failed; also «token was given to another ip address»
    "6": Rule(reaction=Reaction.SLOW_DOWN, after=timedelta(milliseconds=500)),  # too many per second
    "7": _CLOSED,  # no permission
    "8": _BAD,  # invalid request
    "8_try_again": SERVER_TROUBLE,
    "9": Rule(reaction=Reaction.FREEZE_METHOD, freeze=timedelta(minutes=10), doubles=True),  # flood control
    "10": SERVER_TROUBLE,  # internal error
    "12": _BAD,  # execute does not compile
    TOO_BIG: SERVER_TROUBLE,  # execute failed while running, mostly: answer over 5 MB
    "14": _PERSON,  # captcha, classic or with redirect_uri
    "15": _CLOSED,  # access denied
    "15_try_again": SERVER_TROUBLE,
    "17": _PERSON,  # validation by redirect_uri
    "18": Rule(reaction=Reaction.GONE),  # user deleted or banned
    "19": Rule(reaction=Reaction.BLOCKED),  # content blocked
    "20": _CLOSED,  # only standalone applications
    "21": _CLOSED,  # only standalone and open API applications
    "23": _BAD,  # method switched off
    "24": _PERSON,  # confirmation needed
    "25": _PERSON,  # token confirmation needed
    "27": _TOKEN,  # group authorization failed; also methods closed to a community key
    "28": _TOKEN,  # application authorization failed
    "29": _TOMORROW,  # quota of the method is used up; probe hourly
    "30": Rule(reaction=Reaction.BLOCKED),  # private profile: drop the source
    "36": SERVER_TROUBLE,  # timeout
    "37": _TOKEN,  # the owner of the token is banned
    "42": _TOKEN,  # this IP is not allowed
    "43": SERVER_TROUBLE,  # section is temporarily off
    "100": _BAD,  # wrong parameter
    "103": _BAD,  # out of limits
    "104": Rule(reaction=Reaction.GONE),  # not found
    "113": _BAD,  # wrong user id
    "114": _BAD,  # wrong album id
    "118": _BAD,  # upload: server
    "121": _BAD,  # upload: hash
    "125": _BAD,  # wrong group id
    "129": _BAD,  # upload: photo
    "200": _CLOSED,  # access to the album denied
    "203": _CLOSED,  # access to the group denied
    "204": _CLOSED,  # access denied
    "210": _CLOSED,  # access to the post
    "211": _CLOSED,  # access to the comment
    "212": _CLOSED,  # access to comments of the post
    "213": _CLOSED,  # access to replies
    "214": _BAD,  # publishing only, like the next five
    "219": _BAD,
    "220": _BAD,
    "222": _BAD,
    "223": _BAD,
    "224": _BAD,
    "601": _TOMORROW,  # too many actions today
    "801": _CLOSED,  # comments of the video are closed
    "1051": _TOKEN,  # VK ID token on a method closed to it; not in the published list
    "1116": _TOKEN,  # token is invalid
    "1117": _TOKEN,  # token has expired
    "3300": _PERSON,  # recaptcha
    "3301": _PERSON,  # phone validation
    "3302": _PERSON,  # password validation
    "3609": _TOKEN,  # token extension required
    "3610": _TOKEN,  # owner of the token is deactivated
    "failed_2": Rule(reaction=Reaction.RENEW),  # Long Poll: the key has expired
    "failed_3": Rule(reaction=Reaction.RENEW),  # Long Poll: events are lost, new key and ts
    "failed_4": _BAD,  # Long Poll: wrong version
    SHORT: Rule(reaction=Reaction.RETRY, pauses=(timedelta(seconds=1),), tries=3),
}


def check(answer: Any, *, now: datetime, method: str | None = None) -> None:
    """Raises NetworkRefusal when the answer is an error, Unreadable when it is no answer of VK at all.

    Every function below calls it; `method` only makes the message clearer.
    """
    if not isinstance(answer, Mapping):
        raise Unreadable("Ответ ВКонтакте — не объект JSON.")
    error = answer.get("error")
    if isinstance(error, Mapping):
        raise _refusal(error, now=now, method=method)
    if error is not None:  # OAuth: {"error": "invalid_client", "error_description": "…"}
        raise refuse(
            Network.VK, ERRORS, code=_short(error), message=_short(answer.get("error_description")), now=now
        )
    if "response" not in answer:
        raise Unreadable("В ответе ВКонтакте нет ни response, ни error.")


def _refusal(error: Mapping[str, Any], *, now: datetime, method: str | None) -> NetworkRefusal:
    """Only code and text are taken: the error body echoes the request with the token."""
    code = str(whole(error.get("error_code")))
    message = _short(error.get("error_msg")) or _short(error.get("error_text"))
    if code in ("8", "15") and "try again" in message.lower():
        code += "_try_again"
    return refuse(Network.VK, ERRORS, code=code, message=message, now=now, method=method)


def _short(value: Any) -> str:
    return presentable(value)[:300] if isinstance(value, str) else ""


def wall(answer: Answer, context: Context) -> Parsed:
    """wall.get, wall.getById, wall.search: posts in the order of the answer; `total` is the length of the
    wall, `pinned` the pinned post. Posts the network marks deleted are in `gone`."""
    return _posts(answer, context, method="wall.get")


def search(answer: Answer, context: Context) -> Parsed:
    """newsfeed.search: `next` is next_from, `total` is total_count (only the first 1,000 can be read)."""
    return _posts(answer, context, method="newsfeed.search")


def _posts(answer: Answer, context: Context, *, method: str) -> Parsed:
    check(answer, now=context.fetched_at, method=method)
    response = answer["response"]
    items = _items(response)
    reading = Reading(context=context, titles=_titles(response))
    reading.read_all(items, reading.post)
    about = response if isinstance(response, Mapping) else {}
    total = about.get("total_count", about.get("count"))
    following = about.get("next_from")
    return reading.parsed(total=whole(total), next=str(following) if following not in (None, "") else None)


def comments(answer: Answer, context: Context, *, post_id: str) -> Parsed:
    """wall.getComments (also with comment_id), photos., video., market.getComments under our `post_id`.

    A comment of a wall that names its post itself stands under that one.
    Replies inside `thread` come right after their comment. `level_count`: page by this one.
    `threads`: those of which the answer holds only a part; ask for them with comment_id.
    """
    check(answer, now=context.fetched_at, method="wall.getComments")
    response = answer["response"]
    items = _items(response)
    is_on_wall = _WALL_POST.match(post_id) is not None
    reading = Reading(context=context, titles=_titles(response))
    reading.read_all(
        items,
        lambda item: reading.comment(item, (is_on_wall and _own_parent(item)) or post_id),
        shape=lambda item: {**_one_item(item), "parent": post_id},
    )
    about = response if isinstance(response, Mapping) else {}
    return reading.parsed(
        total=whole(about.get("count")), level_count=whole(about.get("current_level_count"))
    )


def ids(answer: Answer, *, post_id: str | None = None) -> list[str]:
    """Ids of the posts of a wall, or of the comments under `post_id` and their replies, as far as they can
    be told at a glance."""
    response = answer.get("response") if isinstance(answer, Mapping) else None
    items = response.get("items") if isinstance(response, Mapping) else response
    if post_id is None:
        return [f"vk:{item.get('owner_id')}_{item.get('id')}" for item in _listed(items)]
    found = []
    for item in _listed(items):
        above = (_WALL_POST.match(post_id) and _own_parent(item)) or post_id
        thread = item.get("thread")
        replies = _listed(thread.get("items")) if isinstance(thread, Mapping) else ()
        found += [f"{above}_r{each.get('id')}" for each in (item, *replies)]
    return found


def videos(answer: Answer, context: Context) -> Parsed:
    """video.get: a video is a post (`vk:video-1_5`), its text is the title and the description."""
    check(answer, now=context.fetched_at, method="video.get")
    response = answer["response"]
    reading = Reading(context=context, titles=_titles(response))
    reading.read_all(_items(response), reading.video)
    return reading.parsed(total=whole(response.get("count")) if isinstance(response, Mapping) else None)


def photo_comments(answer: Answer, context: Context, *, owner: int) -> Parsed:
    """photos.getAllComments of a page, newest first: each comment names its photo by `pid`."""
    check(answer, now=context.fetched_at, method="photos.getAllComments")
    response = answer["response"]
    reading = Reading(context=context, titles=_titles(response))

    def photo_of(item: Any) -> str:
        number = whole(item.get("pid", item.get("photo_id"))) if isinstance(item, Mapping) else None
        return f"vk:photo{owner}_{must(number, 'pid')}"

    reading.read_all(
        _items(response),
        lambda item: reading.comment(item, photo_of(item)),
        shape=lambda item: {**_one_item(item), "photos_of": owner},
    )
    return reading.parsed(total=whole(response.get("count")) if isinstance(response, Mapping) else None)


def topics(answer: Answer, context: Context, *, group: int) -> Parsed:
    """board.getTopics: a topic is a post (`vk:topic-1_5`), its text is the title and the first comment."""
    check(answer, now=context.fetched_at, method="board.getTopics")
    response = answer["response"]
    reading = Reading(context=context, titles=_titles(response))
    reading.read_all(
        _items(response),
        lambda item: reading.topic(item, -abs(group)),
        shape=lambda item: {**_one_item(item), "group": abs(group)},
    )
    return reading.parsed(total=whole(response.get("count")) if isinstance(response, Mapping) else None)


def topic_comments(answer: Answer, context: Context, *, topic_id: str) -> Parsed:
    """board.getComments under our `topic_id`: `vk:topic-1_5_r3`."""
    return comments(answer, context, post_id=topic_id)


def execute(answer: Answer, *, asked: int, now: datetime) -> list[Answer | NetworkRefusal]:
    """Answers of the `asked` calls of one execute, each in the shape of its own method, in order.

    The code must `return [API.a(…), API.b(…), …];`. A failed call is its refusal; a call that the answer
    does not hold is a refusal with RETRY (code SHORT).
    """
    check(answer, now=now, method="execute")
    errors = [error for error in answer.get("execute_errors") or () if isinstance(error, Mapping)]
    failed = iter([error for error in errors if error.get("method") != "execute"])
    whole_run = next((error for error in errors if error.get("method") == "execute"), None)
    parts = list(_parts(answer["response"]))[:asked]
    answers: list[Answer | NetworkRefusal] = []
    for part in parts + [None] * (asked - len(parts)):
        if part is not None and part is not False:
            answers.append({"response": part})
            continue
        error = next(failed, None) or whole_run
        answers.append(
            _refusal(error, now=now, method=_short(error.get("method")))
            if error is not None
            else refuse(Network.VK, ERRORS, code=SHORT, message="в ответе execute нет вызова", now=now)
        )
    return answers


def _parts(response: Any) -> Iterator[Any]:
    if isinstance(response, Mapping):
        yield from response.values()
    elif isinstance(response, list):
        yield from response


def events(answer: Answer, context: Context) -> Parsed:
    """Bots Long Poll: `next` is ts. `failed: 1` gives only the new ts; 2 and 3 raise with RENEW."""
    if not isinstance(answer, Mapping):
        raise Unreadable("Ответ Long Poll — не объект JSON.")
    failed = whole(answer.get("failed"))
    ts = answer.get("ts")
    if failed == 1 and ts is not None:
        return Parsed(next=str(ts))
    if failed is not None:
        code = f"failed_{failed}"
        raise refuse(Network.VK, ERRORS, code=code, message="Long Poll", now=context.fetched_at)
    updates = answer.get("updates")
    if not isinstance(updates, list):
        check(answer, now=context.fetched_at, method="Long Poll")
        raise Unreadable("В ответе Long Poll нет updates.")
    reading = Reading(context=context, titles={})
    reading.read_all(updates, reading.event, place="updates", shape=_one_update)
    return reading.parsed(next=str(ts) if ts is not None else None)


def event(update: Answer, context: Context) -> Parsed:
    """One update of Long Poll or one body of the Callback API; events that bring no post give nothing."""
    return events({"updates": [update]}, context)


def communities(answer: Answer, *, now: datetime) -> list[Community]:
    """groups.getById (both shapes), groups.get, groups.search."""
    check(answer, now=now, method="groups.getById")
    response = answer["response"]
    groups = response.get("groups", response.get("items")) if isinstance(response, Mapping) else response
    if not isinstance(groups, list):
        raise Unreadable("В ответе ВКонтакте нет списка сообществ.")
    return [found for group in groups if (found := _community(group)) is not None]


def _community(group: Any) -> Community | None:
    number = whole(group.get("id")) if isinstance(group, Mapping) else whole(group)
    if number is None:
        return None
    about: Mapping[str, Any] = group if isinstance(group, Mapping) else {}
    name = about.get("screen_name")
    return Community(
        network=Network.VK,
        address=name if isinstance(name, str) and name else f"club{number}",
        number=str(number),
        title=_line(about.get("name")) or f"club{number}",
        description=_text(about.get("description")),
        members=whole(about.get("members_count")),
        is_closed=(whole(about.get("is_closed")) or 0) > 0,
        is_gone=about.get("deactivated") in ("deleted", "banned"),
    )


def resolved(answer: Answer, *, now: datetime) -> int | None:
    """utils.resolveScreenName: owner_id (negative for a community); None: there is no such name."""
    check(answer, now=now, method="utils.resolveScreenName")
    response = answer["response"]
    if not isinstance(response, Mapping) or not response:
        return None  # VK answers [] for a free name
    number = whole(response.get("object_id"))
    if number is None:
        raise Unreadable("В ответе ВКонтакте нет object_id.")
    return number if response.get("type") == "user" else -number


def _items(response: Any) -> Sequence[Any]:
    items = response.get("items") if isinstance(response, Mapping) else response
    if response == {}:
        return ()  # wall.getById of posts that are not there
    if not isinstance(items, list):
        raise Unreadable("В ответе ВКонтакте нет списка items.")
    return items


def _titles(response: Any) -> dict[int, str]:
    """Names of communities by owner id. Old answers keep them among profiles; people have no `name`."""
    titles = {}
    if isinstance(response, Mapping):
        for group in (*_listed(response.get("groups")), *_listed(response.get("profiles"))):
            number, name = whole(group.get("id")), group.get("name")
            if number is not None and isinstance(name, str):
                titles[-number] = _line(name)
    return titles


def _listed(value: Any) -> Iterator[Mapping[str, Any]]:
    return (part for part in value if isinstance(part, Mapping)) if isinstance(value, list) else iter(())


@dataclass(slots=True)
class Reading:
    """One answer while it is read; collects what its records give."""

    context: Context
    titles: Mapping[int, str]
    posts: list[Post] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    pinned: set[str] = field(default_factory=set)
    threads: list[Thread] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    same: list[Sight] = field(default_factory=list)
    left_out: int = 0

    def read_all(
        self,
        items: Sequence[Any],
        read: Callable[[Any], None],
        *,
        place: str = "response.items",
        shape: Callable[[Any], Any] | None = None,
    ) -> None:
        self.broken += read_each(
            items,
            read,
            place=place,
            little_answer=shape or _one_item,
            context=self.context,
            network=Network.VK,
        )

    def parsed(self, **facts: Any) -> Parsed:
        return Parsed(
            posts=latest(self.posts),
            broken=tuple(self.broken),
            same=tuple(self.same),
            gone=tuple(self.gone),
            pinned=frozenset(self.pinned),
            threads=tuple(self.threads),
            mentions=tuple(self.mentions),
            left_out=self.left_out,
            **facts,
        )

    def post(self, item: Any) -> None:
        """One post of a wall or a feed."""
        item = _record(item)
        name, found = f"vk:{item.get('owner_id')}_{item.get('id')}", self._print(item, PostKind.POST)
        if self._is_kept(name, found, item, PostKind.POST):
            if item.get("is_pinned"):
                self.pinned.add(name)
            return
        kind = item.get("type")
        if (isinstance(kind, str) and kind in NOT_POSTS) or item.get("post_type") == "postpone":
            self.left_out += 1
            return
        if item.get("post_type") == "reply" and whole(item.get("post_id")) is not None:
            self.comment(item, f"vk:{must(whole(item.get('owner_id')), 'owner_id')}_{whole(item['post_id'])}")
            return
        owner = must(whole(item.get("owner_id", item.get("source_id", item.get("to_id")))), "owner_id")
        number = must(whole(item.get("id", item.get("post_id"))), "id")
        post_id = f"vk:{owner}_{number}"
        if item.get("is_deleted"):
            self.gone.append(post_id)
            return
        if item.get("is_pinned"):
            self.pinned.add(post_id)
        history = _history(item)
        text, attachments = self._contents(item, history, post_id=post_id, own=owner)
        self.posts.append(
            Post(
                id=post_id,
                kind=PostKind.POST,
                **self._common(item, owner=owner),
                text=text,
                origin_id=_origin(history),
                url=f"https://vk.com/wall{owner}_{number}",
                attachments=attachments,
                counters=_counters(item),
                is_edited=bool(item.get("edited")),
                print=found,
            )
        )

    def _print(self, item: Mapping[str, Any], kind: PostKind) -> Print | None:
        return printed(item, _moving(item, kind), self.context, without="thread")

    def _is_kept(self, post_id: str, found: Print | None, item: Mapping[str, Any], kind: PostKind) -> bool:
        """Whether the record is passed over: the index holds it as it is."""
        if post_id not in (self.context.kept or ()):
            return False
        published_at = from_unix(item.get("date"))
        if not is_kept(post_id, found, published_at, self.context):
            return False
        self.same.append(Sight(post_id, kind, published_at, _count(item.get("comments"))))
        return True

    def comment(self, item: Any, parent_id: str, above: str | None = None) -> None:
        """One comment and the replies its thread holds."""
        item = _record(item)
        number = must(whole(item.get("id")), "id")
        comment_id = f"{parent_id}_r{number}"
        if item.get("deleted"):
            self.gone.append(comment_id)
        elif not self._is_kept(
            comment_id, found := self._print(item, PostKind.COMMENT), item, PostKind.COMMENT
        ):
            reply_to = whole(item.get("reply_to_comment"))
            over = f"{parent_id}_r{reply_to}" if reply_to else _over(item, parent_id) or above
            text, attachments = self._contents(item, (), post_id=comment_id, own=_owner_of(parent_id))
            self.posts.append(
                Post(
                    id=comment_id,
                    kind=PostKind.COMMENT,
                    **self._common(item, owner=_owner_of(parent_id)),
                    text=text,
                    parent_id=parent_id,
                    reply_to_id=over,
                    url=_comment_url(parent_id, number, _over(item, parent_id, first=True) or above),
                    attachments=attachments,
                    counters=_counters(item),
                    is_edited=bool(item.get("edited")),
                    print=found,
                )
            )
        self._thread(item, parent_id, number)

    def _thread(self, item: Mapping[str, Any], parent_id: str, number: int) -> None:
        thread = item.get("thread")
        if not isinstance(thread, Mapping):
            return
        held = thread.get("items")
        replies = held if isinstance(held, list) else []
        self.read_all(
            replies,
            lambda reply: self.comment(reply, parent_id, f"{parent_id}_r{number}"),
            place=f"response.items id={number} thread.items",
            shape=lambda reply: {**_one_item(reply), "parent": parent_id},
        )
        count = whole(thread.get("count")) or 0
        if count > len(replies):
            self.threads.append(Thread(comment_id=str(number), replies=count, read=len(replies)))

    def topic(self, item: Any, owner: int) -> None:
        """One topic of a board, and the pages its title names."""
        item = _record(item)
        number = must(whole(item.get("id")), "id")
        topic_id = f"vk:topic{owner}_{number}"
        if item.get("is_fixed"):
            self.pinned.add(topic_id)
        title, first = _text(item.get("title")), _text(item.get("first_comment"))
        self.posts.append(
            Post(
                id=topic_id,
                kind=PostKind.POST,
                **self._common(
                    {"from_id": item.get("created_by"), "date": item.get("created")},
                    owner=owner,
                    date="created",
                ),
                text=_joined(title, first),
                url=f"https://vk.com/topic{owner}_{number}",
                counters=Counters(comments=_count(item.get("comments"))),
            )
        )

    def video(self, item: Any) -> None:
        """One video of a page; a post about it on a wall is another post."""
        item = _record(item)
        owner = must(whole(item.get("owner_id")), "owner_id")
        number = must(whole(item.get("id")), "id")
        post_id, url = f"vk:video{owner}_{number}", f"https://vk.com/video{owner}_{number}"
        title, raw = _line(item.get("title")), _raw(item.get("description"))
        self.mentions += named(raw, post_id=post_id, own=f"club{-owner}")
        self.posts.append(
            Post(
                id=post_id,
                kind=PostKind.POST,
                **self._common({"date": item.get("date", item.get("adding_date"))}, owner=owner),
                text=_joined(title, _text(raw)),
                url=url,
                attachments=(Attachment(kind="video", url=url, title=title),),
                counters=_counters(item),
            )
        )

    def event(self, update: Any) -> None:
        """One event of the Callback API or Long Poll."""
        update = _record(update, "события")
        name, about = update.get("type"), update.get("object")
        if not isinstance(name, str):
            raise BadRecord("у события нет type")
        subject, _, verb = name.rpartition("_")
        if name in ("wall_post_new", "wall_repost"):
            self.post(_record(about, "object"))
        elif verb in ("new", "edit", "restore", "delete") and subject in EVENT_PARENTS:
            about = _record(about, "object")
            parent_id = _event_parent(subject, about, update)
            self.comment({**about, "deleted": True} if verb == "delete" else about, parent_id)
        else:
            self.left_out += 1

    def _common(self, item: Mapping[str, Any], *, owner: int, date: str = "date") -> dict[str, Any]:
        author = item.get("from_id")
        hidden = author if isinstance(author, str) and author.startswith("~") else None
        number = owner if hidden is None and author is None else whole(author)
        if hidden is None and number is None:
            raise BadRecord("поле from_id не число")
        is_community = number is not None and number < 0
        source = self.context.source_for(owner)
        return {
            "network": Network.VK,
            "source": title_of(source, self.titles.get(owner) or _nameless(owner)),
            "source_id": source.id if source else None,
            "source_home": source.home if source else None,
            "author": self.context.author(Network.VK, hidden or str(number)),
            "author_kind": voice(source, is_community=is_community, is_own=number == owner)
            if hidden is None
            else AuthorKind.PERSON,
            "published_at": from_unix(item.get("date"), date),
            "collected_at": self.context.fetched_at,
        }

    def _contents(
        self, item: Mapping[str, Any], history: Sequence[Mapping[str, Any]], *, post_id: str, own: int
    ) -> tuple[str, tuple[Attachment, ...]]:
        """Text with the origin's text after it, attachments of both; notes the pages they name."""
        own_address = f"club{-own}"
        raw = _raw(item.get("text"))
        text = presentable(resolved_markup(raw))
        self.mentions += named(raw, post_id=post_id, own=own_address)
        attachments = _attachments(item)
        if history:
            first = history[-1]
            raw_first = _raw(first.get("text"))
            text = _joined(text, presentable(resolved_markup(raw_first)))
            attachments += _attachments(first)
            self.mentions += self._origins(history, post_id, own)
            self.mentions += named(raw_first, post_id=post_id, own=own_address)
        for attachment in attachments:
            if attachment.kind == "link" and attachment.url:
                self.mentions += named(attachment.url, post_id=post_id, own=own_address)
        return text, attachments

    def _origins(self, history: Sequence[Mapping[str, Any]], post_id: str, own: int) -> Iterator[Mention]:
        for origin in history:
            owner = whole(origin.get("owner_id"))
            if owner is not None and owner < 0 and owner != own:
                yield Mention(
                    post_id=post_id,
                    network=Network.VK,
                    address=f"club{-owner}",
                    how="repost",
                    title=self.titles.get(owner, ""),
                )


NOT_POSTS = frozenset(
    "wall_photo photo photo_tag friend note audio audio_playlist video promo_button app_widget ads clip"
    " stories recommended_groups digest authors_rec".split()
)  # items of newsfeed.get that are no posts of a wall
#: Callback subject -> prefix of the parent's id, field with its owner, field with its number.
EVENT_PARENTS: Mapping[str, tuple[str, str, str]] = {
    "wall_reply": ("", "post_owner_id", "post_id"),
    "board_post": ("topic", "topic_owner_id", "topic_id"),
    "photo_comment": ("photo", "photo_owner_id", "photo_id"),
    "video_comment": ("video", "video_owner_id", "video_id"),
    "market_comment": ("market", "market_owner_id", "item_id"),
}


def _event_parent(subject: str, about: Mapping[str, Any], update: Mapping[str, Any]) -> str:
    prefix, owner_field, number_field = EVENT_PARENTS[subject]
    owner = whole(about.get(owner_field, about.get("owner_id")))
    if owner is None:
        group = whole(update.get("group_id"))
        owner = -group if group is not None else None
    if prefix == "topic" and owner is not None:
        owner = -abs(owner)  # the schema gives the owner of a topic without its minus
    number = must(whole(about.get(number_field)), number_field)
    return f"vk:{prefix}{must(owner, owner_field)}_{number}"


def _one_item(item: Any) -> dict[str, Any]:
    return {"response": {"items": [item]}}


def _one_update(update: Any) -> dict[str, Any]:
    return {"updates": [update]}


def _record(value: Any, what: str = "записи") -> Mapping[str, Any]:
    if type(value) is not dict and not isinstance(value, Mapping):  # the first is far quicker
        raise BadRecord(f"вместо {what} пришло {type(value).__name__}")
    return value


def _own_parent(item: Any) -> str | None:
    """A comment that names its post itself: `post_id` and `owner_id` of API 5.100 and later."""
    if not isinstance(item, Mapping):
        return None
    owner, number = whole(item.get("owner_id")), whole(item.get("post_id"))
    return f"vk:{owner}_{number}" if owner is not None and number else None


_WALL_POST = re.compile(r"vk:-?[0-9]")
_OWNER = re.compile(r"vk:[a-z]*(-?[0-9]+)_")


def _owner_of(parent_id: str) -> int:
    found = _OWNER.match(parent_id)
    return int(found[1]) if found else 0


def _over(item: Mapping[str, Any], parent_id: str, *, first: bool = False) -> str | None:
    """Comment above this one, by its stack of parents; `first`: the one that opens the thread."""
    stack = item.get("parents_stack")
    over = whole(stack[0 if first else -1]) if isinstance(stack, list) and stack else None
    return f"{parent_id}_r{over}" if over else None


def _comment_url(parent_id: str, number: int, thread_id: str | None) -> str:
    parent = parent_id.removeprefix("vk:")
    if parent.startswith("topic"):
        return f"https://vk.com/{parent}?post={number}"
    if not parent[0].isalpha():
        thread = f"&thread={thread_id.rpartition('_r')[2]}" if thread_id else ""
        return f"https://vk.com/wall{parent}?reply={number}{thread}"
    return f"https://vk.com/{parent}?reply={number}"


def _history(item: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    history = item.get("copy_history")
    return tuple(_listed(history)) if isinstance(history, list) else ()


def _origin(history: Sequence[Mapping[str, Any]]) -> str | None:
    if not history:
        return None
    owner, number = whole(history[-1].get("owner_id")), whole(history[-1].get("id"))
    return f"vk:{owner}_{number}" if owner is not None and number is not None else None


def _nameless(owner: int) -> str:
    return f"Сообщество club{-owner}" if owner < 0 else "Личная страница"


def _counters(item: Mapping[str, Any]) -> Counters:
    return Counters(
        views=_count(item.get("views")),
        likes=_count(item.get("likes")),
        reposts=_count(item.get("reposts")),
        comments=_count(item.get("comments", item.get("thread"))),
    )


def _moving(item: Mapping[str, Any], kind: PostKind) -> tuple[Any, ...]:
    """Counters as they came. That of a post's comments is none of them: other comments have to be read."""
    thread = _count(item.get("thread")) if kind is PostKind.COMMENT else None
    return item.get("views"), item.get("likes"), item.get("reposts"), thread


def _count(value: Any) -> int | None:
    number = whole(value.get("count") if type(value) is dict else value)
    return number if number is not None and number >= 0 else None


def _raw(value: Any) -> str:
    """A text may be missing or null; anything else that is no text makes the record unreadable."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRecord("поле text не строка")
    return value


def resolved_markup(text: str) -> str:
    """Markup of VK as people see it: mentions of people masked, of communities as text, entities read."""
    if "[" in text:
        text = _MENTION.sub(_mention, text)
    return from_markup(text)


_MENTION = re.compile(
    r"\[(?:(id)[0-9]+|(?:club|public|event)[0-9]+|#alias|(https?://[^\s|\]]{1,500})|([A-Za-z][A-Za-z0-9_.]{1,39}))(?::[^|\]\n]{0,40})?"
    r"\|([^|\]\n]{0,500})(?:\|([^\]\s]{0,500}))?\]"
)


def _mention(found: re.Match[str]) -> str:
    person, link, screen_name, text, alias = found.groups()
    if person or screen_name:  # [id1|Имя], [durov|Павел]
        return "[USER]"
    address = link or alias
    return f"{text} ({address})" if address else text


def _joined(own: str, origin: str) -> str:
    return "\n\n".join(dict.fromkeys(part for part in (own, origin) if part))[:MAX_CHARACTERS]


def _text(value: Any) -> str:
    return presentable(resolved_markup(value)) if isinstance(value, str) else ""


def _line(value: Any) -> str:
    return " ".join(_text(value).split())


def _attachments(item: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """Attachments, the place and the named source of a post; what cannot be read of one is left empty."""
    found = [_attachment(part) for part in _listed(item.get("attachments"))]
    geo = item.get("geo")
    if isinstance(geo, Mapping):
        found.append(_location(geo))
    copyright_ = item.get("copyright")
    if isinstance(copyright_, Mapping):
        found.append(
            Attachment(kind="link", url=_url(copyright_.get("link")), title=_line(copyright_.get("name")))
        )
    return tuple(found)


def _location(geo: Mapping[str, Any]) -> Attachment:
    place = geo.get("place")
    coordinates = geo.get("coordinates")
    if isinstance(coordinates, Mapping):  # Long Poll of messages writes them apart
        coordinates = f"{coordinates.get('latitude')} {coordinates.get('longitude')}"
    return Attachment(
        kind="location",
        title=_line(place.get("title")) if isinstance(place, Mapping) else "",
        text=coordinates if isinstance(coordinates, str) else "",
    )


def _attachment(part: Mapping[str, Any]) -> Attachment:
    name = part.get("type")
    name = name if isinstance(name, str) and name else "unknown"
    about = part.get(name)
    about = about if isinstance(about, Mapping) else {}
    match name:
        case "photo" | "posted_photo" | "graffiti":
            return Attachment(kind="photo", url=_object_url("photo", about), text=_text(about.get("text")))
        case "photos_list" | "album":
            return Attachment(
                kind="photo",
                url=_object_url("album", about),
                title=_line(about.get("title")),
                text=_described(about),
            )
        case "video" | "clip" | "video_playlist":
            return Attachment(
                kind="video",
                url=_object_url("clip" if name == "clip" else "video", about),
                title=_line(about.get("title")),
                text=_described(about),
            )
        case "audio" | "podcast" | "audio_playlist":
            artist, title = _line(about.get("artist")), _line(about.get("title"))
            return Attachment(
                kind="audio", title=" — ".join(filter(None, (artist, title))), text=_described(about)
            )
        case "doc":
            return Attachment(kind="document", url=_url(about.get("url")), title=_line(about.get("title")))
        case "poll":
            return _poll(about)
        case "article" | "note" | "page" | "textlive" | "textpost" | "textpost_publish":
            return Attachment(
                kind="article",
                url=_url(about.get("url")) or _url(about.get("view_url")),
                title=_line(about.get("title")),
                text=_text(about.get("subtitle")) or _text(about.get("text")),
            )
        case "sticker":
            return Attachment(kind="sticker")
        case "market" | "market_album":
            return Attachment(
                kind="link",
                url=_url(about.get("url")) or _object_url("market", about),
                title=_line(about.get("title")),
                text=_described(about),
            )
        case "group" | "event":
            number = whole(about.get("id"))
            return Attachment(
                kind="link",
                url=f"https://vk.com/club{abs(number)}" if number else None,
                title=_line(about.get("name")) or _line(about.get("text")),
                text=_text(about.get("address")),
            )
        case "link" | "donut_link" | "app" | "situational_theme":
            return Attachment(
                kind="link",
                url=_url(about.get("url")) or _url(about.get("action_url")),
                title=_line(about.get("title")) or _line(about.get("name")),
                text=_described(about),
            )
        case _:
            kind = name if re.fullmatch(r"[a-z_]{1,30}", name) else "unknown"
            return Attachment(kind=kind, url=_url(about.get("url")), title=_line(about.get("title")))


def _poll(about: Mapping[str, Any]) -> Attachment:
    answers = [_line(answer.get("text")) for answer in _listed(about.get("answers"))]
    return Attachment(
        kind="poll",
        url=_object_url("poll", about),
        title=_line(about.get("question")),
        text="\n".join(filter(None, answers)),
    )


def _described(about: Mapping[str, Any]) -> str:
    return _text(about.get("description"))


def _object_url(kind: str, about: Mapping[str, Any]) -> str | None:
    owner, number = whole(about.get("owner_id")), whole(about.get("id"))
    return f"https://vk.com/{kind}{owner}_{number}" if owner is not None and number is not None else None


def _url(value: Any) -> str | None:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        return None
    return value.encode("utf-8", "replace").decode()[:2000]
