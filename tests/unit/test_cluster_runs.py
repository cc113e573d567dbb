"""What `fastkf submit` says of runs as a real Kubeflow Pipelines has told of them."""

import io
import json
import time
from copy import deepcopy

import pytest
from build import write_notebook
from faulty import answer, page
from real_kubeflow import Kubeflow, as_json, as_model, grpc_web_answer, load
from rich.console import Console

from fastkf.cli.display import Display
from fastkf.cluster import follow, grpc_web, submit
from fastkf.cluster.auth import Credentials
from fastkf.cluster.connection import Connection, Health
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.executions import Execution, find_driven, locate
from fastkf.cluster.follow import Follower
from fastkf.cluster.metadata import Store
from fastkf.cluster.outcome import complete_run
from fastkf.cluster.outline import Outline
from fastkf.cluster.pods import EXECUTOR, PodNames
from fastkf.cluster.source import read_source
from fastkf.cluster.steps import MOST_TURNS, Listing
from fastkf.cluster.target import Client, Endpoint
from fastkf.cluster.versions import check_version
from fastkf.notebook.model import read
from fastkf.package.model import Package
from fastkf.runs.model import Run, State
from fastkf.runs.problems import list_problems

pytestmark = pytest.mark.slow

IMAGE = "localhost/no-such-image:1"


class Shown:
    def __init__(self):
        self.file = io.StringIO()
        self.display = Display(Console(file=self.file, width=1000, highlight=False))

    @property
    def text(self) -> str:
        return self.file.getvalue()


@pytest.fixture
def shown():
    return Shown()


def follower_of(server: Kubeflow, path="", namespace="") -> Follower:
    connection = Connection(server.url + path, Credentials())
    return Follower(connection, server.run_id, server.package, 0, namespace)


def complete(server: Kubeflow, folder, shown=None, notebook=None, namespace="", path="") -> Run:
    """The run of a server that has ended, as its record has it."""
    follower = follower_of(server, path, namespace)
    follower.follow((shown or Shown()).display)
    connection = Connection(server.url + path, Credentials())
    client = Client(Endpoint(), connection, Health("2.17.0", False, True), namespace)
    return complete_run(Run(folder, "n", "N"), client, follower, server.package, notebook)[0]


def states(run: Run) -> dict[str, str]:
    return {step.name: step.state.value for step in run.steps}


def test_a_run_that_succeeded_has_all_its_steps_and_metrics(tmp_path):
    with Kubeflow("succeeded") as server:
        run = complete(server, tmp_path)
    assert states(run) == {
        "load_data": "succeeded",
        "train_neighbours": "succeeded",
        "train_tree": "succeeded",
        "evaluate": "succeeded",
    }
    assert run.pipeline.metrics == {
        "neighbours_accuracy": 0.625,
        "test_accuracy": 0.75,
        "tree_accuracy": 0.875,
    }
    last = run.steps[-1]
    assert last.inputs.parameters["neighbours"] == 5
    assert last.inputs.artifacts["test_wines_input_artifact"].type == "system.Dataset"
    assert "evaluate_html_report" in last.outputs.artifacts
    assert 20 < last.seconds < 60
    assert run.note is None


def test_the_steps_that_a_large_run_does_not_list_are_in_metadata(tmp_path):
    with Kubeflow("large") as server:
        told = [one.display_name for one in server.run.run_details.task_details]
        run = complete(server, tmp_path)
    assert "evaluate-step" not in told
    assert len(run.steps) == 10
    assert set(states(run).values()) == {"succeeded"}
    assert all(step.started and step.seconds > 1 for step in run.steps)
    assert run.pipeline.metrics


@pytest.mark.slow
def test_without_metadata_the_steps_that_are_not_listed_are_named(tmp_path, shown):
    with Kubeflow("large") as server:
        server.case["metadata"] = None
        run = complete(server, tmp_path, shown)
    assert len(run.steps) == 10
    assert set(states(run).values()) == {"succeeded"}
    assert "tells nothing of the end of select_model, " in run.note
    assert "evaluate" in run.note


@pytest.fixture
def faulty_notebook(tmp_path):
    cells = [
        ("imports", "import pandas"),
        ("step:load", "frame = pandas.DataFrame({'a': [1]})"),
        (
            ["step:ratio", "prev:load"],
            "print('computing the ratio')\nratio = int(frame['a'].sum()) / 0\nprint(ratio)",
        ),
        (["step:end", "prev:ratio"], "print(ratio)"),
    ]
    return read(write_notebook(tmp_path / "faulty.ipynb", cells))


ERROR = "ZeroDivisionError: division by zero (cell 3, line 2: ratio = int(frame['a'].sum()) / 0)"


def test_a_failed_step_has_its_exception_and_its_log(tmp_path, faulty_notebook, shown):
    with Kubeflow("failed") as server:
        run = complete(server, tmp_path, shown, faulty_notebook)
        asked = [one.path for one in server.seen if "/k8s/pod/logs" in one.path]
    assert states(run) == {"load": "succeeded", "ratio": "failed", "end": "skipped"}
    assert run.steps[1].error == ERROR
    assert run.error is None
    assert "computing the ratio" in (tmp_path / "logs" / "ratio.log").read_text()
    assert "podnamespace=kubeflow" in asked[0]
    assert "createdat=2026-06-01" in asked[0]
    assert "✗ ratio" in shown.text


