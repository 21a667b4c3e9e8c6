"""Telegram: channel posts by a bot, comments in the linked group, and reading back on the open page t.me."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from parsel import Selector

from index.domain.page import Page, page_address
from index.domain.post import Counters, Network
from index.domain.publication import Message
from index.errors import NeedsOperator, Refused, Rejected, RetryLater, SendError, Unavailable
from index.pace import Call, Turns
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

OPEN_PAGES = Call(bucket="telegram:web", limit="telegram")  # t.me, as the crawlers ask it
MAX_PAGES = 5  # of t.me/s in one `find`, about 20 messages each
NO_RIGHTS = (  # descriptions of 400 that speak of rights or of the page, not of the message
    "chat not found",
    "chat_admin_required",
    "not enough rights",
    "need administrator rights",
    "bot is not a member",
    "have no rights",
    "chat_write_forbidden",
    "group chat was upgraded",
    "user_banned_in_channel",
)


def fault(status: int, body: Mapping[str, Any]) -> SendError:
    """What `ok: false` with a 4xx means for a write. The address is never told: it holds the key."""
    said = str(body.get("description", ""))
    code = int(body.get("error_code", status))
    name, text = f"telegram {code}", f"Telegram, ошибка {code}: {said}"
    more = body.get("parameters") or {}
    if code == 429:
        return RetryLater(text, after=timedelta(seconds=int(more.get("retry_after", 30))), code=name)
    if code in (401, 404):
        return NeedsOperator(f"{text}. Переподключите бота: ключ не действует.", code=name)
    if code == 403 or more.get("migrate_to_chat_id") or any(words in said.lower() for words in NO_RIGHTS):
        return NeedsOperator(f"{text}. Проверьте, что бот — администратор и может писать.", code=name)
    return Rejected(text, code=name)


class TelegramChannel:
    """One channel and its discussion group. Absence on t.me proves nothing: that page may lag."""

    network = Network.TELEGRAM
    limits = Limits(
        text_characters=4_096,
        photo_text_characters=1_024,
        comment_characters=4_096,
        photo_bytes=10_000_000,
        photo_types=frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
        photo_sides_pixels=10_000,
        counts_utf16=True,
    )
    proves_absence = False
    pace = timedelta(seconds=3)

    def __init__(
        self,
        wire: Wire,
        api_url: str,
        web_url: str,
        *,
        bot_token: str,
        photos: Photos,
        turns: KeyTurns,
        pages: Turns,
    ) -> None:
        """Every call of the bot waits in `turns`, every open page in `pages`, for its place among the calls
        of all processes."""
        self._turns, self._pages = turns, pages
        self._wire, self._api_url, self._web_url = wire, api_url, web_url
        self._bot_token, self._photos = bot_token, photos

    def check(self, page: Page) -> Capabilities:
        chat_id = page_address(self.network, page.address)
        try:
            me = self._call("getMe")
            chat = self._call("getChat", chat_id=chat_id)
            member = self._call("getChatMember", chat_id=chat_id, user_id=me["id"])
        except NeedsOperator as error:
            off = tuple(Capability(ability=a, is_on=False, why=str(error)) for a in Ability)
            return Capabilities(title="", found=off)
        may_post = member.get("status") == "creator" or (
            member.get("status") == "administrator" and bool(member.get("can_post_messages", False))
        )
        post = "" if may_post else "Бот не администратор канала или не может публиковать."
        talk = self._why_no_comments(page, chat)
        read = "" if chat.get("username") else "Канал закрытый: сверить запись может только человек."
        return Capabilities(
            title=str(chat.get("title", "")),
            found=(
                Capability(ability=Ability.POST, is_on=not post, why=post),
                Capability(ability=Ability.PHOTO, is_on=not post, why=post),
                Capability(ability=Ability.COMMENT, is_on=not talk, why=talk),
                Capability(ability=Ability.FIND, is_on=not read, why=read),
                Capability(ability=Ability.FIGURES, is_on=not read, why=read),
            ),
        )

    def prepare(self, message: Message, page: Page) -> None:
        page_address(self.network, page.address)
        if message.reply_to is not None:
            _place(message.reply_to)
            _discussion(page)
        check_message(message, self.limits, self._photos)

    def upload(self, page: Page, photo: str) -> str:
        """Nothing: the photo goes in the one request of `send`."""
        return ""

    def send(self, page: Page, message: Message, *, upload: str | None, key: str) -> Receipt:
        chat_id = page_address(self.network, page.address)
        if message.photo:
            content = self._photos.open(message.photo)
            kind = photo_type(content)
            files = {"photo": (f"photo.{kind.removeprefix('image/')}", content, kind)}
            answer = self._write("sendPhoto", data={"chat_id": chat_id, "caption": message.text}, files=files)
        else:
            answer = self._write("sendMessage", json={"chat_id": chat_id, "text": message.text})
        sent = self._message(answer)
        remote_id = f"{_name(chat_id, sent['chat'])}/{sent['message_id']}"
        return Receipt(remote_id=remote_id, url=self.url(page, remote_id))

    def comment(self, page: Page, post_id: str, text: str, *, key: str) -> Receipt:
        """A message in the discussion group that answers the resident's, or the copy of our post there."""
        chat_id = _discussion(page)
        try:
            message_id = self._answered(page, post_id)
        except Unavailable as error:  # a read before the write: nothing has been sent
            raise RetryLater(str(error), after=timedelta(seconds=30)) from error
        body = {"chat_id": chat_id, "text": text, "reply_parameters": {"message_id": message_id}}
        sent = self._message(self._write("sendMessage", json=body))
        remote_id = f"{_bare(sent['chat']['id'])}/{sent['message_id']}"
        return Receipt(remote_id=remote_id, url=self.url(page, remote_id))

    def find(
        self, page: Page, message: Message, *, since: datetime, until: datetime, known: Collection[str] = ()
    ) -> Receipt | None:
        if message.reply_to is not None:
            raise NeedsOperator(
                "Telegram не показывает ботам обсуждение. Посмотрите, есть ли ответ под записью."
            )
        standing = list(self._open_page(page, since - SAME_TEXT_AROUND))
        return pick(standing, message, since=since, until=until, known=known)

    def figures(self, page: Page, remote_ids: Sequence[str]) -> Mapping[str, Counters]:
        found: dict[str, Counters] = {}
        channel = _public(page)
        for remote_id in remote_ids:
            name, _, number = remote_id.partition("/")
            if name.lower() != channel or not number.isdigit():
                continue
            html = self._page_html(f"{self._web_url}/s/{channel}", before=str(int(number) + 1))
            for item in html.css(".tgme_widget_message[data-post]"):
                if item.attrib["data-post"].lower() == remote_id.lower():
                    views = item.css(".tgme_widget_message_views::text").get()
                    found[remote_id] = Counters(views=_rounded(views), likes=_reactions(item))
        return found

    def url(self, page: Page, remote_id: str) -> str | None:
        name, _, number = remote_id.partition("/")
        if found := re.fullmatch(r"c(\d+)", name):
            return f"https://t.me/c/{found[1]}/{number}"  # opens for members only
        return f"https://t.me/{name}/{number}"

    def close(self) -> None:
        self._wire.close()

    # -- the calls -----------------------------------------------------------------------------------------

    def _write(self, method: str, **request: Any) -> Answer:
        address = self._address(method)
        self._turns.to_write(method)
        answer = self._wire.write("POST", address, **request)
        if answer.status >= 400 or not isinstance(answer.json, dict) or answer.json.get("ok") is not True:
            if not isinstance(answer.json, dict) or "error_code" not in answer.json:
                self._wire.unclear(answer)
            raise fault(answer.status, answer.json)
        return answer

    def _message(self, answer: Answer) -> dict[str, Any]:
        sent = answer.json.get("result")
        # message_id 0: the server has put it off itself (big videos); whether it comes out is not known
        if not isinstance(sent, dict) or not sent.get("message_id") or "id" not in (sent.get("chat") or {}):
            self._wire.unclear(answer)
        return dict(sent)

    def _call(self, method: str, **parameters: Any) -> Any:
        """`result` of a call that changes nothing. Raises Unavailable, NeedsOperator."""
        address = self._address(method)
        self._turns.to_read(method)
        answer = self._wire.call("POST", address, json=parameters)
        if not isinstance(answer.json, dict) or answer.json.get("ok") is not True:
            error = fault(answer.status, answer.json if isinstance(answer.json, dict) else {})
            if isinstance(error, RetryLater):
                raise Unavailable(str(error)) from error
            raise NeedsOperator(str(error), code=error.code) from error
        return answer.json["result"]

    def _address(self, method: str) -> str:
        if not self._bot_token:
            raise NeedsOperator("Telegram: ключ бота не задан. Впишите TELEGRAM_BOT_TOKEN или PAGE_TOKENS.")
        return f"{self._api_url}/bot{self._bot_token}/{method}"

    # -- the open pages ------------------------------------------------------------------------------------

    def _why_no_comments(self, page: Page, chat: Mapping[str, Any]) -> str:
        if not page.discussion:
            return "У страницы не указана группа обсуждения."
        linked = str(chat.get("linked_chat_id", ""))
        given = page.discussion.strip()
        if re.fullmatch(r"-?\d+", given) and linked != given:
            return "Указанная группа обсуждения не связана с каналом."
        return "" if linked else "К каналу не привязана группа обсуждения."

    def _answered(self, page: Page, post_id: str) -> int:
        """Number, in the discussion group, of the message an answer goes under."""
        chat, number = _place(post_id)
        if found := re.fullmatch(r"c(\d+)", chat):
            group = _discussion(page)
            if re.fullmatch(r"-?\d+", group) and group.removeprefix("-100").lstrip("-") != found[1]:
                raise NeedsOperator("Запись стоит не в группе обсуждения этой страницы.")
            return number
        if chat != _public(page):
            raise NeedsOperator("Telegram даёт отвечать только под записями своего канала.")
        html = self._page_html(
            f"{self._web_url}/{chat}/{number}", embed="1", discussion="1", comments_limit="1"
        )
        root = html.css("input[name=top_msg_id]::attr(value)").get("")
        if not root.isdigit():
            raise NeedsOperator("Обсуждение под записью не открывается: проверьте, что комментарии включены.")
        return int(root)

    def _open_page(self, page: Page, earliest: datetime) -> Iterator[Standing]:
        """Messages of t.me/s/<channel>, back to `earliest`. Raises Unavailable, NeedsOperator."""
        channel, before = _public(page), ""
        for _ in range(MAX_PAGES):
            html = self._page_html(f"{self._web_url}/s/{channel}", **({"before": before} if before else {}))
            messages = html.css(".tgme_widget_message[data-post]")
            found = [standing for item in messages if (standing := _standing(item)) is not None]
            yield from found
            before = html.css("link[rel=prev]::attr(href)").re_first(r"before=(\d+)") or ""
            if not before or any(standing.at < earliest for standing in found):
                return
        raise NeedsOperator("В канале слишком много записей за сутки, сверить не удалось. Посмотрите сами.")

    def _page_html(self, url: str, **parameters: str) -> Selector:
        self._pages.wait(OPEN_PAGES)
        answer = self._wire.call("GET", url, params=parameters, with_html=True)
        if answer.status == 429:
            raise Unavailable("Telegram просит паузу.")
        if answer.status == 200 and "</html>" not in answer.text:
            raise Unavailable("Страница Telegram пришла не целиком.")
        html = Selector(answer.text or "<html></html>")
        if answer.status != 200 or not html.css("[class*=tgme_]"):
            raise NeedsOperator("Открытая страница канала выключена: сверить запись может только человек.")
        return html


