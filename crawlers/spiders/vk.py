"""What to fetch next from ВКонтакте: walls, comments that changed, search, events of own pages."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from scrapy.http import FormRequest, Request

from crawlers import discovery
from crawlers.cursors import BACKFILL, Walk
from crawlers.health import Closed, NoToken, Unreached
from crawlers.pages import vk
from crawlers.pages.base import (
    Community,
    Context,
    Mention,
    NetworkRefusal,
    Parsed,
    Reaction,
    Unreadable,
    read_json,
)
from crawlers.schedule import reread_at
from crawlers.spiders.base import OF_ONE_POST, NetworkSpider, side_by_side
from crawlers.spiders.vk_calls import VERSION, VkCalls
from crawlers.visits import Visit, adopted, in_thread
from crawlers.webhooks import callback_groups
from index.domain.post import Network, Post
from index.domain.source import Source
from index.pace import Call, NotNow, token_bucket
from index.settings import Settings

logger = logging.getLogger(__name__)

FIRST_PAGE = 20  # posts asked for each time: what comes between two visits, and room for the pinned one
PAGE = 100
OVERLAP = 10  # posts deleted meanwhile move an offset; this many are read twice
REREADS = 100  # ids of one wall.getById
COMMENTED_AT_MOST = 40  # posts whose comments are read in one visit
BOARDS = timedelta(minutes=15)  # between two looks at the discussions of a community
NO_BOARDS = timedelta(days=1)
MEDIA = timedelta(
    minutes=30
)  # between two looks at the videos of a community, and at what is said of its photos
NO_MEDIA = timedelta(hours=6)
VIDEOS = 20  # of a community, the newest
PHOTO_PAGES = 5  # of comments under all photos, read in one visit
COMMUNITIES = 200  # found by the name of one settlement
COMMUNITY_PAUSE = timedelta(days=1)  # a settlement a day: pages appear rarely, and the method is dear
SAMPLED = 5  # communities of a settlement whose walls are looked at
SAMPLED_AT_MOST = 500  # remembered, so that the others come first next time
SAMPLE = 20  # newest posts of such a wall
BOARD_TOPICS = 40  # last spoken in
TOPIC_PAGES = 3  # of a long discussion, from its end
WALL_OF_OWN_PAGE = timedelta(minutes=10)  # Long Poll brings the rest, the wall only fills its holes
POLL_SECONDS = 1  # a visit waits this long for an event
SEARCHED_BACK = timedelta(hours=24)  # the network gives no more without start_time
SEARCH_OVERLAP = timedelta(minutes=2)  # posts reach the search late
SEARCH_CAP = 1000  # results of one query that can be read
SMALLEST_WINDOW = timedelta(minutes=1)


class VkSpider(NetworkSpider):
    network: ClassVar[Network] = Network.VK
    limit: ClassVar[str] = "vk"
    at_once: ClassVar[int] = 60  # they share the batches of VkCalls

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.calls = VkCalls(self, [token.get_secret_value() for token in self.means.settings.vk_tokens])
        self._page_tokens = page_tokens(self.means.settings)
        self._owners: dict[int, Source] = {}

    async def start(self) -> AsyncIterator[Any]:
        async with asyncio.TaskGroup() as group:
            workers = self.calls.start(group)
            async for nothing in super().start():
                yield nothing
            for worker in workers:
                worker.cancel()

    async def visit(self, visit: Visit) -> None:
        if visit.source.address == "search":
            await self._search(visit)
            return
        owner = await self._owner(visit)
        self._owners[owner] = visit.source
        token = self._page_tokens.get(owner)
        if token is not None and not visit.is_probe:
            await self._own_page(visit, owner, token)
            return
        await self._wall(visit, owner)

    async def _wall(self, visit: Visit, owner: int) -> None:
        """The wall from its newest post back to the last known, then what changes under young posts."""
        walk = Walk(position=await visit.position(), now=visit.now)
        offset, count = 0, FIRST_PAGE if walk.position.newest is not None else PAGE
        while True:
            answer = await self.calls("wall.get", owner_id=owner, count=count, offset=offset, extended=0)
            parsed = vk.wall(answer, await visit.knowing(vk.ids(answer)))
            await visit.store(parsed, page="vk.wall")
            sights = parsed.sights
            visit.young.seen(sights, visit.now)
            follows = str(offset + count) if offset + count < (parsed.total or 0) else None
            keys = [(number(sight.id), sight.published_at) for sight in sights]
            page = walk.page(keys, next_page=follows, pinned={number(post_id) for post_id in parsed.pinned})
            if page is None or visit.is_probe:
                break
            offset = int(page) if page == follows else max(int(page) - OVERLAP, 0)
            count = PAGE
        await visit.move_position(walk)
        if not visit.is_probe:
            await self._rereads(visit)
            await self._boards(visit, owner)
            await self._videos(visit, owner)
            await self._photos(visit, owner)
            await self._changed_comments(visit, owner)
            await visit.keep_young()

    async def _rereads(self, visit: Visit) -> None:
        """Counters, edits and deletions of young posts that the first page no longer shows."""
        due = [p for p in visit.young.due(visit.now, limit=REREADS) if not (is_topic(p) or is_video(p))]
        if not due:
            return
        ids = ",".join(post_id.removeprefix("vk:") for post_id in due)
        answer = await self.calls("wall.getById", posts=ids, extended=0)
        parsed = vk.wall(answer, await visit.knowing(vk.ids(answer)))
        await visit.store(parsed, page="vk.wall")
        sights = parsed.sights
        visit.young.seen(sights, visit.now)
        present = {sight.id for sight in sights} | set(parsed.gone)
        await visit.lost(visit.young.missed([p for p in due if p not in present], visit.now))

    async def _boards(self, visit: Visit, owner: int) -> None:
        """Discussions of a community, the last ones spoken in; one without them is left alone for a day."""
        if owner > 0 or not visit.source.with_comments:
            return
        state = await visit.cursor("boards") or {}
        if state.get("next_at") and visit.now < datetime.fromisoformat(state["next_at"]):
            return
        pause = BOARDS
        try:
            answer = await self.calls(
                "board.getTopics", group_id=-owner, count=BOARD_TOPICS, order=1, preview=1
            )
            parsed = vk.topics(answer, visit.context(), group=-owner)
            await visit.store(parsed, page="vk.topics")
            visit.young.seen((topic._replace(published_at=visit.now) for topic in parsed.sights), visit.now)
            pause = BOARDS if parsed.posts else NO_BOARDS
        except NetworkRefusal as refusal:
            if refusal.reaction not in OF_ONE_POST:
                raise
            pause = NO_BOARDS
        await visit.keep_young()
        await visit.move_cursor({"next_at": (visit.now + pause).isoformat()}, "boards")

    async def _videos(self, visit: Visit, owner: int) -> None:
        """Videos of a community with descriptions; comments are read when their number changes."""
        if owner > 0 or not visit.source.with_comments or not await self._is_time(visit, "videos"):
            return
        pause = NO_MEDIA
        try:
            answer = await self.calls("video.get", owner_id=owner, count=VIDEOS, extended=0)
            parsed = vk.videos(answer, visit.context())
            await visit.store(parsed, page="vk.videos")
            visit.young.seen((video._replace(published_at=visit.now) for video in parsed.sights), visit.now)
            pause = MEDIA if parsed.posts else NO_MEDIA
        except NotNow:  # no token of ours opens it: told on the page of sources, and the wall goes on
            pass
        except NetworkRefusal as refusal:
            if refusal.reaction not in OF_ONE_POST:
                raise
        await visit.keep_young()
        await visit.move_cursor({"next_at": (visit.now + pause).isoformat()}, "videos")

    async def _photos(self, visit: Visit, owner: int) -> None:
        """What is said under any photo of a community since the last look: one list for all of them."""
        if owner > 0 or not visit.source.with_comments or not await self._is_time(visit, "photos"):
            return
        state = dict(await visit.cursor("photos") or {})
        read_to, newest, pause = state.get("read_to", 0), state.get("read_to", 0), NO_MEDIA
        try:
            for offset in range(0, PAGE * PHOTO_PAGES, PAGE):
                answer = await self.calls(
                    "photos.getAllComments", owner_id=owner, count=PAGE, offset=offset, need_likes=1
                )
                parsed = vk.photo_comments(answer, visit.context(), owner=owner)
                await visit.store(parsed, page="vk.photo_comments")
                times = [int(comment.published_at.timestamp()) for comment in parsed.posts]
                newest, pause = max([newest, *times]), MEDIA if times else pause
                if offset + PAGE >= (parsed.total or 0) or min(times, default=0) < read_to:
                    break
            state["read_to"] = newest
        except NotNow:
            pass
        except NetworkRefusal as refusal:
            if refusal.reaction not in OF_ONE_POST:
                raise
        await visit.move_cursor({**state, "next_at": (visit.now + pause).isoformat()}, "photos")

    async def _is_time(self, visit: Visit, name: str) -> bool:
        next_at = (await visit.cursor(name) or {}).get("next_at")
        return next_at is None or visit.now >= datetime.fromisoformat(next_at)

    async def _changed_comments(self, visit: Visit, owner: int) -> None:
        if not visit.source.with_comments:
            return
        changed = visit.young.unread(visit.now, limit=COMMENTED_AT_MOST, hot=self.means.hot)
        await side_by_side(self._comments(visit, owner, post_id) for post_id in changed)

    async def _comments(self, visit: Visit, owner: int, post_id: str) -> None:
        """All comments of a post with their threads. A post that is closed to us does not stop the others."""
        again = None
        try:
            present = await self._level(visit, owner, post_id, comment_id=None)
            again = await visit.missing_comments(post_id, present)
            if again is None and present and (watched := visit.young.posts.get(post_id)):
                again = reread_at(watched.published_at, visit.now)  # edits change no counter
        except NetworkRefusal as refusal:
            if refusal.reaction not in OF_ONE_POST:
                raise
            if refusal.reaction is Reaction.GONE:
                await visit.lost([post_id])
        except NotNow:
            if not is_video(post_id):
                raise
            return  # the key does not open them: they stay unread, what the wall says is read
        visit.young.comments_read(post_id, visit.now, recheck_at=again)

    async def _level(self, visit: Visit, owner: int, post_id: str, *, comment_id: str | None) -> set[str]:
        """Comments of the post, or replies of one thread; ids of all that stand there."""
        if is_topic(post_id):
            return await self._topic(visit, owner, post_id)
        present: set[str] = set()
        offset = 0
        method, over = "wall.getComments", {"post_id": number(post_id), "preview_length": 0}
        if is_video(post_id):
            method, over = "video.getComments", {"video_id": number(post_id)}
        under: dict[str, Any] = (
            {"thread_items_count": 10} if comment_id is None else {"comment_id": comment_id}
        )
        while True:
            answer = await self.calls(
                method, owner_id=owner, count=PAGE, offset=offset, sort="asc", need_likes=1, extended=0,
                **over, **under,
            )  # fmt: skip
            known = await visit.knowing(vk.ids(answer, post_id=post_id))
            parsed = vk.comments(answer, known, post_id=post_id)
            await visit.store(parsed, page="vk.comments")
            present |= {sight.id for sight in parsed.sights}
            for part in parsed.threads if comment_id is None else ():
                present |= await self._level(visit, owner, post_id, comment_id=part.comment_id)
            offset += PAGE
            if offset >= (parsed.level_count if parsed.level_count is not None else parsed.total or 0):
                return present

    async def _topic(self, visit: Visit, owner: int, topic_id: str) -> set[str]:
        """The end of a discussion: what is older was read when it was new."""
        present: set[str] = set()
        for offset in range(0, PAGE * TOPIC_PAGES, PAGE):
            answer = await self.calls(
                "board.getComments", group_id=-owner, topic_id=number(topic_id), count=PAGE, offset=offset,
                sort="desc", need_likes=1, extended=0,
            )  # fmt: skip
            known = await visit.knowing(vk.ids(answer, post_id=topic_id))
            parsed = vk.topic_comments(answer, known, topic_id=topic_id)
            await visit.store(parsed, page="vk.topic_comments")
            present |= {sight.id for sight in parsed.sights}
            if offset + PAGE >= (parsed.total or 0):
                return present
        return present | await in_thread(visit.known_comments, topic_id)  # the older ones are not missed

    async def _own_page(self, visit: Visit, owner: int, token: str) -> None:
        """A page we hold a key of: its events come within a second; the wall is read to fill holes."""
        state = dict(await visit.cursor("longpoll") or {})
        if not state.get("server"):
            state = await self._long_poll_server(owner, token)  # first: nothing falls between it and the wall
        if self._wall_is_due(state, visit.now):
            await self._wall(visit, owner)
            state["wall_at"] = visit.now.isoformat() if visit.is_complete else None
            await visit.move_cursor(state, "longpoll")
        try:
            await self._listen(visit, state, token)
        except NetworkRefusal as refusal:
            if refusal.reaction is not Reaction.RENEW:
                raise
            await visit.move_cursor({}, "longpoll")  # the next visit gets a new key and reads the wall
            return
        visit.is_complete = True

    def _wall_is_due(self, state: Mapping[str, Any], now: datetime) -> bool:
        read_at = state.get("wall_at")
        return read_at is None or now - datetime.fromisoformat(read_at) >= WALL_OF_OWN_PAGE

    async def _long_poll_server(self, owner: int, token: str) -> dict[str, Any]:
        call = Call(bucket=token_bucket(Network.VK, token), limit="vk", method="groups.getLongPollServer")
        parameters = {"group_id": str(-owner), "v": VERSION}

        def request() -> Request:
            return FormRequest(
                f"{self.means.settings.vk_api_url}/method/groups.getLongPollServer",
                formdata=parameters, headers={"Authorization": f"Bearer {token}"}, meta={"call": call},
                dont_filter=True,
            )  # fmt: skip

        def read(response: Any) -> dict[str, Any]:
            self._check_status(response)
            answer = read_json(response.body)
            vk.check(answer, now=self.means.clock(), method=call.method)
            return {name: answer["response"][name] for name in ("server", "key", "ts")}

        return await self.ask(request, read, call=call)

    async def _listen(self, visit: Visit, state: dict[str, Any], token: str) -> None:
        call = Call(bucket=f"{token_bucket(Network.VK, token)}-events", limit="vk:community")
        wait = POLL_SECONDS if visit.may_wait else 0

        def request() -> Request:
            return Request(
                f"{state['server']}?act=a_check&key=~key~&ts={state['ts']}&wait={wait}",
                meta={"call": call, "url_secrets": {"~key~": state["key"]}}, dont_filter=True,
            )  # fmt: skip

        def read(response: Any) -> Parsed:
            self._check_status(response)
            return vk.events(read_json(response.body), visit.context())

        parsed = await self.ask(request, read, call=call)
        await visit.store(parsed, page="vk.events")
        visit.young.seen(parsed.sights, visit.now)
        await visit.keep_young()
        await visit.move_cursor({**state, "ts": parsed.next or state["ts"]}, "longpoll")

    async def _owner(self, visit: Visit) -> int:
        """Number of the page, negative for a community; a name is resolved once and kept."""
        address = visit.source.address
        if match := re.fullmatch(r"(club|public|event|id|-?)(\d+)", address):
            return int(match[2]) if match[1] in ("id", "") else -int(match[2])
        if known := await visit.cursor("owner"):
            return int(known["owner_id"])
        answer = await self.calls("utils.resolveScreenName", screen_name=address)
        owner = vk.resolved(answer, now=visit.now)
        if owner is None:
            raise Closed(f"Во ВКонтакте нет страницы с именем {address}.")
        await visit.move_cursor({"owner_id": owner}, "owner")
        return owner

    async def _search(self, visit: Visit) -> None:
        """Open posts that name the district: each query from where it was read to, window by window."""
        if not self.means.settings.vk_tokens:
            raise NoToken("Нет ключа ВКонтакте: задайте VK_TOKENS.")
        self._owners |= await in_thread(self._registered_owners)
        state: dict[str, str] = dict((await visit.cursor() or {}).get("read_to", {}))
        now = visit.now
        queries = self._queries_due(state, now)[: 1 if visit.is_probe else None]
        since = {q: datetime.fromisoformat(state[q]) if q in state else now - SEARCHED_BACK for q in queries}
        oldest = now - 14 * SEARCHED_BACK
        await side_by_side(self._query(visit, q, max(since[q], oldest), now, state) for q in queries)
        if not visit.is_probe:
            await self._communities(visit)
        visit.is_complete = True

    def _queries_due(self, state: Mapping[str, str], now: datetime) -> list[str]:
        """Queries in turn, so that the day's budget of searches lasts the whole day."""
        row = self.pace.limits["vk:newsfeed.search"]
        queries = self.means.queries
        per_day = (row.per_day or 1_000_000) * max(len(self.means.settings.vk_tokens), 1)
        pause = max(row.every or timedelta(0), timedelta(days=1) * len(queries) / per_day)
        oldest = datetime(2000, 1, 1, tzinfo=UTC)
        read_to = {
            query: datetime.fromisoformat(state[query]) if query in state else oldest for query in queries
        }
        due = [
            query
            for query in sorted(queries, key=read_to.__getitem__)
            if now - read_to[query] >= pause * 0.95
        ]
        at_once = max(int(len(queries) * (row.every or timedelta(0)) / pause), 1)
        return due[:at_once]

    async def _query(
        self, visit: Visit, query: str, since: datetime, until: datetime, state: dict[str, str]
    ) -> None:
        windows = [(since - SEARCH_OVERLAP, until)]
        while windows:
            start, stop = windows.pop()
            parsed = await self._found(visit, query, start, stop, start_from="")
            if (parsed.total or 0) > SEARCH_CAP and stop - start > SMALLEST_WINDOW:
                middle = start + (stop - start) / 2
                windows += [(middle, stop), (start, middle)]  # the older half is read first
                continue
            while parsed.next and not visit.is_probe:
                parsed = await self._found(visit, query, start, stop, start_from=parsed.next)
        state[query] = until.isoformat()
        await visit.move_cursor(
            {"read_to": {name: state[name] for name in self.means.queries if name in state}}
        )

    async def _found(
        self, visit: Visit, query: str, start: datetime, stop: datetime, *, start_from: str
    ) -> Parsed:
        answer = await self.calls(
            "newsfeed.search", q=query, count=200, extended=1, fields="", start_time=int(start.timestamp()),
            end_time=int(stop.timestamp()) + 1, **({"start_from": start_from} if start_from else {}),
        )  # fmt: skip
        parsed = vk.search(answer, Context(secret=self.means.secret, fetched_at=visit.now))
        posts = tuple(self._with_source(post) for post in parsed.posts)
        mentions = (*parsed.mentions, *self._walls_found(posts))
        await visit.store(replace(parsed, posts=posts, mentions=mentions), page="vk.search")
        return parsed

    async def _communities(self, visit: Visit) -> None:
        """Once a day, communities by the name of one settlement. Newest posts of those nobody decided on go
        to the index; what the analysis says of them is the evidence of a proposal."""
        if not self.means.queries or not await self._is_time(visit, "communities"):
            return
        state = deepcopy(dict(await visit.cursor("communities") or {}))
        asked: dict[str, str] = state.setdefault("asked", {})
        name = min(self.means.queries, key=lambda query: asked.get(query, ""))
        pause, state["trouble"] = COMMUNITY_PAUSE, ""
        try:
            found = await self._found_communities(visit, name)
            fresh = await self._undecided(found, state)
            for community in fresh[:SAMPLED]:
                await self._sample(visit, community, name)
            sampled = [*state.get("sampled", ()), *(community.number for community in fresh[:SAMPLED])]
            asked[name] = visit.now.isoformat()
            state |= {
                "name": name,
                "at": visit.now.isoformat(),
                "found": len(found),
                "sampled": list(dict.fromkeys(sampled))[-SAMPLED_AT_MOST:],
                "looked_at": len(fresh[:SAMPLED]),
            }
        except NotNow as held:
            state["trouble"] = str(held)
            pause = min(max(held.until - visit.now, timedelta(minutes=1)), COMMUNITY_PAUSE)
        except (NetworkRefusal, Unreached, Unreadable) as error:
            state["trouble"] = str(error)
        await visit.move_cursor({**state, "next_at": (visit.now + pause).isoformat()}, "communities")

    async def _found_communities(self, visit: Visit, name: str) -> list[Community]:
        """Communities that can be read, with their descriptions and sizes."""
        answer = await self.calls("groups.search", q=name, count=COMMUNITIES)
        numbers = [community.number for community in vk.communities(answer, now=visit.now)]
        if not numbers:
            return []
        about = await self.calls(
            "groups.getById", group_ids=",".join(numbers), fields="members_count,description"
        )
        found = vk.communities(about, now=visit.now)
        return [community for community in found if not community.is_closed and not community.is_gone]

    async def _undecided(self, found: Sequence[Community], state: Mapping[str, Any]) -> list[Community]:
        """Those no officer has decided on: new ones, those that name the district, large ones first."""
        done = await in_thread(discovery.settled, self.means.desk)
        fresh = [
            community
            for community in found
            if f"vk:club{community.number}" not in done and f"vk:{community.address}" not in done
        ]
        sampled = set(state.get("sampled", ()))

        def rank(community: Community) -> tuple[bool, int, int]:
            said = f"{community.title} {community.description}".lower().replace("ё", "е")
            names = sum(query.lower().replace("ё", "е") in said for query in self.means.queries)
            return community.number in sampled, -names, -(community.members or 0)

        return sorted(fresh, key=rank)

    async def _sample(self, visit: Visit, community: Community, name: str) -> None:
        try:
            answer = await self.calls(
                "wall.get", owner_id=-int(community.number), count=SAMPLE, extended=1, fields=""
            )
        except NetworkRefusal as refusal:
            if refusal.reaction not in OF_ONE_POST:
                raise
            return  # its wall is closed: nothing to propose
        parsed = vk.wall(answer, Context(secret=self.means.secret, fetched_at=visit.now))
        posts = tuple(post for post in parsed.posts if visit.now - post.published_at <= BACKFILL)
        size = f", участников {community.members}" if community.members is not None else ""
        own = f"club{community.number}"
        mentions = [
            Mention(
                post_id=post.id,
                network=Network.VK,
                address=own,
                how="community",
                title=community.title,
                also=community.address if community.address != own else "",
                about=f"Найдена поиском сообществ по названию «{name}»{size}.",
            )
            for post in posts
        ]
        kept = {post.id for post in posts}
        others = [mention for mention in parsed.mentions if mention.post_id in kept]
        await visit.store(replace(parsed, posts=posts, mentions=(*others, *mentions)), page="vk.wall")

    def _with_source(self, post: Post) -> Post:
        source = self._owners.get(owner_of(post.id))
        return adopted(post, source) if source else post

    def _walls_found(self, posts: Iterable[Post]) -> list[Mention]:
        """Communities on whose walls the search finds posts and which nobody watches."""
        return [
            Mention(
                post_id=post.id,
                network=Network.VK,
                address=f"club{-owner_of(post.id)}",
                how="search",
                title=post.source,
            )
            for post in posts
            if post.source_id is None and owner_of(post.id) < 0
        ]

    def _registered_owners(self) -> dict[int, Source]:
        owners = {}
        for source in self.means.desk.sources.list():
            if source.network is not Network.VK:
                continue
            if match := re.fullmatch(r"(?:club|public|event|-)(\d+)", source.address):
                owners[-int(match[1])] = source
            elif known := self.means.desk.cursors.get(source.id, "owner"):
                owners[int(known["owner_id"])] = source
        return owners