def test_an_archived_log_is_found_when_the_pod_is_gone(tmp_path, faulty_notebook):
    with Kubeflow("failed") as server:
        log = server.case.pop("logs").popitem()[1]
        uris = [one["uri"] for one in server.case["metadata"]["artifacts"]]
        uri = next(one for one in uris if "ratio-step" in one and "executor-logs" in one)
        server.case["files"] = {uri.removeprefix("minio://"): log}
        run = complete(server, tmp_path, notebook=faulty_notebook)
        asked = next(one.path for one in server.seen if "/artifacts/get" in one.path)
    assert run.steps[1].error == ERROR
    assert "source=minio" in asked
    assert "namespace=kubeflow" in asked


def test_a_log_is_asked_for_in_the_namespace_of_its_user(tmp_path):
    with Kubeflow("failed") as server:
        complete(server, tmp_path, namespace="team-a", path="/pipeline")
        asked = [one.path for one in server.seen if "/k8s/pod/logs" in one.path]
    assert asked[0].startswith("/pipeline/k8s/pod/logs?")
    assert "podnamespace=team-a" in asked[0]


def test_a_log_that_may_not_be_read_is_not_told_as_missing(tmp_path):
    with Kubeflow("failed") as server:
        server.hinder("/k8s/pod/logs", answer(403, "Access denied to namespace"))
        run = complete(server, tmp_path)
    told = "failed; its log may not be read (403: Access denied to namespace)"
    assert run.steps[1].error == told


@pytest.mark.parametrize("name", ["succeeded", "failed", "large", "loop"])
def test_the_names_of_pods_are_computed_as_argo_does(name):
    with Kubeflow(name) as server:
        executions = Store(Connection(server.url, Credentials()), server.run_id).read_executions()
        outline = Outline(server.package)
    found = locate(executions, outline)
    pods = {spot: one.pod for spot, one in found.items() if one.pod}
    names = PodNames(outline)
    assert names.guess(next(iter(pods)), EXECUTOR) == []
    names.learn(as_model({}), list(pods.values())[:1])
    assert {spot: names.guess(spot, EXECUTOR)[0] for spot in pods} == pods


def test_a_step_that_is_retried_has_another_template():
    package = Package(load("failed")["package"])
    package.spec["root"]["dag"]["tasks"]["load-step"]["retryPolicy"] = {"maxRetryCount": 2}
    names = PodNames(Outline(package))
    names.learn(as_model({}), ["flow-system-dag-driver-1"])
    name, _ = names.guess((("load-step",), ()), EXECUTOR)
    assert name.startswith("flow-retry-system-container-impl-")


def test_a_step_with_labels_has_another_template():
    marks = {"labels": {"team": "ml", "stage": "load"}, "annotations": {"note": "mine"}}
    executors = {"exec-step": {"podMetadata": marks}}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    package = Package(load("failed")["package"], platform)
    names = PodNames(Outline(package))
    names.learn(as_model({}), ["flow-metadata-1-2-system-container-impl-1"])
    assert names.workflow == "flow"
    name, before, *_ = names.guess((("load-step",), ()), EXECUTOR)
    assert name.startswith("flow-metadata-1-2-system-container-impl-")
    assert before.startswith("flow-system-container-impl-")


def test_without_metadata_the_pod_of_a_failed_step_is_known_by_its_node(tmp_path):
    """On the address of the API alone there is no metadata, and a log at another place."""
    with Kubeflow("failed") as server:
        server.case["metadata"] = None
        pod, log = server.case.pop("logs").popitem()
        node = f"/apis/v1alpha1/runs/{server.run_id}/nodes/{pod}/log"
        server.hinder(node, answer(200, log, content_type="text/plain"))
        run = complete(server, tmp_path)
    assert run.steps[1].error.startswith("ZeroDivisionError: division by zero (line 2")


def test_the_iterations_of_a_loop_are_steps_inside_a_step(tmp_path):
    with Kubeflow("loop") as server:
        executions = server.case["metadata"]["executions"]
        failed = next(
            one["custom_properties"]["pod_name"]["string_value"]
            for one in executions
            if one["last_known_state"] == "FAILED" and "pod_name" in one["custom_properties"]
        )
        log = 'Traceback (most recent call last):\n  File "x"\nValueError: item 2 is bad\n'
        server.case["logs"] = {failed: log}
        run = complete(server, tmp_path)
    (check,) = run.steps
    assert check.state == "failed"
    assert [(one.name, one.state.value) for one in check.steps] == [
        ("check.0", "succeeded"),
        ("check.1", "failed"),
        ("check.2", "succeeded"),
        ("check.3", "succeeded"),
    ]
    assert check.error == "iteration 1: ValueError: item 2 is bad"
    assert check.steps[2].outputs.parameters == {"Output": 3}
    assert (tmp_path / "logs" / "check.1.log").read_text() == log
    assert list_problems(run)[0].log == "logs/check.1.log"


@pytest.mark.parametrize("name", ["terminated", "image_not_found"])
def test_a_run_that_somebody_ended_says_so(tmp_path, name):
    with Kubeflow(name) as server:
        server.case["run"] = load("terminated")["run"]
        assert server.case["run"]["state"] == "FAILED"
        run = complete(server, tmp_path)
    assert states(run) == {"load": "failed", "ratio": "skipped", "end": "skipped"}
    assert "terminated" in run.error
    assert "terminated" in run.steps[0].error
    # Metadata never hear of the end of what was running then.
    assert 0 < run.steps[0].seconds <= run.seconds