def _standing(item: Selector) -> Standing | None:
    """One message of the page; None for service messages, which have no text and no time of their own."""
    moment = item.css(
        ".tgme_widget_message_footer time::attr(datetime), a.tgme_widget_message_date time::attr(datetime)"
    ).get()
    if moment is None or "service_message" in item.attrib.get("class", ""):
        return None
    remote_id = item.attrib["data-post"]
    texts = item.css(".tgme_widget_message_text:not(:has(.tgme_widget_message_text))")
    shown = [t for t in texts if not t.xpath("ancestor::*[contains(@class, 'media_not_supported_cont')]")]
    shown = [t for t in shown if "js-message_reply_text" not in t.attrib.get("class", "")]
    return Standing(
        remote_id=remote_id,
        text="".join(shown[-1].xpath(".//text()").getall()) if shown else "",
        at=datetime.fromisoformat(moment).astimezone(UTC),
        photos=len(item.css(".tgme_widget_message_photo_wrap")),
        url=f"https://t.me/{remote_id}",
    )


def _rounded(shown: str | None) -> int | None:
    """`1.2K` → 1200; the page rounds. None: the page shows no such number."""
    found = re.fullmatch(r"([\d.]+)([KM]?)", (shown or "").strip())
    return None if found is None else round(float(found[1]) * {"": 1, "K": 1_000, "M": 1_000_000}[found[2]])


