"""What fastkf makes of a run on a server: steps, logs and metrics, in the shapes that they have.

Here is what one answer is made of; test_cluster_runs.py has whole runs of a real server.
"""

import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import kfp_server_api
import pytest
from build import write_notebook
from faulty import Proxy, answer, drop, page
from real_kubeflow import grpc_web_answer
from waiting import wait_for

from fastkf.base.files import BYTES_OF_AN_END
from fastkf.cluster import grpc_web, logs, metrics
from fastkf.cluster.auth import Credentials
from fastkf.cluster.connection import Connection, Health
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.follow import Follower
from fastkf.cluster.outcome import complete_run
from fastkf.cluster.outline import Outline
from fastkf.cluster.steps import Listing
from fastkf.cluster.target import Client, Endpoint
from fastkf.cluster.tasks import read_details
from fastkf.notebook.model import read
from fastkf.package.model import Package
from fastkf.runs.model import Run, State
from fastkf.runs.problems import explain

BEGAN = datetime(2026, 6, 1, 12, tzinfo=UTC)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
KALE_LOG = """\
[KFP Executor 2026-06-01 12:00:01,182 [INFO]]: Got executor_input:
2026-06-01 12:00:03 Kale jputils:337 [ERROR]    ========== Cell Execution Error ==========
2026-06-01 12:00:03 Kale jputils:338 [ERROR]    Error: ZeroDivisionError: division by zero
2026-06-01 12:00:03 Kale jputils:345 [ERROR]    Traceback:
2026-06-01 12:00:03 Kale jputils:348 [ERROR]    Cell In[4], line 2
      1 total = 3
----> 2 ratio = total / 0

2026-06-01 12:00:03 Kale jputils:348 [ERROR]    ZeroDivisionError: division by zero
2026-06-01 12:00:03 Kale jputils:349 [ERROR]    ==================================================
2026-06-01 12:00:03 Kale jputils:337 [ERROR]    ========== Cell Execution Error ==========
2026-06-01 12:00:03 Kale jputils:338 [ERROR]    Error: NameError: name 'ratio' is not defined
2026-06-01 12:00:03 Kale jputils:354 [ERROR]    ---------- Failed to run user code ----------
"""
IPYTHON_LOG = """\
Traceback (most recent call last):
  File "/opt/kernel.py", line 36, in <module>
    main()
KeyboardInterrupt
---------------------------------------------------------------------------
ZeroDivisionError                         Traceback (most recent call last)
Cell In[3], line 2
      1 total = 3
----> 2 ratio = total / 0

ZeroDivisionError: division by zero
the notebook's code has failed
"""
TRACEBACK = """\
starting
Traceback (most recent call last):
  File "/app/train.py", line 3, in <module>
    fit()
  File "/app/train.py", line 1, in fit
    raise ValueError("no rows")
ValueError: no rows
\x1b[31mfailed\x1b[0m
"""


def make_package(tasks: dict[str, list[str]]) -> Package:
    outputs = {"artifacts": {"kale_metrics_artifact": {"artifactType": {"schemaTitle": ""}}}}
    outputs["artifacts"]["kale_metrics_artifact"]["artifactType"]["schemaTitle"] = "system.Metrics"
    python = {"command": ["python3", "-m", "kfp.dsl.executor_main", "_kale_block1 = 1"]}
    spec = {
        "pipelineInfo": {"name": "example"},
        "deploymentSpec": {"executors": {"exec-last": {"container": python}}},
        "components": {"comp-last": {"outputDefinitions": outputs}},
        "root": {"dag": {"tasks": {name: {"dependentTasks": on} for name, on in tasks.items()}}},
    }
    return Package(spec)


def make_task(name, state, start=0, end=None, pod=None):
    return kfp_server_api.V2beta1PipelineTaskDetail(
        display_name=name,
        state=state,
        create_time=BEGAN,
        start_time=BEGAN + timedelta(seconds=start),
        end_time=NEVER if end is None else BEGAN + timedelta(seconds=end),
        pod_name=pod,
    )


