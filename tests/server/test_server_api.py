"""The local server's API through the SDK's own client and command line."""

import json
import re
import warnings

import pytest
from click.testing import CliRunner
from kfp import dsl
from kfp_server_api import ApiException
from servers import Server, chain, sleeping, write

PACKAGE = chain("return number", name="tiny", parameters={"number": 3})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One run at a time, and the place is taken: what is submitted waits."""
    with (
        Server(tmp_path_factory.mktemp("server"), "--parallel-runs", 1) as server,
        sleeping(server),
    ):
        yield server


@pytest.fixture(scope="module")
def client(server):
    return server.client()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return str(write(PACKAGE, tmp_path_factory.mktemp("package") / "tiny.yaml"))


@pytest.fixture(scope="module")
def uploaded(client, package):
    """A pipeline with two versions, tiny and second."""
    pipeline = client.upload_pipeline(package, description="adds nothing")
    client.upload_pipeline_version(package, "second", pipeline_id=pipeline.pipeline_id)
    return pipeline


def test_health(client):
    assert client.get_kfp_healthz().multi_user is False


def test_an_upload_is_a_pipeline_with_a_version(client, uploaded):
    assert (uploaded.display_name, uploaded.description) == ("tiny", "adds nothing")
    assert client.get_pipeline_id("tiny") == uploaded.pipeline_id
    assert client.get_pipeline_id("no such pipeline") is None
    assert client.get_pipeline(uploaded.pipeline_id) == uploaded
    versions = client.list_pipeline_versions(uploaded.pipeline_id).pipeline_versions
    assert [version.display_name for version in versions] == ["tiny", "second"]
    found = client.get_pipeline_version(uploaded.pipeline_id, versions[1].pipeline_version_id)
    assert found == versions[1]
    assert found.pipeline_spec["pipelineInfo"]["name"] == "tiny"
    assert found.pipeline_spec["deploymentSpec"] == PACKAGE["deploymentSpec"]


def test_a_name_that_is_taken_is_a_conflict(client, package, uploaded):
    assert "tiny" in refused_upload(client.upload_pipeline, package)["error_message"]
    body = refused_upload(
        client.upload_pipeline_version, package, "second", pipeline_id=uploaded.pipeline_id
    )
    assert "second" in body["error_message"]


def test_a_pipeline_goes_when_its_versions_have_gone(client, package):
    pipeline = client.upload_pipeline(package, pipeline_name="to delete")
    assert refusal(client.delete_pipeline, pipeline.pipeline_id)[:2] == (400, 3)
    (version,) = client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    client.delete_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id)
    assert client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions is None
    client.delete_pipeline(pipeline.pipeline_id)
    assert refusal(client.get_pipeline, pipeline.pipeline_id)[:2] == (404, 5)
    other = client.upload_pipeline(package, pipeline_name="to delete")
    client._pipelines_api.pipeline_service_delete_pipeline(other.pipeline_id, cascade=True)
    assert client.get_pipeline_id("to delete") is None


def test_pipelines_by_name_and_without_upload(server):
    spec = {"display_name": "sent", "pipeline_spec": PACKAGE}
    _, made = server.call("POST", "/pipelines", {"display_name": "empty", "tags": {"a": "b"}})
    assert server.call("GET", "/pipelines/names/empty") == (200, made)
    status, version = server.call("POST", f"/pipelines/{made['pipeline_id']}/versions", spec)
    assert (status, version["display_name"]) == (200, "sent")
    body = {"pipeline": {"display_name": "both"}, "pipeline_version": {"pipeline_spec": PACKAGE}}
    assert server.call("POST", "/pipelines/create", body)[0] == 200
    elsewhere = {"display_name": "x", "package_url": {"pipeline_url": "http://127.0.0.1/x.yaml"}}
    status, answer = server.call("POST", f"/pipelines/{made['pipeline_id']}/versions", elsewhere)
    assert status == 400
    assert "is not fetched" in answer["message"]


def test_a_run_of_a_package_with_parameters(client, package):
    result = client.create_run_from_pipeline_package(
        package, arguments={"number": 8}, run_name="eight", experiment_name="numbers"
    )
    run = client.get_run(result.run_id)
    assert (run.display_name, run.runtime_config.parameters) == ("eight", {"number": 8})
    assert run.pipeline_spec["pipelineInfo"] == {"name": "tiny"}
    assert client.get_experiment(experiment_name="numbers").experiment_id == run.experiment_id
    assert (run.state, run.state_history[-1].state) == ("PENDING", "PENDING")
    with pytest.raises(TimeoutError):
        client.wait_for_run_completion(result.run_id, timeout=0, sleep_duration=0)
    client.terminate_run(result.run_id)
    run = client.wait_for_run_completion(result.run_id, timeout=9, sleep_duration=1)
    assert run.state == "FAILED"
    assert [one.state for one in run.state_history] == ["PENDING", "CANCELING", "FAILED"]


def test_a_run_of_a_version(client, uploaded):
    experiment = client.create_experiment("versions", description="of a version")
    versions = client.list_pipeline_versions(uploaded.pipeline_id).pipeline_versions
    run = client.run_pipeline(
        experiment.experiment_id,
        "by reference",
        pipeline_id=uploaded.pipeline_id,
        version_id=versions[1].pipeline_version_id,
    )
    reference = client.get_run(run.run_id).pipeline_version_reference
    assert reference.pipeline_version_id == versions[1].pipeline_version_id
    assert [
        one.run_id for one in client.list_runs(experiment_id=experiment.experiment_id).runs
    ] == [run.run_id]


def test_archived_runs_and_experiments(client, package):
    experiment = client.create_experiment("archive")
    result = client.create_run_from_pipeline_package(package, experiment_name="archive")
    client.archive_run(result.run_id)
    assert client.get_run(result.run_id).storage_state == "ARCHIVED"
    client.unarchive_run(result.run_id)
    client.archive_experiment(experiment.experiment_id)
    assert client.get_experiment(experiment.experiment_id).storage_state == "ARCHIVED"
    assert client.get_run(result.run_id).storage_state == "ARCHIVED"
    assert refusal(client.unarchive_run, result.run_id)[:2] == (400, 9)
    assert client.run_pipeline(experiment.experiment_id, "late", package).run_id
    client.unarchive_experiment(experiment.experiment_id)
    client.run_pipeline(experiment.experiment_id, "again", package)
    client.delete_run(result.run_id)
    assert refusal(client.get_run, result.run_id)[:2] == (404, 5)
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(ValueError, match="No experiment is found"):
        client.get_experiment(experiment_name="archive")


def test_wrong_parameters_are_named(client, package):
    message = refusal(client.create_run_from_pipeline_package, package, {"numbre": 3})[2]
    assert "no parameter numbre; it has: number" in message
    message = refusal(client.create_run_from_pipeline_package, package, {"number": "three"})[2]
    assert "number takes NUMBER_INTEGER, not 'three'" in message


@pytest.mark.parametrize("kind", ["experiment", "pipeline", "run"])
def test_what_is_not_there(client, kind):
    status, code, message = refusal(getattr(client, f"get_{kind}"), "no-such-id")
    assert (status, code, message) == (404, 5, f"{kind} no-such-id not found")


def refusal(function, *arguments, **options) -> tuple[int, int, str]:
    """HTTP status, code and message of the error that the client gets; its form is checked."""
    with pytest.raises(ApiException) as caught:
        function(*arguments, **options)
    body = json.loads(caught.value.body)
    assert set(body) == {"code", "message", "details"}
    assert body["details"][0]["@type"] == "type.googleapis.com/google.rpc.Status"
    return caught.value.status, body["code"], body["message"]


def refused_upload(function, *arguments, **options) -> dict:
    """The body of a conflict's answer, which has a form of its own for uploads."""
    with pytest.raises(ApiException) as caught:
        function(*arguments, **options)
    assert caught.value.status == 409
    body = json.loads(caught.value.body)
    assert set(body) == {"error_message", "error_details"}
    return body


