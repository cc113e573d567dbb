"""What a run has executed: its steps, and of a step in a loop each iteration."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastkf.runs.model import Run, Step
from fastkf.runs.turns import Turns
from fastkf.server import database as db
from fastkf.server import runs
from fastkf.server.settings import Settings


@dataclass(frozen=True)
class Execution:
    """A step, or one iteration of it.

    Attributes:
        node: by which clients ask for its log and its files; no other's in the run.
        parent: the node of the step that it is an iteration of, or a member of; None of others.
        turns: the numbers of the iterations that it is in, from the outermost loop.
    """

    node: str
    step: Step
    parent: str | None = None
    turns: Turns = ()

    @property
    def is_group(self) -> bool:
        return bool(self.step.steps)

    @property
    def name(self) -> str:
        """The task's name in the package."""
        return self.step.task

    @property
    def turn(self) -> int | None:
        """The number of its iteration of the innermost loop."""
        return self.turns[-1] if self.turns else None

    @property
    def attempts(self) -> list[tuple[str, Step]]:
        """The attempts by their nodes, where there were several."""
        several = self.step.attempts if len(self.step.attempts) > 1 else ()
        return [(f"{self.node}{one.name.removeprefix(self.step.name)}", one) for one in several]

    @property
    def has_begun(self) -> bool:
        return self.step.started is not None

    @property
    def ended(self) -> datetime | None:
        if self.step.started is None or not self.step.state.has_ended:
            return None
        return self.step.started + timedelta(seconds=self.step.seconds)


def read_executions(settings: Settings, row: db.Run) -> list[Execution]:
    """What the run's run.json tells now."""
    return list_executions(row, runs.read_run(settings, row.id))


def list_executions(row: db.Run, run: Run | None) -> list[Execution]:
    """The executions of a run, each group before what is in it.

    Args:
        run: what its run.json tells, None where there is none.
    """
    if run is None:
        return []
    # A run that was killed with the server could not end its steps.
    steps = run.steps if row.is_going else [step.end_with_run() for step in run.steps]
    return [one for step in steps for one in _unfold(step, step.task, None)]


def _unfold(step: Step, node: str, parent: str | None, turns: Turns = ()) -> Iterator[Execution]:
    yield Execution(node, step, parent, turns)
    for inner in step.steps:
        suffix = inner.name.removeprefix(step.name)
        numbers = [int(one) for one in suffix.split(".")[1:] if one.isdecimal()]
        is_turn = inner.task == step.task
        below = f"{node}{suffix}" if is_turn else inner.task
        yield from _unfold(inner, below, node, (*turns, *numbers) if is_turn else turns)


def number_of(text: str) -> int:
    """A number of 32 bits that stands for a text."""
    return zlib.crc32(text.encode("utf-8", "replace"))


def input_name(key: str) -> str:
    """The input that an artifact is of: of a list there are NAME, NAME[1], NAME[2], ..."""
    return key.partition("[")[0]