def make_run(state, *tasks, **fields):
    details = kfp_server_api.V2beta1RunDetails(task_details=list(tasks))
    return kfp_server_api.V2beta1Run(
        run_id="r1", state=state, created_at=BEGAN, run_details=details, **fields
    )


@pytest.fixture
def kubeflow():
    with Proxy() as proxy:
        yield proxy


@pytest.fixture
def connection(kubeflow):
    return Connection(f"{kubeflow.url}/pipeline", Credentials())


def test_steps_come_in_order_and_under_kales_names():
    package = make_package({"b-step": ["load-data-step"], "load-data-step": [], "c": ["b-step"]})
    assert package.steps == {"load_data": (), "b": ("load_data",), "c": ("b",)}
    assert list(package.steps) == ["load_data", "b", "c"]


def list_steps(run, package: Package, outcome=None):
    outline = Outline(package)
    listing = Listing(outline, read_details(run, outline))
    if outcome:
        listing.end(outcome, is_complete=False)
    return listing


THREE = {"load-data-step": [], "train-step": ["load-data-step"], "test-step": ["train-step"]}


def test_drivers_and_executors_are_no_steps():
    run = make_run(
        "RUNNING",
        make_task("root-driver", "SUCCEEDED", 0, 5),
        make_task("root", "RUNNING", 5),
        make_task("load-data-step-driver", "SUCCEEDED", 6, 9),
        make_task("load-data-step", "SUCCEEDED", 10, 30, "executor-pod"),
        make_task("executor", "SUCCEEDED", 11, 29),
        make_task("train-step", "RUNNING", 31),
    )
    listing = list_steps(run, make_package(THREE))
    assert [(step.name, step.state) for step in listing.steps] == [
        ("load_data", "succeeded"),
        ("train", "running"),
        ("test", "pending"),
    ]
    first, second, _ = listing.steps
    assert (first.started, first.seconds) == (BEGAN + timedelta(seconds=10), 20.0)
    assert second.seconds > 0  # and not back to 1970, which stands for "not yet"
    assert listing.executions["load_data"].pod == "executor-pod"
    assert "test" not in listing.executions


def test_a_step_called_as_a_node_of_argo_is_not_taken_for_it():
    run = make_run("RUNNING", make_task("executor", "SUCCEEDED", 1, 2))
    listing = list_steps(run, make_package({"executor-step": []}))
    assert [(step.name, step.state) for step in listing.steps] == [("executor", "pending")]


def test_all_steps_of_a_run_that_succeeded_are_listed():
    run = make_run("SUCCEEDED", make_task("load-data-step", "SUCCEEDED", 1, 2))
    listing = list_steps(run, make_package(THREE), State.SUCCEEDED)
    assert [step.state for step in listing.steps] == ["succeeded"] * 3
    assert listing.steps[1].after == ("load_data",)


def test_when_a_run_has_failed_no_step_waits_or_runs():
    run = make_run("FAILED", make_task("load-data-step", "RUNNING"))
    listing = list_steps(run, make_package(THREE), State.FAILED)
    assert [step.state for step in listing.steps] == ["failed", "skipped", "skipped"]


@pytest.mark.parametrize("state", [None, "RUNNING", "Running", "PENDING"])
def test_a_run_that_goes_on_has_not_ended(state, connection):
    follower = Follower(connection, "r1", make_package({"a": []}), patience=0)
    follower.run = make_run(state, make_task("a", "RUNNING"))
    assert follower.outcome is None


def test_a_run_without_details_waits():
    run = kfp_server_api.V2beta1Run(run_id="r1")
    assert [step.state for step in list_steps(run, make_package({"a": []})).steps] == ["pending"]


