"""When a recurring run is due: once, each so many seconds, or as a cron expression says.

A cron expression is read as Kubeflow Pipelines reads it (github.com/robfig/cron): seconds, minutes,
hours, day of the month, month and, which may be left out, day of the week; all in UTC. Or it is one
of @yearly, @monthly, @weekly, @daily, @hourly, and @every with a duration of Go (1h30m, 1.5h).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Protocol

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
# Name, least and largest number, and the names that stand for numbers.
FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("seconds", 0, 59, []),
    ("minutes", 0, 59, []),
    ("hours", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 6, DAYS),
)
WORDS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
EVERY = "@every "
NANOSECONDS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": 10**9}
NANOSECONDS |= {"m": 60 * 10**9, "h": 3600 * 10**9}
PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")  # of a duration of Go
MOST_OF_DURATION = 100  # characters
LONGEST = 2**63 - 1  # nanoseconds of a duration of Go
NUMBER = re.compile(r"\+?[0-9]{1,18}")
MOST_YEARS = 5  # without a moment: an expression such as the 30th of February
SOME_DAY = datetime(2023, 1, 1, tzinfo=UTC)  # a leap year follows


class ScheduleError(ValueError):
    """A schedule that cannot be kept; says why."""


class Schedule(Protocol):
    def after(self, moment: datetime) -> datetime | None:
        """The next moment, None where there is none."""


class Once:
    """Only the moment from which the schedule counts: a trigger without a schedule."""

    def after(self, moment: datetime) -> datetime | None:
        return None


@dataclass(frozen=True)
class Every:
    """Each so many seconds.

    Attributes:
        is_cron: whether it is written as @every, whose moments keep their distance from the first.
    """

    seconds: int
    is_cron: bool = False

    def after(self, moment: datetime) -> datetime | None:
        try:
            return moment + timedelta(seconds=self.seconds)
        except OverflowError:
            return None


class Cron:
    """The moments of a cron expression of numbers.

    Raises:
        ScheduleError: it is none.
    """

    def __init__(self, text: str):
        fields = text.split()
        if len(fields) == 5:
            fields.append("*")
        if len(fields) != len(FIELDS):
            raise ScheduleError(
                f"{text[:60]!r} has {len(fields)} fields, and needs 6: seconds minutes hours "
                "day-of-month month day-of-week, such as 0 0 6 * * 1-5"
            )
        read = [_read_field(one, *kind) for one, kind in zip(fields, FIELDS, strict=True)]
        self._seconds, self._minutes, self._hours, self._days, self._months, self._week = read
        # With both days given, one of them is enough.
        self._either = not any(_has_star(one) for one in (fields[3], fields[5]))

    def after(self, moment: datetime) -> datetime | None:
        try:
            return self._find_after(moment)
        except (OverflowError, ValueError):  # after the year 9999, which is the last here
            return None

    def _find_after(self, moment: datetime) -> datetime | None:
        moment = (moment.astimezone(UTC) + timedelta(seconds=1)).replace(microsecond=0)
        last = moment.year + MOST_YEARS
        while moment.year <= last:
            if moment.month not in self._months:
                month, year = moment.month % 12 + 1, moment.year + moment.month // 12
                moment = moment.replace(year, month, 1, hour=0, minute=0, second=0)
            elif not self._is_day(moment):
                moment = moment.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif moment.hour not in self._hours:
                moment = moment.replace(minute=0, second=0) + timedelta(hours=1)
            elif moment.minute not in self._minutes:
                moment = moment.replace(second=0) + timedelta(minutes=1)
            elif moment.second not in self._seconds:
                moment += timedelta(seconds=1)
            else:
                return moment
        return None

    def _is_day(self, moment: datetime) -> bool:
        in_month, in_week = moment.day in self._days, moment.isoweekday() % 7 in self._week
        return in_month or in_week if self._either else in_month and in_week


def read_schedule(trigger: dict[str, Any]) -> Schedule:
    """The schedule of a trigger of the API.

    Raises:
        ScheduleError: there is more than one, or it makes no sense.
    """
    cron, periodic = trigger.get("cron_schedule"), trigger.get("periodic_schedule")
    if cron is None and periodic is None:
        return Once()
    if cron is not None and periodic is not None:
        raise ScheduleError("only one of cron_schedule and periodic_schedule can be given")
    if cron is None:
        seconds = int((periodic or {}).get("interval_second") or 0)
        if seconds < 1:
            raise ScheduleError("the interval is a whole number of seconds, 1 or more")
        return Every(seconds)
    text = str(cron.get("cron") or "")
    if text.startswith(EVERY):
        return Every(_read_duration(text.removeprefix(EVERY)), is_cron=True)
    schedule = Cron(WORDS.get(text, text))
    if schedule.after(SOME_DAY) is None:
        # github.com/robfig/cron gives the year 1 then, and Kubeflow's controller is late for that.
        raise ScheduleError(
            f"{text[:60]!r} never comes: no month that it names has such a day, and a Kubeflow "
            "would start one run after the other"
        )
    return schedule


def _read_duration(text: str) -> int:
    """The seconds of a duration as Go writes it; less than one are one, as in cron."""
    parts = PART.findall(text) if len(text) <= MOST_OF_DURATION else []
    signed = text[1:] if text.startswith(("-", "+")) else text
    if signed != "0" and (not parts or "".join(map("".join, parts)) != signed):
        raise ScheduleError(f"{text[:20]!r} is no duration of @every, such as 1h30m, 1.5h or 90s")
    nanoseconds = sum(Fraction(number) * NANOSECONDS[unit] for number, unit in parts)
    if nanoseconds > LONGEST:
        raise ScheduleError(f"@every {text[:20]} is longer than 292 years")
    return 1 if text.startswith("-") else max(1, int(nanoseconds // 10**9))


def _read_field(text: str, name: str, least: int, most: int, names: list[str]) -> set[int]:
    numbers: set[int] = set()
    for part in filter(None, text.upper().split(",")):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        try:
            if _has_star(part):
                low, high = least, most
            else:
                low = _read_number(first, least, names)
                high = _read_number(last, least, names) if dash else most if slash else low
            width = _read_number(step, least, []) if slash else 1
        except ValueError:
            low, high, width = 1, 0, 1
        if not (least <= low <= high <= most and width > 0):
            raise ScheduleError(f"{part[:20]!r} is no {name} of cron ({least} to {most})")
        numbers |= set(range(low, high + 1, width))
    return numbers


def _has_star(field: str) -> bool:
    """Whether a part of a field stands for all of its numbers."""
    return any(re.match(r"[*?]([-/]|$)", part) for part in field.split(","))


def _read_number(text: str, least: int, names: list[str]) -> int:
    if text in names:
        return names.index(text) + least
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text)
