"""Posts with their analyses: list, one post, its thread, erasing at a resident's request."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.errors import responses
from api.routes.parameters import Cursor, Limit, PostQuery
from api.routes.shapes import Listing, PostOut
from api.security import Caller, ServiceDep, allow
from index.domain.person import Right

router = APIRouter(prefix="/posts", tags=["posts"], responses=responses(401, 403, 422, 503))
Reader = Annotated[Caller, Depends(allow(Right.READ))]
Administrator = Annotated[Caller, Depends(allow(Right.EDIT_PEOPLE))]


@router.get("")
def find_posts(
    service: ServiceDep, me: Reader, query: PostQuery, limit: Limit = 50, cursor: Cursor = None
) -> Listing[PostOut]:
    """Posts that match every given filter, in the asked order."""
    found = service.posts.find(query, limit=limit, cursor=cursor)
    return Listing(items=[PostOut.of(record) for record in found.records], next=found.next)


@router.get("/{post_id:path}", responses=responses(404))
def get_post(service: ServiceDep, me: Reader, post_id: str) -> PostOut:
    """One post by its id, e.g. `vk:-1_23`."""
    return PostOut.of(service.posts.get(post_id))


@router.delete("/{post_id:path}", status_code=204, responses=responses(404))
def erase_post(service: ServiceDep, me: Administrator, post_id: str) -> Response:
    """Remove a post for good, with its versions and analysis; the audit keeps the id and who asked."""
    service.posts.get(post_id)
    service.posts.erase(post_ids=[post_id])
    service.desk.audit.note("post_erased", f"post:{post_id}", actor=me.login, at=service.now())
    return Response(status_code=204)
