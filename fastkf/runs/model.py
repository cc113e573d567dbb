"""A run of a pipeline and its steps, as plain data."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How far a run, or a step of it, is."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"

    @property
    def has_ended(self) -> bool:
        return self not in (State.PENDING, State.RUNNING)

    @property
    def when_run_ended(self) -> "State":
        """The state once the run is over: what ran was interrupted, what waited was left out."""
        return {State.RUNNING: State.FAILED, State.PENDING: State.SKIPPED}.get(self, self)


@dataclass(frozen=True)
class Failure:
    """Why a step has failed.

    Attributes:
        name: the exception's class; "" where it is no exception of Python.
        message: what it says.
        source: the code of the cell that raised it, where a cell did.
        line: the line of that code, from 1.
        text: what stands in that line.
    """

    name: str
    message: str
    source: str | None = None
    line: int | None = None
    text: str | None = None


@dataclass(frozen=True)
class Artifact:
    """A file that a step takes or makes.

    Attributes:
        type: KFP's schema title, such as `system.Metrics`.
        uri: where it is, below the run's folder; anywhere on a cluster.
    """

    type: str
    uri: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Values:
    """What goes into a step or comes out of it, by the names in its component."""

    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A step of a run.

    Attributes:
        name: as its author calls it; also the name of its log, `logs/<name>.log`.
        task: its task's name in the package.
        after: the names of the steps that it waits for.
        started: when it started.
        seconds: how long it has run.
        failure: why it has failed, as raised.
        error: the same in words for whoever wrote the step.
        image, command: what ran, where it is a container's command.
        steps: a loop's iterations, or a group's members.
    """

    name: str
    task: str
    after: tuple[str, ...] = ()
    state: State = State.PENDING
    started: datetime | None = None
    seconds: float = 0.0
    failure: Failure | None = None
    error: str | None = None
    image: str | None = None
    command: tuple[str, ...] = ()
    inputs: Values | None = None
    outputs: Values | None = None
    steps: tuple["Step", ...] = ()

    def end_with_run(self) -> "Step":
        """The step once the run is over."""
        error = self.error
        if self.state is State.RUNNING:
            error = error or "interrupted"
        return replace(self, state=self.state.when_run_ended, error=error)
