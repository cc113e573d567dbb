"""The steps of a run as the rows of a table with a timeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastkf.runs.describe import seconds_until_start
from fastkf.runs.model import State, Step

THINNEST_BAR = 0.8  # per cent


@dataclass(frozen=True)
class StepRow:
    """A step.

    Attributes:
        started: seconds from the pipeline's start to its own; None when it never started.
        started_at: the same as a moment.
    """

    name: str
    status: State
    started: float | None
    seconds: float
    error: str | None
    after: tuple[str, ...]
    started_at: datetime | None

    @property
    def since(self) -> datetime | None:
        """When it started, while it runs."""
        return self.started_at if self.status is State.RUNNING else None


@dataclass(frozen=True)
class Bar:
    """Where a step stands in the timeline, in per cent of the whole."""

    left: float
    width: float


@dataclass(frozen=True)
class Tick:
    """A mark of time above the bars; `left` in per cent."""

    left: float
    label: str


@dataclass(frozen=True)
class Timeline:
    """When the steps ran.

    Attributes:
        bars: step to its bar.
        seconds: from the first start to the last end.
        work: how long the steps took together.
    """

    bars: dict[str, Bar]
    ticks: tuple[Tick, ...]
    seconds: float
    work: float


def list_rows(steps: Iterable[Step], pipeline_started: datetime | None) -> list[StepRow]:
    """The steps as they started; those that never did come last."""
    steps = list(steps)
    starts = seconds_until_start(steps, pipeline_started)
    rows = [
        StepRow(
            name=step.name,
            status=step.state,
            started=starts.get(step.name),
            seconds=step.seconds,
            error=step.error,
            after=step.after,
            started_at=step.started,
        )
        for step in steps
    ]
    return sorted(rows, key=lambda row: (row.started is None, row.started or 0))


def make_timeline(rows: Sequence[StepRow]) -> Timeline | None:
    """Each step's bar, from the first start to the last end; None when nothing took time."""
    spans = {row.name: (row.started, row.seconds) for row in rows if row.started is not None}
    first = min((start for start, _ in spans.values()), default=0.0)
    last = max((start + seconds for start, seconds in spans.values()), default=0.0)
    if last <= first:
        return None
    tick = _tick(last - first)
    share = 100 / (last - first)
    return Timeline(
        bars={
            name: Bar(
                left=round((start - first) * share, 2),
                width=max(round(seconds * share, 2), THINNEST_BAR),
            )
            for name, (start, seconds) in spans.items()
        },
        ticks=tuple(
            Tick(round(number * tick * share, 2), f"{number * tick:g} s")
            for number in range(int((last - first) / tick) + 1)
        ),
        seconds=last - first,
        work=sum(seconds for _, seconds in spans.values()),
    )


def _tick(seconds: float, ticks: int = 5) -> float:
    """The round number of seconds that divides the time into about five."""
    power = 0.001
    while power * 10 * ticks < seconds:
        power *= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * ticks >= seconds)
