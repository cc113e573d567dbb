"""What the API answers, row by row, as a Kubeflow Pipelines 2.17 was seen to answer."""

import io
import json
import re
import zipfile
from pathlib import Path
from urllib.parse import quote

import kfp_server_api
import pytest
from asked import API, PANEL_TOKEN, Asked, run_of
from servers import chain

from fastkf.base import clock
from fastkf.server import database as db
from fastkf.server import runs

PACKAGE = chain("return number", name="tiny", parameters={"number": 3})
NEVER = "1970-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    with Asked(tmp_path_factory.mktemp("data") / "server") as asked:
        yield asked


@pytest.fixture(scope="module")
def pipeline(asked):
    return upload(asked, "name=tagged&display_name=Tagged&description=d", tags={"team": "ml"})


def upload(asked, query: str, tags=None, file="my_file.yaml", content=None) -> dict:
    if tags is not None:
        query += f"&tags={quote(json.dumps(tags))}"
    files = {"uploadfile": (file, content or json.dumps(PACKAGE))}
    answer = asked.client.post(f"{API}/pipelines/upload?{query}", files=files)
    return answer.json() | ({} if answer.status_code == 200 else {"status": answer.status_code})


def find(asked, path: str, key: str, operation, **value) -> tuple[int, dict]:
    condition = {"key": key, "operation": operation, **value}
    asked_for = quote(quote(json.dumps({"predicates": [condition]})))
    return asked.ask("GET", f"/{path}?filter={asked_for}")


def test_an_upload_without_a_name_has_that_of_its_file(asked):
    assert upload(asked, "")["name"] == "my_file.yaml"
    again = upload(asked, "")
    assert sorted(again) == ["error_details", "error_message", "status"]
    assert again["status"] == 409


@pytest.mark.parametrize("name", ["package.txt", "package", "package.YAML", "yaml"])
def test_an_upload_is_known_by_the_name_of_its_file(asked, name):
    refused = upload(asked, "name=of%20another%20kind", file=name)
    assert refused["status"] == 400
    assert refused["error_message"].startswith(f"'{name}' is neither named .yaml, .yml or .json")
    assert find(asked, "pipelines", "name", 1, string_value="of another kind") == (200, {})


@pytest.mark.parametrize("name", ["package.json", "package.yml", "of.txt.yaml"])
def test_an_upload_that_is_named_as_text_is_read_as_text(asked, name):
    assert upload(asked, f"name={name}", file=name)["name"] == name
    refused = upload(asked, f"name=packed-{name}", file=name, content=packed())
    assert refused["status"] == 400
    assert refused["error_message"].startswith(f"'{name}' has the name of a text and the content")


@pytest.mark.parametrize("name", ["package.zip", "package", "package.v2"])
def test_an_archive_is_known_by_its_content(asked, name):
    assert upload(asked, f"name={name}", file=name, content=packed())["name"] == name


def packed() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("pipeline.yaml", json.dumps(PACKAGE))
    return buffer.getvalue()


def test_no_namespace_is_kept(asked, pipeline):
    assert sorted(pipeline) == [
        "created_at",
        "description",
        "display_name",
        "name",
        "pipeline_id",
        "tags",
    ]
    body = {"display_name": "of nobody", "namespace": "theirs"}
    assert "namespace" not in asked.ask("POST", "/experiments", body)[1]
    assert asked.ask("POST", "/experiments", body)[0] == 409


@pytest.mark.parametrize(
    "tags",
    [
        {"a" * 64: "b"},
        {"a": "b" * 64},
        {"": "b"},
        {"a.b": "c"},
        {str(number): "x" for number in range(21)},
    ],
    ids=["long name", "long value", "no name", "dot", "21"],
)
def test_tags_have_limits(asked, tags):
    assert upload(asked, "name=never", tags=tags)["status"] == 400
    body = {"display_name": "never", "tags": tags}
    assert asked.ask("POST", "/pipelines", body)[0] == 400


def test_tags_are_found(asked, pipeline):
    status, found = find(asked, "pipelines", "tags.team", "EQUALS", string_value="ml")
    assert [one["name"] for one in found["pipelines"]] == ["tagged"]
    versions = f"pipelines/{pipeline['pipeline_id']}/versions"
    assert find(asked, versions, "tags.team", "EQUALS", string_value="ml")[1]["total_size"] == 1
    assert find(asked, "pipelines", "tags.team", 1, string_value="web") == (200, {})
    assert find(asked, "pipelines", "tags.team", "NOT_EQUALS", string_value="ml")[0] == 400
    assert find(asked, "pipelines", 'tags."]', 1, string_value="ml") == (200, {})
    assert asked.ask("GET", "/pipelines?sort_by=tags")[0] == 400