@pytest.fixture(scope="module")
def listed(client):
    """Names of experiments, in the order they were made."""
    names = [f"list {letter}" for letter in "edcba"]
    for name in names:
        client.create_experiment(name, description=f"number {names.index(name)}")
    return names


def predicates(*conditions) -> str:
    return json.dumps({"predicates": list(conditions)})


def where(key, operation, **value) -> dict:
    return {"key": key, "operation": operation, **value}


OF_LIST = where("display_name", "IS_SUBSTRING", stringValue="List ")


def test_pages_in_order(client, listed):
    for sort_by, expected in [
        ("", listed),
        ("created_at desc", listed[::-1]),
        ("display_name", sorted(listed)),
        ("name desc", sorted(listed)[::-1]),
    ]:
        names, token, pages = [], "", 0
        while token is not None:
            page = client.list_experiments(token, 2, sort_by, filter=predicates(OF_LIST))
            names += [one.display_name for one in page.experiments]
            token, pages = page.next_page_token, pages + 1
            assert page.total_size == 5
        assert (names, pages) == (expected, 3)


def test_pages_in_an_order_with_equal_and_missing_values(client, package):
    """Runs of equal names that have not ended; each is on one page."""
    experiment = client.create_experiment("equal").experiment_id
    made = [client.run_pipeline(experiment, "equal", package).run_id for _ in range(4)]
    for sort_by in ("display_name", "finished_at desc", "state", "description desc"):
        first = client.list_runs("", 3, sort_by, experiment)
        second = client.list_runs(first.next_page_token, 3, sort_by, experiment)
        assert sorted(one.run_id for one in [*first.runs, *second.runs]) == sorted(made)


