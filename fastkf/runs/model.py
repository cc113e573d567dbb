"""A run of a pipeline and its steps, as plain data."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

Metrics = dict[str, Any]
CACHED = "cached"  # what a step is called that has succeeded in an earlier run


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
        remedy: what to do about it, where that is known.
    """

    name: str
    message: str
    source: str | None = None
    line: int | None = None
    text: str | None = None
    remedy: str | None = None


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
        attempts: those of a step that may be tried again, as they have ended.
        cached_from: the run that its outputs were taken from; None of a step that ran here.
        cached_node: the execution in that run: the task's name, with the numbers of iterations.
        fingerprint: what its outputs follow from, where they may be taken from the cache.
        display_name: what its pipeline calls it for people, where that is another name.
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
    attempts: tuple["Step", ...] = ()
    cached_from: str | None = None
    cached_node: str | None = None
    fingerprint: str | None = None
    display_name: str | None = None

    @property
    def label(self) -> str:
        """What it is called where people read it."""
        return self.display_name or self.name

    @property
    def word(self) -> str:
        """Its state as people are told it."""
        return CACHED if self.cached_from else self.state.value

    @property
    def executions(self) -> tuple["Step", ...]:
        """What ran for it: a loop's iterations, or the step itself."""
        return self.steps or (self,)

    def end_with_run(self) -> "Step":
        """The step once the run is over."""
        error = self.error
        if self.state is State.RUNNING:
            error = error or "interrupted"
        steps = tuple(step.end_with_run() for step in self.steps)
        return replace(self, state=self.state.when_run_ended, error=error, steps=steps)


@dataclass(frozen=True)
class NotebookResult:
    """How a run as a notebook ended.

    Attributes:
        seconds: how long it took.
        metrics: name to value, as the metrics cells print them.
        error: why it failed, in words for whoever wrote the notebook.
    """

    state: State
    seconds: float = 0.0
    metrics: Metrics = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class PipelineResult:
    """How a run as a pipeline is, or ended.

    Attributes:
        started: when its first step could start; of a run in several attempts, the last one's.
        seconds: how long it took.
        metrics: name to value, of the metrics that its steps have passed on.
        outputs: the pipeline's own output parameters.
        error: why it failed, where that is no step's failure.
    """

    state: State
    started: datetime | None = None
    seconds: float = 0.0
    steps: tuple[Step, ...] = ()
    metrics: Metrics = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    def end(self, state: State) -> "PipelineResult":
        """The pipeline once it is over, and its steps with it."""
        return replace(self, state=state, steps=tuple(step.end_with_run() for step in self.steps))


@dataclass(frozen=True)
class Comparison:
    """One metric of the notebook beside the pipeline's; None where one of them has none."""

    notebook: Any
    pipeline: Any
    equal: bool


@dataclass(frozen=True)
class Replica:
    """A replica of a training job: a pod, or the process that stands for it.

    Attributes:
        state: pending, running, succeeded, failed, or ended by the job's end.
        restarts: how often it was started again.
        exit_code: None before there is one.
        log: its log's path from the run's folder.
    """

    name: str
    state: str
    restarts: int = 0
    exit_code: int | None = None
    log: str = ""


@dataclass(frozen=True)
class Run:
    """A notebook, or a package, that has run, runs or will run.

    Attributes:
        folder: where its files are: run.json, report.html, logs/, outputs/, artifacts/.
        name: of what runs: a notebook's or a pipeline's.
        parameters: name to value, defaults included.
        started: when it started; None of one that has not, or of which it is not known.
        seconds: how long it took.
        notebook, pipeline: None where it does not run that way.
        parity: metric to what both ways have given.
        compared: what of the notebook and the pipeline was compared, in a sentence.
        note: how it ran, in a sentence for the reader.
        not_applied: what the package asks of Kubernetes that was not done.
        link: its page, where it ran on a server.
        error: why it failed, where that is not one step's failure alone.
        replicas: those of a training job.
    """

    folder: Path
    name: str
    title: str
    parameters: dict[str, Any] = field(default_factory=dict)
    state: State = State.PENDING
    started: datetime | None = None
    seconds: float = 0.0
    notebook: NotebookResult | None = None
    pipeline: PipelineResult | None = None
    parity: dict[str, Comparison] = field(default_factory=dict)
    compared: str | None = None
    note: str | None = None
    not_applied: tuple[str, ...] = ()
    link: str | None = None
    error: str | None = None
    replicas: tuple[Replica, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The pipeline's steps; none before it has any."""
        return self.pipeline.steps if self.pipeline else ()

    @property
    def has_succeeded(self) -> bool:
        return self.state is State.SUCCEEDED

    def end(self, state: State, error: str | None = None) -> "Run":
        """The run once it is over, and all that is in it."""
        pipeline = self.pipeline
        if pipeline and not pipeline.state.has_ended:
            pipeline = pipeline.end(state)
        notebook = self.notebook
        if notebook and not notebook.state.has_ended:
            said = notebook.error or "interrupted"
            notebook = replace(notebook, state=notebook.state.when_run_ended, error=said)
        return replace(self, state=state, error=error, notebook=notebook, pipeline=pipeline)