@pytest.fixture
def quick(monkeypatch):
    """Asks without a pause; the third question is interrupted, as by Ctrl-C."""
    pauses = []

    def sleep(_):
        pauses.append(1)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(follow.time, "sleep", sleep)
    monkeypatch.setattr("fastkf.cluster.watch.SECONDS", 0)


def test_a_step_whose_image_is_not_there_says_so(tmp_path, shown, quick):
    with Kubeflow("image_not_found") as server:
        options = submit.Options(tmp_path, output=tmp_path / "run")
        server.hinder("/healthz", as_json({"tag_name": "2.17.0", "multi_user": False}))
        server.case["run"]["pipeline_spec"] = server.case["package"]
        with pytest.raises(follow.DetachedError, match="goes on"):
            submit.follow_run(server.run_id, Endpoint(server.url), options, shown.display)
    said = f"load waits: its image {IMAGE} cannot be pulled (failed to pull and unpack"
    assert shown.text.count(said) == 1
    assert "connection refused" in shown.text
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    step = record["pipeline"]["steps"][0]
    assert record["status"] == step["status"] == "running"
    assert IMAGE in step["error"]
    report = (tmp_path / "run" / "report.html").read_text()
    assert IMAGE in report
    assert "What is in the way" in report


def test_a_run_that_is_followed_has_its_defaults_among_its_parameters(tmp_path, shown):
    """So that it can be held against others: a server tells of the parameters that were given."""
    with Kubeflow("succeeded") as server:
        declared = {"trees": {"parameterType": "NUMBER_INTEGER", "defaultValue": 5.0}}
        declared["share"] = {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.5}
        package = server.case["package"]
        package["root"]["inputDefinitions"] = {"parameters": declared}
        server.case["run"] |= {"pipeline_spec": package}
        server.case["run"]["runtime_config"] = {"parameters": {"share": 0.25}}
        server.hinder("/healthz", as_json({"tag_name": "2.17.0", "multi_user": False}))
        options = submit.Options(tmp_path, output=tmp_path / "run")
        run = submit.follow_run(server.run_id, Endpoint(server.url), options, shown.display)
    assert run.parameters == {"trees": 5, "share": 0.25}


def test_a_step_that_has_waited_and_runs_says_nothing_of_it_any_more(shown, monkeypatch):
    with Kubeflow("image_not_found") as server:
        follower = follower_of(server)
        stages = [
            # Its image was loaded, and its container has begun; then it is over.
            lambda step: step.update(pod_name={"string_value": "pod"}),
            lambda _: server.case["metadata"]["executions"][0].update(last_known_state="COMPLETE"),
            lambda _: server.case["run"].update(state="SUCCEEDED"),
        ]
        seen = []

        def sleep(_):
            seen.append({step.name: (step.state.value, step.error) for step in follower.steps})
            stages.pop(0)(server.case["metadata"]["executions"][0]["custom_properties"])

        monkeypatch.setattr(follow.time, "sleep", sleep)
        follower.follow(shown.display)
    assert IMAGE in seen[0]["load"][1]
    assert seen[1]["load"] == ("running", None)
    assert seen[2]["load"] == ("succeeded", None)
    assert shown.text.count("load waits") == 1
    assert "✓ load" in shown.text


def test_a_step_that_fails_and_succeeds_when_it_is_tried_again_is_shown_twice(shown, monkeypatch):
    with Kubeflow("failed") as server:
        server.case["run"]["state"] = "RUNNING"
        ratio = server.case["metadata"]["executions"][0]
        stages = [
            lambda: ratio.update(last_known_state="RUNNING"),
            lambda: ratio.update(last_known_state="COMPLETE"),
            lambda: server.case["run"].update(state="SUCCEEDED"),
        ]
        monkeypatch.setattr(follow.time, "sleep", lambda _: stages.pop(0)())
        follower_of(server).follow(shown.display)
    assert shown.text.index("✗ ratio") < shown.text.index("✓ ratio")
    assert shown.text.count("✓ ratio") == 1


def test_a_task_inside_a_group_waits_for_the_groups_driver_first():
    with Kubeflow("loop") as server:
        outline = Outline(server.package)
        told = Store(Connection(server.url, Credentials()), server.run_id).read_executions()
    check, loop = ("for-loop-2", "check"), ("for-loop-2",)
    found = locate(told, outline)
    del found[check, (1,)], found[check, (2,)], found[loop, (2,)]
    assert find_driven((check, (1,)), found, outline) == (check, (1,))
    assert find_driven((check, (2,)), found, outline) == (loop, (2,))
    assert find_driven((check, ()), {((), ()): told[0]}, outline) == (loop, ())
    assert find_driven((check, ()), {}, outline) == ((), ())


def waiting(case: dict, reason: str, message: str) -> dict:
    status = next(iter(case["pods"].values()))["status"]
    status["containerStatuses"][0]["state"] = {"waiting": {"reason": reason, "message": message}}
    case["events"] = {}
    return case


def read_waits(case: dict) -> dict[str, str]:
    with Kubeflow(case) as server:
        follower = follower_of(server)
        follower.run = server.run
        follower.read_steps(Shown().display)
        return {step.name: step.error for step in follower.steps if step.error}


