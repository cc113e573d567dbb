"""A pipeline of the IR as the engine walks it: components, and the tasks of their DAGs.

A *message* is a protobuf message of `kfp.pipeline_spec`.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from fastkf.package.graph import find_dependencies

Message = Any


@dataclass(frozen=True)
class Pipeline:
    """A pipeline of the IR, as messages.

    Attributes:
        resource_name: what this run of it is called.
        executors: label to what runs, as JSON.
        job_id: what `dsl.PIPELINE_JOB_ID_PLACEHOLDER` stands for.
    """

    spec: Message
    executors: Mapping[str, Any]
    resource_name: str
    job_id: str

    @classmethod
    def load(cls, spec: Mapping[str, Any]) -> "Pipeline":
        """Reads the first document of a package.

        Raises:
            google.protobuf.json_format.ParseError: it is no IR of KFP.
        """
        from google.protobuf import json_format
        from kfp.pipeline_spec import pipeline_spec_pb2

        message = json_format.ParseDict(
            dict(spec), pipeline_spec_pb2.PipelineSpec(), ignore_unknown_fields=True
        )
        executors = spec.get("deploymentSpec", {}).get("executors", {})
        name = f"{message.pipeline_info.name}-{datetime.now():%Y-%m-%d-%H-%M-%S-%f}"
        return cls(message, executors, name, str(uuid.uuid4()))

    @property
    def root(self) -> "Component":
        return Component(self, "root", self.spec.root)


@dataclass(frozen=True)
class Component:
    """What a task runs: a container, an importer, or a DAG of other tasks."""

    pipeline: Pipeline
    name: str
    spec: Message

    @property
    def is_group(self) -> bool:
        return bool(self.spec.HasField("dag"))

    @cached_property
    def tasks(self) -> dict[str, "Task"]:
        """The tasks of a group."""
        components = self.pipeline.spec.components
        return {
            name: Task(name, task, Component(self.pipeline, one, components[one]))
            for name, task in self.spec.dag.tasks.items()
            for one in [task.component_ref.name]
        }

    @cached_property
    def executor(self) -> Message:
        """What runs of a component that is no group."""
        from google.protobuf import json_format
        from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineDeploymentConfig

        described = self.pipeline.executors[self.spec.executor_label]
        return json_format.ParseDict(described, PipelineDeploymentConfig.ExecutorSpec())

    @property
    def is_importer(self) -> bool:
        return bool(self.executor.WhichOneof("spec") == "importer")

    @property
    def is_python(self) -> bool:
        from kfp.dsl.component_factory import EXECUTOR_MODULE

        return any(EXECUTOR_MODULE in word for word in self.executor.container.command)

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
    spec: Message
    component: Component

    @property
    def after(self) -> tuple[str, ...]:
        from google.protobuf import json_format

        return tuple(find_dependencies(json_format.MessageToDict(self.spec)))

    @property
    def condition(self) -> str:
        """The CEL expression on which the task runs; "" when it always does."""
        return str(self.spec.trigger_policy.condition)

    @property
    def runs_after_failures(self) -> bool:
        """Whether it runs however those before it end: exit tasks, `ignore_upstream_failure`."""
        from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineTaskSpec

        strategies = PipelineTaskSpec.TriggerPolicy.TriggerStrategy
        strategy = self.spec.trigger_policy.strategy
        return bool(strategy == strategies.ALL_UPSTREAM_TASKS_COMPLETED)

    @property
    def is_loop(self) -> bool:
        return self.spec.WhichOneof("iterator") is not None

    def iterations(self, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The arguments of each iteration of a loop.

        Args:
            arguments: the loop's own.
        """
        iterator = getattr(self.spec, self.spec.WhichOneof("iterator"))
        if self.spec.WhichOneof("iterator") == "artifact_iterator":
            items = arguments[iterator.items.input_artifact]
        elif iterator.items.HasField("raw"):
            items = json.loads(iterator.items.raw)
        else:
            items = arguments[iterator.items.input_parameter]
            items = json.loads(items) if isinstance(items, str) else items
        return [{**arguments, iterator.item_input: item} for item in items]

    @property
    def parallel_iterations(self) -> int | None:
        """How many iterations run at a time; None where the pipeline sets no limit."""
        return self.spec.iterator_policy.parallelism_limit or None

    @property
    def delays(self) -> list[float]:
        """The seconds to wait before each attempt after the first."""
        policy = self.spec.retry_policy
        first, most = policy.backoff_duration.seconds, policy.backoff_max_duration.seconds or 3600
        factor = policy.backoff_factor or 2.0
        return [min(first * factor**attempt, most) for attempt in range(policy.max_retry_count)]
