"""A pipeline of the IR as the engine walks it: components, and the tasks of their DAGs."""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Self

from fastkf.base import clock
from fastkf.engine.values import as_items
from fastkf.package.containers import CLAIMS
from fastkf.package.graph import find_dependencies, is_loop
from fastkf.package.kale import brings_source

Table = Mapping[str, Any]
MOST_SECONDS_BETWEEN_ATTEMPTS = 3600.0


@dataclass(frozen=True)
class Identity:
    """What the placeholders of a pipeline's job stand for.

    Attributes:
        name: `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`, as its owner calls the run.
        resource_name: `dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER`; artifacts are kept below it.
        job_id: `dsl.PIPELINE_JOB_ID_PLACEHOLDER`.
        created, scheduled: the two placeholders of times.
    """

    name: str
    resource_name: str
    job_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: datetime = field(default_factory=clock.now)
    scheduled: datetime | None = None

    @classmethod
    def of(cls, pipeline: str) -> Self:
        """Of a run that has no name but its pipeline's."""
        name = f"{pipeline}-{clock.now():%Y-%m-%d-%H-%M-%S-%f}"
        return cls(name, name)


@dataclass(frozen=True)
class Pipeline:
    """A pipeline of the IR.

    Attributes:
        spec: its PipelineSpec, as `Package.spec` has it.
        left_out: executor to what it asks for that is not done here.
        not_root: executors whose containers run as a user that is not root.
        kubernetes: executor to its settings for Kubernetes, as the PlatformSpec has them.
    """

    spec: Table
    identity: Identity
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    not_root: frozenset[str] = frozenset()
    kubernetes: Mapping[str, Table] = field(default_factory=dict)

    @property
    def root(self) -> "Component":
        return Component(self, "root", self.spec["root"])

    @property
    def name(self) -> str:
        return str((self.spec.get("pipelineInfo") or {}).get("name") or "")

    @property
    def executors(self) -> Table:
        executors: Table = (self.spec.get("deploymentSpec") or {}).get("executors") or {}
        return executors


@dataclass(frozen=True)
class Component:
    """What a task runs: a container, an importer, or a DAG of other tasks."""

    pipeline: Pipeline
    name: str
    spec: Table

    @property
    def is_group(self) -> bool:
        return "dag" in self.spec

    @property
    def input_parameters(self) -> Table:
        return self._definitions("inputDefinitions", "parameters")

    @property
    def input_artifacts(self) -> Table:
        return self._definitions("inputDefinitions", "artifacts")

    @property
    def output_parameters(self) -> Table:
        return self._definitions("outputDefinitions", "parameters")

    @property
    def output_artifacts(self) -> Table:
        return self._definitions("outputDefinitions", "artifacts")

    def _definitions(self, side: str, kind: str) -> Table:
        found: Table = (self.spec.get(side) or {}).get(kind) or {}
        return found

    @property
    def group_outputs(self) -> Table:
        """From which task of a group each of its outputs comes."""
        outputs: Table = self.spec["dag"].get("outputs") or {}
        return outputs

    @cached_property
    def tasks(self) -> dict[str, "Task"]:
        """The tasks of a group."""
        components = self.pipeline.spec.get("components") or {}
        return {
            name: Task(name, task, Component(self.pipeline, one, components[one]))
            for name, task in (self.spec["dag"].get("tasks") or {}).items()
            for one in [task["componentRef"]["name"]]
        }

    @property
    def executor(self) -> Table:
        """What runs of a component that is no group."""
        executor: Table = self.pipeline.executors.get(self.spec.get("executorLabel", "")) or {}
        return executor

    @property
    def left_out(self) -> tuple[str, ...]:
        """What it asks for that is not done here."""
        return self.pipeline.left_out.get(self.spec.get("executorLabel", ""), ())

    @property
    def is_root(self) -> bool:
        """Whether its container may run as root, if its image says so."""
        return self.spec.get("executorLabel") not in self.pipeline.not_root

    @property
    def kubernetes(self) -> Table:
        """Its settings for Kubernetes."""
        return self.pipeline.kubernetes.get(self.spec.get("executorLabel", "")) or {}

    @property
    def container(self) -> Table:
        container: Table = self.executor.get("container") or {}
        return container

    @property
    def is_importer(self) -> bool:
        return "importer" in self.executor

    @property
    def is_claim(self) -> bool:
        """Whether it makes or removes a volume."""
        return self.container.get("image") in CLAIMS

    @property
    def is_python(self) -> bool:
        return brings_source(self.container.get("command") or ())

    def leaves(self, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        """The paths of the tasks below that are no groups."""
        for name, task in self.tasks.items():
            if task.component.is_group:
                yield from task.component.leaves((*above, name))
            else:
                yield (*above, name)


@dataclass(frozen=True)
class Task:
    """A component in its place in a DAG."""

    name: str
    spec: Table
    component: Component

    @property
    def after(self) -> tuple[str, ...]:
        return tuple(find_dependencies(self.spec))

    @property
    def inputs(self) -> Table:
        inputs: Table = self.spec.get("inputs") or {}
        return inputs

    @property
    def caching(self) -> Table:
        """Whether its outputs may be those of an equal task: `enableCache`, `cacheKey`."""
        options: Table = self.spec.get("cachingOptions") or {}
        return options

    @property
    def condition(self) -> str:
        """The CEL expression on which the task runs; "" when it always does."""
        return str((self.spec.get("triggerPolicy") or {}).get("condition") or "")

    @property
    def runs_after_failures(self) -> bool:
        """Whether it runs however those before it end: exit tasks, `ignore_upstream_failure`."""
        strategy = (self.spec.get("triggerPolicy") or {}).get("strategy")
        return bool(strategy == "ALL_UPSTREAM_TASKS_COMPLETED")

    @property
    def is_loop(self) -> bool:
        return is_loop(self.spec)

    @property
    def iterator(self) -> Table:
        iterator: Table = self.spec.get("parameterIterator") or {}
        return iterator

    def items(self, parameters: Table) -> list[Any]:
        """What a loop goes over.

        Args:
            parameters: the loop's own inputs.

        Raises:
            ValueError: it cannot be gone over.
        """
        items = self.iterator.get("items") or {}
        if "raw" in items:
            return as_items(json.loads(items["raw"]))
        name = items.get("inputParameter", "")
        if name not in parameters:
            raise ValueError(f"the loop {self.name} gets no items: its input {name} has no value")
        return as_items(parameters[name])

    @property
    def parallel_iterations(self) -> int | None:
        """How many iterations run at a time; None where the pipeline sets no limit."""
        return int((self.spec.get("iteratorPolicy") or {}).get("parallelismLimit") or 0) or None

    @property
    def delays(self) -> list[float]:
        """The seconds to wait before each attempt after the first."""
        policy = self.spec.get("retryPolicy") or {}
        first = _read_duration(policy.get("backoffDuration"))
        most = _read_duration(policy.get("backoffMaxDuration")) or MOST_SECONDS_BETWEEN_ATTEMPTS
        factor = float(policy.get("backoffFactor") or 2.0)
        attempts = range(int(policy.get("maxRetryCount") or 0))
        return [min(first * factor**attempt, most) for attempt in attempts]


def _read_duration(text: Any) -> float:
    """Seconds of a Duration of protobuf, such as "1.5s"."""
    return float(str(text).removesuffix("s")) if text else 0.0