@pytest.mark.parametrize(
    ("reason", "message", "told"),
    [
        ("CreateContainerConfigError", 'secret "keys" not found', "the Secret keys is not there"),
        (
            "CreateContainerConfigError",
            "couldn't find key user in Secret kubeflow/keys",
            "the Secret keys has no key user",
        ),
        ("CreateContainerConfigError", 'configmap "cfg" not found', "the ConfigMap cfg is not"),
        (
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root",
            "build the image with a user that is not root",
        ),
        (
            "CreateContainerConfigError",
            "container's runAsUser breaks non-root policy (container: main)",
            "it asks to be root, which its pod may not be",
        ),
        ("ImagePullBackOff", 'Back-off pulling image "x"', f"{IMAGE} cannot be pulled;"),
        ("InvalidImageName", "couldn't parse", f"{IMAGE} is not the name of an image"),
        ("RunContainerError", "no such file: sh", "does not start: RunContainerError: no such"),
    ],
)
def test_a_container_that_does_not_start_says_why(reason, message, told):
    assert told in read_waits(waiting(load("image_not_found"), reason, message))["load"]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (("Warning", "FailedMount", 'secret "keys" not found'), "the Secret keys is not there"),
        (("Warning", "FailedMount", "timed out"), "its pod does not start: FailedMount: timed out"),
        (("Normal", "Pulling", 'Pulling image "step:1"'), "its image step:1 is being pulled"),
    ],
)
def test_a_pod_that_does_not_start_says_why(event, told):
    case = load("image_not_found")
    name, pod = next(iter(case["pods"].items()))
    pod["status"] = {"phase": "Pending"}
    kind, reason, message = event
    case["events"] = {name: {"items": [{"type": kind, "reason": reason, "message": message}]}}
    assert told in read_waits(case)["load"]


def test_a_pod_that_no_node_takes_says_why():
    case = load("image_not_found")
    for pod in case["pods"].values():
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        condition["message"] = "0/1 nodes are available: 1 Insufficient memory."
        pod["status"] = {"phase": "Pending", "conditions": [condition]}
    told = read_waits(case)["load"]
    assert "no node has room for it" in told
    assert "Insufficient memory" in told


def test_a_driver_that_does_not_start_says_why():
    """Before a step there is a pod that prepares it, and before all one of the pipeline."""
    case = load("image_not_found")
    workflow, _, _ = next(iter(case["pods"])).partition("-system-")
    pod = deepcopy(next(iter(case["pods"].values())))
    pod["metadata"]["annotations"] = {}
    case["metadata"]["executions"] = case["metadata"]["executions"][1:]
    details = case["run"]["run_details"]["task_details"]
    number = next(
        one["child_tasks"][0]["pod_name"].rpartition("-")[2]
        for one in details
        if one["display_name"] == "load-step-driver"
    )
    case["pods"] = {f"{workflow}-system-container-driver-{number}": pod}
    assert read_waits(case)["load"].startswith("what prepares it has not started: its image")


EXIT = {
    "dependentTasks": ["before"],
    "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
}
VOLUME = {"container": {"image": "argostub/createpvc"}}


@pytest.mark.parametrize(
    ("task", "executor", "has_begun", "node", "pod"),
    [
        (EXIT, {}, True, "before.onExit(0).load-step(0).executor(0)", "container-impl-969744943"),
        (EXIT, {}, False, "before.onExit(0).load-step-driver(0)", "container-driver-4045279810"),
        ({}, {"importer": {}}, False, "load-step(0)", "importer-4085928116"),
        ({}, VOLUME, False, "load-step(0)", "container-driver-4085928116"),
    ],
)
def test_the_pod_of_an_exit_handler_an_importer_and_a_volume_says_why(
    task, executor, has_begun, node, pod
):
    """Their pods are called after other paths of tasks than those of most."""
    case = load("image_not_found")
    package, flow = case["package"], next(iter(case["pods"])).partition("-system-")[0]
    tasks = package["root"]["dag"]["tasks"]
    tasks["load-step"] |= task
    if executor:
        package["deploymentSpec"]["executors"]["exec-other"] = executor
        package["components"]["comp-other"] = {"executorLabel": "exec-other"}
        tasks["load-step"]["componentRef"] = {"name": "comp-other"}
    if not has_begun:
        case["metadata"]["executions"] = case["metadata"]["executions"][1:]
    [waiting] = case["pods"].values()
    waiting["metadata"]["annotations"]["workflows.argoproj.io/node-name"] = (
        f"{flow}(0).root(0).{node}"
    )
    case["pods"] = {f"{flow}-system-{pod}": waiting}
    told = read_waits(case)["load"]
    assert told.startswith("what prepares it" if "-driver(" in node else f"its image {IMAGE}")


def test_a_volume_that_cannot_be_made_is_a_failed_step(tmp_path):
    with Kubeflow("failed") as server:
        package, details = server.case["package"], server.case["run"]["run_details"]["task_details"]
        package["deploymentSpec"]["executors"]["exec-volume"] = VOLUME
        package["components"]["comp-volume"] = {"executorLabel": "exec-volume"}
        package["root"]["dag"]["tasks"]["ratio-step"]["componentRef"] = {"name": "comp-volume"}
        server.case["metadata"]["executions"] = server.case["metadata"]["executions"][1:]
        node = next(one for one in details if one.get("display_name") == "ratio-step")
        number = node["child_tasks"][0]["pod_name"].rpartition("-")[2]
        flow = next(iter(server.case["logs"])).partition("-system-")[0]
        told = "F0601 20:01:41.881 16 main.go:79] KFP driver: the class fast is not there\n"
        server.case["logs"] = {f"{flow}-system-container-driver-{number}": told}
        run = complete(server, tmp_path)
    assert states(run) == {"load": "succeeded", "ratio": "failed", "end": "skipped"}
    assert run.steps[1].error == "KFP driver: the class fast is not there"


