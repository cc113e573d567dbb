"""The messages of the Kubeflow Pipelines API as clients send them, by kfp-server-api's models.

The API reads JSON as protobuf does: a field in either spelling (pipeline_id, pipelineId), 64-bit
numbers as numbers or as texts, enumerations by name or by number. What a message has not, and what
is of another type, is refused.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import kfp_server_api as kfp

from fastkf.base.plain_data import show_text
from fastkf.server.columns import EPOCH
from fastkf.server.errors import invalid

Message = dict[str, Any]
SHOWN = 60  # characters of what a client has sent, in an answer to it
SIGNED_32, SIGNED_64 = 2**31, 2**63
# RFC 3339, as Go's package time reads it: with a zone.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
BODY = "the body"  # of a request, whose fields are named alone
LONGS = {  # what the models call a text, as JSON may write it, and is a number of 64 bits
    ("V2beta1Predicate", "long_value"): "long",
    ("PredicateLongValues", "values"): "list[long]",
    ("V2beta1RecurringRun", "max_concurrency"): "long",
    ("V2beta1PeriodicSchedule", "interval_second"): "long",
    ("V2beta1PipelineTaskDetail", "execution_id"): "long",
}


def read_message(value: Any, kind: str, name: str) -> Message:
    """A message of the API, its fields spelled with underscores; those that are null left out.

    Args:
        kind: the class of kfp-server-api, such as V2beta1Run.
        name: what the message is called in errors.

    Raises:
        ApiError: it is no such message.
    """
    if not isinstance(value, dict):
        raise invalid(f"{name} is missing, or not an object")
    types = getattr(kfp, kind).openapi_types
    spellings = {field: field for field in types} | {to_camel(field): field for field in types}
    message: Message = {}
    for given, content in value.items():
        field = spellings.get(given)
        if field is None:
            raise invalid(f'{name}: unknown field "{show_text(given[:SHOWN])}"')
        if field in message:
            raise invalid(f"{name}: {field} is given twice")
        if content is not None:
            place = field if name == BODY else f"{name}.{field}"
            message[field] = _read(content, LONGS.get((kind, field), types[field]), place)
    return message


def to_camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def read_time(value: Any, name: str) -> datetime:
    """A moment such as 2026-11-25T10:00:00Z.

    Raises:
        ApiError: it is none.
    """
    shown = show_text(str(value)[:SHOWN])
    fault = invalid(f"{name}: {shown!r} is no time with its zone, such as 2026-11-25T10:00:00Z")
    if not isinstance(value, str) or not TIME.fullmatch(value):
        raise fault
    try:
        return datetime.fromisoformat(value).astimezone(EPOCH.tzinfo)
    except (ValueError, OverflowError) as error:
        raise fault from error


def _read(value: Any, kind: str, name: str) -> Any:
    if kind.startswith("list["):
        if not isinstance(value, list):
            raise invalid(f"{name} is not a list")
        items = kind.removeprefix("list[").removesuffix("]")
        return [_read(one, items, name) for one in value]
    if kind.startswith("dict(str, "):
        if not isinstance(value, dict):
            raise invalid(f"{name} is missing, or not an object")
        inner = kind.removeprefix("dict(str, ").removesuffix(")")
        if inner == "str" and not all(isinstance(one, str) for one in value.values()):
            raise invalid(f"{name}: not an object of texts")
        return {key: _read(one, inner, f"{name}.{key}"[:SHOWN]) for key, one in value.items()}
    if kind in READERS:
        return READERS[kind](value, name)
    allowed = getattr(getattr(kfp, kind), "allowable_values", None)
    return _read_choice(value, allowed, name) if allowed else read_message(value, kind, name)


def _read_text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"{name} is not a text")
    return value


def _read_flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise invalid(f"{name} is neither true nor false")
    return value


def _read_number(limit: int) -> Callable[[Any, str], int]:
    def read(value: Any, name: str) -> int:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_text = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value)
        number = int(value) if is_number or is_text else limit
        if number != (value if is_number else number) or not -limit <= number < limit:
            raise invalid(f"{name} is no whole number of {limit.bit_length()} bits")
        return number

    return read


def _read_choice(value: Any, allowed: list[str], name: str) -> str | int:
    """One of an enumeration; its number, where the client has sent that."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if value not in allowed:
        raise invalid(f"{name}: {show_text(str(value)[:SHOWN])!r} is none of {', '.join(allowed)}")
    return str(value)


READERS: dict[str, Callable[[Any, str], Any]] = {
    "str": _read_text,
    "bool": _read_flag,
    "int": _read_number(SIGNED_32),
    "long": _read_number(SIGNED_64),
    "datetime": read_time,
    "object": lambda value, name: value,
}
