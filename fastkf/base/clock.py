"""The time as text, in the two forms that files and answers have."""

from datetime import UTC, datetime
from typing import Literal


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def format_utc(moment: datetime, unit: Literal["seconds", "milliseconds"] = "milliseconds") -> str:
    """RFC 3339 in UTC, such as 2026-11-24T12:40:51.204Z: what Kubernetes and its APIs write."""
    return moment.astimezone(UTC).isoformat(timespec=unit).replace("+00:00", "Z")


def format_name(moment: datetime) -> str:
    """The local time as a part of a file's name, such as 2026-11-24_13-40-51."""
    return moment.astimezone().strftime("%Y-%m-%d_%H-%M-%S")