def test_a_pod_is_known_by_the_number_that_the_api_tells():
    """Where Argo would number its nodes in another way."""
    case = load("image_not_found")
    text = json.dumps(case)
    number = next(iter(case["pods"])).rpartition("-")[2]
    assert IMAGE in read_waits(json.loads(text.replace(number, "1234567")))["load"]


@pytest.mark.security
@pytest.mark.parametrize("pod", [[], {"status": []}, {"status": {"containerStatuses": [7]}}, "x"])
def test_an_odd_pod_says_nothing(pod):
    case = load("image_not_found")
    case["pods"] = dict.fromkeys(case["pods"], pod)
    case["events"] = {}
    assert read_waits(case) == {}


def test_a_failed_driver_is_the_reason_of_its_step(tmp_path):
    with Kubeflow("failed") as server:
        case = server.case
        case["metadata"]["executions"] = case["metadata"]["executions"][1:]
        details = case["run"]["run_details"]["task_details"]
        details[:] = [one for one in details if one.get("display_name") != "ratio-step"]
        driver = next(one for one in details if one.get("display_name") == "ratio-step-driver")
        driver["state"] = "FAILED"
        number = driver["child_tasks"][0]["pod_name"].rpartition("-")[2]
        workflow = next(iter(case["logs"])).partition("-system-")[0]
        told = "F0601 20:01:41.881 16 main.go:79] KFP driver: parent DAG does not have the input\n"
        case["logs"] = {f"{workflow}-system-container-driver-{number}": told}
        run = complete(server, tmp_path)
    assert states(run) == {"load": "succeeded", "ratio": "failed", "end": "skipped"}
    assert run.steps[1].error == (
        "what prepares it has failed: KFP driver: parent DAG does not have the input"
    )


def test_a_process_that_was_killed_says_so(tmp_path):
    with Kubeflow("failed") as server:
        ends = "F0601 19:59:29.223452 15 main.go:59] failed to execute component: exit status 137\n"
        server.case["logs"] = dict.fromkeys(server.case["logs"], f"working\n{ends}")
        run = complete(server, tmp_path)
    assert run.steps[1].error.startswith("its process was ended by SIGKILL (exit status 137)")


KILLED = {"name": "main", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
BROKEN = {"reason": "StartError", "message": 'exec: "sh": executable file not found in $PATH'}
NO_SHELL = {"name": "main", "state": {"terminated": BROKEN}}
EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"phase": "Failed", "message": "exit", "containerStatuses": [KILLED]}, "its memory ran"),
        ({"phase": "Failed", "containerStatuses": [NO_SHELL]}, "its container did not run: Start"),
        (EVICTED, "its pod has failed: Evicted: The node was low on memory."),
    ],
)
def test_a_pod_that_was_ended_says_why(tmp_path, status, told):
    with Kubeflow("failed") as server:
        name = next(iter(server.case["logs"]))
        server.case["logs"][name] = "working\n"
        server.case["pods"] = {name: {"status": status}}
        run = complete(server, tmp_path)
    assert run.steps[1].error.startswith(told)


def test_the_reason_that_a_server_tells_stands_where_no_log_has_one(tmp_path):
    with Kubeflow("failed") as server:
        details = server.case["run"]["run_details"]["task_details"]
        ratio = next(one for one in details if one.get("display_name") == "ratio-step")
        ratio["error"] = {"code": 13, "message": "it has not written its output"}
        server.case["logs"] = {}
        run = complete(server, tmp_path)
    assert run.steps[1].error == "it has not written its output"


def test_a_run_that_was_ended_and_retried_has_failed_by_itself(tmp_path):
    with Kubeflow("failed") as server:
        history = ["RUNNING", "CANCELING", "FAILED", "RUNNING", "FAILED"]
        server.case["run"]["state_history"] = [{"state": state} for state in history]
        run = complete(server, tmp_path)
    assert run.error is None
    assert run.steps[1].error.startswith("ZeroDivisionError")


def test_a_step_that_is_cached_or_left_out_is_listed(tmp_path):
    spec = {
        "pipelineInfo": {"name": "choice"},
        "root": {
            "dag": {
                "tasks": {
                    "flip": {"componentRef": {"name": "comp"}, "taskInfo": {"name": "Flip a coin"}},
                    "condition-1": {
                        "componentRef": {"name": "comp-condition-1"},
                        "dependentTasks": ["flip"],
                        "triggerPolicy": {"condition": "inputs.parameter_values['x'] == 'y'"},
                    },
                    "last": {"componentRef": {"name": "comp"}, "dependentTasks": ["condition-1"]},
                }
            }
        },
        "components": {
            "comp": {"executorLabel": "exec"},
            "comp-condition-1": {"dag": {"tasks": {"inner": {"componentRef": {"name": "comp"}}}}},
        },
    }

    def execution(number, task, state, parent=None, kind="Container"):
        named = {"task_name": {"string_value": task}}
        if parent:
            named["parent_dag_id"] = {"int_value": parent}
        times = {"create_time_since_epoch": 1780000000000, "last_update_time_since_epoch": 1}
        type = f"system.{kind}Execution"
        return dict(id=number, type=type, last_known_state=state, custom_properties=named, **times)

    case = load("succeeded")
    case["package"] = spec
    case["run"]["run_details"] = {}
    case["metadata"] |= {"artifacts": [], "events": []}
    case["metadata"]["executions"] = [
        execution(1, "", "RUNNING", kind="DAG"),
        execution(2, "Flip a coin", "CACHED", 1),
        execution(3, "condition-1", "CANCELED", 1, "DAG"),
        execution(4, "last", "COMPLETE", 1),
    ]
    with Kubeflow(case) as server:
        run = complete(server, tmp_path)
    assert states(run) == {"flip": "succeeded", "inner": "skipped", "last": "succeeded"}
    assert [step.word for step in run.steps] == ["cached", "skipped", "succeeded"]


