"""How values are kept in the columns of the server's tables (SQLite)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, String, Text, TypeDecorator, func

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Time(TypeDecorator):
    """A moment, kept as microseconds since 1970 so that it sorts and compares as a number."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect) -> int | None:
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect) -> datetime | None:
        if value is None:
            return None
        try:
            return EPOCH + timedelta(microseconds=value)
        except (OverflowError, TypeError):  # another program's: one row must not break a list
            return EPOCH


class Data(TypeDecorator):
    """A dictionary or a list, kept as JSON; what cannot be read any more is an empty one."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[dict] | type[list]):
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: dict | list | None, dialect) -> str | None:
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect) -> dict | list | None:
        if value is None:
            return None
        try:
            read = json.loads(value)
        except (ValueError, TypeError, RecursionError):
            read = None
        return read if isinstance(read, self.kind) else self.kind()


class Words(TypeDecorator):
    """A text; what is of another type, which SQLite takes too, is shown as one."""

    impl = String
    cache_ok = True

    def process_result_value(self, value, dialect) -> str | None:
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value if value is None else str(value)


Name = Words(collation="NOCASE")


def fold(value: Any) -> str | None:
    """A text without its case, for SQLite, which knows that of ASCII alone."""
    return None if value is None else str(value).casefold()


def contains(column: Any, text: str) -> ColumnElement[bool]:
    """Whether a column's text has another in it, whatever their case."""
    return func.instr(func.fold(column), fold(text)) > 0
