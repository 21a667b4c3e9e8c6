"""What to fetch next from Одноклассники: topics of groups by anchor, and the discussions that changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import SecretStr
from scrapy.http import FormRequest, Request, Response

from crawlers.cursors import Walk
from crawlers.health import Closed, NoToken
from crawlers.pages import ok
from crawlers.pages.base import NetworkRefusal, Parsed, Reaction, read_json
from crawlers.spiders.base import OF_ONE_POST, NetworkSpider, milliseconds
from crawlers.visits import Visit
from index.domain.post import Network
from index.pace import Call, token_bucket

Result = TypeVar("Result")

PAGE = 100
REREADS = 50  # topics of one mediatopic.getByIds
COMMENTED_AT_MOST = 10  # discussions read in one visit: a call a second is all we take
COMMENT_PAGES_AT_MOST = 50


class OkSpider(NetworkSpider):
    network: ClassVar[Network] = Network.OK
    limit: ClassVar[str] = "ok"
    at_once: ClassVar[int] = 6

    async def visit(self, visit: Visit) -> None:
        gid = await self._group(visit)
        walk = Walk(position=await visit.position(), now=visit.now)
        anchor: str | None = None
        while True:
            parsed = await self._feed(visit, gid, anchor)
            visit.young.seen(parsed.sights, visit.now)
            sights = parsed.sights
            keys = [(milliseconds(sight.published_at), sight.published_at) for sight in sights]
            anchor = walk.page(
                keys,
                next_page=parsed.next,
                pinned={milliseconds(s.published_at) for s in sights if s.id in parsed.pinned},
            )
            if anchor is None or visit.is_probe:
                break
        await visit.move_position(walk)
        if visit.is_probe:
            return
        await self._rereads(visit)
        if visit.source.with_comments:
            for post_id in visit.young.unread(visit.now, limit=COMMENTED_AT_MOST, hot=self.means.hot):
                await self._comments(visit, post_id)
        await visit.keep_young()

    async def _feed(self, visit: Visit, gid: str, anchor: str | None) -> Parsed:
        """One page of the feed with the topics it only names, stored: what stands in it."""
        parameters = {"gid": gid, "count": PAGE, "patterns": "POST", "fields": "feed.*,media_topic.*,group.*"}
        if anchor is not None:
            parameters["anchor"] = anchor
        answer = await self.api("stream.get", parameters, lambda answer: answer)
        parsed = ok.stream(answer, await visit.knowing(ok.ids(answer)))
        await visit.store(parsed, page="ok.stream")
        named = list(parsed.links)
        sights = parsed.sights
        for start in range(0, len(named), REREADS):
            part = await self._topics(visit, named[start : start + REREADS])
            sights += part.sights
        return Parsed(same=tuple(sights), next=parsed.next, pinned=parsed.pinned)

    async def _topics(self, visit: Visit, numbers: list[str]) -> Parsed:
        parameters = {"topic_ids": ",".join(numbers), "media_limit": 3, "fields": "media_topic.*"}
        answer = await self.api("mediatopic.getByIds", parameters, lambda answer: answer)
        parsed = ok.topics(answer, await visit.knowing(ok.ids(answer)))
        await visit.store(parsed, page="ok.topics")
        return parsed

    async def _rereads(self, visit: Visit) -> None:
        due = visit.young.due(visit.now, limit=REREADS)
        if not due:
            return
        parsed = await self._topics(visit, [ok.discussion_of(post_id)[0] for post_id in due])
        visit.young.seen(parsed.sights, visit.now)
        present = {sight.id for sight in parsed.sights} | set(parsed.gone)
        await visit.lost(
            visit.young.missed([post_id for post_id in due if post_id not in present], visit.now)
        )

    async def _comments(self, visit: Visit, post_id: str) -> None:
        """All comments of a topic. A discussion that is closed to us does not stop the others."""
        number, kind = ok.discussion_of(post_id)
        present: set[str] = set()
        anchor: str | None = None
        again = None
        try:
            for _ in range(COMMENT_PAGES_AT_MOST):
                parameters = {"discussionId": number, "discussionType": kind, "count": PAGE}
                if anchor is not None:
                    parameters["anchor"] = anchor
                answer = await self.api("discussions.getComments", parameters, lambda answer: answer)
                known = await visit.knowing(ok.ids(answer, post_id=post_id))
                parsed = ok.comments(answer, known, post_id=post_id)
                await visit.store(parsed, page="ok.comments")
                present |= {sight.id for sight in parsed.sights}
                if (anchor := parsed.next) is None:
                    again = await visit.missing_comments(post_id, present)
                    break
        except NetworkRefusal as refusal:
            if refusal.reaction not in OF_ONE_POST:
                raise
            if refusal.reaction is Reaction.GONE:
                await visit.lost([post_id])
        visit.young.comments_read(post_id, visit.now, recheck_at=again)

    async def _group(self, visit: Visit) -> str:
        """Number of the group; a name is resolved once and kept."""
        address = visit.source.address
        if match := re.fullmatch(r"(?:group/)?(\d+)", address):
            return match[1]
        if known := await visit.cursor("owner"):
            return str(known["gid"])
        gid = await self.api("url.getInfo", {"url": f"https://ok.ru/{address}"}, _group_of)
        if gid is None:
            raise Closed(f"В Одноклассниках нет группы с именем {address}.")
        await visit.move_cursor({"gid": gid}, "owner")
        return gid

    async def api(self, method: str, parameters: Mapping[str, Any], read: Callable[[Any], Result]) -> Result:
        """One signed call by POST: neither token nor secret ever stands in a URL."""
        settings = self.means.settings
        missing = [
            name.upper()
            for name in ("ok_application_key", "ok_access_token", "ok_session_secret")
            if getattr(settings, name) is None
        ]
        if missing:
            raise NoToken(f"Нет ключа Одноклассников: задайте {', '.join(missing)}.")
        token = _secret(settings.ok_access_token)
        call = Call(bucket=token_bucket(Network.OK, token), limit="ok", method=method)
        form = {name: str(value) for name, value in parameters.items()}
        form |= {"method": method, "format": "json", "application_key": _secret(settings.ok_application_key)}
        form |= {"sig": signature(form, _secret(settings.ok_session_secret)), "access_token": token}

        def request() -> Request:
            return FormRequest(
                f"{settings.ok_api_url}/fb.do", formdata=form, meta={"call": call}, dont_filter=True
            )

        def answered(response: Response) -> Result:
            if response.status >= 500 or response.status in (408, 429):
                self._check_status(response)
            answer = read_json(response.body)
            ok.check(answer, now=self.means.clock(), method=method)
            self._check_status(response)
            return read(answer)

        return await self.ask(request, answered, call=call)


def signature(form: Mapping[str, str], session_secret: str) -> str:
    """`sig` of a call: md5 of the sorted `key=value` pairs, joined without separators, and the secret."""
    joined = "".join(
        f"{name}={value}"
        for name, value in sorted(form.items())
        if name not in ("access_token", "session_key")
    )
    return hashlib.md5(
        (joined + session_secret).encode(), usedforsecurity=False
    ).hexdigest()  # the network's rule


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def _group_of(answer: Any) -> str | None:
    """url.getInfo: number of the group at an address; None: there is none."""
    if not isinstance(answer, Mapping) or str(answer.get("type", "")).upper() != "GROUP":
        return None
    number = answer.get("objectId", answer.get("objectIdStr"))
    return str(number) if number else None