def test_a_driver_that_nobody_sees_says_so(monkeypatch):
    monkeypatch.setattr("fastkf.cluster.watch.UNSEEN_SECONDS", -1)
    case = load("image_not_found")
    case["pods"] = {}
    told = read_waits(case)["load"]
    assert told.startswith("its pod cannot be seen from here (500: Could not")
    assert told.endswith("kubectl -n kubeflow describe workflow faulty-demo-w2n8z")


def test_pods_that_are_told_of_slowly_do_not_hold_up_the_following(monkeypatch):
    """A look takes its time and no more, and what was seen before stays."""
    monkeypatch.setattr("fastkf.cluster.watch.SECONDS", 0)
    with Kubeflow("image_not_found") as server:
        follower = follower_of(server)
        follower.run = server.run
        follower.read_steps(Shown().display)
        monkeypatch.setattr("fastkf.cluster.watch.SECONDS_TO_LOOK", 0.2)
        monkeypatch.setattr("fastkf.cluster.watch.SECONDS_TO_ANSWER", 0.1)
        server.hinder("/k8s/pod", lambda *_: time.sleep(0.5))
        began = time.monotonic()
        follower.read_steps(Shown().display)
    assert time.monotonic() - began < 2
    assert IMAGE in follower.steps[0].error


def test_a_server_without_pods_is_not_asked_for_them_again(monkeypatch):
    monkeypatch.setattr("fastkf.cluster.watch.UNSEEN_SECONDS", -1)
    monkeypatch.setattr("fastkf.cluster.watch.SECONDS", 0)
    nothing = answer(404, '{"code":5,"message":"Not Found"}', content_type="application/json")
    with Kubeflow("image_not_found") as server:
        server.hinder("/k8s/pod", nothing)
        follower = follower_of(server)
        follower.run = server.run
        for _ in range(3):
            follower.read_steps(Shown().display)
        asked = [one for one in server.seen if "/k8s/pod" in one.path]
    assert len(asked) == 1
    assert follower.steps[0].error is None


def test_the_task_of_an_exit_handler_is_next_when_what_is_before_it_has_failed():
    tasks = {
        "exit-handler-1": {"componentRef": {"name": "comp-group"}},
        "tell": {
            "componentRef": {"name": "comp"},
            "dependentTasks": ["exit-handler-1"],
            "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
        },
        "later": {"componentRef": {"name": "comp"}, "dependentTasks": ["exit-handler-1"]},
    }
    group = {"dag": {"tasks": {"work": {"componentRef": {"name": "comp"}}}}}
    components = {"comp": {"executorLabel": "exec"}, "comp-group": group}
    spec = {"pipelineInfo": {"name": "x"}, "root": {"dag": {"tasks": tasks}}}
    outline = Outline(Package(spec | {"components": components}))
    failed = Execution("1", "work", State.FAILED)
    listing = Listing(outline, {(("exit-handler-1", "work"), ()): failed})
    assert listing.list_next() == ["tell"]
    # It does not wait for what cannot begin any more after the failure.
    group["dag"]["tasks"]["more"] = {"componentRef": {"name": "comp"}, "dependentTasks": ["work"]}
    outline = Outline(Package(spec | {"components": components}))
    found = {(("exit-handler-1", "work"), ()): failed}
    assert Listing(outline, found).list_next() == ["tell"]
    found[("exit-handler-1", "more"), ()] = Execution("2", "more", State.RUNNING)
    assert Listing(outline, found).list_next() == []
    assert not outline.may_be_left_out(("tell",))


def nested_loops() -> Outline:
    """A pipeline in which a nested pipeline's loop has a loop in it."""

    def group(name, component, **fields):
        return {name: {"componentRef": {"name": component}, **fields}}

    loop = {"parameterIterator": {"itemInput": "x"}}
    components = {
        "comp": {"executorLabel": "exec"},
        "comp-inner": {"dag": {"tasks": group("work", "comp")}},
        "comp-outer": {"dag": {"tasks": group("inner", "comp-inner", **loop)}},
        "comp-nested": {"dag": {"tasks": group("outer", "comp-outer", **loop)}},
    }
    root = {"dag": {"tasks": group("nested", "comp-nested")}}
    spec = {"pipelineInfo": {"name": "x"}, "root": root, "components": components}
    return Outline(Package(spec))


def group(id, task, parent="", **fields) -> Execution:
    return Execution(id, task, State.RUNNING, parent, is_group=True, **fields)


TOP = [group("1", ""), group("2", "nested", "1"), group("3", "outer", "2", turns=2)]
IN_METADATA = [
    group("4", "outer", "3", turn=0),
    group("5", "inner", "4", turns=2),
    group("6", "inner", "5", turn=0),
    group("7", "inner", "5", turn=1),
    Execution("8", "work", State.SUCCEEDED, "6"),
    Execution("9", "work", State.FAILED, "7"),
    group("10", "outer", "3", turn=1),
]
IN_TASKS = [  # after 2.17 an iteration is no task
    group("5", "inner", "3", turn=0, turns=2),
    Execution("8", "work", State.SUCCEEDED, "5", turn=0),
    Execution("9", "work", State.FAILED, "5", turn=1),
]


