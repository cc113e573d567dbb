"""The files of a cluster's run: what its steps have shown, and with --artifacts all of them."""

import pytest
from bs4 import BeautifulSoup
from real_kubeflow import Kubeflow
from test_cluster_runs import Shown, complete, follower_of

from fastkf.cluster.auth import Credentials
from fastkf.cluster.connection import Connection, Health
from fastkf.cluster.files import bring_files
from fastkf.cluster.outcome import complete_run
from fastkf.cluster.target import Client, Endpoint
from fastkf.runs.model import Artifact, Run, Step, Values
from fastkf.runs.report.page import render_report

pytestmark = pytest.mark.slow

PAGE = "<p>the accuracy of the tree</p>"


def complete_with_files(server: Kubeflow, folder) -> tuple[Run, str | None]:
    follower = follower_of(server)
    follower.follow(Shown().display)
    client = Client(
        Endpoint(), Connection(server.url, Credentials()), Health("2.17.0", False, True), ""
    )
    return complete_run(Run(folder, "n", "N"), client, follower, server.package, None, True)


def stored(server: Kubeflow, step: str, name: str) -> str:
    """Where in its store the server has a step's artifact, as bucket/key."""
    follower = follower_of(server)
    follower.follow(Shown().display)
    (made,) = (one.outputs.artifacts[name] for one in follower.steps if one.name == step)
    return made.uri.partition("://")[2]


@pytest.fixture
def server():
    with Kubeflow("succeeded") as server:
        page = stored(server, "evaluate", "evaluate_html_report")
        server.case["files"] = {page: PAGE}
        yield server


def test_the_report_shows_what_a_step_has_shown_on_the_cluster(server, tmp_path):
    run = complete(server, tmp_path)
    made = run.steps[-1].outputs.artifacts["evaluate_html_report"]
    assert made.uri == "artifacts/evaluate/evaluate_html_report"
    assert (tmp_path / "outputs" / "evaluate.html").read_text() == PAGE
    report = BeautifulSoup(render_report(run), "html.parser")
    frames = [frame["srcdoc"] for frame in report.find_all("iframe")]
    assert len(frames) == 1
    assert PAGE in frames[0]


def test_only_with_artifacts_all_files_come(server, tmp_path):
    data = stored(server, "load_data", "train_wines_output_artifact")
    server.case["files"][data] = "a,b\n1,2\n"
    kept = "artifacts/load_data/train_wines_output_artifact"
    complete(server, tmp_path / "plain")
    assert not (tmp_path / "plain" / kept).exists()
    run, warning = complete_with_files(server, tmp_path / "all")
    assert (tmp_path / "all" / kept).read_text() == "a,b\n1,2\n"
    assert run.steps[0].outputs.artifacts["train_wines_output_artifact"].uri == kept
    assert "test_wines_output_artifact of load_data could not be brought (404" in warning


@pytest.mark.security
@pytest.mark.parametrize(
    "names", [["a/b", "a_b", "a:b"], ["x" * 300, "x" * 301], [" ", "\t", ".."]]
)
def test_files_of_like_names_do_not_take_each_others_place(server, tmp_path, names):
    made = {name: Artifact("system.Dataset", f"minio://b/{n}") for n, name in enumerate(names)}
    server.case["files"] = {f"b/{n}": str(n) for n in range(len(names))}
    step = Step("load", "load-step", outputs=Values({}, made))
    connection = Connection(server.url, Credentials())
    changed, faults = bring_files(connection, [step], tmp_path, "", everything=True)
    found = [changed["load"].outputs.artifacts[name].uri for name in names]
    assert [(tmp_path / uri).read_text() for uri in found] == [str(n) for n in range(len(names))]
    assert {(tmp_path / uri).resolve().parent for uri in found} == {tmp_path / "artifacts" / "load"}
    assert faults == []


def test_the_logs_of_all_steps_are_kept(server, tmp_path):
    pod = next(
        one["custom_properties"]["pod_name"]["string_value"]
        for one in server.case["metadata"]["executions"]
        if one["custom_properties"].get("task_name", {}).get("string_value") == "load-data-step"
    )
    server.case.setdefault("logs", {})[pod] = "45 wines\n"
    complete(server, tmp_path)
    assert (tmp_path / "logs" / "load_data.log").read_text() == "45 wines\n"


def test_curves_and_matrices_of_a_cluster_are_in_the_report(server, tmp_path):
    curve = [
        {"confidenceThreshold": 2.0, "recall": 0.0, "falsePositiveRate": 0.0},
        {"confidenceThreshold": 0.5, "recall": 1.0, "falsePositiveRate": 0.25},
        {"confidenceThreshold": 0.0, "recall": 1.0, "falsePositiveRate": 1.0},
    ]
    matrix = {
        "annotationSpecs": [{"displayName": "no"}, {"displayName": "yes"}],
        "rows": [{"row": [9.0, 3.0]}, {"row": [0.0, 6.0]}],
    }
    metadata = server.case["metadata"]
    metadata["artifacts"].append(
        {
            "id": "900",
            "type": "system.ClassificationMetrics",
            "uri": "",
            "custom_properties": {
                # As Kubeflow's launcher wraps what is no plain value.
                "confidenceMetrics": {"struct_value": {"list": curve}},
                "confusionMatrix": {"struct_value": {"struct": matrix}},
            },
        }
    )
    made = {"artifact_id": "900", "execution_id": "5", "type": "OUTPUT"}
    metadata["events"].append({**made, "path": {"steps": [{"key": "metrics"}]}})
    report = BeautifulSoup(render_report(complete(server, tmp_path)), "html.parser")
    (shown,) = report.find_all("article", "classification")
    assert "area under it 0.875" in shown.figcaption.get_text()
    assert [cell.get_text() for cell in shown.find("tbody").find_all("td")] == ["9", "3", "0", "6"]
