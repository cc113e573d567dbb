"""What ML Metadata knows of a run: Kubeflow Pipelines keeps in it, up to 2.17, what each task is
doing and what it has made. Its pages read it, too: `task_details` of the API lack the later tasks
of large runs.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastkf.cluster import grpc_web
from fastkf.cluster.connection import Connection
from fastkf.cluster.executions import Execution
from fastkf.runs.model import Artifact, State, Values

RUN = "system.PipelineRun"  # the type of the context that a run's executions are in
GROUP = "system.DAGExecution"
LOG = "executor-logs"
OWN = (LOG, "display_name", "store_session_info")  # Kubeflow's own among what tasks have made
INPUTS, OUTPUTS = (2, 3), (1, 4)  # kinds of Event: declared, and read or written
# Execution.State: NEW, RUNNING, COMPLETE, FAILED, CACHED, CANCELED, which is a condition not taken.
STATES = (
    State.PENDING,
    State.PENDING,
    State.RUNNING,
    State.SUCCEEDED,
    State.FAILED,
    State.SUCCEEDED,
    State.SKIPPED,
)
CACHED = 5


class Store:
    """The store's part about one run."""

    def __init__(self, connection: Connection, run_id: str):
        self._connection, self._run_id = connection, run_id
        self._messages = grpc_web.make_messages()
        self._context: Any = None

    def read_executions(self) -> list[Execution]:
        """The tasks that have begun, groups and iterations; none of a run that is not known.

        Raises:
            NotOfferedError: this server has no metadata store.
            ClusterError: it cannot be asked.
        """
        answer = self._ask_about_run("GetExecutionsByContext", "ExecutionsAnswer")
        if answer is None:
            return []
        namespace = _read_properties(self._context.custom_properties).get("namespace")
        told = [_read_execution(one, str(namespace or "")) for one in answer.executions]
        groups = {one.parent for one in told}
        return [replace(one, is_group=one.is_group or one.id in groups) for one in told]

    def add_artifacts(self, executions: Iterable[Execution]) -> list[Execution]:
        """The executions with the files that they have read and made.

        Raises:
            ClusterError: the store cannot be asked.
        """
        executions = list(executions)
        artifacts = self.read_artifacts()
        ids = [int(one.id) for one in executions if not one.is_group]
        if not artifacts or not ids:
            return executions
        request = self._messages["EventsRequest"](execution_ids=ids)
        events = self._call("GetEventsByExecutionIDs", request, "EventsAnswer").events
        taken: dict[str, dict[str, Artifact]] = defaultdict(dict)
        made: dict[str, dict[str, Artifact]] = defaultdict(dict)
        for event in events:
            artifact = artifacts.get(event.artifact_id)
            keys = [step.key for step in event.path.steps if step.key]
            table = made if event.type in OUTPUTS else taken if event.type in INPUTS else None
            if artifact and keys and table is not None:
                _put(table[str(event.execution_id)], keys[0], artifact)
        return [_with_artifacts(one, taken[one.id], made[one.id]) for one in executions]

    def read_artifacts(self) -> dict[int, Artifact]:
        """The files that the run has made, by their ids.

        Raises:
            ClusterError: the store cannot be asked.
        """
        answer = self._ask_about_run("GetArtifactsByContext", "ArtifactsAnswer")
        told = sorted(answer.artifacts, key=lambda one: one.id) if answer is not None else []
        return {one.id: _read_artifact(one) for one in told}

    def _ask_about_run(self, method: str, answer: str) -> Any:
        """What is in the run's context; None while there is none."""
        if self._context is None:
            self._context = self._find_context()
        if self._context is None:
            return None
        request = self._messages["ByContextRequest"](context_id=self._context.id)
        return self._call(method, request, answer)

    def _find_context(self) -> Any:
        request = self._messages["ContextRequest"](type_name=RUN, context_name=self._run_id)
        try:
            answer = self._call("GetContextByTypeAndName", request, "ContextAnswer")
        except grpc_web.NotInMetadataError:
            return None
        return answer.context if answer.HasField("context") else None

    def _call(self, method: str, request: Any, answer: str) -> Any:
        return grpc_web.call(self._connection, method, request, self._messages[answer])


def _put(artifacts: dict[str, Artifact], key: str, artifact: Artifact) -> None:
    """Adds an artifact under its name; of a list of them, each under a number of its own."""
    name, number = key, 1
    while name in artifacts:
        name, number = f"{key}.{number}", number + 1
    artifacts[name] = artifact


def _with_artifacts(
    one: Execution, taken: dict[str, Artifact], made: dict[str, Artifact]
) -> Execution:
    inputs, outputs = one.inputs or Values(), one.outputs or Values()
    outcome = {name: artifact for name, artifact in made.items() if name not in OWN}
    return replace(
        one,
        inputs=replace(inputs, artifacts=taken),
        outputs=replace(outputs, artifacts=outcome),
        made=made,
    )


def _read_execution(told: Any, namespace: str) -> Execution:
    known = _read_properties(told.custom_properties)
    number = told.last_known_state
    state = STATES[number] if 0 <= number < len(STATES) else State.PENDING
    return Execution(
        id=str(told.id),
        task=str(known.get("task_name") or known.get("display_name") or ""),
        state=state,
        parent=str(known.get("parent_dag_id", "")),
        is_group=told.type == GROUP,
        started=_read_time(told.create_time_since_epoch),
        ended=_read_time(told.last_update_time_since_epoch) if state.has_ended else None,
        pod=str(known.get("pod_name") or ""),
        namespace=str(known.get("namespace") or namespace),
        turn=_read_number(known.get("iteration_index")),
        turns=_read_number(known.get("iteration_count")),
        is_cached=number == CACHED,
        inputs=Values(_read_values(known.get("inputs"))),
        outputs=Values(_read_values(known.get("outputs"))),
    )


def _read_artifact(told: Any) -> Artifact:
    known = _read_properties(told.custom_properties)
    rest = {name: value for name, value in known.items() if name not in OWN}
    return Artifact(told.type, told.uri, rest)


def _read_properties(entries: Any) -> dict[str, Any]:
    """A map of a message; where values have a structure of their own, that."""
    found: dict[str, Any] = {}
    for entry in entries:
        for field, value in entry.value.ListFields():
            found[entry.key] = _read_struct(value) if field.name == "struct_value" else value
    return found


def _read_struct(struct: Any) -> dict[str, Any]:
    return {field.key: _read_any(field.value) for field in struct.fields}


def _read_any(value: Any) -> Any:
    for field, content in value.ListFields():
        if field.name == "struct_value":
            return _read_struct(content)
        if field.name == "list_value":
            return [_read_any(one) for one in content.values]
        if field.name == "number_value" and content.is_integer():
            return int(content)  # all numbers travel as floats
        if field.name != "null_value":
            return content
    return None


def _read_values(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _read_number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _read_time(milliseconds: int) -> datetime | None:
    """A time of the store; None where it gives none, or one beyond all calendars."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