@pytest.mark.parametrize("log", [KALE_LOG, IPYTHON_LOG])
def test_the_first_exception_of_a_cell_is_found_in_a_log(tmp_path, log):
    cells = [
        ("imports", "import math"),
        ("step:load", "x = 1"),
        ("step:bad", "total = 3\nratio = total / 0"),
    ]
    notebook = read(write_notebook(tmp_path / "n.ipynb", cells))
    failure = logs.find_failure(log)
    found = logs.find_source(failure, [cell.source for cell in notebook.steps["bad"]])
    assert explain(found, {found.source: "cell 3"}) == (
        "ZeroDivisionError: division by zero (cell 3, line 2: ratio = total / 0)"
    )
    without = explain(logs.find_source(failure, []), {})
    assert without.endswith("(line 2 of the step's cell: ratio = total / 0)")


def test_the_exception_of_a_plain_component_is_found():
    assert explain(logs.find_failure(TRACEBACK), {}) == "ValueError: no rows"
    assert logs.find_failure("Killed\n") is None


def test_the_end_of_kales_log_is_that_of_its_first_error():
    end = logs.end_of_log(KALE_LOG)
    assert "----> 2 ratio = total / 0" in end
    assert "ZeroDivisionError" in end
    assert "NameError" not in end
    assert "jputils" not in end
    assert logs.end_of_log("\n".join(map(str, range(99)))).splitlines()[-1] == "98"


def test_a_log_comes_from_the_pages_or_from_the_api(kubeflow, connection):
    assert logs.fetch_log(connection, "r1", "me", ["old-pod", "new-pod"]) == ("", "")
    kubeflow.hinder(
        "/apis/v1alpha1/runs/r1/nodes/new-pod/log",
        answer(200, TRACEBACK, content_type="text/plain; charset=utf-8"),
    )
    log, _ = logs.fetch_log(connection, "r1", "me", ["old-pod", "new-pod"])
    assert log.endswith("ValueError: no rows\nfailed\n")
    kubeflow.hinder(
        r"/pipeline/k8s/pod/logs\?podname=old-pod&runid=r1&podnamespace=me&createdat=2026-06-01$",
        answer(200, "from the pages"),
    )
    log, _ = logs.fetch_log(connection, "r1", "me", ["old-pod"], BEGAN)
    assert log == "from the pages"


@pytest.mark.security
def test_of_a_long_log_the_beginning_and_the_end_are_kept(kubeflow, connection):
    text = "the first line\n" + "line\n" * 1_000_000 + "the last line\n"
    kubeflow.hinder("/k8s/pod/logs", answer(200, text, content_type="text/plain"))
    log, _ = logs.fetch_log(connection, "r1", "", ["pod"])
    assert log.startswith("the first line\n")
    assert log.endswith("the last line\n")
    assert " bytes are left out …" in log
    assert len(log) < 2 * BYTES_OF_AN_END + 100


ERROR = answer(200, '{"message": "no"}', content_type="application/json")


@pytest.mark.parametrize(
    "do", [drop, page(200, "Kubeflow"), answer(500, "x"), answer(200, ""), ERROR]
)
def test_without_a_log_there_is_none(kubeflow, connection, do):
    kubeflow.hinder(".", do)
    assert logs.fetch_log(connection, "r1", "", ["pod"]) == ("", "")


def hang(handler, request):
    """Takes its time, and then says nothing."""
    time.sleep(0.3)
    drop(handler, request)


def test_a_server_that_is_slow_with_logs_is_not_asked_everywhere(kubeflow, connection, monkeypatch):
    clock = iter([0, 0.1, 0.2])  # at first, and after each answer
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=clock.__next__))
    monkeypatch.setattr(logs, "SECONDS_FOR_ALL", 0.15)
    monkeypatch.setattr(logs, "SECONDS_TO_BEGIN", 0.1)
    kubeflow.hinder(".", hang)
    assert logs.fetch_log(connection, "r1", "", ["a", "b", "c"]) == ("", logs.SILENT)
    wait_for(lambda: len(kubeflow.seen) == 2)


