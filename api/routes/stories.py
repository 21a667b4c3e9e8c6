"""Stories: posts of several authors about one event."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Query as Parameter

from api.errors import responses
from api.routes.parameters import Cursor, Limit, Since, in_utc
from api.routes.shapes import Listing, PostOut, StoryOut
from api.security import Caller, ServiceDep, allow
from index.domain.person import Right
from index.posts.query import Query

router = APIRouter(prefix="/stories", tags=["stories"], responses=responses(401, 403, 422, 503))
Reader = Annotated[Caller, Depends(allow(Right.READ))]


@router.get("")
def find_stories(
    service: ServiceDep,
    me: Reader,
    since: Since = None,
    min_authors: Annotated[int, Parameter(ge=1)] = 3,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[StoryOut]:
    """Stories that were alive since the moment, newest first; by default those of at least three authors."""
    stories, following = service.desk.stories.find(
        since=in_utc(since), min_authors=min_authors, limit=limit, cursor=cursor
    )
    return Listing(items=[StoryOut.of(story) for story in stories], next=following)


@router.get("/{story_id}", responses=responses(404))
def get_story(service: ServiceDep, me: Reader, story_id: str) -> StoryOut:
    return StoryOut.of(service.desk.stories.get(story_id))


@router.get("/{story_id}/posts", responses=responses(404))
def story_posts(
    service: ServiceDep, me: Reader, story_id: str, limit: Limit = 50, cursor: Cursor = None
) -> Listing[PostOut]:
    """Posts and comments of the story, newest first."""
    story = service.desk.stories.get(story_id)
    found = service.posts.find(Query(story_ids=(story.id,)), limit=limit, cursor=cursor)
    return Listing(items=[PostOut.of(record) for record in found.records], next=found.next)
