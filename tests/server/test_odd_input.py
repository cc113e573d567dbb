"""Any byte in, a clear answer out: odd requests, odd rows, and requests made from the document."""

import base64
import contextlib
import errno
import json
import shutil
import sqlite3
from urllib.parse import quote

import pytest
from asked import Asked, run_of
from servers import API, chain

from fastkf.runs.model import State
from fastkf.server import runs
from fastkf.server.app import refuse

pytestmark = pytest.mark.security
PACKAGE = chain("return 1", name="small", parameters={"place": "a", "folds": 3})
HALF = "\ud800"  # of a surrogate pair: JSON can write it, UTF-8 cannot
DEEP = "[" * 200 + "]" * 200


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    with Asked(tmp_path_factory.mktemp("data") / "server") as asked:
        yield asked


def run(**fields) -> dict:
    return {"display_name": "run", "pipeline_spec": PACKAGE, **fields}


def changed(**fields) -> dict:
    return run(pipeline_spec={**PACKAGE, **fields})


def with_parameter(value) -> dict:
    return run(runtime_config={"parameters": {"place": value}})


def pipeline(**fields) -> dict:
    return {"display_name": "pipeline", **fields}


REFUSED = {
    "surrogate in a name": ("/runs", run(display_name=HALF), "display_name: has half"),
    "surrogate in a description": ("/runs", run(description=HALF), "description: has half"),
    "surrogate in a parameter": ("/runs", with_parameter(HALF), "place: has half"),
    "surrogate inside a parameter": ("/runs", with_parameter([{"a": HALF}]), "has half"),
    "surrogate as a key": ("/runs", with_parameter({HALF: 1}), "has half"),
    "surrogate in a tag": ("/pipelines", pipeline(tags={"a": HALF}), "tags.a: has half"),
    "surrogate in a tag's name": ("/pipelines", pipeline(tags={HALF: "a"}), "has half"),
    "surrogate in an experiment": ("/experiments", pipeline(description=HALF), "has half"),
    "surrogate in a package": ("/runs", changed(sdkVersion=HALF), "sdkVersion: has half"),
    "surrogate in a field unknown": ("/experiments", pipeline(other=HALF), "other: has half"),
    "NUL in a name": ("/experiments", pipeline(display_name="a\0b"), "NUL"),
    "NUL in a parameter": ("/runs", with_parameter("a\0"), "NUL"),
    "a number without end": ("/runs", '{"display_name": "a", "x": 1e999}', "not finite"),
    "no number": ("/runs", '{"display_name": "a", "x": NaN}', "not finite"),
    "a number too large": ("/runs", '{"x": %s}' % ("9" * 400), "too large"),
    "a number of 5,000 digits": ("/runs", '{"x": %s}' % ("9" * 5000), "not JSON"),
    "a deep parameter": ("/runs", f'{{"x": {DEEP}}}', "more than 100 values"),
    "a very deep body": ("/runs", "[" * 100_000, "not JSON"),
    "a list as the body": ("/runs", [], "not a JSON object"),
    "null as the body": ("/runs", "null", "not a JSON object"),
    "bytes as the body": ("/runs", b"\xff\xfe\x00", "not JSON"),
    "encoded surrogate": ("/experiments", b'{"display_name": "\xed\xa0\x80"}', "has half"),
    "pipelineInfo null": ("/runs", changed(pipelineInfo=None), "pipelineInfo has no name"),
    "pipelineInfo a number": ("/runs", changed(pipelineInfo=5), "not a pipeline package"),
    "executors a number": ("/runs", changed(deploymentSpec={"executors": 5}), "executors"),
    "an executor a number": (
        "/runs",
        changed(deploymentSpec={"executors": {"exec-1": 5}}),
        "not a pipeline package",
    ),
    "a command of numbers": (
        "/runs",
        changed(deploymentSpec={"executors": {"exec-1": {"container": {"command": [5]}}}}),
        "command",
    ),
    "deploymentSpec a text": ("/runs", changed(deploymentSpec="x"), "not a pipeline package"),
    "components a list": ("/runs", changed(components=[]), "components"),
    "root null": ("/runs", changed(root=None), "root.dag has no tasks"),
    "a package that is a list": ("/runs", run(pipeline_spec=[PACKAGE]), "not a mapping"),
    "a package that is a number": ("/runs", run(pipeline_spec=5), "not a mapping"),
    "a package inside nothing": ("/runs", run(pipeline_spec={"pipeline_spec": None}), "mapping"),
    "platform a number": (
        "/runs",
        run(pipeline_spec={"pipeline_spec": PACKAGE, "platform_spec": 5}),
        "mapping",
    ),
    "parameters a number": ("/runs", run(runtime_config={"parameters": 0}), "parameters is"),
    "parameters a text": ("/runs", run(runtime_config={"parameters": ""}), "parameters is"),
    "runtime_config a list": ("/runs", run(runtime_config=[]), "runtime_config is"),
    "tags a number": ("/pipelines", pipeline(tags=0), "tags is"),
    "tags of numbers": ("/pipelines", pipeline(tags={"a": 1}), "not an object of texts"),
    "a tag too long": ("/pipelines", pipeline(tags={"a": "x" * 20_000}), "longer than"),
    "a name of a number": ("/experiments", {"display_name": 5}, "display_name is not a text"),
    "a name too long": ("/experiments", {"display_name": "x" * 256}, "longer than 128"),
    "a name of blanks": ("/experiments", {"display_name": " \n"}, "empty"),
    "a reference of a number": (
        "/runs",
        {"display_name": "a", "pipeline_version_reference": 5},
        "not an object",
    ),
    "a pipeline null": ("/pipelines/create", {"pipeline": None}, "pipeline is missing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_odd_bodies_are_refused_with_what_is_wrong(asked, name):
    path, body, problem = REFUSED[name]
    before = counts(asked)
    status, answer = asked.ask("POST", path, body)
    assert (status, problem in answer["message"]) == (400, True), answer
    assert len(answer["message"]) <= 500
    assert counts(asked) == before


def counts(asked) -> dict:
    """How many there are of each; the lists answer."""
    found = {}
    for path in ("/runs", "/pipelines", "/experiments"):
        status, answer = asked.ask("GET", path)
        assert status == 200
        found[path] = answer.get("total_size", 0)
    return found


def token(*content) -> str:
    return quote(base64.urlsafe_b64encode(json.dumps(content).encode()).decode())


def predicate(**fields) -> str:
    return quote(json.dumps({"predicates": [{"operation": "EQUALS", "key": "name", **fields}]}))


QUESTIONS = {
    "surrogate in a filter": "filter=" + predicate(string_value=HALF),
    "surrogate in a filter's key": "filter=" + predicate(key=HALF, string_value="a"),
    "surrogate as an operation": "filter=" + predicate(operation=HALF, string_value="a"),
    "a deep filter": "filter=" + quote(f'{{"predicates": {DEEP}}}'),
    "a filter of numbers": "filter=" + predicate(string_value=5),
    "a list as a filter": "filter=[]",
    "null as predicates": 'filter={"predicates": null}',
    "NUL in a filter": "filter=%00",
    "NUL in the sorting": "sort_by=%00",
    "surrogate in a token": "page_token=" + token(HALF, "", 1, "id"),
    "surrogate in a token's place": "page_token=" + token("name", "", HALF, "id"),
    "surrogate in a token's id": "page_token=" + token("name", "", "a", HALF),
    "a number in a token": "page_token=" + token("name", "", 1e300, "id"),
    "a large number in a token": "page_token=" + token("created_at", "", 10**30, "id"),
    "a number of no end in a token": "page_token=" + token("created_at", "", float("inf"), "id"),
    "no token": "page_token=%FF%FE",
    "a long token": "page_token=" + "A" * 40_000,
    "a deep token": "page_token=" + quote(base64.urlsafe_b64encode(b"[" * 20_000).decode()),
    "no size": "page_size=a",
    "a size of 5,000 digits": "page_size=" + "9" * 5000,
    "a negative size": "page_size=-1",
    "a size beyond 32 bits": "page_size=2147483648",
    "two sizes": "page_size=1&page_size=2",
    "two sortings": "sort_by=name&sort_by=name",
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_odd_questions_are_refused_with_what_is_wrong(asked, name):
    for path in ("/runs", "/pipelines", "/experiments"):
        status, answer = asked.ask("GET", f"{path}?{QUESTIONS[name]}")
        assert status == 400, answer
        assert 0 < len(answer["message"]) <= 500


@pytest.mark.parametrize("id", ["%00", "%ED%A0%80", "x" * 5000, "%F0%9F%98%80", "..%2F..", "%20"])
@pytest.mark.parametrize("path", ["/runs/{}", "/pipelines/{}", "/artifacts/{}", "/experiments/{}"])
def test_odd_ids_are_not_found_or_refused(asked, path, id):
    status, answer = asked.ask("GET", path.format(id))
    assert status in (400, 404)
    assert answer["message"]


@pytest.mark.parametrize("page", ["9" * 5000, "0", "-1", "x", "%00", "²", ""])
def test_odd_pages(asked, page):
    answer = asked.client.get(f"/fragments/runs?page={page}")
    assert answer.status_code in (200, 400)


FORMS = {
    "no boundary": ("multipart/form-data", b"--x\r\n"),
    "an odd character set": ("multipart/form-data; boundary=x; charset=nothing", b"--x--\r\n"),
    "another boundary": ("multipart/form-data; boundary=y", b"--x\r\n\r\n--x--\r\n"),
    "no end": ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data"),
    "bytes": ("multipart/form-data; boundary=x", bytes(range(256))),
    "no form": ("text/plain", b"x"),
    "JSON": ("application/json", b"{}"),
    "fields alone": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="uploadfile"\r\n\r\nhello\r\n--x--\r\n',
    ),
    "a long address": ("application/x-www-form-urlencoded", b"uploadfile=" + b"%00" * 100),
}


@pytest.mark.parametrize("name", FORMS)
def test_odd_forms(asked, name):
    kind, content = FORMS[name]
    answer = asked.client.post(
        f"{API}/pipelines/upload", content=content, headers={"Content-Type": kind}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_message"]


@pytest.mark.parametrize("tags", ["[", "5", '{"a": 5}', r'{"a": "\ud800"}', "[1]"])
def test_odd_tags_of_an_upload(asked, tags):
    files = {"uploadfile": ("package.yaml", json.dumps(PACKAGE))}
    address = f"{API}/pipelines/upload?name=odd&tags={quote(tags)}"
    answer = asked.client.post(address, files=files)
    assert answer.status_code == 400
    assert "tags" in answer.json()["error_message"]


# Rows that another program, or an older version, has left


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A server with a run, a pipeline and its version, and an experiment."""
    with Asked(tmp_path_factory.mktemp("whole") / "server") as asked:
        files = {"uploadfile": ("package.yaml", json.dumps(PACKAGE))}
        assert asked.client.post(f"{API}/pipelines/upload?name=p", files=files).status_code == 200
        assert asked.ask("POST", "/runs", run())[0] == 200
        yield asked


@pytest.fixture
def filled(whole):
    """The same server, whose rows a test may spoil: they are put back."""
    connect = contextlib.closing(sqlite3.connect(whole.settings.database))
    with connect as rows, contextlib.closing(sqlite3.connect(":memory:")) as kept:
        rows.backup(kept)
        yield whole
        kept.backup(rows)


BAD = {
    "half a surrogate pair": r"""'{"a": "\ud800"}'""",
    "no number": """'{"a": NaN, "b": [Infinity, -1e999]}'""",
    "no JSON": "'{'",
    "another type": "'[5]'",
    "a number": "5",
    "nothing": "'null'",
    "bytes": "x'ff00fe'",
    "text that is not UTF-8": "CAST(x'ff00fe' AS TEXT)",
    "text": r"""'"\udc00"'""",
    "large": "9223372036854775807",
}
COLUMNS = [
    ("runs", "parameters"),
    ("runs", "state_history"),
    ("runs", "display_name"),
    ("runs", "description"),
    ("runs", "state"),
    ("runs", "error"),
    ("runs", "created_at"),
    ("runs", "finished_at"),
    ("runs", "spec"),
    ("pipelines", "tags"),
    ("pipelines", "created_at"),
    ("pipeline_versions", "spec"),
    ("pipeline_versions", "tags"),
    ("experiments", "display_name"),
    ("experiments", "last_run_created_at"),
]


SHOWN = {
    "runs": ("/runs", "/fragments/runs"),
    "pipelines": ("/pipelines", "/fragments/pipelines"),
    "pipeline_versions": (
        "/pipelines/{pipeline}/versions",
        "/fragments/pipelines/details/{pipeline}",
    ),
    "experiments": ("/experiments", "/fragments/experiments"),
}


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_one_bad_row_breaks_no_list(filled, table, column):
    id = filled.ask("GET", "/pipelines")[1]["pipelines"][0]["pipeline_id"]
    path, page = (one.format(pipeline=id) for one in SHOWN[table])
    assert filled.client.get(API + path).json()["total_size"] >= 1
    for value in BAD.values():
        with contextlib.closing(sqlite3.connect(filled.settings.database)) as connection:
            connection.execute(f"UPDATE {table} SET {column} = {value}")
            connection.commit()
        answer = filled.client.get(API + path)
        assert answer.status_code == 200, (value, answer.text)
        assert answer.json()["total_size"] >= 1
        assert filled.client.get(page).status_code == 200, (value, page)


def test_a_run_is_terminated_in_the_database_and_in_its_record_or_in_neither(asked, monkeypatch):
    id = run_of(asked, PACKAGE)

    def have_no_room(run) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(runs, "write_run", have_no_room)
        status, answer = asked.ask("POST", f"/runs/{id}:terminate")
    assert (status, answer["code"]) == (503, 14)
    history = asked.ask("GET", f"/runs/{id}")[1]["state_history"]
    assert [one["state"] for one in history] == ["PENDING"]
    assert asked.ask("POST", f"/runs/{id}:terminate")[0] == 200
    assert asked.ask("GET", f"/runs/{id}")[1]["state"] == "FAILED"
    assert runs.read_run(asked.settings, id).state is State.CANCELED


def test_what_starlette_refuses_is_an_invalid_argument(asked):
    kind = {"Content-Type": "multipart/form-data; boundary=a"}
    path = f"{API}/pipelines/upload"
    answer = asked.client.post(path, content=b"--a\r\nno header\r\n\r\n", headers=kind)
    assert (answer.status_code, "error_message" in answer.json()) == (400, True)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 418, 500, 501, 503])
def test_a_status_has_one_code_and_is_kept(status):
    answer = refuse(status, "no")
    assert answer.status_code == status
    code = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 6, 413: 8, 500: 13, 501: 12, 503: 14}
    assert json.loads(answer.body)["code"] == code.get(status, 3)


def test_a_run_whose_folder_was_removed_is_not_tried_again_but_told_of(asked):
    run_id = run_of(asked, PACKAGE)
    asked.ask("POST", f"/runs/{run_id}:terminate")
    shutil.rmtree(asked.settings.run_folder(run_id))
    status, answer = asked.ask("POST", f"/runs/{run_id}:retry")
    assert (status, answer["code"]) == (400, 9)
    assert "start a new run of its pipeline" in answer["message"]
    assert asked.ask("GET", f"/runs/{run_id}")[1]["state"] == "FAILED"
