"""The tasks of a run, its artifacts and their lineage, in the forms that clients know."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from asked import Asked, run_of
from forms import check_form
from servers import chain

from fastkf.base import clock
from fastkf.base.grpc_web import DATA, TRAILERS, frame, read_frames
from fastkf.cluster import grpc_web
from fastkf.cluster.executions import locate
from fastkf.cluster.metadata import Store
from fastkf.cluster.outline import Outline
from fastkf.package.model import Package
from fastkf.runs.model import Artifact, PipelineResult, State, Step, Values
from fastkf.runs.record import read_run, write_run
from fastkf.server import database as db
from fastkf.server import runs
from fastkf.server.metadata.messages import MESSAGES

PACKAGE = chain("return number", name="tiny", parameters={"number": 3})
LOOPED = json.loads(json.dumps(PACKAGE).replace("step-1", "load-step"))
LOOPED["components"]["comp-loop"] = {
    "dag": {"tasks": {"fit-step": {"componentRef": {"name": "comp-1"}}}},
    "inputDefinitions": {"parameters": {"item": {"parameterType": "NUMBER_INTEGER"}}},
}
LOOPED["root"]["dag"]["tasks"] |= {
    "for-loop-2": {
        "componentRef": {"name": "comp-loop"},
        "dependentTasks": ["load-step"],
        "parameterIterator": {"itemInput": "item", "items": {"raw": "[0, 1]"}},
    },
    "late-step": {"componentRef": {"name": "comp-1"}, "dependentTasks": ["for-loop-2"]},
}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    with Asked(tmp_path_factory.mktemp("data") / "server") as asked:
        yield asked


def move(asked, run_id: str, state: str) -> None:
    with asked.app.state.database.write() as session:
        row = session.get(db.Run, run_id)
        runs.set_state(row, state)
        if state == "RUNNING":
            row.started_at = clock.now()


@pytest.fixture(scope="module")
def looped(asked):
    """A run with a step, a loop over it with two iterations, and a metric of each."""
    run_id = run_of(asked, LOOPED)
    folder = asked.settings.run_folder(run_id)
    began = clock.now()
    file = Artifact("system.Dataset", "artifacts/load/data")
    metric = Artifact("system.Metrics", "artifacts/m", {"accuracy": 0.9})
    load = Step("load", "load-step", state=State.SUCCEEDED, started=began, seconds=1.0)
    load = replace_outputs(load, {"data": file}, {"rows": 3})
    turns = tuple(
        Step(
            f"fit.{number}",
            "fit-step",
            ("load",),
            State.SUCCEEDED if number == 0 else State.FAILED,
            began + timedelta(seconds=1),
            2.0,
            error=None if number == 0 else "ValueError: no",
            inputs=Values({"n": number}, {"data": file}),
            outputs=Values({}, {"metrics": metric}) if number == 0 else None,
        )
        for number in range(2)
    )
    fit = Step("fit", "fit-step", ("load",), State.FAILED, began, 3.0, steps=turns)
    tries = tuple(
        Step(f"load.try-{n}", "load-step", state=state, started=began, seconds=0.5)
        for n, state in ((1, State.FAILED), (2, State.SUCCEEDED))
    )
    load = replace(load, attempts=tries)
    late = Step("late", "late-step", ("fit",), State.SKIPPED)
    part = PipelineResult(State.FAILED, began, 3.0, (load, fit, late))
    kept = read_run(folder)
    write_run(type(kept)(folder, kept.name, kept.title, state=State.FAILED, pipeline=part))
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "logs" / "fit.1.log").write_text("said\n")
    (folder / "logs" / "load.try-1.log").write_text("said at first\n")
    move(asked, run_id, "RUNNING")
    move(asked, run_id, "FAILED")
    return run_id


def replace_outputs(step: Step, artifacts: dict, parameters: dict) -> Step:
    return replace(step, outputs=Values(parameters, artifacts))


def test_tasks_are_the_nodes_of_a_workflow(asked, looped):
    answer = asked.ask("GET", f"/runs/{looped}")[1]
    tasks = answer["run_details"]["task_details"]
    names = [task["display_name"] for task in tasks]
    assert names.count("fit-step") == 2
    assert {"for-loop-2", "for-loop-2-driver", "iteration-iterations(1:1)"} <= set(names)
    assert {"root", "root(0)", "root-driver", "load-step-driver(0)", "executor"} <= set(names)
    by_id = {task["task_id"]: task for task in tasks}
    assert len(by_id) == len(tasks)
    turn = by_id[f"{looped}.fit-step.1"]
    assert (turn["state"], turn["error"]["message"]) == ("FAILED", "ValueError: no")
    assert [one["state"] for one in turn["state_history"]] == ["RUNNING", "FAILED"]
    assert turn["child_tasks"]
    assert "state" in by_id[f"{looped}.late-step"]
    assert asked.ask("GET", "/runs?sort_by=created_at%20desc")[1]["runs"]
    check_form(answer, "V2beta1Run")
    log = asked.client.get(f"/apis/v1alpha1/runs/{looped}/nodes/{turn['pod_name']}/log")
    assert (log.status_code, log.text) == (200, "said\n")
    tries = [by_id[f"{looped}.load-step.executor({number})"]["state"] for number in range(2)]
    assert tries == ["FAILED", "SUCCEEDED"]
    log = asked.client.get(f"/apis/v1alpha1/runs/{looped}/nodes/load-step.try-1/log")
    assert (log.status_code, log.text) == (200, "said at first\n")


def test_artifacts_and_their_lineage(asked, looped):
    metric = f"{looped}.fit-step.0.metrics.accuracy"
    answer = asked.ask("GET", f"/artifacts/{metric}")[1]
    assert (answer["type"], answer["name"], answer["number_value"]) == ("Metric", "accuracy", 0.9)
    pages, token = [], ""
    while token is not None:
        page = asked.ask("GET", f"/artifacts?page_size=1&page_token={token}")[1]
        pages += [one["artifact_id"] for one in page.get("artifacts", [])]
        token = page.get("next_page_token")
    assert pages == [f"{looped}.load-step.data", metric]
    links = asked.ask("GET", f"/artifact_tasks?run_ids={looped}")[1]["artifact_tasks"]
    assert {(one["task_id"].removeprefix(f"{looped}."), one["type"]) for one in links} == {
        ("load-step", "OUTPUT"),
        ("fit-step.0", "ITERATOR_OUTPUT"),
        ("fit-step.0", "TASK_OUTPUT_INPUT"),
        ("fit-step.1", "TASK_OUTPUT_INPUT"),
    }
    of_one = asked.ask("GET", f"/artifact_tasks?artifact_ids={looped}.load-step.data")[1]
    assert of_one["total_size"] == 3


def test_the_next_releases_tasks(asked, looped):
    tasks = asked.ask("GET", f"/runs/{looped}?view=FULL")[1]["tasks"]
    kinds = [(task["name"], task["type"]) for task in tasks]
    assert kinds == [
        ("root", "ROOT"),
        ("for-loop-2", "LOOP"),
        ("for-loop-2", "DAG"),
        ("for-loop-2", "DAG"),
        ("load-step", "RUNTIME"),
        ("fit-step", "RUNTIME"),
        ("fit-step", "RUNTIME"),
        ("late-step", "RUNTIME"),
    ]
    loop, turn, first = tasks[1], tasks[2], tasks[5]
    assert loop["type_attributes"] == {"iteration_count": "2"}
    assert turn["type_attributes"] == {"iteration_index": "0"}
    assert (turn["parent_task_id"], first["parent_task_id"]) == (loop["task_id"], turn["task_id"])
    assert [one["name"] for one in tasks[0]["child_tasks"]] == [
        "for-loop-2",
        "load-step",
        "late-step",
    ]
    assert first["inputs"]["parameters"] == [
        {"parameter_key": "n", "value": 0, "type": "RUNTIME_VALUE_INPUT"}
    ]
    [made] = first["outputs"]["artifacts"]
    assert made["artifacts"][0]["number_value"] == 0.9


# Metadata, as clients of 2.17 read them


class Through:
    """What `fastkf submit` asks a server through, with the application in its place."""

    root = ""

    def __init__(self, asked):
        self._asked = asked

    def request_page(self, method, address, content, headers, timeout):
        return self._asked.client.request(method, address, content=content, headers=headers)


def test_metadata_are_those_of_the_run(asked, looped):
    store = Store(Through(asked), looped)
    executions = store.add_artifacts(store.read_executions())
    found = locate(executions, Outline(Package.from_spec(LOOPED)))
    assert {spot: one.state for spot, one in found.items() if spot[0]} == {
        (("load-step",), ()): State.SUCCEEDED,
        (("for-loop-2",), ()): State.FAILED,
        (("for-loop-2",), (0,)): State.SUCCEEDED,
        (("for-loop-2",), (1,)): State.FAILED,
        (("for-loop-2", "fit-step"), (0,)): State.SUCCEEDED,
        (("for-loop-2", "fit-step"), (1,)): State.FAILED,
    }
    assert found[("for-loop-2",), ()].turns == 2
    first = found[("for-loop-2", "fit-step"), (0,)]
    assert first.inputs == Values({"n": 0}, first.inputs.artifacts)
    assert first.inputs.artifacts["data"].uri == "artifacts/load/data"
    assert first.outputs.artifacts["metrics"].metadata == {"accuracy": 0.9}
    assert Store(Through(asked), "no such run").read_executions() == []


def call(asked, method: str, content: bytes = b"") -> tuple[bytes, str]:
    address = f"{grpc_web.METADATA}/{method}"
    answer = asked.client.post(address, content=frame(DATA, content))
    assert answer.status_code == 200
    parts = dict(read_frames(answer.content))
    return parts.get(DATA, b""), parts[TRAILERS].decode()


@pytest.mark.parametrize(
    "method",
    ["GetArtifactTypes", "GetExecutionTypes", "GetContextTypes", "GetExecutions", "GetArtifacts"],
)
def test_lists_of_metadata(asked, looped, method):
    content, trailers = call(asked, method)
    assert content
    assert "grpc-status:0" in trailers


def test_metadata_that_are_not_there(asked):
    assert "grpc-status:12" in call(asked, "PutArtifacts")[1]
    assert "grpc-status:3" in call(asked, "GetExecutionsByContext", b"\xff")[1]
    assert call(asked, "GetExecutionsByContext")[0] == b""
    assert asked.client.get(f"{grpc_web.METADATA}/GetArtifacts").status_code == 405


def test_a_step_from_the_cache_says_so(asked):
    run_id = run_of(asked, PACKAGE)
    kept = read_run(asked.settings.run_folder(run_id))
    step = Step("step-1", "step-1", (), State.SUCCEEDED, clock.now(), 0.1)
    step = replace(step, outputs=Values({"Output": 3}), cached_from="earlier")
    step = replace(step, display_name="The first one")
    part = PipelineResult(State.SUCCEEDED, clock.now(), 0.1, (step,))
    write_run(replace(kept, state=State.SUCCEEDED, pipeline=part))
    move(asked, run_id, "RUNNING")
    move(asked, run_id, "SUCCEEDED")
    answer = asked.ask("GET", f"/runs/{run_id}?view=FULL")[1]
    states = {one["display_name"]: one["state"] for one in answer["run_details"]["task_details"]}
    assert (states["step-1"], states["executor"]) == ("SUCCEEDED", "SKIPPED")
    assert [one["state"] for one in answer["tasks"] if one["display_name"] == "The first one"] == [
        "CACHED"
    ]


def test_metadata_say_what_a_step_from_the_cache_was_taken_from(asked):
    """As the driver of Kubeflow Pipelines writes it: both as texts, on the step alone."""
    earlier, later = run_of(asked, PACKAGE), run_of(asked, PACKAGE)
    moment = clock.now()
    step = Step("load", "step-1", (), State.SUCCEEDED, moment, 0.1, fingerprint="f00")
    taken = replace(step, cached_from=earlier, cached_node="step-1")
    for run_id, one in ((earlier, step), (later, taken)):
        kept = read_run(asked.settings.run_folder(run_id))
        part = PipelineResult(State.SUCCEEDED, moment, 0.1, (one,))
        write_run(replace(kept, state=State.SUCCEEDED, pipeline=part))
    first, second = (properties_of(asked, run_id) for run_id in (earlier, later))
    number, root = (first[name] for name in ("step-1", ""))
    assert number[1]["cache_fingerprint"].string_value == "f00"
    assert "cached_execution_id" not in number[1]
    assert "cache_fingerprint" not in root[1]
    assert second["step-1"][1]["cached_execution_id"].string_value == str(number[0])


def properties_of(asked, run_id: str) -> dict[str, tuple[int, dict]]:
    """The name of an execution's task to its number and its properties."""
    content = ask_metadata(
        asked, "GetContextByTypeAndName", type_name="system.PipelineRun", context_name=run_id
    )
    found = ask_metadata(asked, "GetExecutionsByContext", context_id=content.context.id)
    described = [
        (one.id, {part.key: part.value for part in one.custom_properties})
        for one in found.executions
    ]
    return {parts["task_name"].string_value: (number, parts) for number, parts in described}


def ask_metadata(asked, method: str, **fields):
    question = MESSAGES[f"{method}Request"](**fields)
    content, _ = call(asked, method, question.SerializeToString())
    return MESSAGES[f"{method}Response"].FromString(content)
