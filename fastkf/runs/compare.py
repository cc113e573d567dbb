"""Whether runs of the same work agree: in their metrics, their outputs, and step by step."""

import ast
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fastkf.runs.model import Comparison, Metrics, Run, State, Step

SAME = 1e-9  # relative, and absolute near 0


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers of one metric may be apart, relative to the larger one.

    Attributes:
        usual: of the metrics that are not named; None where nobody has said: SAME.
        named: metric to its own.
    """

    usual: float | None = None
    named: Mapping[str, float] = field(default_factory=dict)

    def of(self, metric: str) -> float:
        return self.named.get(metric, SAME if self.usual is None else self.usual)


EXACT = Tolerance()


@dataclass(frozen=True)
class Way:
    """One way in which something ran: as a notebook, or as a pipeline.

    Attributes:
        run: which of the runs that are compared, from 1.
        values: name to value, of the metrics and of the pipeline's own outputs.
        steps: those inside others follow them, under `outer / inner`.
    """

    run: int
    kind: str
    state: State
    values: Metrics
    steps: Mapping[str, Step] = field(default_factory=dict)


@dataclass(frozen=True)
class ComparedValue:
    """A metric, or an output; `values` holds one of each way, None where it has none."""

    name: str
    values: tuple[object, ...]
    equal: bool


@dataclass(frozen=True)
class ComparedStep:
    """A step; one of each way that has steps, None where it has not this one."""

    name: str
    steps: tuple[Step | None, ...]

    @property
    def equal(self) -> bool:
        return len({step and step.state for step in self.steps}) == 1


@dataclass(frozen=True)
class RunsComparison:
    """Two runs, compared.

    Attributes:
        parameters: those that are not the same in both.
    """

    ways: tuple[Way, ...]
    values: tuple[ComparedValue, ...]
    steps: tuple[ComparedStep, ...]
    parameters: tuple[ComparedValue, ...]

    @property
    def equal(self) -> bool:
        """Whether there was a value to compare, and all values and states of steps agree."""
        values_agree = bool(self.values) and all(row.equal for row in self.values)
        return values_agree and all(row.equal for row in self.steps)


def compare_runs(one: Run, other: Run, tolerance: Tolerance) -> RunsComparison:
    """Every way of one run beside every way of the other: values, steps, parameters."""
    ways = (*_list_ways(1, one), *_list_ways(2, other))
    with_steps = [way.steps for way in ways if way.kind == "pipeline"]
    names = dict.fromkeys(name for steps in with_steps for name in steps)
    parameters = _list_values([one.parameters, other.parameters], EXACT)
    return RunsComparison(
        ways=ways,
        values=_list_values([way.values for way in ways], tolerance),
        steps=tuple(
            ComparedStep(name, tuple(steps.get(name) for steps in with_steps)) for name in names
        )
        if len(with_steps) > 1
        else (),
        parameters=tuple(row for row in parameters if not row.equal),
    )


def compare(
    notebook: Mapping[str, object], pipeline: Mapping[str, object], tolerance: Tolerance = EXACT
) -> dict[str, Comparison]:
    """Each metric of the notebook beside the pipeline's.

    Args:
        notebook, pipeline: metric to value.
    """
    return {
        name: Comparison(
            notebook.get(name),
            pipeline.get(name),
            is_equal(notebook.get(name), pipeline.get(name), tolerance.of(name)),
        )
        for name in {**notebook, **pipeline}
    }


def is_equal(one: object, other: object, tolerance: float) -> bool:
    """Whether two values agree; numbers within the relative tolerance, wherever they stand.

    NaN agrees with NaN, 0 with -0, and a truth value with the same truth value alone. A text agrees
    with the truth value, list or table that it is the printed form of.
    """
    one, other = _read_printed(one, other), _read_printed(other, one)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        if math.isnan(one) and math.isnan(other):
            return True
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(
            is_equal(*pair, tolerance) for pair in zip(one, other, strict=True)
        )
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            is_equal(one[key], other[key], tolerance) for key in one
        )
    return one is not None and one == other


def _read_printed(one: object, other: object) -> object:
    """A text as the value that it is the printed form of, where the other is no text."""
    if not (isinstance(one, str) and isinstance(other, bool | list | tuple | dict)):
        return one
    try:
        read: object = ast.literal_eval(one)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return one
    return read


def _list_ways(number: int, run: Run) -> list[Way]:
    ways = []
    if run.notebook:
        ways.append(Way(number, "notebook", run.notebook.state, run.notebook.metrics))
    if run.pipeline:
        values = {**run.pipeline.outputs, **run.pipeline.metrics}
        steps = dict(_unfold(run.steps))
        ways.append(Way(number, "pipeline", run.pipeline.state, values, steps))
    return ways


def _unfold(steps: Iterable[Step], above: str = "") -> Iterable[tuple[str, Step]]:
    for step in steps:
        yield f"{above}{step.name}", step
        yield from _unfold(step.steps, f"{above}{step.name} / ")


def _list_values(
    sources: Sequence[Mapping[str, object]], tolerance: Tolerance
) -> tuple[ComparedValue, ...]:
    rows = []
    for name in dict.fromkeys(name for source in sources for name in source):
        values = tuple(source.get(name) for source in sources)
        there = all(name in source for source in sources)
        equal = there and all(
            value is values[0] or is_equal(values[0], value, tolerance.of(name)) for value in values
        )
        rows.append(ComparedValue(name, values, equal))
    return tuple(rows)