@pytest.mark.parametrize(
    ("condition", "letters"),
    [
        (where("display_name", 1, stringValue="list c"), "c"),
        (where("display_name", "EQUALS", string_value="LIST C"), "c"),
        (where("display_name", "NOT_EQUALS", stringValue="list c"), "edba"),
        (where("name", "GREATER_THAN", stringValue="list c"), "ed"),
        (where("name", "LESS_THAN_EQUALS", stringValue="list b"), "ba"),
        (where("name", 8, stringValues={"values": ["list a", "list e", "other"]}), "ea"),
        (where("description", "IS_SUBSTRING", stringValue="r 4"), "a"),
        (where("description", "IS_SUBSTRING", stringValue="%25"), ""),
        (where("created_at", "GREATER_THAN", timestampValue="2020-01-01T00:00:00Z"), "edcba"),
        (where("created_at", "LESS_THAN", timestamp_value="2020-01-01T00:00:00+02:00"), ""),
        (where("storage_state", "EQUALS", stringValue="ARCHIVED"), ""),
    ],
)
def test_filters(client, listed, condition, letters):
    found = client.list_experiments(filter=predicates(OF_LIST, condition))
    names = [one.display_name for one in found.experiments or []]
    assert names == [f"list {letter}" for letter in letters]


def test_runs_are_filtered_by_the_real_state(client):
    going = client.list_runs(filter=predicates(where("state", 1, stringValue="RUNNING"))).runs
    assert [(run.display_name, run.state) for run in going] == [("sleeping", "RUNNING")]
    assert client.get_run(going[0].run_id).state == "RUNNING"


def test_recurring_runs(client, uploaded):
    experiment = client.create_experiment("again").experiment_id
    version = client.list_pipeline_versions(uploaded.pipeline_id).pipeline_versions[0]
    made = client.create_recurring_run(
        experiment,
        "nightly",
        cron_expression="0 0 3 * * *",
        max_concurrency=2,
        no_catchup=True,
        params={"number": 4},
        pipeline_id=uploaded.pipeline_id,
        version_id=version.pipeline_version_id,
    )
    assert (made.status, made.mode, made.max_concurrency) == ("ENABLED", "ENABLE", "2")
    assert made.trigger.cron_schedule.cron == "0 0 3 * * *"
    client.disable_recurring_run(made.recurring_run_id)
    assert client.get_recurring_run(made.recurring_run_id).status == "DISABLED"
    client.enable_recurring_run(made.recurring_run_id)
    [listed] = client.list_recurring_runs(experiment_id=experiment).recurring_runs
    assert (listed.display_name, listed.status) == ("nightly", "ENABLED")
    client.delete_recurring_run(made.recurring_run_id)
    assert client.list_recurring_runs(experiment_id=experiment).recurring_runs is None
    assert refusal(client.get_recurring_run, made.recurring_run_id)[:2] == (404, 5)


