"""Reads a trial's metrics from what it printed, as Katib's StdOut collector does.

Katib 0.19: the pattern is DefaultFilter of pkg/metricscollector/v1beta1/common/const.go; reading
follows file-metricscollector.go, and the observation getMetrics of trial_controller_util.go.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from fastkf.tune.patterns import Pattern

PATTERN = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
UNAVAILABLE = "unavailable"
NO_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Record:
    """One value of a metric, as text; `time` is the earliest there is when the line has none."""

    time: datetime
    name: str
    value: str


def read_records(lines: Iterable[str], names: list[str], filters: list[str]) -> list[Record]:
    """The values of the named metrics, in the order of the lines.

    Args:
        lines: what the trial printed.
        names: the metrics to collect.
        filters: regular expressions with two groups, name and value, in place of Katib's.
    """
    patterns = [Pattern(one) for one in filters or [PATTERN]]
    records = []
    for line in lines:
        if not any(name in line for name in names):
            continue
        time = _read_time(line)
        for pattern in patterns:
            for found in pattern.find_all(line):
                name, value = (one.strip() for one in found)
                if name in names:
                    records.append(Record(time, name, value))
    return records


def observe(records: list[Record], names: list[str]) -> list[dict[str, str]]:
    """For each metric its least, greatest and latest value; "unavailable" where there is none."""
    metrics = []
    for name in names:
        own = [record for record in records if record.name == name]
        numbers = [record.value for record in own if as_number(record.value) is not None]
        latest = max(reversed(own), key=lambda record: record.time, default=None)
        metrics.append(
            {
                "name": name,
                "min": min(numbers, key=float, default=UNAVAILABLE),
                "max": max(numbers, key=float, default=UNAVAILABLE),
                "latest": latest.value if latest else UNAVAILABLE,
            }
        )
    return metrics


def pick_value(observation: list[dict[str, str]], name: str, strategy: str) -> float | None:
    """A metric's value by its strategy; None when the trial printed no number for it.

    Katib would take a trial whose objective is no number for the best one; here it has no metrics.
    """
    for metric in observation:
        if metric["name"] == name:
            return as_number(metric[strategy])
    return None


def as_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _read_time(line: str) -> datetime:
    """The time that a line begins with, in the form of RFC 3339."""
    try:
        time = datetime.fromisoformat(line.split(" ", 1)[0])
    except ValueError:
        return NO_TIME
    return time if time.tzinfo else NO_TIME
