"""When a recurring run is due: each so many seconds, or as a cron expression says.

A cron expression has six fields as in Kubeflow Pipelines (github.com/robfig/cron): seconds,
minutes, hours, day of the month, month and, which may be left out, day of the week; all in UTC.
Or it is one of @yearly, @monthly, @weekly, @daily, @hourly, and @every with a duration (1h30m).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
MOST_YEARS = 5  # without a moment: an expression such as the 30th of February


class ScheduleError(ValueError):
    """A schedule that cannot be kept; says why."""


class Schedule(Protocol):
    def after(self, moment: datetime) -> datetime | None:
        """The next moment, None where there is none."""


@dataclass(frozen=True)
class Every:
    """Each so many seconds."""

    seconds: int

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
        self._either = all(not one.startswith(("*", "?")) for one in (fields[3], fields[5]))

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
        ScheduleError: there is none, or more than one, or it makes no sense.
    """
    cron, periodic = trigger.get("cron_schedule"), trigger.get("periodic_schedule")
    if (cron is None) == (periodic is None):
        raise ScheduleError("one of cron_schedule and periodic_schedule is needed")
    if cron is None:
        return _every(int((periodic or {}).get("interval_second") or 0))
    text = " ".join(str(cron.get("cron") or "").split())
    if text.startswith("@every "):
        found = DURATION.fullmatch(text.removeprefix("@every "))
        hours, minutes, seconds = (int(one or 0) for one in found.groups()) if found else (0, 0, 0)
        return _every(3600 * hours + 60 * minutes + seconds)
    return Cron(WORDS.get(text.lower(), text))


def _every(seconds: int) -> Every:
    if seconds < 1:
        raise ScheduleError("the interval is a whole number of seconds, 1 or more")
    return Every(seconds)


def _read_field(text: str, name: str, least: int, most: int, names: list[str]) -> set[int]:
    numbers: set[int] = set()
    for part in text.upper().split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        try:
            if span in ("*", "?"):
                low, high = least, most
            else:
                low = _read_number(first, least, names)
                high = _read_number(last, least, names) if dash else most if step else low
            width = int(step) if "/" in part else 1
        except ValueError:
            low, high, width = 1, 0, 1
        if not (least <= low <= high <= most and 0 < width <= most):
            raise ScheduleError(f"{part[:20]!r} is no {name} of cron ({least} to {most})")
        numbers |= set(range(low, high + 1, width))
    return numbers


def _read_number(text: str, least: int, names: list[str]) -> int:
    if text in names:
        return names.index(text) + least
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)