def page_tokens(settings: Settings) -> dict[int, str]:
    """Owner id -> the key that opens Long Poll of this page: the first one, which publishes.

    A page whose events Callback API brings is not among them. An address that is no number is named by the
    publisher; here it opens nothing.
    """
    brought, found = callback_groups(settings), {}
    for name, secret in settings.page_tokens.items():
        match = re.fullmatch(r"vk:(?:https?://[^/]+/)?(?:club|public|event|-)?(\d+)", name)
        if match is None:
            continue
        if int(match[1]) in brought:
            logger.warning(
                "Long Poll of a page is off: VK_CALLBACKS brings its events, never both at once",
                extra={"action": "long_poll_off", "page": name},
            )
            continue
        found[-int(match[1])] = secret.get_secret_value().partition("|")[0]
    return found


def is_topic(post_id: str) -> bool:
    """Whether it is a discussion of a board: `vk:topic-1_5`."""
    return post_id.startswith("vk:topic")


def is_video(post_id: str) -> bool:
    """Whether it is a video of a page: `vk:video-1_5`."""
    return post_id.startswith("vk:video")


def number(post_id: str) -> int:
    """`vk:-1_23` -> 23."""
    return int(post_id.rpartition("_")[2])


def owner_of(post_id: str) -> int:
    """`vk:-1_23` -> -1."""
    match = re.search(r"(-?\d+)_", post_id)
    return int(match[1]) if match else 0
