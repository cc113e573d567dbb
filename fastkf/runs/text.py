"""Values, times and terminal output as pages show them."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

TERMINAL_CODES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # window titles, links
    r"|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def clean_text(text: str) -> str:
    """Text as a terminal would leave it: no colour codes, only the last state of progress bars."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return TERMINAL_CODES.sub("", "\n".join(lines))


def show_value(value: object) -> str:
    """A value as tables show it: at most six digits of a number."""
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def show_row(values: Sequence[object], show: Callable[[object], str] = show_value) -> list[str]:
    """Values side by side; whole, where different ones would look alike.

    A count is a count beside an equal float, too: what a pipeline logs as 3.0 comes back as 3.
    """
    whole = {value for value in values if type(value) is int}
    shown = [
        show(int(value) if isinstance(value, float) and value in whole else value)
        for value in values
    ]
    looks_alike = len(set(shown)) == 1 and any(value != values[0] for value in values)
    return list(map(str, values)) if looks_alike else shown


def show_values(values: dict[str, object]) -> dict[str, str]:
    return {str(name): show_value(value) for name, value in values.items()}


def count(number: int, noun: str) -> str:
    """A number with its noun: 1 step, 2 steps."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def format_seconds(seconds: float) -> str:
    """A duration as a person says it: 0.4 s, 41 s, 3 min 5 s, 1 h 12 min."""
    if round(seconds, 1) < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    large, small, units = *divmod(whole, 60), ("min", "s")
    if large >= 60:
        large, small, units = *divmod(large, 60), ("h", "min")
    return f"{large} {units[0]}" + (f" {small} {units[1]}" if small else "")


def format_time(moment: datetime) -> str:
    """A time as people write it: 24 November 2026, 12:14 UTC."""
    zone = f" {moment.tzname()}" if moment.tzinfo else ""
    return f"{moment.day} {moment:%B %Y, %H:%M}{zone}"
