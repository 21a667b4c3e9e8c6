"""Odnoklassniki: topics of a group and comments under them, signed calls, what errors mean for a write."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from index.domain.page import Page, page_address
from index.domain.post import Counters, Network
from index.domain.publication import Message
from index.errors import NeedsOperator, OutcomeUnknown, Refused, Rejected, RetryLater, SendError, Unavailable
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

MOSCOW = ZoneInfo("Europe/Moscow")  # dates of comments carry no zone and are Moscow's
PER_CALL = 100
MAX_CALLS = 5  # of one list in one `find`

SLOWER = {
    8: timedelta(minutes=10),
    11: timedelta(hours=1),
}  # flood, limit reached: refused before anything is done
AMBIGUOUS = frozenset({1, 2, 30, 31, 9999})  # unknown, service, network, timeout, system
CONNECT_AGAIN = frozenset({101, 102, 103, 104, 210, 451, 453})  # application key, session, signature
NOT_ALLOWED = frozenset({7, 9, 10, 24, 50, 200, 456, 511})  # blocked, no rights, not an administrator
GONE_METHOD = 3
REFUSED = frozenset({4, 100, 160, 300, 454, 600, 601, 607, 704})


def signature(parameters: Mapping[str, str], session_secret: str) -> str:
    """`sig` over all parameters but the session's own: sorted `key=value` in a row, then the secret."""
    kept = sorted((k, v) for k, v in parameters.items() if k not in ("access_token", "session_key", "sig"))
    joined = "".join(f"{key}={value}" for key, value in kept)
    return hashlib.md5(f"{joined}{session_secret}".encode(), usedforsecurity=False).hexdigest()


def fault(error: Mapping[str, Any]) -> SendError:
    """What an OK error means for a write."""
    code, said = int(error.get("error_code", 0)), str(error.get("error_msg", ""))
    name, text = f"ok {code}", f"Одноклассники, ошибка {code}: {said}"
    if code in SLOWER:
        return RetryLater(text, after=SLOWER[code], code=name)
    if code in AMBIGUOUS:
        return OutcomeUnknown(f"{text}. Вышла ли запись, неизвестно.", code=name)
    if code in CONNECT_AGAIN:
        return NeedsOperator(f"{text}. Переподключите страницу: ключ не действует.", code=name)
    if code in NOT_ALLOWED:
        return NeedsOperator(f"{text}. Этому ключу такое действие закрыто.", code=name)
    if code == GONE_METHOD:
        return NeedsOperator(
            f"{text}. Сеть больше не даёт этого программам: сделайте это на сайте.", code=name
        )
    if code in REFUSED:
        return Rejected(text, code=name)
    return Rejected(
        f"{text}. Такой ответ не описан: посмотрите на страницу, прежде чем повторять.", code=name
    )