@pytest.mark.parametrize("inside", [IN_METADATA, IN_TASKS])
def test_a_loop_in_a_loop_of_a_nested_pipeline_is_counted_by_both(inside):
    outline = nested_loops()
    listing = Listing(outline, locate([*TOP, *inside], outline))
    (work,) = listing.steps
    assert work.state == "running"
    assert [(one.name, one.state.value) for one in work.steps] == [
        ("work.0.0", "succeeded"),
        ("work.0.1", "failed"),
        ("work.1", "pending"),  # its inner loop has not begun
    ]
    listing.end(State.FAILED, is_complete=True)
    assert listing.steps[0].state == "failed"


class CountedFound(dict):
    """Counts how often somebody goes through all of it."""

    passes = 0

    def __iter__(self):
        self.passes += 1
        return super().__iter__()


def test_what_is_told_of_many_iterations_is_gone_through_once():
    outline, count = nested_loops(), 50
    found = CountedFound(locate([*TOP[:2], group("3", "outer", "2", turns=count)], outline))
    for turn in range(count):
        inner = group(f"{10 + turn}", "inner", turns=2)
        found[("nested", "outer", "inner"), (turn,)] = inner
    assert len(Listing(outline, found).parts) == 2 * count
    assert found.passes <= 2


@pytest.mark.security
def test_groups_in_a_circle_and_loops_without_end_are_bounded():
    outline = nested_loops()
    circle = [group("3", "outer", "2"), group("2", "nested", "3")]
    assert locate(circle, outline) == {}
    endless = [*TOP[:2], group("3", "outer", "2", turns=10**12)]
    endless += [group(f"{10 + turn}", "inner", "3", turn=turn, turns=10**12) for turn in range(9)]
    listing = Listing(outline, locate(endless, outline))
    assert len(listing.parts) == MOST_TURNS


PLATFORM = {"executors": {"exec-step": {"securityContext": {"runAsUser": 65534}}}}
OTHER = {"executors": {"exec-step": {"secretAsEnv": [{"secretName": "keys"}]}}}


@pytest.mark.parametrize(
    ("version", "settings", "is_refused"),
    [
        ("2.15.0", PLATFORM, True),
        ("v2.14.3", PLATFORM, True),
        ("2.16.0", PLATFORM, False),
        ("2.17.0", PLATFORM, False),
        ("3.0.0", PLATFORM, False),
        ("2.5.0", PLATFORM, False),  # it leaves the field out
        ("of an unknown version", PLATFORM, False),
        ("fastkf 0.1", PLATFORM, False),
        ("2.15.0", OTHER, False),
        ("2.15.0", None, False),
    ],
)
def test_a_package_that_a_server_cannot_start_is_refused(version, settings, is_refused):
    platform = {"platforms": {"kubernetes": {"deploymentSpec": settings}}} if settings else {}
    package = Package(load("failed")["package"], platform)
    connection = Connection("http://kubeflow.example.org", Credentials())
    client = Client(Endpoint(), connection, Health(version, False, True), "")
    if not is_refused:
        check_version(client, package)
        return
    with pytest.raises(ClusterError, match=rf"{version} cannot start this package.*2\.16"):
        check_version(client, package)


def test_what_is_refused_is_not_uploaded(tmp_path, shown):
    platform = {"platforms": {"kubernetes": {"deploymentSpec": PLATFORM}}}
    path = tmp_path / "package.yaml"
    path.write_text(Package(load("failed")["package"], platform).as_yaml())
    with Kubeflow("failed") as server:
        server.hinder("healthz", as_json({"tag_name": "2.15.0", "multi_user": False}))
        source = read_source(path, shown.display, given={})
        options = submit.Options(tmp_path, output=tmp_path / "run")
        with pytest.raises(ClusterError, match=r"2\.15\.0 cannot start this package"):
            submit.submit(source, Endpoint(server.url), options, shown.display)
        assert {one.method for one in server.seen} == {"GET"}
    assert not (tmp_path / "run").exists()


