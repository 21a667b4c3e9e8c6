"""VK: wall posts and comments of a community, and what each error of the network means for a write."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from index.domain.page import Page, page_address
from index.domain.post import Counters, Network
from index.domain.publication import Message
from index.errors import (
    NeedsOperator,
    OutcomeUnknown,
    Refused,
    Rejected,
    RetryLater,
    SendError,
    Unavailable,
)
from index.pace import Call, Turns, next_midnight, token_bucket
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

logger = logging.getLogger(__name__)

VERSION = "5.199"
MAX_READ_POSTS = 500  # of a wall in one `find`; a page that posts more in a day needs a person
PER_CALL = 100
REPEATS = 3  # of a read that came too soon after the calls of somebody who holds the same token
FLOOD = timedelta(minutes=10)  # a method rests this long, in every process
PROBED = timedelta(hours=1)  # a used-up method is asked again this often at most

CONNECT_AGAIN = frozenset({5, 27, 28, 1116, 1117, 3609, 3610})  # the key is dead or of the wrong kind
PERSON = frozenset({14, 17, 24, 25, 3300, 3301, 3302})  # captcha, validation, confirmation
NOT_ALLOWED = frozenset({7, 15, 20, 21, 203, 204, 1051})  # this ability is off for this key
AMBIGUOUS = frozenset({1, 10, 36, 43})  # VK itself does not know what became of the call
DAY_USED_UP = frozenset({29, 601})
SLOWER = frozenset({219, 220, 223})  # an advert just now, too many recipients, too many replies
UPLOAD_AGAIN = frozenset({103, 104, 118, 121, 129})
REFUSED = frozenset({8, 18, 19, 30, 100, 113, 125, 210, 211, 212, 213, 214, 222, 224, *UPLOAD_AGAIN})
TRY_AGAIN = frozenset({"error_request_try_again", "error_access_try_again"})  # subcodes of 8 and 15


def fault(error: Mapping[str, Any], now: datetime) -> SendError:
    """What a VK error means for a write. The raw body is never kept: it echoes the token."""
    code, said = int(error.get("error_code", 0)), str(error.get("error_msg", ""))
    name, text = f"vk {code}", f"ВКонтакте, ошибка {code}: {said}"
    if code == 6:
        return RetryLater(text, after=timedelta(seconds=1), code=name)
    if code in (8, 15) and str(error.get("error_subcode", "")) in TRY_AGAIN:
        return RetryLater(text, after=timedelta(seconds=5), code=name)
    if code == 9:
        return RetryLater(f"{text}. Сеть просит паузу.", after=timedelta(minutes=10), code=name)
    if code in SLOWER:
        return RetryLater(text, after=timedelta(minutes=10), code=name)
    if code in DAY_USED_UP:
        return RetryLater(f"{text}. Дневной запас исчерпан.", after=next_midnight(now) - now, code=name)
    if code in AMBIGUOUS:
        return OutcomeUnknown(f"{text}. Вышла ли запись, неизвестно.", code=name)
    if code in CONNECT_AGAIN:
        return NeedsOperator(f"{text}. Переподключите страницу: ключ не действует.", code=name)
    if code in PERSON:
        return NeedsOperator(f"{text}. Сеть ждёт человека: войдите в неё и подтвердите.", code=name)
    if code in NOT_ALLOWED:
        return NeedsOperator(f"{text}. Этому ключу такое действие закрыто.", code=name)
    if code in REFUSED:
        return Rejected(text, code=name)
    return Rejected(
        f"{text}. Такой ответ не описан: посмотрите на страницу, прежде чем повторять.", code=name
    )


class VkChannel:
    """One community. The first key publishes; photos and reads go with the first key that may do them."""

    network = Network.VK
    limits = Limits(
        text_characters=16_000,
        photo_text_characters=16_000,
        comment_characters=16_000,
        photo_bytes=50_000_000,
        photo_types=frozenset({"image/jpeg", "image/png", "image/gif"}),
        photo_sides_pixels=14_000,
    )
    proves_absence = True
    pace = timedelta(seconds=1) / 3

    def __init__(
        self,
        wire: Wire,
        base_url: str,
        *,
        keys: Sequence[str],
        reading_keys: Sequence[str],
        photos: Photos,
        turns: Turns,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`keys` may write in the page's name; `reading_keys` may only read. Every call of every key
        waits in `turns` for its place among the calls of all processes."""
        self._wire, self._base_url, self._photos, self._clock = wire, base_url, photos, clock
        self._keys, self._turns = tuple(keys), turns
        self._all_keys = tuple(dict.fromkeys((*keys, *reading_keys)))

    def check(self, page: Page) -> Capabilities:
        group = _group(page)
        title, write = self._writing(group)
        photo = self._trial(Ability.PHOTO, self._keys, "photos.getWallUploadServer", group_id=group)
        read = self._trial(Ability.FIND, self._all_keys, "wall.get", owner_id=f"-{group}", count="1")
        figures = Capability(ability=Ability.FIGURES, is_on=read.is_on, why=read.why)
        comment = Capability(ability=Ability.COMMENT, is_on=write.is_on, why=write.why)
        return Capabilities(title=title, found=(write, photo, comment, read, figures))

    def prepare(self, message: Message, page: Page) -> None:
        page_address(self.network, page.address)
        if message.reply_to is not None:
            _wall_place(message.reply_to)
        check_message(message, self.limits, self._photos)

    def upload(self, page: Page, photo: str) -> str:
        content = self._photos.open(photo)
        try:
            return self._upload(page, content)
        except _UploadAgain:
            pass
        try:
            return self._upload(page, content)
        except _UploadAgain as again:
            raise again.error from None

    def send(self, page: Page, message: Message, *, upload: str | None, key: str) -> Receipt:
        owner = page_address(self.network, page.address)
        parameters = {"owner_id": owner, "from_group": "1", "message": message.text, "guid": key}
        if message.photo:
            parameters["attachments"] = upload or ""
        answer = self._write("wall.post", parameters)
        return self._receipt(page, answer, "post_id", f"{owner}_{{}}")

    def comment(self, page: Page, post_id: str, text: str, *, key: str) -> Receipt:
        owner, post, reply = _wall_place(post_id)
        parameters = {
            "owner_id": owner,
            "post_id": post,
            "from_group": _group(page),
            "message": text,
            "guid": key,
        }
        if reply:
            parameters["reply_to_comment"] = reply
        answer = self._write("wall.createComment", parameters)
        return self._receipt(page, answer, "comment_id", f"{owner}_{post}_r{{}}")

    def find(
        self, page: Page, message: Message, *, since: datetime, until: datetime, known: Collection[str] = ()
    ) -> Receipt | None:
        earliest = since - SAME_TEXT_AROUND
        if message.reply_to is None:
            standing = list(self._wall(page, earliest))
        else:
            standing = list(self._comments(page, message.reply_to, earliest))
        return pick(standing, message, since=since, until=until, known=known)

    def figures(self, page: Page, remote_ids: Sequence[str]) -> Mapping[str, Counters]:
        found: dict[str, Counters] = {}
        posts = [remote_id for remote_id in remote_ids if re.fullmatch(r"-?\d+_\d+", remote_id)]
        for start in range(0, len(posts), PER_CALL):
            response = self._read(
                self._all_keys, "wall.getById", posts=",".join(posts[start : start + PER_CALL])
            )
            for item in _items(response):
                found[f"{item['owner_id']}_{item['id']}"] = Counters(
                    views=_count(item, "views"),
                    likes=_count(item, "likes"),
                    reposts=_count(item, "reposts"),
                    comments=_count(item, "comments"),
                )
        return found

    def url(self, page: Page, remote_id: str) -> str | None:
        post, _, comment = remote_id.partition("_r")
        return f"https://vk.com/wall{post}" + (f"?reply={comment}" if comment else "")

    def close(self) -> None:
        self._wire.close()

    # -- the calls -----------------------------------------------------------------------------------------

    def _write(self, method: str, parameters: Mapping[str, str]) -> Answer:
        if not self._keys:
            raise NeedsOperator("ВКонтакте: для страницы нет ключа. Добавьте его в PAGE_TOKENS.")
        call = KeyTurns(
            turns=self._turns, network=self.network, key=self._keys[0], limit="vk", title="ВКонтакте"
        ).to_write(method)
        answer = self._wire.write("POST", self._address(method), **_form(self._keys[0], parameters))
        if isinstance(answer.json, dict) and isinstance(answer.json.get("error"), dict):
            raise self._fault(answer.json["error"], call)
        return answer

    def _fault(self, error: Mapping[str, Any], call: Call) -> SendError:
        """As `fault`; a method that the network wants left alone rests in every process."""
        now, code = self._clock(), int(error.get("error_code", 0))
        pause = FLOOD if code == 9 else min(next_midnight(now) - now, PROBED) if code in DAY_USED_UP else None
        if pause is not None:
            name, reason = f"{call.bucket}:{call.method}", f"Сеть ограничила метод: ошибка {code}."
            try:
                self._turns.freeze(name, until=now + pause, reason=reason)
            except Unavailable:  # the outcome of the call matters more, and the next one asks the network
                logger.warning("A method was not held back.", extra={"action": "freeze_lost", "bucket": name})
        return fault(error, now)

    def _receipt(self, page: Page, answer: Answer, field: str, pattern: str) -> Receipt:
        response = answer.json.get("response") if isinstance(answer.json, dict) else None
        number = response.get(field) if isinstance(response, dict) else None
        if not isinstance(number, int) or number <= 0:
            self._wire.unclear(answer)
        remote_id = pattern.format(number)
        return Receipt(remote_id=remote_id, url=self.url(page, remote_id))

    def _call(self, key: str, method: str, **parameters: str) -> Any:
        """`response` of a call that may be repeated. Raises Unavailable or the SendError of the table."""
        for tries in range(REPEATS):
            self._turns.wait(call := _call(key, method))
            answer = self._wire.call("POST", self._address(method), **_form(key, parameters))
            error = answer.json.get("error") if isinstance(answer.json, dict) else None
            if not isinstance(error, dict):
                break
            if error.get("error_code") != 6 or tries + 1 == REPEATS:
                raise self._fault(error, call)
        if not isinstance(answer.json, dict) or "response" not in answer.json:
            raise Unavailable(f"ВКонтакте отвечает неразборчиво: HTTP {answer.status}.")
        return answer.json["response"]

    def _read(self, keys: Sequence[str], method: str, **parameters: str) -> Any:
        """The answer to the first key that may ask. Raises Unavailable, NeedsOperator."""
        refusal: SendError = NeedsOperator("ВКонтакте: для страницы нет ключа. Добавьте его в PAGE_TOKENS.")
        for key in keys:
            try:
                return self._call(key, method, **parameters)
            except (NeedsOperator, Rejected) as error:
                refusal = error
            except (RetryLater, OutcomeUnknown) as error:
                raise Unavailable(str(error)) from error
        raise NeedsOperator(str(refusal), code=refusal.code)

    def _trial(self, ability: Ability, keys: Sequence[str], method: str, **parameters: str) -> Capability:
        try:
            self._read(keys, method, **parameters)
        except NeedsOperator as error:
            return Capability(ability=ability, is_on=False, why=str(error))
        return Capability(ability=ability, is_on=True)

    def _writing(self, group: str) -> tuple[str, Capability]:
        """Title of the community and whether the publishing key may write there."""
        try:
            found = self._read(self._keys[:1], "groups.getById", group_id=group, fields="can_post")
        except NeedsOperator as error:
            return "", Capability(ability=Ability.POST, is_on=False, why=str(error))
        groups = found.get("groups", []) if isinstance(found, dict) else found  # older versions: a bare list
        known = groups[0] if groups else {}
        title = str(known.get("name", ""))
        if self._trial(Ability.POST, self._keys[:1], "groups.getTokenPermissions").is_on:
            return title, Capability(ability=Ability.POST, is_on=True, why="Ключ сообщества: без снимков.")
        if known.get("can_post") == 1:
            return title, Capability(ability=Ability.POST, is_on=True)
        return title, Capability(
            ability=Ability.POST, is_on=False, why="Ключ не от этого сообщества и не от его администратора."
        )

    def _upload(self, page: Page, content: bytes) -> str:
        group = _group(page)
        server = self._photo_call("photos.getWallUploadServer", group_id=group)
        name = f"photo.{photo_type(content).removeprefix('image/')}"
        answer = self._wire.call(
            "POST", server["upload_url"], files={"photo": (name, content, photo_type(content))}
        )
        sent = answer.json if isinstance(answer.json, dict) else {}
        saved = self._photo_call(
            "photos.saveWallPhoto",
            group_id=group,
            photo=str(sent.get("photo", "")),
            server=str(sent.get("server", "")),
            hash=str(sent.get("hash", "")),
        )
        photo = saved[0]
        token = f"photo{photo['owner_id']}_{photo['id']}"
        return f"{token}_{photo['access_key']}" if photo.get("access_key") else token

    def _photo_call(self, method: str, **parameters: str) -> Any:
        try:
            return self._read(self._keys, method, **parameters)
        except NeedsOperator as error:
            if error.code and int(error.code.removeprefix("vk ")) in UPLOAD_AGAIN:
                raise _UploadAgain(error) from error
            raise

    # -- reading back --------------------------------------------------------------------------------------

    def _wall(self, page: Page, earliest: datetime) -> Iterator[Standing]:
        """What the community itself wrote, back to `earliest`. Raises NeedsOperator when that is too much."""
        owner = page_address(self.network, page.address)
        for offset in range(0, MAX_READ_POSTS, PER_CALL):
            response = self._read(
                self._all_keys,
                "wall.get",
                owner_id=owner,
                filter="owner",
                count=str(PER_CALL),
                offset=str(offset),
            )
            items = _items(response)
            for item in items:
                yield self._standing(page, item, f"{owner}_{item['id']}")
            unpinned = [item for item in items if not item.get("is_pinned")]
            if len(items) < PER_CALL or (unpinned and _moment(unpinned[-1]) < earliest):
                return
        raise NeedsOperator("На стене слишком много записей за сутки, сверить не удалось. Посмотрите сами.")

    def _comments(self, page: Page, post_id: str, earliest: datetime) -> Iterator[Standing]:
        """What the community wrote under the post, threads included, newest first on the top level."""
        owner, post, _ = _wall_place(post_id)
        ask = {
            "owner_id": owner,
            "post_id": post,
            "sort": "desc",
            "preview_length": "0",
            "thread_items_count": "10",
        }
        for offset in range(0, MAX_READ_POSTS, PER_CALL):
            response = self._read(
                self._all_keys, "wall.getComments", **ask, count=str(PER_CALL), offset=str(offset)
            )
            items = _items(response)
            for item in items:
                yield from self._thread(page, ask, item)
            if offset + len(items) >= int(response.get("current_level_count", len(items))) or not items:
                return
        raise NeedsOperator("Под записью слишком много ответов, сверить не удалось. Посмотрите сами.")

    def _thread(self, page: Page, ask: Mapping[str, str], item: Mapping[str, Any]) -> Iterator[Standing]:
        thread = item.get("thread") or {}
        replies = list(thread.get("items") or [])
        if int(thread.get("count") or 0) > len(replies):
            replies = []
            for offset in range(0, MAX_READ_POSTS, PER_CALL):
                response = self._read(
                    self._all_keys,
                    "wall.getComments",
                    **ask,
                    comment_id=str(item["id"]),
                    count=str(PER_CALL),
                    offset=str(offset),
                )
                replies += _items(response)
                if len(_items(response)) < PER_CALL:
                    break
        for comment in (item, *replies):
            if str(comment.get("from_id")) == f"-{_group(page)}":
                yield self._standing(page, comment, f"{ask['owner_id']}_{ask['post_id']}_r{comment['id']}")

    def _standing(self, page: Page, item: Mapping[str, Any], remote_id: str) -> Standing:
        photos = sum(1 for a in item.get("attachments") or [] if a.get("type") == "photo")
        return Standing(
            remote_id=remote_id,
            text=_plain(str(item.get("text", ""))),
            at=_moment(item),
            photos=photos,
            url=self.url(page, remote_id),
        )

    def _address(self, method: str) -> str:
        return f"{self._base_url}/method/{method}"