def metadata_of(kubeflow, *artifacts):
    """Stands in for ML Metadata, with (type, {name: value}) artifacts in the context of run r1."""
    messages = grpc_web.make_messages()
    context = messages["ContextAnswer"]()
    context.context.id = 7
    listed = messages["ArtifactsAnswer"]()
    for number, (kind, values) in enumerate(artifacts):
        artifact = listed.artifacts.add(id=number, type=kind)
        for name, value in values.items():
            artifact.custom_properties.add(key=name).value.double_value = value
    service = "POST /ml_metadata.MetadataStoreService"
    kubeflow.hinder(f"{service}/GetContextByTypeAndName", grpc_web_answer(context))
    kubeflow.hinder(f"{service}/GetArtifactsByContext", grpc_web_answer(listed))


def test_metrics_come_from_ml_metadata(kubeflow, connection):
    metadata_of(
        kubeflow,
        ("system.Dataset", {"rows": 100.0}),
        ("system.Metrics", {"test-accuracy": 0.875, "cv_accuracy": 0.5}),
    )
    found = metrics.fetch_metrics(connection, "r1", [])
    assert found == {"test_accuracy": 0.875, "cv_accuracy": 0.5}
    asked = kubeflow.seen[0]
    assert asked.headers["content-type"] == "application/grpc-web+proto"
    # GetContextByTypeAndNameRequest: 1: type_name, 2: context_name; behind a frame's five bytes.
    assert asked.body == b"\0\0\0\0\x18\n\x12system.PipelineRun\x12\x02r1"
    assert kubeflow.seen[1].body == b"\0\0\0\0\x02\x08\x07"


def test_an_artifact_as_ml_metadata_writes_it_is_understood(kubeflow, connection):
    """Bytes put together by hand after metadata_store.proto, a string property among them."""
    number = b"\n\x03acc\x12\x09\x11" + b"\0\0\0\0\0\0\xe8\x3f"  # acc: double_value 0.75
    text = b"\n\x0cdisplay_name\x12\x09\x1a\x07metrics"  # display_name: string_value
    artifact = b"\x08\x05\x10\x0d\x1a\x04s3:/"  # id 5, type_id 13, uri
    artifact += b"*" + bytes([len(text)]) + text + b"*" + bytes([len(number)]) + number
    artifact += b"B\x0esystem.Metrics"
    metadata_of(kubeflow)
    body = b"\n" + bytes([len(artifact)]) + artifact
    framed = grpc_web.FRAME.pack(0, len(body)) + body
    kubeflow.rules[-1].do = answer(200, framed, content_type="application/grpc-web+proto")
    assert metrics.fetch_metrics(connection, "r1", []) == {"acc": 0.75}


def test_a_run_that_metadata_do_not_know_has_no_metrics(kubeflow, connection):
    kubeflow.hinder("GetContext", grpc_web_answer(grpc_web.make_messages()["ContextAnswer"]()))
    assert metrics.fetch_metrics(connection, "r1", []) == {}


@pytest.mark.parametrize(
    ("do", "told"),
    [
        (answer(404, "no"), "is not there.*ml-pipeline-ui"),
        (page(200, "Kubeflow"), "is not there"),
        (grpc_web_answer(status=7, text="not allowed"), "not allowed"),
        (answer(200, b"", content_type="application/grpc-web", grpc_status="14"), "refused"),
        (drop, "no answer"),
    ],
)
def test_metrics_that_cannot_be_read_are_never_invented(kubeflow, connection, do, told):
    kubeflow.hinder("ml_metadata", do)
    with pytest.raises(ClusterError, match=told):
        metrics.fetch_metrics(connection, "r1", [])


def test_metrics_come_from_the_api_where_it_lists_artifacts(kubeflow, connection):
    one = {"artifact_id": "a", "name": "cv-score", "type": "Metric", "number_value": 0.5}
    other = {"artifact_id": "b", "name": "model", "type": "Model", "metadata": {"size": 3}}
    kubeflow.hinder("/pipeline/apis/v2beta1/artifacts/a", answer(200, json.dumps(one)))
    kubeflow.hinder("/pipeline/apis/v2beta1/artifacts/b", answer(200, json.dumps(other)))
    assert metrics.fetch_metrics(connection, "r1", ["a", "b"]) == {"cv_score": 0.5}
    with pytest.raises(ClusterError, match="artifacts/c answers 404"):
        metrics.fetch_metrics(connection, "r1", ["c"])


