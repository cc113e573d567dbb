"""What `fastkf submit` says where a server tells a part only, or not any more."""

import pytest
from faulty import answer, page
from real_kubeflow import Kubeflow, load
from test_cluster_runs import Shown, complete, follower_of

from fastkf.cluster import follow
from fastkf.cluster.auth import Credentials
from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError, Response, find_error
from fastkf.cluster.follow import GoneError
from fastkf.cluster.logs import MARKS, fetch_log, find_failure
from fastkf.cluster.submit import _fetch_package
from fastkf.cluster.target import Client, Endpoint
from fastkf.cluster.texts import Excerpt
from fastkf.runs.model import State

GONE = answer(404, '{"code": 5, "message": "x not found."}', content_type="application/json")


def name_task(execution: dict) -> str:
    return execution["custom_properties"].get("task_name", {}).get("string_value", "")


def read_large(details: bool) -> dict[str, State]:
    """The steps of a run that succeeded, of whose first steps metadata know nothing."""
    with Kubeflow("large") as server:
        known = server.case["metadata"]["executions"]
        kept = [one for one in known if not name_task(one).startswith(("load", "prepare"))]
        server.case["metadata"]["executions"] = kept
        if not details:
            server.case["run"]["run_details"] = {}
        follower = follower_of(server)
        follower.follow(Shown().display)
    assert follower.untold == ([] if details else ["load_data", "prepare"])
    return {step.name: step.state for step in follower.steps}


@pytest.mark.parametrize("details", [True, False])
def test_a_step_that_metadata_lack_was_not_left_out_of_a_run_that_succeeded(details):
    assert set(read_large(details).values()) == {State.SUCCEEDED}


def test_what_waits_for_a_failed_step_is_left_out_also_where_the_run_succeeds():
    with Kubeflow("failed") as server:
        server.case["run"]["state"] = "SUCCEEDED"
        follower = follower_of(server)
        follower.follow(Shown().display)
    assert [step.state for step in follower.steps] == ["succeeded", "failed", "skipped"]
    assert follower.untold == []


def test_a_run_that_is_deleted_while_it_is_followed_is_told(monkeypatch):
    monkeypatch.setattr(follow, "EAGER_SECONDS", 0.01)
    with Kubeflow("image_not_found") as server:
        follower = follower_of(server)

        def delete() -> None:
            server.choose = lambda request: GONE

        with pytest.raises(GoneError, match="somebody has deleted it"):
            follower.follow(Shown().display, keep=delete)


def test_a_run_whose_version_is_deleted_is_told():
    with Kubeflow("succeeded") as server:
        client = Client(Endpoint(), Connection(server.url, Credentials()), None, "")
        run = server.run
        run.pipeline_spec = None
        server.choose = lambda request: GONE
        with pytest.raises(ClusterError, match="pipeline of the run .* is not there any more"):
            _fetch_package(client, run)


@pytest.mark.parametrize(
    ("do", "told"),
    [
        (page(200, "<form> password </form>"), "may not be read (a web page answers)"),
        (answer(302, location="/dex/auth"), "may not be read (302)"),
    ],
)
def test_a_log_in_whose_place_one_is_to_sign_in_is_not_told_as_missing(do, told):
    with Kubeflow("failed") as server:
        server.choose = lambda request: do
        connection = Connection(server.url, Credentials())
        assert fetch_log(connection, server.run_id, "kubeflow", ["pod"]) == ("", told)


def test_the_words_of_a_gateway_that_refuses_a_token_are_told():
    told = str(find_error("http://h", Response(401, "Jwt is expired")))
    assert "does not know who you are (401: Jwt is expired)" in told
    assert "a new one where it has expired" in told
    assert "(401)" in str(find_error("http://h", Response(401, "<html>no</html>")))


@pytest.mark.parametrize("size", [1000, 65_536, 10_000_000])
def test_an_exception_in_the_middle_of_an_enormous_log_is_found(size):
    (told,) = load("failed")["logs"].values()
    noise = "x" * 99 + "\n"
    log = (noise * 30_000 + told + noise * 30_000).encode()
    kept = Excerpt(MARKS)
    for start in range(0, len(log), size):
        kept.add(log[start : start + size])
    failure = find_failure(kept.read())
    assert (failure.name, failure.line) == ("ZeroDivisionError", 2)
    assert len(kept.read()) < 2**20
    assert len(log) == kept.size


@pytest.mark.parametrize("method", ["GetEventsByExecutionIDs", "GetArtifactsByContext"])
def test_what_the_steps_have_made_is_not_left_out_in_silence(method, tmp_path, monkeypatch):
    monkeypatch.setattr(follow, "EAGER_SECONDS", 0.01)
    with Kubeflow("succeeded") as server:
        real = server.choose
        fault = answer(503, "upstream connect error")
        server.choose = lambda request: fault if method in request.path else real(request)
        run = complete(server, tmp_path)
    assert run.state is State.SUCCEEDED
    assert "What its steps have made cannot be read from here: " in run.note
    assert "it answers 503" in run.note


@pytest.mark.parametrize(("name", "state"), [("executor", "pending"), ("late", "succeeded")])
def test_a_task_called_as_a_node_of_argo_is_not_taken_for_it(name, state):
    with Kubeflow("succeeded") as server:
        run = server.case["run"]
        run["state"] = "RUNNING"
        run["run_details"]["task_details"].append({"display_name": "late", "state": "SUCCEEDED"})
        tasks = server.case["package"]["root"]["dag"]["tasks"]
        tasks[name] = {"componentRef": {"name": "comp-step"}, "taskInfo": {"name": name}}
        follower = follower_of(server)
        follower.run = server.run
        follower.read_steps(Shown().display)
    assert {step.name: step.state for step in follower.steps}[name] == state


def test_of_a_run_that_failed_and_is_told_nothing_of_the_steps_are_not_known(tmp_path):
    with Kubeflow("failed") as server:
        server.case["metadata"] = None
        server.case["run"]["run_details"] = {}
        run = complete(server, tmp_path)
    assert "which of them have run is not known" in run.note
    with Kubeflow("failed") as server:
        assert "not known" not in (complete(server, tmp_path).note or "")