class _UploadAgain(Exception):
    """The upload went stale on the way; a second one helps."""

    def __init__(self, error: NeedsOperator) -> None:
        super().__init__(str(error))
        self.error = error


def _call(key: str, method: str) -> Call:
    """At the pace of a user's key, the slowest: a page's key does not say what it is."""
    return Call(bucket=token_bucket(Network.VK, key), limit="vk", method=method)


def _form(key: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {key}"}, "data": {**parameters, "v": VERSION}}


def _group(page: Page) -> str:
    return page_address(Network.VK, page.address).lstrip("-")


def _wall_place(post_id: str) -> tuple[str, str, str]:
    """`vk:-1_23_r45` → owner, post, comment. Raises Refused for boards, photos and other places."""
    found = re.fullmatch(r"(-?\d+)_(\d+)(?:_r(\d+))?", post_path(Network.VK, post_id))
    if found is None:
        raise Refused("Отвечать можно только под записью на стене.", field="reply_to")
    return found[1], found[2], found[3] or ""


def _plain(text: str) -> str:
    """Mentions `[club1|Текст]` and links `[#alias|Текст|https://…]` as readers see them."""
    return re.sub(r"\[[^\[\]|]+\|([^\[\]|]+)(?:\|[^\[\]]+)?\]", r"\1", text)


def _items(response: Any) -> list[dict[str, Any]]:
    return list(response.get("items") or []) if isinstance(response, dict) else list(response)


def _count(item: Mapping[str, Any], name: str) -> int | None:
    value = item.get(name)
    return int(value["count"]) if isinstance(value, dict) and "count" in value else None


def _moment(item: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(item["date"]), UTC)