class OkChannel:
    """One group. The key and its secret may be the page's own or the network's."""

    network = Network.OK
    limits = Limits(
        text_characters=16_000,  # the network tells no number: error 601 when it is too long
        photo_text_characters=16_000,
        comment_characters=4_000,
        photo_bytes=20_000_000,
        photo_types=frozenset({"image/jpeg", "image/png", "image/gif"}),
    )
    proves_absence = True
    pace = timedelta(seconds=1)

    def __init__(
        self,
        wire: Wire,
        base_url: str,
        *,
        application_key: str,
        access_token: str,
        session_secret: str,
        photos: Photos,
        turns: KeyTurns,
    ) -> None:
        """Every call waits in `turns` for its place among the calls of all processes."""
        self._turns = turns
        self._wire, self._base_url, self._photos = wire, base_url, photos
        self._application_key, self._access_token, self._session_secret = (
            application_key,
            access_token,
            session_secret,
        )

    def check(self, page: Page) -> Capabilities:
        gid = page_address(self.network, page.address)
        try:
            found = self._read("group.getInfo", uids=gid, fields="uid,name")
        except NeedsOperator as error:
            return Capabilities(
                title="", found=tuple(Capability(ability=a, is_on=False, why=str(error)) for a in Ability)
            )
        title = str(found[0].get("name", "")) if isinstance(found, list) and found else ""
        photo = self._trial(Ability.PHOTO, "photosV2.getUploadUrl", gid=gid, count="1")
        read = self._trial(
            Ability.FIND, "stream.get", gid=gid, patterns="POST", count="1", fields="feed.*,media_topic.*"
        )
        later = "Право видно только при отправке."
        return Capabilities(
            title=title,
            found=(
                Capability(
                    ability=Ability.POST, is_on=bool(title), why=later if title else "Группа не найдена."
                ),
                photo,
                Capability(
                    ability=Ability.COMMENT, is_on=bool(title), why="Сеть могла закрыть ответы программам."
                ),
                read,
                Capability(ability=Ability.FIGURES, is_on=read.is_on, why=read.why),
            ),
        )

    def prepare(self, message: Message, page: Page) -> None:
        page_address(self.network, page.address)
        if message.reply_to is not None:
            _topic_place(message.reply_to)
        check_message(message, self.limits, self._photos)

    def upload(self, page: Page, photo: str) -> str:
        """A token of a photo that waits for its topic; `photosV2.commit` is for albums, never called here."""
        content = self._photos.open(photo)
        gid = page_address(self.network, page.address)
        try:
            target = self._call("photosV2.getUploadUrl", gid=gid, count="1")
        except OutcomeUnknown as error:  # an upload may be repeated
            raise Unavailable(str(error)) from error
        kind = photo_type(content)
        files = {"pic1": (f"photo.{kind.removeprefix('image/')}", content, kind)}
        answer = self._wire.call("POST", target["upload_url"], files=files)
        tokens = answer.json.get("photos") if isinstance(answer.json, dict) else None
        if not tokens:
            raise Unavailable("Одноклассники не приняли снимок, попробуем ещё раз.")
        return str(next(iter(tokens.values()))["token"])

    def send(self, page: Page, message: Message, *, upload: str | None, key: str) -> Receipt:
        gid = page_address(self.network, page.address)
        media: list[dict[str, Any]] = []
        if message.text:
            media.append({"type": "text", "text": message.text})
        if message.photo:
            media.append({"type": "photo", "list": [{"id": upload or ""}]})
        attachment = json.dumps({"media": media, "onBehalfOfGroup": "true"}, ensure_ascii=False)
        answer = self._write("mediatopic.post", type="GROUP_THEME", gid=gid, attachment=attachment)
        topic = answer.json
        if not isinstance(topic, (str, int)) or not str(topic).isdigit():
            self._wire.unclear(answer)
        return Receipt(remote_id=str(topic), url=self.url(page, str(topic)))

    def comment(self, page: Page, post_id: str, text: str, *, key: str) -> Receipt:
        topic, reply = _topic_place(post_id)
        parameters = {"entityId": topic, "entityType": "GROUP_TOPIC", "comment": text, "as_admin": "true"}
        if reply:
            parameters["reply_to_comment_id"] = reply
        answer = self._write("discussions.addDiscussionComment", **parameters)
        number = (
            answer.json.get("comment_id", answer.json.get("id"))
            if isinstance(answer.json, dict)
            else answer.json
        )
        if not isinstance(number, (str, int)) or not str(number):
            self._wire.unclear(answer)
        remote_id = f"{topic}_r{number}"
        return Receipt(remote_id=remote_id, url=self.url(page, remote_id))

    def find(
        self, page: Page, message: Message, *, since: datetime, until: datetime, known: Collection[str] = ()
    ) -> Receipt | None:
        earliest = since - SAME_TEXT_AROUND
        if message.reply_to is None:
            standing = list(self._topics(page, earliest))
        else:
            standing = list(self._comments(page, message.reply_to, earliest))
        return pick(standing, message, since=since, until=until, known=known)

    def figures(self, page: Page, remote_ids: Sequence[str]) -> Mapping[str, Counters]:
        found: dict[str, Counters] = {}
        for topic in remote_ids:
            if not topic.isdigit():
                continue
            stat = self._read(
                "group.getStatTopic", topic_id=topic, fields="renderings,likes,comments,reshares"
            )
            if isinstance(stat, dict):
                found[topic] = Counters(
                    views=_number(stat, "renderings"),
                    likes=_number(stat, "likes"),
                    reposts=_number(stat, "reshares"),
                    comments=_number(stat, "comments"),
                )
        return found

    def url(self, page: Page, remote_id: str) -> str | None:
        topic, _, _ = remote_id.partition("_r")
        return f"https://ok.ru/group/{page_address(self.network, page.address)}/topic/{topic}"

    def close(self) -> None:
        self._wire.close()

    # -- the calls -----------------------------------------------------------------------------------------

    def _write(self, method: str, **parameters: str) -> Answer:
        form = self._signed(method, parameters)
        self._turns.to_write(method)
        answer = self._wire.write("POST", f"{self._base_url}/fb.do", data=form)
        if isinstance(answer.json, dict) and "error_code" in answer.json:
            raise fault(answer.json)
        return answer

    def _call(self, method: str, **parameters: str) -> Any:
        """The answer of a call that may be repeated. Raises Unavailable or the SendError of the table."""
        form = self._signed(method, parameters)
        self._turns.to_read(method)
        answer = self._wire.call("POST", f"{self._base_url}/fb.do", data=form)
        if isinstance(answer.json, dict) and "error_code" in answer.json:
            raise fault(answer.json)
        return answer.json

    def _read(self, method: str, **parameters: str) -> Any:
        """As `_call`, for reads. Raises Unavailable, NeedsOperator."""
        try:
            return self._call(method, **parameters)
        except (RetryLater, OutcomeUnknown) as error:
            raise Unavailable(str(error)) from error
        except Rejected as error:
            raise NeedsOperator(str(error), code=error.code) from error

    def _trial(self, ability: Ability, method: str, **parameters: str) -> Capability:
        try:
            self._read(method, **parameters)
        except NeedsOperator as error:
            return Capability(ability=ability, is_on=False, why=str(error))
        return Capability(ability=ability, is_on=True)

    def _signed(self, method: str, parameters: Mapping[str, str]) -> dict[str, str]:
        if not (self._application_key and self._access_token and self._session_secret):
            raise NeedsOperator(
                "Одноклассники: ключи не заданы."
                " Впишите OK_APPLICATION_KEY, OK_ACCESS_TOKEN, OK_SESSION_SECRET."
            )
        form = {"method": method, "application_key": self._application_key, "format": "json", **parameters}
        sig = signature(form, self._session_secret)
        return {**form, "sig": sig, "access_token": self._access_token}

    # -- reading back --------------------------------------------------------------------------------------

    def _topics(self, page: Page, earliest: datetime) -> Iterator[Standing]:
        """Topics of the group's feed in the group's own name, newest first, back to `earliest`."""
        gid = page_address(self.network, page.address)
        anchor = ""
        for _ in range(MAX_CALLS):
            ask = {"gid": gid, "patterns": "POST", "count": str(PER_CALL), "fields": "feed.*,media_topic.*"}
            feed = self._read("stream.get", **ask, **({"anchor": anchor} if anchor else {}))
            ids = re.findall(r"\{media_topic:(\d+)\}", json.dumps(feed.get("feeds") or []))
            topics = self._by_ids(list(dict.fromkeys(ids)))
            for topic in topics:
                if str(topic.get("author_ref", "")) in (f"group:{gid}", ""):
                    yield self._topic(page, topic)
            anchor = str(feed.get("anchor") or "")
            if len(ids) < PER_CALL or not anchor or any(_created(t) < earliest for t in topics):
                return
        raise NeedsOperator("В группе слишком много тем за сутки, сверить не удалось. Посмотрите сами.")

    def _by_ids(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        if not ids:
            return []
        found = self._read(
            "mediatopic.getByIds", topic_ids=",".join(ids), media_limit="3", fields="media_topic.*"
        )
        return list(found.get("media_topics") or [])

    def _topic(self, page: Page, topic: Mapping[str, Any]) -> Standing:
        media = topic.get("media") or []
        photos = sum(
            max(1, len(m.get("list") or m.get("photos") or ()))
            for m in media
            if "photo" in str(m.get("type", ""))
        )
        topic_id = str(topic["id"])
        text = "\n".join(str(m["text"]) for m in media if m.get("text"))
        return Standing(
            remote_id=topic_id, text=text, at=_created(topic), photos=photos, url=self.url(page, topic_id)
        )

    def _comments(self, page: Page, post_id: str, earliest: datetime) -> Iterator[Standing]:
        """Comments of the group itself under the topic, newest first."""
        topic, _ = _topic_place(post_id)
        anchor = "LAST"
        for _ in range(MAX_CALLS):
            found = self._read(
                "discussions.getComments",
                discussionId=topic,
                discussionType="GROUP_TOPIC",
                count=str(PER_CALL),
                anchor=anchor,
                direction="BACKWARD",
            )
            comments = list(found.get("comments") or [])
            for comment in comments:
                if str(comment.get("author_type", "")) == "GROUP":
                    remote_id = f"{topic}_r{comment['id']}"
                    yield Standing(
                        remote_id=remote_id,
                        text=str(comment.get("text", "")),
                        at=_moscow(str(comment["date"])),
                        photos=None,
                        url=self.url(page, remote_id),
                    )
            anchor = str(found.get("anchor") or "")
            oldest = min((_moscow(str(c["date"])) for c in comments), default=earliest)
            if not found.get("has_more") or not anchor or oldest < earliest:
                return
        raise NeedsOperator("Под темой слишком много ответов, сверить не удалось. Посмотрите сами.")


def _topic_place(post_id: str) -> tuple[str, str]:
    """`ok:621_rMTM5` → topic, comment. Raises Refused."""
    topic, _, comment = post_path(Network.OK, post_id).partition("_r")
    if not topic.isdigit():
        raise Refused("Отвечать можно только под темой группы.", field="reply_to")
    return topic, comment


def _created(topic: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(topic["created_ms"]) / 1000, UTC)


def _moscow(date: str) -> datetime:
    """`2014-04-11 12:53:02` of Moscow as an aware UTC moment."""
    return datetime.fromisoformat(date).replace(tzinfo=MOSCOW).astimezone(UTC)


def _number(stat: Mapping[str, Any], name: str) -> int | None:
    value = stat.get(name)
    return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else None
