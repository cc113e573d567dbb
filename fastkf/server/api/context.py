"""What every router needs of a request."""

import json
from typing import Annotated

from fastapi import Depends, Query, Request

from fastkf.server import pagination
from fastkf.server.database import Database
from fastkf.server.errors import invalid
from fastkf.server.queue import RunQueue
from fastkf.server.settings import Settings

LONGEST_NAME = 255


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
    try:
        content = json.loads(await request.body(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise invalid(f"the body is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise invalid("the body is not a JSON object")
    return content


def read_listing(
    page_token: str = "",
    page_size: int = 0,
    sort_by: str = "",
    filter: Annotated[str, Query()] = "",
) -> pagination.Request:
    return pagination.Request(page_token, page_size, sort_by, filter)


def read_text(body: dict, field: str, required: bool = False, longest: int = 10_000) -> str:
    """A text field of a request, "" when it is not there.

    Raises:
        ApiError: it is no text, too long, or missing.
    """
    value = body.get(field)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise invalid(f"{field} is not a text")
    if len(value) > longest:
        raise invalid(f"{field} is longer than {longest} characters")
    if required and not value.strip():
        raise invalid(f"{field} is empty")
    return value


def read_name(body: dict, field: str = "display_name") -> str:
    return read_text(body, field, required=True, longest=LONGEST_NAME)


def _refuse(constant: str):
    raise ValueError(f"{constant} is no JSON number")


FromDatabase = Annotated[Database, Depends(get_database)]
WithQueue = Annotated[RunQueue, Depends(get_queue)]
WithSettings = Annotated[Settings, Depends(get_settings)]
Body = Annotated[dict, Depends(read_body)]
Listing = Annotated[pagination.Request, Depends(read_listing)]