def test_an_execution_as_ml_metadata_writes_it_is_understood():
    """Bytes put together by hand after metadata_store.proto."""

    def field(number: int, content: bytes) -> bytes:
        length = len(content)
        sizes = [length] if length < 128 else [length % 128 | 128, length // 128]
        return bytes([number << 3 | 2, *sizes]) + content

    def property(name: bytes, value: bytes) -> bytes:
        return field(5, field(1, name) + field(2, value))

    told = b"\x08\x07\x10\x0d\x18\x04"  # id 7, type_id 13, last_known_state FAILED
    told += property(b"task_name", field(3, b"train-step"))
    told += property(b"parent_dag_id", b"\x08\x06")
    told += property(b"iteration_index", b"\x08\x00")
    number = field(2, b"\x11" + b"\0\0\0\0\0\0\x14\x40")  # number_value 5.0
    told += property(b"inputs", field(4, field(1, field(1, b"depth") + number)))
    told += field(7, b"system.ContainerExecution")
    told += b"\x40\xe8\x07\x48\xd0\x0f"  # created at 1000 ms, updated at 2000 ms
    message = grpc_web.make_messages()["ExecutionsAnswer"]()
    message.ParseFromString(field(1, told))
    case = load("succeeded")
    with Kubeflow(case) as server:
        server.hinder("GetExecutionsByContext", grpc_web_answer(message))
        store = Store(Connection(server.url, Credentials()), server.run_id)
        (one,) = store.read_executions()
    assert (one.id, one.task, one.parent, one.turn) == ("7", "train-step", "6", 0)
    assert (one.state, one.ended.timestamp()) == (State.FAILED, 2)
    assert one.inputs.parameters == {"depth": 5}


@pytest.mark.security
@pytest.mark.parametrize("told", [b"", b"\xff" * 40, b"\0\0\0\0\x03\n\x01\x08", b"\0" * 5])
def test_odd_metadata_end_no_following(told, tmp_path):
    with Kubeflow("failed") as server:
        odd = answer(200, told, content_type="application/grpc-web+proto")
        server.hinder("ml_metadata", odd)
        run = complete(server, tmp_path)
    assert states(run) == {"load": "succeeded", "ratio": "failed", "end": "skipped"}


@pytest.mark.security
@pytest.mark.parametrize(
    "tasks",
    [
        7,
        "x",
        [7],
        [{}],
        [{"task_id": []}],
        [{"task_id": "1", "pods": "x"}],
        [{"task_id": {}}],
        [{"task_id": "1", "parent_task_id": "1", "name": 5, "outputs": {"artifacts": [[]]}}],
    ],
)
def test_odd_tasks_end_no_following(tasks, tmp_path):
    with Kubeflow("failed") as server:
        server.case["metadata"] = None
        server.hinder("view=FULL", as_json({"tasks": tasks}))
        run = complete(server, tmp_path)
    assert len(run.steps) == 3


def task(number: int, name: str, state: str, parent: int = 0, kind="RUNTIME", **fields) -> dict:
    """A task as the API has it after 2.17."""
    return {
        "task_id": f"id-{number}",
        "name": name,
        "parent_task_id": f"id-{parent}" if parent else "",
        "type": kind,
        "state": state,
        "create_time": f"2026-06-01T12:00:{number:02}Z",
        "end_time": "2026-06-01T12:01:00Z",
        **fields,
    }


@pytest.fixture
def later():
    """What a server after 2.17 answers: no metadata, no task_details; tasks where asked for all."""
    case = load("loop")
    case["metadata"] = None
    case["run"].pop("run_details")
    tasks = [
        task(1, "root", "FAILED", kind="ROOT"),
        task(2, "for-loop-2", "FAILED", 1, "LOOP", type_attributes={"iteration_count": "2"}),
        task(3, "for-loop-2", "SUCCEEDED", 2, "DAG", type_attributes={"iteration_index": "0"}),
        task(4, "for-loop-2", "FAILED", 2, "DAG", type_attributes={"iteration_index": "1"}),
        task(5, "check", "CACHED", 3),
        task(6, "check", "FAILED", 4, pods=[{"name": "pod-6", "type": "EXECUTOR"}]),
    ]
    case["full"] = case["run"] | {"tasks": tasks}
    with Kubeflow(case) as server:
        server.hinder(r"\?view=FULL", as_json(case["full"]))
        yield server


def test_a_server_without_metadata_lists_tasks_itself(later, tmp_path):
    later.case["logs"] = {"pod-6": "Traceback (most recent call last):\n  x\nKeyError: 'a'\n"}
    run = complete(later, tmp_path)
    (check,) = run.steps
    assert [(one.name, one.state.value) for one in check.steps] == [
        ("check.0", "succeeded"),
        ("check.1", "failed"),
    ]
    assert [one.word for one in check.steps] == ["cached", "failed"]
    assert check.error == "iteration 1: KeyError: 'a'"


def test_metrics_of_such_a_server_are_among_its_tasks(later, tmp_path):
    made = [{"name": "accuracy", "type": "Metric", "number_value": 0.5}]
    tasks = later.case["full"]["tasks"][:1] + [
        task(
            2,
            "check",
            "SUCCEEDED",
            1,
            outputs={"artifacts": [{"artifact_key": "metrics", "artifacts": made}]},
        )
    ]
    later.case["package"] = {
        "pipelineInfo": {"name": "one"},
        "root": {"dag": {"tasks": {"check": {"componentRef": {"name": "comp"}}}}},
        "components": {"comp": {"executorLabel": "exec"}},
    }
    later.case["run"]["state"] = "SUCCEEDED"
    later.rules[0].do = as_json(later.case["full"] | {"tasks": tasks})
    run = complete(later, tmp_path)
    assert run.pipeline.metrics == {"check.accuracy": 0.5}


def test_metadata_that_fail_for_a_moment_are_asked_again(tmp_path):
    with Kubeflow("succeeded") as server:
        server.hinder("GetExecutionsByContext", answer(503, "down"), times=1)
        run = complete(server, tmp_path)
    assert len(run.steps) == 4


@pytest.mark.parametrize("do", [page(200, "Kubeflow"), answer(404, "no"), answer(405, "no")])
def test_a_server_without_metadata_is_not_asked_for_them_again(do, tmp_path):
    with Kubeflow("failed") as server:
        server.hinder("ml_metadata", do)
        follower = follower_of(server)
        follower.run = as_model(server.case["run"])
        for _ in range(3):
            follower.read_steps(Shown().display)
        asked = [one for one in server.seen if "GetContext" in one.path]
    assert len(asked) == 1
    assert [step.state.value for step in follower.steps] == ["succeeded", "failed", "skipped"]