def _reactions(item: Selector) -> int | None:
    counts = ["".join(r.xpath("./text()").getall()).strip() for r in item.css(".tgme_reaction")]
    numbers = [number for shown in counts if (number := _rounded(shown)) is not None]
    return sum(numbers) if numbers else None


def _place(post_id: str) -> tuple[str, int]:
    """`telegram:durov/142` → channel or c<chat>, message. Raises Refused."""
    found = re.fullmatch(r"(\w+)/(\d+)", post_path(Network.TELEGRAM, post_id))
    if found is None:
        raise Refused("Отвечать можно только под записью канала или в его обсуждении.", field="reply_to")
    return found[1].lower(), int(found[2])


def _discussion(page: Page) -> str:
    if not page.discussion:
        raise NeedsOperator("У страницы не указана группа обсуждения: отвечать негде.")
    return page_address(Network.TELEGRAM, page.discussion)


def _public(page: Page) -> str:
    """Name of the channel without @, as t.me writes it. Raises NeedsOperator for a private one."""
    address = page_address(Network.TELEGRAM, page.address)
    if not address.startswith("@"):
        raise NeedsOperator("Канал закрытый: сверить запись может только человек.")
    return address.removeprefix("@")


def _name(chat_id: str, chat: Mapping[str, Any]) -> str:
    return (
        str(chat.get("username") or chat_id.removeprefix("@"))
        if chat_id.startswith("@")
        else _bare(chat["id"])
    )


def _bare(chat_id: int | str) -> str:
    """-1001234 of the Bot API is c1234 in addresses."""
    return f"c{str(chat_id).removeprefix('-100').lstrip('-')}"