def test_pipelines_and_runs_of_functions(client):
    @dsl.component(base_image="python:3.11")
    def say(text: str) -> str:
        return text

    @dsl.pipeline(name="of-a-function")
    def of_a_function(text: str = "a"):
        say(text=text)

    made = client.upload_pipeline_from_pipeline_func(of_a_function, pipeline_name="of a function")
    version = client.upload_pipeline_version_from_pipeline_func(
        of_a_function, "second", pipeline_id=made.pipeline_id
    )
    assert version.display_name == "second"
    names = [one.display_name for one in client.list_pipelines(page_size=200).pipelines]
    assert "of a function" in names
    run = client.create_run_from_pipeline_func(of_a_function, {"text": "b"}, run_name="of one")
    assert client.get_run(run.run_id).runtime_config.parameters == {"text": "b"}
    experiment = client.create_experiment("of functions").experiment_id
    again = client.create_recurring_run(
        experiment,
        "weekly",
        interval_second=604_800,
        enabled=False,
        pipeline_id=made.pipeline_id,
        version_id=version.pipeline_version_id,
    ).recurring_run_id
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.enable_job(again)
        client.disable_job(again)
        assert client.get_recurring_run(again).status == "DISABLED"
        client.delete_job(again)
    assert refusal(client.get_recurring_run, again)[:2] == (404, 5)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_kfp_command_makes_recurring_runs(server, uploaded):
    words = [
        "--experiment-name",
        "typed again",
        "--job-name",
        "hourly",
        "--interval-second",
        "3600",
    ]
    words += ["--pipeline-id", uploaded.pipeline_id]
    versions = kfp_command(server, "pipeline", "list-versions", uploaded.pipeline_id)
    words += ["--version-id", versions[0]["pipeline_version_id"]]
    made = kfp_command(server, "recurring-run", "create", *words)["recurring_run_id"]
    assert find(kfp_command(server, "recurring-run", "list"), "hourly")["recurring_run_id"] == made
    kfp_command(server, "recurring-run", "disable", made)
    assert kfp_command(server, "recurring-run", "get", made)["status"] == "DISABLED"
    kfp_command(server, "recurring-run", "enable", made)
    kfp_command(server, "recurring-run", "delete", made)
    assert server.call("GET", f"/recurringruns/{made}")[0] == 404


def kfp_command(server, *words, answer="y") -> list | dict | str:
    """Runs the command `kfp` in this process and returns what it prints as JSON."""
    from kfp.cli.cli import cli

    arguments = ["--endpoint", server.url, "--existing-token", server.token]
    arguments += ["--output", "json", *words]
    result = CliRunner().invoke(cli, arguments, obj={}, input=answer, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    printed = result.output.rpartition("[y/N]: y\n")[2]
    begin = re.search(r"^[\[{\"]", printed, re.M).start()
    return json.JSONDecoder().raw_decode(printed[begin:])[0]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_kfp_command(server, package):
    kfp_command(server, "pipeline", "create", "-p", "typed", package)
    pipeline = find(kfp_command(server, "pipeline", "list"), "typed")["pipeline_id"]
    version = kfp_command(
        server, "pipeline", "create-version", "-p", pipeline, "-v", "two", package
    )["pipeline_version_id"]
    assert kfp_command(server, "pipeline", "get", pipeline)["display_name"] == "typed"
    assert len(kfp_command(server, "pipeline", "list-versions", pipeline)) == 2
    kfp_command(server, "experiment", "create", "typed")
    experiment = find(kfp_command(server, "experiment", "list"), "typed")["experiment_id"]
    words = ["run", "create", "-e", "typed", "-r", "typed", "-f", package, "number=5"]
    run = kfp_command(server, *words)["run_id"]
    (listed,) = kfp_command(server, "run", "list", "-e", experiment)
    assert (listed["run_id"], listed["state"]) == (run, "PENDING")
    shown = kfp_command(server, "run", "get", run)
    assert shown["runtime_config"]["parameters"] == {"number": 5}
    assert kfp_command(server, "run", "archive", run)["storage_state"] == "ARCHIVED"
    assert kfp_command(server, "run", "unarchive", run)["storage_state"] == "AVAILABLE"
    assert kfp_command(server, "run", "delete", run) == run
    kfp_command(server, "pipeline", "delete-version", pipeline, version)
    kfp_command(server, "experiment", "archive", "--experiment-id", experiment)
    kfp_command(server, "experiment", "delete", experiment)
    assert server.call("GET", f"/runs/{run}")[0] == 404
    assert server.call("GET", f"/experiments/{experiment}")[0] == 404
    assert server.call("GET", f"/pipelines/{pipeline}/versions/{version}")[0] == 404


def find(resources: list[dict], name: str) -> dict:
    (found,) = [one for one in resources if one["display_name"] == name]
    return found