def test_pipelines_and_versions_are_changed(asked):
    made = upload(asked, "name=changing&description=stays", tags={"a": "b"})
    path = f"/pipelines/{made['pipeline_id']}"
    status, changed = asked.ask("PATCH", path, {"display_name": "New name"})
    assert (status, changed) == (200, {**made, "display_name": "New name"})
    assert asked.ask("PATCH", path, {"tags": {}})[1].get("tags") is None
    [version] = asked.ask("GET", f"{path}/versions")[1]["pipeline_versions"]
    one = f"{path}/versions/{version['pipeline_version_id']}"
    status, changed = asked.ask("PATCH", one, {"displayName": "v", "tags": {"c": "d"}})
    assert (status, changed["display_name"], changed["tags"]) == (200, "v", {"c": "d"})
    assert asked.ask("GET", one)[1] == changed
    assert asked.ask("PATCH", path, {"tags": {"a.b": "c"}})[0] == 400
    assert asked.ask("PATCH", "/pipelines/none", {"display_name": "x"})[0] == 404


def test_a_version_is_of_its_pipeline(asked, pipeline):
    [version] = asked.ask("GET", f"/pipelines/{pipeline['pipeline_id']}/versions")[1][
        "pipeline_versions"
    ]
    assert version["display_name"] == "Tagged"
    other = upload(asked, "name=another")["pipeline_id"]
    id = version["pipeline_version_id"]
    assert asked.ask("GET", f"/pipelines/{other}/versions/{id}")[0] == 400
    assert asked.ask("DELETE", f"/pipelines/{other}/versions/none")[0] == 400
    status, refused = asked.ask("DELETE", f"/pipelines/{other}")
    assert (status, refused["code"]) == (400, 3)
    both = {"pipeline": {"display_name": "x", "description": "y"}}
    both |= {"pipeline_version": {"pipeline_spec": PACKAGE}}
    made = asked.ask("POST", "/pipelines/create", both)[1]["pipeline_id"]
    [version] = asked.ask("GET", f"/pipelines/{made}/versions")[1]["pipeline_versions"]
    assert (version["display_name"], version["description"]) == ("x", "y")


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("/experiments", {"display_name": "a", "nope": 1}, 'unknown field "nope"'),
        ("/pipelines", {"display_name": "a", "tag": {}}, 'unknown field "tag"'),
        ("/runs", {"display_name": "a", "runtime_config": {"parametres": {}}}, "parametres"),
        ("/runs", {"display_name": "a", "displayName": "b"}, "twice"),
        ("/experiments", {"display_name": "x" * 129}, "longer than 128"),
        ("/pipelines", {"display_name": "x" * 129}, "longer than 128"),
        ("/experiments", {"display_name": "a", "created_at": "never"}, "no time"),
        ("/experiments", {"display_name": "a", "storage_state": "GONE"}, "none of"),
    ],
)
def test_what_a_message_has_not_is_refused(asked, path, body, problem):
    status, answer = asked.ask("POST", path, body)
    assert (status, answer["code"], problem in answer["message"]) == (400, 3, True), answer
    assert set(answer) == {"code", "message", "details"}


def test_fields_are_taken_in_either_spelling(asked):
    body = {"displayName": "camel", "pipelineSpec": PACKAGE}
    body |= {"runtimeConfig": {"parameters": {"number": 4}}}
    status, answer = asked.ask("POST", "/runs", body)
    assert (status, answer["display_name"]) == (200, "camel")
    assert answer["runtime_config"]["parameters"] == {"number": 4}


@pytest.mark.parametrize(
    ("key", "operation", "value", "count"),
    [
        ("created_at", "LESS_THAN", {"string_value": "1900000000"}, True),
        ("created_at", "LESS_THAN", {"long_value": "100"}, False),
        ("created_at", "GREATER_THAN", {"longValue": 100}, True),
        ("created_at", "GREATER_THAN", {"int_value": 100}, True),
        ("created_at", "IN", {"long_values": {"values": ["5"]}}, False),
        ("display_name", "EQUALS", {"int_value": 5}, False),
        ("display_name", 1, {"stringValue": "DEFAULT"}, True),
        ("display_name", "IS_SUBSTRING", {"string_value": "efa"}, True),
    ],
)
def test_predicates(asked, key, operation, value, count):
    if "1900000000" in str(value):  # the clock of the machine may be later
        value = {"string_value": str(int(clock.now().timestamp()) + 100)}
    status, answer = find(asked, "experiments", key, operation, **value)
    assert (status, bool(answer.get("total_size"))) == (200, count), answer


