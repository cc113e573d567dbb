"""What the API tells of the tasks of a run, in the two forms that it has had.

`run_details.task_details`, up to Kubeflow Pipelines 2.17, are the nodes of the Argo workflow: tasks
by their names, without the groups that they are in, with Argo's own nodes among them. `tasks`, in
what comes after it, are tasks, groups and iterations, which ML Metadata had before.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError, NotOfferedError
from fastkf.cluster.executions import Execution, Found
from fastkf.cluster.outline import Outline
from fastkf.runs.model import Artifact, State, Values

STATES = {
    "SUCCEEDED": State.SUCCEEDED,
    "CACHED": State.SUCCEEDED,
    "SKIPPED": State.SKIPPED,
    "FAILED": State.FAILED,
    "CANCELED": State.FAILED,
    "RUNNING": State.RUNNING,
    "CANCELING": State.RUNNING,
}
FINE = (State.SUCCEEDED, State.SKIPPED)
ENDED = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")
RUNS = "/apis/v2beta1/runs"
GROUPS = ("ROOT", "DAG", "LOOP", "CONDITION", "CONDITION_BRANCH", "EXIT_HANDLER")
PLURAL = ("Metric", "ClassificationMetric", "SlicedClassificationMetric")  # in KFP's own names
METRICS = "system.Metrics"


def run_state(run) -> str:
    """The state in the API's spelling; "" while the server does not tell one."""
    return str(run.state or "").upper()


def is_terminated(run) -> bool:
    """Whether somebody has ended the run, which a real server calls FAILED in the end."""
    if run_state(run) in ("CANCELED", "CANCELING"):
        return True
    history = [str(one.state or "").upper() for one in run.state_history or []]
    # What was before a retry is of another attempt.
    last = next((one for one in reversed(history) if one not in ENDED), "")
    return run_state(run) == "FAILED" and last == "CANCELING"


def finish_time(run) -> datetime | None:
    """When a run ended; None while it has not."""
    moment = _moment(run.finished_at)
    return moment if moment and moment.tzinfo else None


def task_details(run) -> list:
    return (run.run_details and run.run_details.task_details) or []


def read_details(run, outline: Outline) -> Found:
    """The tasks among the task_details. Those of a loop's iterations are one: they have no number.

    Args:
        run: a V2beta1Run.
    """
    places = {task: place for place, task in outline.package.places.items()}
    nodes: dict[str, list] = defaultdict(list)
    for detail in task_details(run):
        if detail.display_name in places:
            nodes[detail.display_name].append(detail)
    return {(places[task], ()): _join(details) for task, details in nodes.items()}


def _join(details: list) -> Execution:
    """The execution that nodes of one name stand for."""
    states = [STATES.get(str(one.state).upper(), State.PENDING) for one in details]
    began = [_moment(one.start_time) or _moment(one.create_time) for one in details]
    ends = [_moment(one.end_time) for one in details]
    state = _join_states(states)
    errors = [one.error.message for one in details if one.error and one.error.message]
    lists = [one for detail in details for one in (detail.outputs or {}).values()]
    has_begun = state not in (State.PENDING, State.SKIPPED)
    return Execution(
        id=str(details[0].task_id or ""),
        task=details[0].display_name,
        state=state,
        started=min(filter(None, began), default=None) if has_begun else None,
        ended=max(filter(None, ends), default=None) if state.has_ended else None,
        pod=next((one.pod_name for one in details if one.pod_name), ""),
        reason=errors[0] if errors else None,
        artifact_ids=tuple(id for one in lists for id in one.artifact_ids or []),
    )


def _join_states(states: Iterable[State]) -> State:
    for one in (State.FAILED, State.RUNNING, State.PENDING, State.SUCCEEDED):
        if one in states:
            return one
    return State.SKIPPED


def fetch_tasks(connection: Connection, run_id: str) -> list[Execution]:
    """The tasks of a run, where the API has them.

    Raises:
        NotOfferedError: it has none of this run.
        ClusterError: it cannot be asked.
    """
    place = f"{RUNS}/{quote(run_id, safe='')}?view=FULL"
    answer = connection.request_page("GET", connection.host + place)
    if answer.status_code >= 500:
        raise ClusterError(f"{place} answers {answer.status_code}")
    try:
        told = json.loads(answer.text)
        tasks = told["tasks"]
        if not (answer.is_success and tasks and isinstance(tasks, list)):
            raise NotOfferedError(f"{place} lists no tasks")
        return [_read_task(one, str(told.get("namespace") or "")) for one in tasks]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise NotOfferedError(f"{place} lists no tasks") from error


def _read_task(told: dict[str, Any], namespace: str) -> Execution:
    kind = str(told.get("type") or "").upper()
    attributes = told.get("type_attributes") or {}
    word = str(told.get("state") or "").upper()
    state = STATES.get(word, State.PENDING)
    pods = {str(one.get("type")): str(one["name"]) for one in told.get("pods") or []}
    reason = told.get("lifecycle_message") or (told.get("status_metadata") or {}).get("message")
    made = _read_artifacts(told.get("outputs"))
    return Execution(
        id=str(told["task_id"]),
        task="" if kind == "ROOT" else str(told.get("name") or told.get("display_name") or ""),
        state=state,
        parent=str(told.get("parent_task_id") or ""),
        is_group=kind in GROUPS,
        started=_read_moment(told.get("create_time")),
        ended=_read_moment(told.get("end_time")) if state.has_ended else None,
        pod=pods.get("EXECUTOR", ""),
        driver=pods.get("DRIVER", ""),
        namespace=namespace,
        turn=_read_number(attributes.get("iteration_index")),
        turns=_read_number(attributes.get("iteration_count")),
        reason=str(reason) if reason and state not in FINE else None,
        is_cached=word == "CACHED",
        inputs=Values(_read_parameters(told.get("inputs"))),
        outputs=Values(_read_parameters(told.get("outputs")), made),
        made=made,
    )


def _read_parameters(told: dict[str, Any] | None) -> dict[str, Any]:
    listed = (told or {}).get("parameters") or []
    return {str(_name(one)): one.get("value") for one in listed}


def _read_artifacts(told: dict[str, Any] | None) -> dict[str, Artifact]:
    """The artifacts by the outputs that they are of; the metrics of one output are one."""
    found: dict[str, Artifact] = {}
    for output in (told or {}).get("artifacts") or []:
        metrics: dict[str, Any] = {}
        for number, one in enumerate(output.get("artifacts") or []):
            name = _name(output) or str(one.get("name"))
            kind, uri = str(one.get("type") or "Artifact"), str(one.get("uri") or "")
            kind = f"system.{kind}s" if kind in PLURAL else f"system.{kind}"
            if one.get("number_value") is not None:
                metrics[str(one.get("name"))] = one["number_value"]
                found[name] = Artifact(METRICS, uri, metrics)
            else:
                key = f"{name}.{number}" if name in found else name
                found[key] = Artifact(kind, uri, dict(one.get("metadata") or {}))
    return found


def _name(told: dict[str, Any]) -> str:
    names = ("artifact_key", "parameter_key", "parameter_name", "name")
    return str(next((told[name] for name in names if told.get(name)), ""))


def _read_number(value: Any) -> int | None:
    return int(value) if str(value).isdecimal() and len(str(value)) < 10 else None


def _read_moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return _moment(moment) if moment.tzinfo else None


def _moment(value: datetime | None) -> datetime | None:
    """A time of the API, which gives 1970 for "not yet"."""
    return value if value and value.year > 1970 else None
