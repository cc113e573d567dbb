"""The steps of a run as the rows of a table with a timeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastkf.runs.describe import seconds_until_start
from fastkf.runs.model import State, Step

THINNEST_BAR = 0.8  # per cent


@dataclass(frozen=True)
class StepRow:
    """A step, an iteration of one in a loop, or an attempt of one that was tried again.

    Attributes:
        inside: whether it is inside the step above it.
        holds: whether others are inside it, which follow it.
        started: seconds from the pipeline's start to its own; None when it never started.
        started_at: the same as a moment.
        word: the status as people are told it.
        cached_from: the run that its outputs were taken from.
        label: the name as people are told it.
    """

    name: str
    status: State
    started: float | None
    seconds: float
    error: str | None
    after: tuple[str, ...]
    started_at: datetime | None
    inside: bool = False
    holds: bool = False
    word: str = ""
    cached_from: str | None = None
    label: str = ""

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
    """The steps as they started, each with what is inside it; those that never did come last."""
    steps = list(steps)
    parts = [part for step in steps for part in unfold(step)]
    starts = seconds_until_start(parts, pipeline_started)
    rows = []
    for step in sorted(steps, key=lambda one: _order(starts.get(one.name))):
        inner = unfold(step)[1:]
        rows.append(_make_row(step, starts, holds=bool(inner)))
        rows += [_make_row(one, starts, inside=True, holds=bool(_list_inner(one))) for one in inner]
    return rows


def unfold(step: Step) -> list[Step]:
    """A step, and after it all that are inside it."""
    return [step, *[part for one in _list_inner(step) for part in unfold(one)]]


def _list_inner(step: Step) -> tuple[Step, ...]:
    """Its iterations, or its attempts where there were several."""
    return step.steps or (step.attempts if len(step.attempts) > 1 else ())


def _make_row(
    step: Step, starts: dict[str, float], *, inside: bool = False, holds: bool = False
) -> StepRow:
    return StepRow(
        name=step.name,
        status=step.state,
        started=starts.get(step.name),
        seconds=step.seconds,
        error=step.error,
        after=step.after,
        started_at=step.started,
        inside=inside,
        holds=holds,
        word=step.word,
        cached_from=step.cached_from,
        label=step.label,
    )


def _order(started: float | None) -> tuple[bool, float]:
    return (started is None, started or 0)


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
        work=sum(row.seconds for row in rows if row.name in spans and not row.holds),
    )


def _tick(seconds: float, ticks: int = 5) -> float:
    """The round number of seconds that divides the time into about five."""
    power = 0.001
    while power * 10 * ticks < seconds:
        power *= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * ticks >= seconds)