@pytest.mark.parametrize("operation", ["EQUALS", "IN", "IS_SUBSTRING"])
@pytest.mark.parametrize("text", ["École", "école", "ÉCOLE"])
def test_letters_of_any_alphabet_are_found_in_any_case(asked, text, operation):
    asked.ask("POST", "/experiments", {"display_name": "École"})
    many = operation == "IN"
    value = {"string_values": {"values": ["x", text]}} if many else {"string_value": text}
    status, answer = find(asked, "experiments", "display_name", operation, **value)
    assert (status, answer.get("total_size")) == (200, 1)


def test_a_time_is_compared_as_it_is_shown(asked):
    [one] = find(asked, "experiments", "name", 1, string_value="default")[1]["experiments"]
    shown = one["created_at"]
    assert find(asked, "experiments", "created_at", 1, timestamp_value=shown)[1]["total_size"]


def test_times_are_whole_seconds(asked, pipeline):
    run_id = run_of(asked, PACKAGE)
    with asked.app.state.database.write() as session:
        older = session.get(db.Run, run_id)  # of a server that kept milliseconds
        older.state_history = [
            {"update_time": "2026-11-24T12:40:51.204Z", "state": "PENDING"},
            *older.state_history,
        ]
    asked.ask("POST", f"/runs/{run_id}:terminate")
    one = f"/pipelines/{pipeline['pipeline_id']}"
    paths = "/experiments", one, f"{one}/versions", f"/runs/{run_id}"
    text = json.dumps([asked.ask("GET", path)[1] for path in paths])
    assert '"2026-11-24T12:40:51Z"' in text
    times = re.findall(r'"[a-z_]+(?:_at|update_time)": "([^"]+)"', text)
    assert len(times) > 8
    assert [one for one in times if not re.fullmatch(r"[-\d]+T\d\d:\d\d:\d\dZ", one)] == []


@pytest.mark.parametrize(
    "condition",
    [
        {"key": "display_name", "operation": "EQUALS", "string_value": "a", "nope": 1},
        {"key": "display_name", "op": "EQUALS", "string_value": "a"},
        {"key": "display_name", "string_value": "a"},
        {"key": "display_name", "operation": "IS_SUBSTRING", "int_value": 5},
        {"key": "display_name", "operation": "IN", "string_value": "a"},
        {"key": "created_at", "operation": "EQUALS", "string_value": "noon"},
        {"key": "created_at", "operation": "EQUALS", "int_value": 2**31},
    ],
)
def test_wrong_predicates(asked, condition):
    text = quote(json.dumps({"predicates": [condition]}))
    assert asked.ask("GET", f"/experiments?filter={text}")[0] == 400
    text = quote(json.dumps({"predicates": [], "more": 1}))
    assert asked.ask("GET", f"/experiments?filter={text}")[0] == 400


def test_lists(asked):
    run_of(asked, PACKAGE)
    for field in ("run_id", "NAME", "state", "status", "namespace", "scheduled_at desc"):
        assert asked.ask("GET", f"/runs?sort_by={quote(field)}")[0] == 200, field
    for field in ("experiment_id", "state_history", "recurring_run_id", "metric:accuracy"):
        assert asked.ask("GET", f"/runs?sort_by={field}")[0] == 400, field
    for field in ("recurring_run_id", "namespace", "state_history"):
        assert find(asked, "runs", field, 1, string_value="x") == (200, {}), field
    first = asked.ask("GET", "/runs?page_size=1&sort_by=created_at%20desc")[1]["runs"][0]
    assert first["pipeline_spec"]["pipelineInfo"] == {"name": "tiny"}
    assert find(asked, "experiments", "name", 1, string_value="no such") == (200, {})
    with asked.app.state.database.write() as session:
        now = clock.now()
        session.add_all(
            db.Experiment(id=f"many-{number}", display_name=f"many-{number}", created_at=now)
            for number in range(201)
        )
    assert len(asked.ask("GET", "/experiments?page_size=1000")[1]["experiments"]) == 200


def test_a_run_that_waits(asked):
    answer = asked.ask("GET", f"/runs/{run_of(asked, PACKAGE)}")[1]
    assert (answer["state"], answer["finished_at"]) == ("PENDING", NEVER)
    assert answer["service_account"] == "pipeline-runner"
    assert "run_details" not in answer


