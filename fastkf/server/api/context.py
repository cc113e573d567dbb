"""What every router needs of a request."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Query, Request

from fastkf.server import pagination
from fastkf.server.database import Database
from fastkf.server.errors import invalid, read_json
from fastkf.server.queue import RunQueue
from fastkf.server.settings import Settings

# Kale's panel (2.3) asks again for a run only while its state is absent, or exactly `Running`: told
# RUNNING, as the API spells it, it takes the run for done at once. So its client has a token of its
# own, for which the state of a run that goes is spelled so. All others are told what the API says.
PANEL_SPELLING = {"RUNNING": "Running", "PENDING": None, "CANCELING": None}
LARGEST_INT32 = 2**31 - 1  # of what a message calls int32, such as page_size


def spell_state(request: Request) -> Callable[[dict], dict]:
    """What makes of a run's answer the one for who has asked."""
    token = get_settings(request).panel_token
    if not token or request.headers.get("authorization", "").split()[-1:] != [token]:
        return lambda answer: answer

    def spell(answer: dict) -> dict:
        state = PANEL_SPELLING.get(answer["state"], answer["state"])
        rest = {name: value for name, value in answer.items() if name != "state"}
        return {**rest, "state": state} if state else rest

    return spell


def get_database(request: Request) -> Database:
    return request.app.state.database


def get_queue(request: Request) -> RunQueue:
    return request.app.state.queue


def get_settings(request: Request) -> Settings:
    return request.app.state.settings


async def read_body(request: Request) -> dict:
    """The JSON object in the request's body.

    Raises:
        ApiError: there is none.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise invalid(f"the body must be application/json, not {kind or 'without a content type'}")
    content = read_json(await request.body(), "the body")
    if not isinstance(content, dict):
        raise invalid("the body is not a JSON object")
    return content


def read_listing(
    request: Request,
    page_token: str = "",
    page_size: int = 0,
    sort_by: str = "",
    filter: Annotated[str, Query()] = "",
) -> pagination.ListRequest:
    for name in pagination.ListRequest.__annotations__:
        if len(request.query_params.getlist(name)) > 1:
            raise invalid(f"{name} is given more than once")
    if page_size > LARGEST_INT32:
        raise invalid(f"page_size is larger than {LARGEST_INT32}")
    return pagination.ListRequest(page_token, page_size, sort_by, filter)


Spelled = Annotated[Callable[[dict], dict], Depends(spell_state)]
FromDatabase = Annotated[Database, Depends(get_database)]
WithQueue = Annotated[RunQueue, Depends(get_queue)]
WithSettings = Annotated[Settings, Depends(get_settings)]
Body = Annotated[dict, Depends(read_body)]
Listing = Annotated[pagination.ListRequest, Depends(read_listing)]
