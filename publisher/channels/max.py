"""MAX: channel posts and comments by a bot, and what each answer means for a write."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from index.domain.page import Page, page_address
from index.domain.post import Counters, Network
from index.domain.publication import Message
from index.errors import NeedsOperator, Refused, Rejected, RetryLater, SendError, Unavailable
from publisher.channels.base import (
    SAME_TEXT_AROUND,
    Ability,
    Capabilities,
    Capability,
    Limits,
    Photos,
    Receipt,
    Standing,
    check_message,
    photo_type,
    pick,
    post_path,
)
from publisher.channels.turns import KeyTurns
from publisher.channels.wire import Answer, Wire

PER_CALL = 100
NOT_READY = "attachment.not.ready"  # refused before posting: the photo is still being read in


def fault(answer: Answer) -> SendError:
    """What a 4xx answer `{code, message}` means for a write."""
    code, said = str(answer.json.get("code", "")), str(answer.json.get("message", ""))
    name, text = f"max {answer.status} {code}".strip(), f"MAX, ошибка {answer.status} {code}: {said}"
    if code == NOT_READY:
        return RetryLater(text, after=timedelta(seconds=3), code=name)
    if answer.status == 429:
        return RetryLater(text, after=answer.retry_after or timedelta(seconds=2), code=name)
    if answer.status == 401 or code.startswith("verify.token"):
        return NeedsOperator(f"{text}. Переподключите бота: ключ не действует.", code=name)
    if answer.status == 403:
        return NeedsOperator(f"{text}. Проверьте, что бот — администратор и может писать.", code=name)
    if answer.status == 404:
        return NeedsOperator(f"{text}. Чат или запись не найдены: проверьте адрес страницы.", code=name)
    if answer.status == 405:
        return NeedsOperator(f"{text}. Сеть больше не даёт этого программам.", code=name)
    return Rejected(text, code=name)


class MaxChannel:
    """One chat or channel where our bot is an administrator."""

    network = Network.MAX
    limits = Limits(
        text_characters=4_000,
        photo_text_characters=4_000,
        comment_characters=4_000,
        photo_bytes=50_000_000,
        photo_types=frozenset({"image/jpeg", "image/png", "image/gif"}),
        photo_side_pixels=7_680,
        comment_links=False,
    )
    proves_absence = True
    pace = timedelta(seconds=0.5)

    def __init__(self, wire: Wire, base_url: str, *, token: str, photos: Photos, turns: KeyTurns) -> None:
        """Every call waits in `turns` for its place among the calls of all processes."""
        self._turns = turns
        self._wire, self._base_url, self._token, self._photos = wire, base_url, token, photos

    def check(self, page: Page) -> Capabilities:
        chat_id = page_address(self.network, page.address)
        try:
            self._read("/me")
            chat = self._read(f"/chats/{chat_id}")
            member = self._read(f"/chats/{chat_id}/members/me")
        except NeedsOperator as error:
            off = tuple(Capability(ability=a, is_on=False, why=str(error)) for a in Ability)
            return Capabilities(title="", found=off)
        rights = set(member.get("permissions") or ())
        is_owner = bool(member.get("is_owner"))
        write = "" if is_owner or "write" in rights else "У бота нет права write в этом чате."
        read = (
            ""
            if is_owner or "read_all_messages" in rights
            else "У бота нет права read_all_messages в этом чате."
        )
        talk = write or ("" if not read else read)
        return Capabilities(
            title=str(chat.get("title") or ""),
            found=(
                Capability(ability=Ability.POST, is_on=not write, why=write),
                Capability(ability=Ability.PHOTO, is_on=not write, why=write),
                Capability(ability=Ability.COMMENT, is_on=not talk, why=talk),
                Capability(ability=Ability.FIND, is_on=not read, why=read),
                Capability(ability=Ability.FIGURES, is_on=not read, why=read),
            ),
        )

    def prepare(self, message: Message, page: Page) -> None:
        page_address(self.network, page.address)
        if message.reply_to is not None:
            _place(message.reply_to)
        check_message(message, self.limits, self._photos)

    def upload(self, page: Page, photo: str) -> str:
        content = self._photos.open(photo)
        kind = photo_type(content)
        target = self._read("/uploads", method="POST", type="image")
        files = {"data": (f"photo.{kind.removeprefix('image/')}", content, kind)}
        answer = self._wire.call("POST", str(target["url"]), files=files)
        sent = answer.json if isinstance(answer.json, dict) else {}
        tokens = [p["token"] for p in (sent.get("photos") or {}).values() if p.get("token")] or [
            sent.get("token")
        ]
        if answer.status != 200 or not tokens[0]:
            raise Unavailable("MAX не принял снимок, попробуем ещё раз.")
        return str(tokens[0])

    def send(self, page: Page, message: Message, *, upload: str | None, key: str) -> Receipt:
        photo = {"type": "image", "payload": {"token": upload or ""}}
        body = {"text": message.text, "attachments": [photo] if message.photo else [], "link": None}
        sent = self._write("/messages", body, chat_id=page_address(self.network, page.address))
        return Receipt(remote_id=_mid(sent), url=sent.get("url"))

    def comment(self, page: Page, post_id: str, text: str, *, key: str) -> Receipt:
        post, reply = _place(post_id)
        body: dict[str, Any] = {"text": text}  # comments take no attachments and no link but this one
        if reply:
            body["link"] = {"type": "reply", "mid": reply}
        sent = self._write(f"/messages/{post}/comments", body)
        return Receipt(remote_id=f"{post}_r{_mid(sent)}", url=sent.get("url"))

    def find(
        self, page: Page, message: Message, *, since: datetime, until: datetime, known: Collection[str] = ()
    ) -> Receipt | None:
        earliest = since - SAME_TEXT_AROUND
        if message.reply_to is None:
            standing = list(self._posts(page, earliest))
        else:
            standing = list(self._comments(message.reply_to, since, until))
        return pick(standing, message, since=since, until=until, known=known)

    def figures(self, page: Page, remote_ids: Sequence[str]) -> Mapping[str, Counters]:
        found: dict[str, Counters] = {}
        posts = [remote_id for remote_id in remote_ids if "_r" not in remote_id]
        for start in range(0, len(posts), PER_CALL):
            listed = self._read("/messages", message_ids=",".join(posts[start : start + PER_CALL]))
            for message in listed.get("messages") or []:
                views = (message.get("stat") or {}).get("views")
                if views is not None:  # told for channels only
                    found[str(message["body"]["mid"])] = Counters(views=int(views))
        return found

    def url(self, page: Page, remote_id: str) -> str | None:
        return None  # the network makes links itself and gives them with the answer

    def close(self) -> None:
        self._wire.close()

    # -- the calls -----------------------------------------------------------------------------------------

    def _write(self, path: str, body: Mapping[str, Any], **parameters: str) -> dict[str, Any]:
        headers = self._key()
        self._turns.to_write(_method(path))
        answer = self._wire.write(
            "POST", self._base_url + path, params=parameters, json=body, headers=headers
        )
        said = answer.json
        if answer.status >= 400 and isinstance(said, dict) and "code" in said:
            raise fault(answer)
        if isinstance(said, dict) and said.get("success") is False and said.get("code") == NOT_READY:
            raise fault(answer)
        sent = said.get("message") if isinstance(said, dict) and answer.status == 200 else None
        if not isinstance(sent, dict) or not isinstance((sent.get("body") or {}).get("mid"), str):
            self._wire.unclear(answer)
        return dict(sent)

    def _read(self, path: str, *, method: str = "GET", **parameters: str) -> dict[str, Any]:
        """A call that may be repeated. Raises Unavailable, NeedsOperator."""
        headers = self._key()
        self._turns.to_read(_method(path))
        answer = self._wire.call(method, self._base_url + path, params=parameters, headers=headers)
        if not isinstance(answer.json, dict):
            raise Unavailable("MAX отвечает неразборчиво.")
        if answer.status != 200:
            error = fault(answer)
            if isinstance(error, RetryLater):
                raise Unavailable(str(error)) from error
            raise NeedsOperator(str(error), code=error.code) from error
        return answer.json

    def _key(self) -> dict[str, str]:
        if not self._token:
            raise NeedsOperator("MAX: ключ бота не задан. Впишите MAX_TOKEN или PAGE_TOKENS.")
        return {"Authorization": self._token}

    # -- reading back --------------------------------------------------------------------------------------

    def _posts(self, page: Page, earliest: datetime) -> Iterator[Standing]:
        """The newest posts of the chat. No window: descriptions of `from` and `to` contradict."""
        chat_id = page_address(self.network, page.address)
        messages = self._read("/messages", chat_id=chat_id, count=str(PER_CALL)).get("messages") or []
        yield from (_standing(message, "") for message in messages if message.get("body"))
        if len(messages) >= PER_CALL and min(_moment(m) for m in messages) >= earliest:
            raise NeedsOperator("В чате слишком много записей за сутки, сверить не удалось. Посмотрите сами.")

    def _comments(self, post_id: str, since: datetime, until: datetime) -> Iterator[Standing]:
        """Our bot's comments under the post, a day around the attempt."""
        post, _ = _place(post_id)
        me = self._read("/me").get("user_id")
        listed = self._read(
            f"/messages/{post}/comments",
            after=_milliseconds(since - SAME_TEXT_AROUND),
            before=_milliseconds(until + SAME_TEXT_AROUND),
            count=str(PER_CALL),
        )
        comments = listed.get("comments") or listed.get("messages") or []
        for comment in comments:
            if comment.get("body") and (comment.get("sender") or {}).get("user_id", me) == me:
                yield _standing(comment, f"{post}_r")
        if len(comments) >= PER_CALL:
            raise NeedsOperator("Под записью слишком много ответов, сверить не удалось. Посмотрите сами.")


def _standing(message: Mapping[str, Any], prefix: str) -> Standing:
    body = message["body"]
    photos = sum(1 for a in body.get("attachments") or [] if a.get("type") == "image")
    return Standing(
        remote_id=f"{prefix}{body['mid']}",
        text=str(body.get("text") or ""),
        at=_moment(message),
        photos=photos,
        url=message.get("url"),
    )


def _method(path: str) -> str:
    """`/messages/mid.1/comments` is counted as `comments`, as the crawlers count it."""
    first, _, rest = path.removeprefix("/").partition("/")
    return "comments" if rest.endswith("/comments") else first


def _place(post_id: str) -> tuple[str, str]:
    """`max:mid.1_rmid.2` → post, comment. Raises Refused."""
    post, _, comment = post_path(Network.MAX, post_id).partition("_r")
    if not post or "/" in post:
        raise Refused("Отвечать можно только под записью канала.", field="reply_to")
    return post, comment


def _mid(sent: Mapping[str, Any]) -> str:
    return str(sent["body"]["mid"])


def _moment(message: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(message["timestamp"]) / 1000, UTC)


def _milliseconds(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))
