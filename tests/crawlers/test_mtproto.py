"""Telegram read by an account: real Telethon objects through the mapping, the spider and the store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from telethon import errors
from telethon.crypto import AuthKey
from telethon.sessions import SQLiteSession
from telethon.tl import types as tl
from telethon.tl.functions.contacts import ResolveUsernameRequest
from telethon.tl.functions.messages import GetHistoryRequest, GetRepliesRequest

from crawlers import mtproto, parse
from crawlers.health import NoToken
from crawlers.pages import telegram_mtproto as pages
from crawlers.pages.base import Context
from index.domain.post import AuthorKind, Network, PostKind
from index.domain.source import Source, SourceState
from index.settings import read_settings
from tests.crawlers.conftest import SECRET, Stand

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CHANNEL = tl.PeerChannel(1006503122)
GROUP = tl.PeerChannel(77)
CONTEXT = Context(
    secret=SECRET, fetched_at=NOW,
    source=Source(
        id="telegram:rayon", network=Network.TELEGRAM, address="rayon", title="Район", is_official=True
    ),
)  # fmt: skip


def chat(number: int = 1006503122, name: str = "rayon", title: str = "Район") -> tl.Channel:
    return tl.Channel(
        id=number, title=title, photo=tl.ChatPhotoEmpty(), date=NOW, access_hash=5, username=name
    )


def message(number: int, text: str = "", *, peer: Any = CHANNEL, at: datetime = NOW, **facts: Any) -> Any:
    return tl.Message(id=number, peer_id=peer, date=at, message=text, **facts)


def answer(*messages: Any, chats: tuple[Any, ...] = ()) -> tl.messages.ChannelMessages:
    return tl.messages.ChannelMessages(
        pts=1, count=len(messages), messages=list(messages), topics=[], chats=[chat(), *chats], users=[]
    )


def read(*messages: Any, asked: int = 100, chats: tuple[Any, ...] = ()) -> Any:
    return pages.history(answer(*messages, chats=chats).to_dict(), CONTEXT, channel="rayon", asked=asked)


def test_a_post_has_all_its_fields() -> None:
    reactions = tl.MessageReactions(
        results=[tl.ReactionCount(tl.ReactionEmoji("👍"), 3), tl.ReactionCount(tl.ReactionEmoji("😢"), 4)]
    )
    replies = tl.MessageReplies(replies=2, replies_pts=1, comments=True, channel_id=77)
    (post,) = read(
        message(
            142, "Завтра отключат воду, см. @vodokanal33", views=1200, forwards=9, replies=replies,
            reactions=reactions, edit_date=NOW, reply_to=tl.MessageReplyHeader(reply_to_msg_id=140),
            media=tl.MessageMediaPhoto(), entities=[tl.MessageEntityMention(offset=26, length=12)],
        )
    ).posts  # fmt: skip
    assert (post.id, post.url) == ("telegram:rayon/142", "https://t.me/rayon/142")
    assert (post.kind, post.source, post.source_id) == (PostKind.POST, "Район", "telegram:rayon")
    assert (post.author_kind, post.published_at, post.is_edited) == (AuthorKind.OFFICIAL, NOW, True)
    counters = post.counters
    assert (counters.views, counters.likes, counters.reposts, counters.comments) == (1200, 7, 9, 2)
    assert post.reply_to_id == "telegram:rayon/140"
    assert [each.kind for each in post.attachments] == ["photo"]


def test_named_and_forwarded_channels_are_evidence_and_origin() -> None:
    other = chat(8, "Vodokanal33", "Водоканал")
    forward = tl.MessageFwdHeader(date=NOW, from_id=tl.PeerChannel(8), channel_post=31)
    parsed = read(
        message(1, "см. @vodokanal33", entities=[tl.MessageEntityMention(offset=4, length=12)]),
        message(2, "переслано", fwd_from=forward),
        chats=(other,),
    )
    assert {(one.address, one.how) for one in parsed.mentions} >= {("vodokanal33", "repost")}
    assert {one.address for one in parsed.mentions} == {"vodokanal33"}
    assert parsed.posts[1].origin_id == "telegram:vodokanal33/31"


def test_an_album_is_one_post_and_never_cut_by_a_page() -> None:
    album = [
        message(n, "Ремонт дороги" if n == 10 else "", grouped_id=5, media=tl.MessageMediaPhoto())
        for n in (12, 11, 10)
    ]
    (post,) = read(*album).posts
    assert (post.id, post.text, len(post.attachments)) == ("telegram:rayon/10", "Ремонт дороги", 3)
    cut = read(message(13, "новее"), *album[:2], asked=3)
    assert ([one.id for one in cut.posts], cut.next) == (["telegram:rayon/13"], "13")


@pytest.mark.parametrize(
    ("media", "kind", "title"),
    [
        (
            tl.MessageMediaPoll(
                poll=tl.Poll(
                    id=1, question=tl.TextWithEntities("Нужен ли мост?", []), hash=0,
                    answers=[tl.PollAnswer(tl.TextWithEntities("Да", []), b"1")],
                ),
                results=tl.PollResults(),
            ),
            "poll", "Нужен ли мост?",
        ),
        (
            tl.MessageMediaWebPage(
                tl.WebPage(id=1, url="https://site.ru/a", display_url="site.ru", hash=0, title="Новость")
            ),
            "link", "Новость",
        ),
        (
            tl.MessageMediaDocument(
                document=tl.Document(
                    id=1, access_hash=1, file_reference=b"", date=NOW, mime_type="application/pdf", size=1,
                    dc_id=1, attributes=[tl.DocumentAttributeFilename("постановление.pdf")],
                )
            ),
            "document", "постановление.pdf",
        ),
        (tl.MessageMediaGeo(tl.GeoPoint(long=40.6, lat=55.6, access_hash=1)), "location", ""),
    ],
)  # fmt: skip
def test_attachments_are_metadata_and_text(media: Any, kind: str, title: str) -> None:
    (post,) = read(message(1, media=media)).posts
    assert [(each.kind, each.title) for each in post.attachments] == [(kind, title)]


def test_service_messages_are_left_out_and_broken_ones_put_aside_without_their_author() -> None:
    service = tl.MessageService(id=2, peer_id=CHANNEL, date=NOW, action=tl.MessageActionPinMessage())
    given = answer(service, message(1, "хорошо")).to_dict()
    given["messages"].append({"_": "Message", "id": None, "from_id": {"user_id": 4455667}, "date": NOW})
    parsed = pages.history(given, CONTEXT, channel="rayon", asked=100)
    assert (len(parsed.posts), parsed.left_out, len(parsed.broken)) == (1, 1, 1)
    assert "4455667" not in parsed.broken[0].raw


def test_comments_of_people_and_of_the_channel_itself() -> None:
    top = tl.MessageReplyHeader(reply_to_msg_id=500)
    under = tl.MessageReplyHeader(reply_to_msg_id=501, reply_to_top_id=500)
    given = answer(
        message(502, "Спасибо", peer=GROUP, from_id=CHANNEL, reply_to=under),
        message(501, "А в Курлове?", peer=GROUP, from_id=tl.PeerUser(55), reply_to=top),
    ).to_dict()
    official, asked = pages.replies(given, CONTEXT, post_id="telegram:rayon/142", asked=100).posts
    assert (asked.id, asked.kind, asked.parent_id) == (
        "telegram:c77/501",
        PostKind.COMMENT,
        "telegram:rayon/142",
    )
    assert (asked.reply_to_id, asked.author_kind) == (None, AuthorKind.PERSON)
    assert asked.author == CONTEXT.author(Network.TELEGRAM, "55")  # the same pseudonym as through the bot
    assert asked.url == "https://t.me/rayon/142?comment=501"
    assert (official.reply_to_id, official.author_kind) == ("telegram:c77/501", AuthorKind.OFFICIAL)


# -- the spider ----------------------------------------------------------------------------------------------


class FakeClient:
    """Telegram as Telethon would hand it over: answers by kind of request."""

    def __init__(self, *, is_in: bool = True, **answers: Callable[[Any], Any]) -> None:
        self.requests: list[Any] = []
        self._is_in, self._answers = is_in, answers

    async def connect(self) -> None:
        """Nothing to reach."""

    async def is_user_authorized(self) -> bool:
        return self._is_in

    async def disconnect(self) -> None:
        """Nothing to leave."""

    async def __call__(self, request: Any) -> Any:
        self.requests.append(request)
        if isinstance(request, ResolveUsernameRequest):
            return tl.contacts.ResolvedPeer(peer=CHANNEL, chats=[chat()], users=[])
        name = "replies" if isinstance(request, GetRepliesRequest) else "history"
        return self._answers[name](request)

    def asked(self, kind: type) -> list[Any]:
        return [request for request in self.requests if isinstance(request, kind)]


def recent(minutes: int) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def page_of(*messages: Any) -> Callable[[Any], Any]:
    return lambda request: answer(*(m for m in messages if not request.offset_id or m.id < request.offset_id))


@pytest.fixture
def account(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeClient], str]:
    """Give it a client; the channel is read through it."""

    def with_client(client: FakeClient) -> str:
        monkeypatch.setattr(mtproto, "open_client", lambda settings: client)
        stand.overrides |= {
            "telegram_api_id": "123", "telegram_api_hash": "h" * 32,
            "telegram_session": str(tmp_path / "reader.session"),
            "limits": stand.overrides["limits"] + ", telegram:mtproto=1000/s",
        }  # fmt: skip
        return stand.watch("telegram", "rayon", title="Район")

    return with_client


def test_a_channel_and_its_comments_are_stored_and_its_name_is_resolved_once(
    stand: Stand, account: Callable[[FakeClient], str]
) -> None:
    client = FakeClient(
        history=page_of(message(2, "Отключат воду", at=recent(5)), message(1, "Собрание", at=recent(60))),
        replies=page_of(message(501, "А в Курлове?", peer=GROUP, from_id=tl.PeerUser(55), at=recent(4))),
    )
    source = account(client)
    stand.crawl(source)
    stand.crawl(source)
    posts = stand.all_posts()
    assert {"telegram:rayon/1", "telegram:rayon/2", "telegram:c77/501"} <= posts.keys()
    assert stand.health(source).state is SourceState.FINE
    assert len(client.asked(ResolveUsernameRequest)) == 1
    assert stand.methods("telegram") == []  # t.me is left alone


def test_a_long_history_is_read_page_by_page(stand: Stand, account: Callable[[FakeClient], str]) -> None:
    posts = [message(n, f"пост {n}", at=recent(400 - n)) for n in range(250, 0, -1)]

    def history(request: GetHistoryRequest) -> Any:
        return answer(
            *[p for p in posts if not request.offset_id or p.id < request.offset_id][: request.limit]
        )

    source = account(FakeClient(history=history, replies=page_of()))
    stand.crawl(source)
    assert len([p for p in stand.all_posts() if p.startswith("telegram:rayon/")]) == 250
    assert stand.health(source).fresh_at is not None


def test_flood_wait_is_obeyed_to_its_end_and_the_reason_is_shown(
    stand: Stand, account: Callable[[FakeClient], str]
) -> None:
    def flood(request: Any) -> Any:
        raise errors.FloodWaitError(request=request, capture=2787)

    client = FakeClient(history=flood)
    source = account(client)
    stand.crawl(source)
    health = stand.health(source)
    assert health.state is SourceState.SLOW
    assert "2787" in health.reason
    stand.crawl(source)  # an impatient schedule asks nothing
    stand.ahead = timedelta(seconds=2700)
    stand.crawl(source)
    assert len(client.asked(GetHistoryRequest)) == 1
    stand.ahead = timedelta(seconds=2800)
    stand.crawl(source)
    assert len(client.asked(GetHistoryRequest)) == 2


def test_a_post_without_a_discussion_is_no_trouble(
    stand: Stand, account: Callable[[FakeClient], str]
) -> None:
    def none(request: Any) -> Any:
        raise errors.MsgIdInvalidError(request=request)

    source = account(FakeClient(history=page_of(message(1, "Собрание", at=recent(9))), replies=none))
    stand.crawl(source)
    assert stand.health(source).state is SourceState.FINE


def test_a_private_channel_and_a_lost_session_are_told_apart(
    stand: Stand, account: Callable[[FakeClient], str]
) -> None:
    def private(request: Any) -> Any:
        raise errors.ChannelPrivateError(request=request)

    source = account(FakeClient(history=private))
    stand.crawl(source)
    assert stand.health(source).state is SourceState.BANNED


def test_a_session_that_is_not_logged_in_needs_a_person(
    stand: Stand, account: Callable[[FakeClient], str]
) -> None:
    source = account(FakeClient(is_in=False))
    stand.crawl(source)
    health = stand.health(source)
    assert health.state is SourceState.NEEDS_TOKEN
    assert "crawlers.mtproto" in health.reason
    assert "h" * 32 not in health.reason


def test_a_missing_session_file_is_a_clear_state_of_the_source(stand: Stand, tmp_path: Path) -> None:
    stand.overrides |= {
        "telegram_api_id": "123", "telegram_api_hash": "h" * 32,
        "telegram_session": str(tmp_path / "no.session"),
    }  # fmt: skip
    source = stand.watch("telegram", "rayon")
    stand.crawl(source)
    health = stand.health(source)
    assert health.state is SourceState.NEEDS_TOKEN
    assert "файла сеанса нет" in health.reason


def settings(path: Path, **facts: str) -> Any:
    given = {"telegram_api_id": "123", "telegram_api_hash": "h", "telegram_session": str(path)}
    return read_settings({}, **given | facts)


def test_a_missing_package_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.session").touch()
    monkeypatch.setitem(__import__("sys").modules, "telethon", None)
    with pytest.raises(NoToken, match=r"pip install 'mcu\[telegram\]'"):
        mtproto.open_client(settings(tmp_path / "a.session"))


def test_half_a_configuration_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NoToken, match="TELEGRAM_API_HASH, TELEGRAM_SESSION"):
        mtproto.open_client(read_settings({}, telegram_api_id="1"))
    with pytest.raises(NoToken, match="число"):
        mtproto.open_client(settings(tmp_path / "a.session", telegram_api_id="abc"))


def test_a_real_session_file_opens_a_real_client_and_a_spoilt_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "a.session"
    session = SQLiteSession(str(path))
    session.set_dc(2, "127.0.0.1", 443)
    session.auth_key = AuthKey(b"k" * 256)
    session.save()
    session.close()

    async def opened() -> Any:
        return mtproto.open_client(settings(path))

    assert asyncio.run(opened()).session.auth_key.key == b"k" * 256
    path.write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(NoToken, match="не читается"):
        mtproto.open_client(settings(path))
    path.unlink()
    sqlite3.connect(path).close()
    path.touch()
    with pytest.raises(NoToken, match="нет входа"):
        mtproto.open_client(settings(path))


def test_a_record_of_the_quarantine_is_read_again_as_what_it_was() -> None:
    given = answer(message(501, "А в Курлове?", peer=GROUP, from_id=tl.PeerUser(55))).to_dict()
    good = pages.replies(given, CONTEXT, post_id="telegram:rayon/142", asked=100).posts[0]
    given["messages"][0]["date"] = "вчера"
    (broken,) = pages.replies(given, CONTEXT, post_id="telegram:rayon/142", asked=100).broken
    mended = broken.raw.replace("вчера", NOW.isoformat())
    assert parse.read(Network.TELEGRAM, mended.encode(), CONTEXT).posts == (good,)