def complete(connection, told, package, folder, notebook=None) -> Run:
    """The run that has ended so."""
    follower = Follower(connection, "r1", package, patience=0)
    follower.run = told
    follower.read_steps(display=None)
    client = Client(Endpoint(), connection, Health("2.17.0", False, True), namespace="me")
    run = Run(folder, "example", "Example", note="Ran there.")
    return complete_run(run, client, follower, package, notebook)[0]


def test_the_record_of_a_run_that_succeeded(kubeflow, connection, tmp_path):
    metadata_of(kubeflow, ("system.Metrics", {"accuracy": 0.75}))
    package = make_package({"one-step": [], "two-step": ["one-step"]})
    tasks = [make_task("one-step", "SUCCEEDED", 1, 3), make_task("two-step", "SUCCEEDED", 4, 9)]
    told = make_run("SUCCEEDED", *tasks, finished_at=BEGAN + timedelta(seconds=10))
    run = complete(connection, told, package, tmp_path)
    assert (run.state, run.seconds) == ("succeeded", 10.0)
    assert run.pipeline.metrics == {"accuracy": 0.75}
    assert [step.name for step in run.steps] == ["one", "two"]
    assert run.note == "Ran there."


def test_metrics_out_of_reach_are_said_in_the_record(kubeflow, connection, tmp_path):
    package = make_package({"one-step": []})
    run = complete(
        connection,
        make_run("SUCCEEDED", make_task("one-step", "SUCCEEDED", 1, 2)),
        package,
        tmp_path,
    )
    assert run.state == "succeeded"
    assert run.pipeline.metrics == {}
    assert "Its metrics cannot be read from here: /ml_metadata" in run.note


def test_the_record_of_a_run_that_failed_has_the_exception_and_the_log(
    kubeflow, connection, tmp_path
):
    kubeflow.hinder("podname=bad-pod", answer(200, KALE_LOG, content_type="text/plain"))
    package = make_package({"good-step": [], "bad-step": ["good-step"], "late-step": ["bad-step"]})
    tasks = [
        make_task("good-step", "SUCCEEDED", 1, 3),
        make_task("bad-step", "FAILED", 4, 9, "bad-pod"),
    ]
    run = complete(connection, make_run("FAILED", *tasks), package, tmp_path)
    good, bad, late = run.steps
    assert (run.state, late.state) == ("failed", "skipped")
    assert bad.error.startswith("ZeroDivisionError: division by zero (line 2")
    assert (tmp_path / "logs" / "bad.log").read_text() == KALE_LOG
    assert run.error is None


def test_without_a_log_the_record_says_so(kubeflow, connection, tmp_path):
    package = make_package({"bad-step": []})
    told = make_run("FAILED", make_task("bad-step", "FAILED", 4, 9, "gone-pod"))
    run = complete(connection, told, package, tmp_path)
    assert run.steps[0].error == "failed; the server has no log of it"


def test_a_run_that_failed_before_any_step_has_the_servers_reason(kubeflow, connection, tmp_path):
    error = kfp_server_api.GoogleRpcStatus(code=13, message="the workflow is invalid")
    history = [kfp_server_api.V2beta1RuntimeStatus(state="FAILED", error=error)]
    run = complete(
        connection, make_run("FAILED", state_history=history), make_package({"a": []}), tmp_path
    )
    assert run.error == "the workflow is invalid"


def test_a_run_that_was_terminated_says_so(kubeflow, connection, tmp_path):
    told = make_run("CANCELED", make_task("a", "RUNNING", 1))
    run = complete(connection, told, make_package({"a": []}), tmp_path)
    assert run.state == "failed"
    assert "terminated" in run.steps[0].error
