"""Pages of a list, sorted and filtered as the Kubeflow Pipelines API does.

A filter is JSON, {"predicates": [{"operation", "key", "string_value"}]}, from filter.proto of the
API; names in either spelling (string_value, stringValue), operations by name or number. Text is
compared without regard to case. All predicates must hold. A page token holds the sorting, the
filter and where the page ends, so a page can be asked for with the token alone.
"""

import base64
import binascii
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from fastkf.server.database import EPOCH, Time
from fastkf.server.errors import ApiError, invalid, read_json

Column = InstrumentedAttribute[Any]
Fields = Mapping[str, Column]
DEFAULT_SIZE, LARGEST_SIZE = 20, 1000
MOST_PREDICATES, MOST_VALUES = 20, 1000
OPERATIONS: dict[str | int, str] = {
    1: "EQUALS",
    2: "NOT_EQUALS",
    3: "GREATER_THAN",
    5: "GREATER_THAN_EQUALS",
    6: "LESS_THAN",
    7: "LESS_THAN_EQUALS",
    8: "IN",
    9: "IS_SUBSTRING",
}
COMPARISONS: dict[str, Callable[[Any, Any], ColumnElement]] = {
    "EQUALS": lambda column, value: column == value,
    "NOT_EQUALS": lambda column, value: column != value,
    "GREATER_THAN": lambda column, value: column > value,
    "GREATER_THAN_EQUALS": lambda column, value: column >= value,
    "LESS_THAN": lambda column, value: column < value,
    "LESS_THAN_EQUALS": lambda column, value: column <= value,
    "IN": lambda column, value: column.in_(value),
    "IS_SUBSTRING": lambda column, value: func.instr(column, value) > 0,
}
VALUES = {
    "int_value": "intValue",
    "long_value": "longValue",
    "string_value": "stringValue",
    "timestamp_value": "timestampValue",
    "int_values": "intValues",
    "long_values": "longValues",
    "string_values": "stringValues",
}


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


def list_page(session: Session, query: Select, fields: Fields, request: ListRequest) -> Page:
    """One page of the rows of a query.

    Args:
        query: selects the rows, in no order.
        fields: the names that clients sort and filter by, to columns; the first is the unique id.

    Raises:
        ApiError: a bad token, size, sorting or filter.
    """
    if request.page_size < 0:
        raise invalid("page_size is negative")
    sort_by, filter_text, after = _read_token(request)
    identity = next(iter(fields.values()))
    column, descending = _read_sorting(sort_by, fields)
    for condition in read_filter(filter_text, fields):
        query = query.where(condition)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
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


def read_filter(text: str, fields: Fields) -> list[ColumnElement]:
    """The conditions of a filter.

    Raises:
        ApiError: it is no filter, or names an unknown field.
    """
    if not text:
        return []
    content = _read_json(text)
    predicates = content.get("predicates", []) if isinstance(content, dict) else None
    if not isinstance(predicates, list) or not all(isinstance(one, dict) for one in predicates):
        raise invalid('filter: not of the form {"predicates": [{...}]}')
    if len(predicates) > MOST_PREDICATES:
        raise invalid(f"filter: more than {MOST_PREDICATES} predicates")
    return [_read_predicate(one, fields) for one in predicates]


def _read_json(text: str):
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        text = unquote_plus(text)
    return read_json(text, "filter")


def _read_predicate(predicate: dict, fields: Fields) -> ColumnElement:
    key = predicate.get("key")
    if not isinstance(key, str) or key not in fields:
        raise invalid(f"filter: no support for filtering on field {key!r}; use {', '.join(fields)}")
    operation = predicate.get("operation")
    if not isinstance(operation, str | int) or isinstance(operation, bool):
        raise invalid("filter: a predicate has no operation")
    operation = str(OPERATIONS.get(operation, operation))
    if operation not in COMPARISONS:
        raise invalid(f"filter: invalid predicate operation: {operation}")
    name, value = _read_value(predicate)
    if (operation == "IN") != isinstance(value, list):
        raise invalid(f"filter: cannot use {operation} with {name}")
    if operation == "IS_SUBSTRING" and name != "string_value":
        raise invalid(f"filter: cannot use {operation} with {name}")
    column = fields[key]
    if isinstance(column.type, Time):
        if name != "timestamp_value" or operation == "IS_SUBSTRING":
            raise invalid(f"filter: {key} is a time: compare it with timestamp_value")
        return COMPARISONS[operation](column, value)
    if not name.startswith("string"):
        raise invalid(f"filter: {key} is text: compare it with string_value or string_values")
    lowered = [one.lower() for one in value] if isinstance(value, list) else value.lower()
    return COMPARISONS[operation](func.lower(func.coalesce(column, "")), lowered)


def _read_value(predicate: dict) -> tuple[str, Any]:
    given = [name for name, other in VALUES.items() if name in predicate or other in predicate]
    if len(given) != 1:
        raise invalid("filter: a predicate has one value (string_value, timestamp_value, ...)")
    name = given[0]
    value: Any = predicate.get(name, predicate.get(VALUES[name]))
    if name.endswith("s"):
        value = value.get("values", []) if isinstance(value, dict) else None
        if not isinstance(value, list) or len(value) > MOST_VALUES:
            raise invalid(f'filter: {name} is not of the form {{"values": [...]}}')
    values = value if isinstance(value, list) else [value]
    kind = int if name.startswith(("int", "long")) else str
    if not all(isinstance(one, kind) for one in values):
        raise invalid(f"filter: {name} has a value of another type")
    return name, _read_time(value) if name == "timestamp_value" else value


def _read_time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(f"filter: {text!r} is no time such as 2026-11-25T10:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=EPOCH.tzinfo)


def _read_sorting(sort_by: str, fields: Fields) -> tuple[Column, bool]:
    words = sort_by.split() or ["created_at"]
    if len(words) > 2 or words[-1].lower() not in ("asc", "desc", words[0].lower()):
        raise invalid(f"sort_by: not of the form 'field', 'field asc' or 'field desc': {sort_by!r}")
    if words[0] not in fields:
        raise invalid(f"sort_by: cannot sort on field {words[0]!r}; use {', '.join(fields)}")
    return fields[words[0]], len(words) == 2 and words[1].lower() == "desc"


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
    if isinstance(column.type, Time):
        return func.coalesce(column, literal(EPOCH, column.type), type_=column.type)
    return func.lower(func.coalesce(column, ""))


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