def test_kales_panel_is_told_of_a_run_in_its_own_spelling(asked):
    """It asks again for a run only while its state is absent, or exactly `Running`."""
    run_id = run_of(asked, PACKAGE)
    panel = {"Authorization": f"Bearer {PANEL_TOKEN}"}

    def states() -> tuple:
        path = f"{API}/runs/{run_id}"
        answers = asked.client.get(path, headers=panel), asked.client.get(path)
        return tuple(one.json().get("state") for one in answers)

    assert states() == (None, "PENDING")
    move(asked, run_id, "RUNNING")
    assert states() == ("Running", "RUNNING")
    move(asked, run_id, "SUCCEEDED")
    assert states() == ("SUCCEEDED", "SUCCEEDED")


def move(asked, run_id: str, state: str) -> None:
    with asked.app.state.database.write() as session:
        row = session.get(db.Run, run_id)
        runs.set_state(row, state)
        if state == "RUNNING":
            row.started_at = clock.now()


def test_codes_of_runs_in_another_state(asked):
    run_id = run_of(asked, PACKAGE)
    assert asked.ask("POST", f"/runs/{run_id}:retry")[1]["code"] == 10
    move(asked, run_id, "SUCCEEDED")
    status, answer = asked.ask("POST", f"/runs/{run_id}:terminate")
    assert (status, answer["code"]) == (400, 3)
    status, answer = asked.ask("POST", f"/runs/{run_id}:retry")
    assert (status, answer["code"]) == (409, 10)


def test_experiments_are_archived_and_deleted(asked):
    made = asked.ask("POST", "/experiments", {"display_name": "to archive"})[1]["experiment_id"]
    body = {"display_name": "r", "pipeline_spec": PACKAGE, "experiment_id": made}
    run_id = asked.ask("POST", "/runs", body)[1]["run_id"]
    assert asked.ask("POST", f"/experiments/{made}:archive") == (200, {})
    status, answer = asked.ask("POST", f"/runs/{run_id}:unarchive")
    assert (status, answer["code"]) == (400, 9)
    assert asked.ask("POST", "/runs", body)[0] == 200
    assert asked.ask("POST", "/experiments/none:archive") == (200, {})
    [default] = find(asked, "experiments", "name", 1, string_value="Default")[1]["experiments"]
    status, answer = asked.ask("DELETE", f"/experiments/{default['experiment_id']}")
    assert (status, answer["code"]) == (409, 10)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/runs"),
        ("DELETE", "/experiments"),
        ("PATCH", "/runs/x"),
        ("POST", "/runs/x:nope"),
    ],
)
def test_a_method_that_is_not_there(asked, method, path):
    expected = (501, {"code": 12, "message": "Method Not Allowed"})
    assert asked.ask(method, path, {} if method in ("PUT", "PATCH") else None) == expected


def test_what_is_not_there_and_says_so(asked):
    assert asked.ask("GET", "/runs/") == (404, {"code": 5, "message": "Not Found"})
    for path in ("/nope", "/auth?namespace=x", "/filters"):
        assert asked.ask("GET", path) == (404, {"code": 5, "message": "Not Found"})
    status, answer = asked.ask("POST", "/visualizations/ns", {"type": "ROC_CURVE"})
    assert (status, answer["code"]) == (404, 5)
    assert "visualizations" in answer["message"]
    assert asked.ask("GET", "/visualizations/ns") == (status, answer)
    assert asked.ask("GET", "/healthz")[1]["pipeline_store"] == "database"


# Without users there is nothing to authorize, nothing asks for filters, and the reports of a
# cluster's agents come from nobody: the first two are not there on a real server either.
UNANSWERED = {"/auth", "/filters", "/workflows", "/scheduledworkflows"}


def test_each_operation_of_the_apis_client_is_answered(asked):
    folder = Path(kfp_server_api.__file__).parent / "api"
    calls = re.compile(r"call_api\(\s*'/apis/v2beta1([^']+)',\s*'([A-Z]+)'")
    operations = [
        call for path in folder.glob("*_api.py") for call in calls.findall(path.read_text())
    ]
    assert len(operations) > 35
    unanswered = set()
    for path, method in operations:
        body = {} if method in ("POST", "PATCH") else None
        status, answer = asked.ask(method, re.sub(r"\{[^}]*\}", "none", path), body)
        assert status < 500, (method, path, answer)
        if answer.get("message") in ("Not Found", "Method Not Allowed"):
            unanswered.add(path)
    assert unanswered == UNANSWERED
