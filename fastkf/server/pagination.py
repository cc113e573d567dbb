"""Pages of a list, sorted and filtered as the Kubeflow Pipelines API does.

A page token holds the sorting, the filter (see `filters`) and where the page ends, so a page can be
asked for with the token alone.
"""

import base64
import binascii
import contextlib
import json
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, literal, literal_column, tuple_
from sqlalchemy.orm import Session

from fastkf.server.columns import EPOCH, Time
from fastkf.server.database import TOTALS, Totals
from fastkf.server.errors import ApiError, invalid, read_json
from fastkf.server.filters import Column, Fields, ignore_case, read_filter

DEFAULT_SIZE, LARGEST_SIZE = 20, 200


@dataclass(frozen=True)
class Page:
    """The rows of one page; `next_token` is None on the last one."""

    rows: list
    total: int
    next_token: str | None


@dataclass(frozen=True)
class ListRequest:
    """What a client asks of a list; from the query's page_token, page_size, sort_by and filter."""

    page_token: str = ""
    page_size: int = 0
    sort_by: str = ""
    filter: str = ""


def list_page(
    session: Session,
    query: Select,
    fields: Fields,
    request: ListRequest,
    unsorted: Container[str] = (),
) -> Page:
    """One page of the rows of a query.

    Args:
        query: selects the rows, in no order.
        fields: the names that clients sort and filter by, to columns; the first is the unique id.
        unsorted: those that they filter by only.

    Raises:
        ApiError: a bad token, size, sorting or filter.
    """
    if request.page_size < 0:
        raise invalid("page_size is negative")
    sort_by, filter_text, after = _read_token(request)
    identity = next(iter(fields.values()))
    column, descending = _read_sorting(sort_by, fields, unsorted)
    for condition in read_filter(filter_text, fields):
        query = query.where(condition)
    counted = query.with_only_columns(func.count(), maintain_column_froms=True)
    total = session.info.get(TOTALS, Totals()).find(session, counted)
    key = _sorting_key(column)
    if after is not None:
        place = tuple_(key, identity)
        last = tuple_(literal(_read_place(after, column), key.type), after[1])
        query = query.where(place < last if descending else place > last)
    order = [key.desc(), identity.desc()] if descending else [key, identity]
    size = min(request.page_size or DEFAULT_SIZE, LARGEST_SIZE)
    found = session.execute(query.add_columns(key, identity).order_by(*order).limit(size + 1)).all()
    rows = [one[0] for one in found[:size]]
    token = _make_token(sort_by, filter_text, found[size - 1][-2:]) if len(found) > size else None
    return Page(rows, total, token)


def _read_sorting(sort_by: str, fields: Fields, unsorted: Container[str]) -> tuple[Column, bool]:
    words = sort_by.lower().split() or ["created_at"]
    if len(words) > 2 or words[-1] not in ("asc", "desc", words[0]):
        raise invalid(f"sort_by: not of the form 'field', 'field asc' or 'field desc': {sort_by!r}")
    if words[0] not in fields or words[0] == "tags" or words[0] in unsorted:
        known = ", ".join(name for name in fields if name != "tags" and name not in unsorted)
        raise invalid(f"sort_by: cannot sort by field {words[0]!r}; use {known}")
    return fields[words[0]], words[1:] == ["desc"]


def _make_token(sort_by: str, filter_text: str, place) -> str:
    value, identity = place
    if isinstance(value, datetime):
        value = Time().process_bind_param(value, None)
    content = json.dumps([sort_by, filter_text, value, identity])
    return base64.urlsafe_b64encode(content.encode()).decode()


def _read_token(request: ListRequest) -> tuple[str, str, list | None]:
    if not request.page_token:
        return request.sort_by, request.filter, None
    try:
        content = base64.b64decode(request.page_token, altchars=b"-_", validate=True)
        sort_by, filter_text, *place = read_json(content, "page_token")
    except (ApiError, ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise invalid("page_token: not one that this server has given") from error
    well_formed = isinstance(sort_by, str) and isinstance(filter_text, str) and len(place) == 2
    if not well_formed or not isinstance(place[1], str):
        raise invalid("page_token: not one that this server has given")
    changed = (request.sort_by or sort_by, request.filter or filter_text) != (sort_by, filter_text)
    if changed:
        raise invalid("page_token: given for another sort_by or filter; ask for the first page")
    return sort_by, filter_text, place


def _sorting_key(column: Column) -> ColumnElement:
    """What is sorted by: text without regard to case; what is missing comes first."""
    if not isinstance(column.type, Time):
        return ignore_case(column)
    if getattr(column, "nullable", True):
        return func.coalesce(column, literal_column("0"), type_=column.type)
    return column.expression


def _read_place(place: list, column: Column) -> datetime | str:
    """The sorting key of the row that a page ends with."""
    value = place[0]
    if isinstance(column.type, Time):
        with contextlib.suppress(OverflowError):
            if isinstance(value, int):
                return EPOCH + timedelta(microseconds=value)
    elif isinstance(value, str):
        return value
    raise invalid("page_token: not one that this server has given")


def write_place(run_id: str, number: int) -> str:
    """The token of a list of what runs have: which run is next, and from which of its things."""
    return base64.urlsafe_b64encode(json.dumps([run_id, number]).encode()).decode()


def read_place(token: str) -> tuple[str, int]:
    """Raises ApiError when it is none of `write_place`."""
    try:
        run_id, number = read_json(base64.b64decode(token, altchars=b"-_", validate=True), "token")
    except (ApiError, ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise invalid("page_token: not one that this server has given") from error
    if not isinstance(run_id, str) or type(number) is not int or number < 0:
        raise invalid("page_token: not one that this server has given")
    return run_id, number
