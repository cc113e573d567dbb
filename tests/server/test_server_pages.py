"""The server's pages over HTTP: complete, escaped, bound to a run's folder, free of inline code."""

import http.client
import json
import re
from urllib.parse import quote, urlsplit

import pytest
from bs4 import BeautifulSoup
from made_runs import Place, step
from servers import chain

from fastkf.package.model import Package
from fastkf.server.pages import files
from fastkf.server.pages.graph import draw_package
from fastkf.server.pages.package import list_fields
from fastkf.server.pages.routes import HOME

SCRIPT = "<script>alert('from a package')</script>"
PATHS = (
    "/fragments/runs",
    "/fragments/runs/details/{run}",
    "/fragments/runs/details/{run}?step=%3Cscript%3E",
    "/fragments/runs/new?run={run}",
    "/fragments/compare?runlist={run},{other}",
    "/fragments/compare?runlist={run}",
    "/fragments/pipelines",
    "/fragments/pipelines/details/{pipeline}",
    "/fragments/pipelines/details/{pipeline}/version/{version}",
    "/fragments/pipelines/details/{pipeline}/version/{version}/yaml",
    "/fragments/pipelines/details/{pipeline}/versions?versions={version},{second}",
    "/fragments/experiments",
    "/fragments/experiments/details/{experiment}",
    "/fragments/artifacts",
    "/fragments/artifacts?name=script&kind=%3Cscript%3E&from=%3Cscript%3E",
    "/fragments/artifacts/details?id={run}.{node}.{output}",
    "/fragments/executions",
    "/fragments/executions/details?run={run}&node={node}",
)


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def page(self) -> BeautifulSoup:
        return BeautifulSoup(self.text, "html.parser")

    @property
    def json(self) -> dict:
        return json.loads(self.body)


@pytest.fixture
def get(served_place):
    """Asks for a path just as it is written; a browser or a library would tidy it up."""

    def call(path: str, **headers) -> Answer:
        connection = http.client.HTTPConnection(
            urlsplit(served_place.server.url).netloc, timeout=30
        )
        try:
            headers = {**served_place.server.authorization, **headers}
            connection.request("GET", path, headers=headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    return call


def text_of(tag) -> str:
    return " ".join(tag.get_text(" ", strip=True).replace("_ ", "_").split())


def rows(page, name="table") -> list[list[str]]:
    body = page.select_one(f"{name} tbody")
    return [[text_of(cell) for cell in row.find_all(["th", "td"])] for row in body.find_all("tr")]


def directives(answer: Answer) -> dict[str, str]:
    parts = answer.headers["Content-Security-Policy"].split(";")
    return {part.split()[0]: " ".join(part.split()[1:]) for part in parts}


def test_the_page_allows_its_own_script_alone_and_nothing_from_elsewhere(get):
    answer = get("/")
    policy = directives(answer)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not any("unsafe" in words or "http" in words for words in policy.values())
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert [tag["src"] for tag in answer.page.find_all("script")] == ["static/pages.js"]
    for tag in answer.page.find_all(["script", "link", "img"]):
        assert get(f"/{tag.get('src') or tag['href']}").status == 200


def test_the_page_is_small(get):
    addresses = ["/", "/static/pages.css", *(f"/static/{name}" for name in modules(get))]
    assert sum(len(get(address).body) for address in addresses) < 60_000


def test_every_place_that_the_page_leads_to_is_known_to_its_script(get):
    written = re.search(r"ROUTE = /(.*)/;", get("/static/state.js").text)[1]
    links = [a["href"].removeprefix("#") for a in get("/").page.select("nav a")]
    assert "/recurringruns" in links
    assert [one for one in links if not re.fullmatch(written, one)] == []


def modules(get) -> set[str]:
    """The page's script and the modules that it imports, and they in turn."""
    found, waiting = set(), ["pages.js"]
    while waiting:
        name = waiting.pop()
        found.add(name)
        answer = get(f"/static/{name}")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/javascript")
        imported = re.findall(rb'^import .* from "\./([\w.]+)";$', answer.body, re.M)
        waiting += {one.decode() for one in imported} - found
    return found


def test_no_module_of_the_script_is_left_out(get):
    served = {path.name for path in (HOME / "static").glob("*.js")}
    assert modules(get) == served


@pytest.fixture
def hostile(place) -> dict[str, str]:
    """A run whose every name, value, message and log is markup."""
    spec = chain("return 1", name=SCRIPT, parameters={"rows": 3, "place": SCRIPT})
    spec["root"]["inputDefinitions"]["parameters"][SCRIPT] = {"parameterType": "STRING"}
    pipeline, (version, second) = place.add_pipeline(SCRIPT, spec, spec)
    experiment = place.add_experiment(SCRIPT)
    made = {SCRIPT: {"type": SCRIPT, "uri": SCRIPT, "metadata": {SCRIPT: SCRIPT}}}
    passed = {"parameters": {SCRIPT: SCRIPT}, "artifacts": made}
    failed = step(SCRIPT, "failed", [SCRIPT + "x"], error=SCRIPT, inputs=passed, outputs=passed)
    fields = {
        "name": SCRIPT,
        "steps": [failed, step(SCRIPT + "x")],
        "metrics": {SCRIPT: SCRIPT, "a": 1.0},
        "parameters": {SCRIPT: SCRIPT},
        "spec": spec,
        "error": SCRIPT,
        "pipeline_id": pipeline,
        "pipeline_version_id": version,
        "experiment_id": experiment,
    }
    ids = {"run": place.add_run(state="FAILED", **fields), "other": place.add_run(**fields)}
    place.write(ids["run"], "logs/load.log", SCRIPT)
    place.write(ids["run"], "artifacts/run/task/<b>name", "x")
    named = {"second": second, "node": quote(f"{SCRIPT}-task"), "output": quote(SCRIPT)}
    return {**ids, **named, "pipeline": pipeline, "version": version, "experiment": experiment}


@pytest.mark.parametrize("path", PATHS)
def test_nothing_that_a_learner_names_becomes_markup(get, hostile, path):
    answer = get(path.format(**hostile))
    assert answer.status == 200
    page = answer.page
    assert "<script>alert(" in text_of(page) or path.endswith("runlist={run}")
    assert not page.find_all(["script", "style", "img", "object", "embed"])
    for tag in page.find_all(True):
        assert not any(name.startswith("on") or name in ("style", "srcdoc") for name in tag.attrs)


@pytest.mark.parametrize("path", PATHS)
def test_addresses_are_relative(get, hostile, path):
    for tag in get(path.format(**hostile)).page.find_all(True):
        for name in ("href", "src", "data-src", "data-log", "data-path", "data-then", "action"):
            address = tag.get(name)
            assert address is None or re.match(r"(#|files/|apis/|static/)", address), address


@pytest.mark.parametrize("path", PATHS)
def test_controls_have_names_and_ids_are_unique(get, hostile, path):
    page = get(path.format(**hostile)).page
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for field in page.find_all(["input", "select", "textarea"]):
        named = page.find("label", attrs={"for": field.get("id")}) or field.find_parent("label")
        assert named or field.get("aria-label"), field
    assert [heading.name for heading in page.find_all("h1")] == ["h1"]
    parts = [tag["data-part"] for tag in page.find("div").find_all(True, recursive=False)]
    assert len(parts) == len(set(parts))


def test_lists_without_rows_teach(get, place):
    runs = text_of(get("/fragments/runs").page)
    assert "No runs yet" in runs
    assert "Compile and Run" in runs
    assert "fastkf submit" in runs
    assert "No pipelines yet" in text_of(get("/fragments/pipelines").page)
    assert "No experiments yet" in text_of(get("/fragments/experiments").page)


@pytest.mark.parametrize(
    "path",
    [
        "/fragments/runs/details/none",
        "/fragments/runs/new",
        "/fragments/pipelines/details/none",
        "/fragments/pipelines/details/{pipeline}/version/none",
        "/fragments/experiments/details/none",
    ],
)
def test_what_is_not_there_is_said(get, hostile, path):
    answer = get(path.format(**hostile))
    assert answer.status == 404
    assert "There is no" in text_of(answer.page)


def test_the_list_says_how_each_run_is(get, place):
    experiment = place.add_experiment("Wines")
    place.add_run("first", metrics={"test_accuracy": 0.93333333}, experiment_id=experiment)
    place.add_run("second", "RUNNING")
    page = get("/fragments/runs").page
    (second, first) = rows(page)
    assert first[1:5] == ["succeeded", "first", "chain", "Wines"]
    assert first[6:] == ["12 s", "0.933333"]
    assert second[1] == "running"
    assert second[-1] == "–"
    assert text_of(page.select_one("thead"))[-13:] == "test_accuracy"
    assert page.find("div")["data-seconds"] == "1"


def test_metrics_of_many_names_share_a_column(get, place):
    for number in range(5):
        place.add_run(metrics={f"metric_{number}": number / 8})
    assert rows(get("/fragments/runs").page)[0][-1] == "metric_4 0.5"


def test_the_list_filters_by_state_and_name_and_hides_the_archived(get, place):
    place.add_run("wines one")
    place.add_run("Wines two", "FAILED")
    place.add_run("old wine", storage_state="ARCHIVED")

    def names(query: str) -> list[str]:
        page = get(f"/fragments/runs?{query}").page
        return [row[2] for row in rows(page)] if page.find("table") else []

    assert names("") == ["Wines two", "wines one"]
    assert names("name=WINES") == ["Wines two", "wines one"]
    assert names("state=failed") == ["Wines two"]
    assert names("archived=1") == ["old wine"]
    assert names("name=%25") == names("state=failed&name=one") == []
    assert names("state=%27&page=-1") == names("page=x&state=") == names("")
    assert "No run fits" in get("/fragments/runs?name=none").text


def test_names_in_any_alphabet_are_found_in_any_case(get, place):
    place.add_run("Über Öl")
    place.add_pipeline("Über Öl")
    for address in ("runs", "pipelines"):
        for name in ("Über", "über", "ÖL"):
            assert len(rows(get(f"/fragments/{address}?name={quote(name)}").page)) == 1


def test_a_long_list_has_pages(get, place):
    for number in range(30):
        place.add_run(f"run {number}")
    first, second = (get(f"/fragments/runs?name=run&page={page}").page for page in (1, 2))
    assert [len(rows(page)) for page in (first, second)] == [25, 5]
    assert first.find("a", rel="next")["href"] == "#/runs?name=run&page=2"
    assert second.find("a", rel="prev")["href"] == "#/runs?name=run"
    assert rows(get("/fragments/runs?page=99999999999").page)[-1][2] == "run 0"


def failed_run(place: Place, **fields) -> str:
    error = "ValueError: no wines (line 2 of the step's cell: fit(wines))"
    steps = [
        step("load", seconds=2.0),
        step("train", "failed", ["load"], 2.0, error=error),
        step("test", "skipped", ["train"]),
    ]
    return place.add_run("sad", "FAILED", steps=steps, error=f"step train: {error}", **fields)


def test_a_failed_run_begins_with_the_learners_exception_and_a_link_to_its_log(get, place):
    run = failed_run(place)
    page = get(f"/fragments/runs/details/{run}").page
    assert page.find("div")["data-title"] == "✗ Failed: sad"
    problems = page.select_one("[data-part=heading] + .problems")
    assert [text_of(h) for h in problems.find_all("h3")] == ["Step train"]
    assert text_of(problems.find("pre")).startswith("ValueError: no wines (line 2")
    assert problems.find("a")["href"] == f"#/runs/details/{run}?step=train"
    assert page.select_one("[data-log]")["data-log"] == f"files/runs/{run}/log?step=train"


def test_a_run_that_failed_before_its_steps_says_why(get, place):
    run = place.add_run("sad", "FAILED", error="the server ended while the run was going")
    page = get(f"/fragments/runs/details/{run}").page
    assert text_of(page.select_one(".problems pre")) == "the server ended while the run was going"
    drawn = page.select("svg.fastkf-graph [data-step]")
    assert [g["class"] for g in drawn] == [["step", "skipped"]] * 2


def test_the_graph_shows_each_steps_state_and_leads_to_it(get, place):
    run = failed_run(place)
    page = get(f"/fragments/runs/details/{run}?step=test").page
    links = page.select("svg.fastkf-graph a")
    shown = {a.g["data-step"]: (a.g["class"][1], text_of(a.select_one(".state"))) for a in links}
    assert shown == {
        "load": ("succeeded", "2.0 s"),
        "train": ("failed", "failed, 1.0 s"),
        "test": ("skipped", "skipped"),
    }
    assert {a["href"].rpartition("=")[2] for a in links} == set(shown)
    assert [a.g["data-step"] for a in links if a.get("aria-current")] == ["test"]
    assert text_of(page.select_one("#step-title")) == "test"


def test_a_run_that_waits_shows_the_steps_of_its_package(get, place):
    run = place.add_run(state="PENDING")
    page = get(f"/fragments/runs/details/{run}").page
    drawn = {g["data-step"]: g["class"][1] for g in page.select("svg [data-step]")}
    assert drawn == {"step-1": "pending", "step-2": "pending"}
    assert "in the queue" in text_of(page.header)


def test_the_page_asks_again_only_while_the_run_goes_on(get, place):
    states = ("PENDING", "RUNNING", "CANCELING", "SUCCEEDED", "FAILED", "CANCELED")
    for state in states:
        page = get(f"/fragments/runs/details/{place.add_run(state=state)}").page
        expected = "1" if state in states[:3] else "0"
        assert page.find("div")["data-seconds"] == expected
        actions = {tag["data-path"].partition(":")[2] for tag in page.select("[data-method=POST]")}
        assert actions == {
            "PENDING": {"terminate"},
            "RUNNING": {"terminate"},
            "CANCELING": set(),
            "SUCCEEDED": {"archive"},
            "FAILED": {"archive", "retry"},
            "CANCELED": {"archive", "retry"},
        }.get(state)


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"pipeline": null}', '{"pipeline": {}}'])
def test_a_damaged_record_does_not_hide_the_run(get, place, content):
    run = place.add_run("hurt")
    place.write(run, "run.json", content)
    for path in (
        f"runs/details/{run}",
        "runs",
        f"compare?runlist={run},{run}",
        f"runs/new?run={run}",
    ):
        answer = get(f"/fragments/{path}")
        assert answer.status == 200, answer.text
    place.write(run, "pipeline.yaml", "a: [")
    assert get(f"/fragments/runs/details/{run}").status == 200


def test_what_has_not_changed_is_not_sent_again(get, place):
    path = f"/fragments/runs/details/{place.add_run(state='RUNNING')}"
    first = get(path)
    again = get(path, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    place.add_run("more")
    changed = get("/fragments/runs", **{"If-None-Match": first.headers["ETag"]})
    assert changed.status == 200


def test_runs_stand_side_by_side_and_differences_are_marked(get, place):
    one = place.add_run(metrics={"accuracy": 0.9, "loss": 0.1}, parameters={"depth": 3, "seed": 1})
    two = place.add_run(metrics={"accuracy": 0.8, "loss": 0.1}, parameters={"depth": 5})
    page = get(f"/fragments/compare?runlist={one},{two},gone").page
    marked = {text_of(row.th.code): row["class"][0] for row in page.select(".same, .different")}
    assert marked == {
        "accuracy": "different",
        "loss": "same",
        "depth": "different",
        "seed": "different",
    }
    table = rows(page)
    assert ["accuracy differs", "0.9", "0.8"] in table
    assert ["seed differs", "1", "–"] in table
    assert "gone" in text_of(page.select_one("[data-part=missing]"))


def test_numbers_that_differ_beyond_the_shown_digits_are_shown_whole(get, place):
    ids = [place.add_run(metrics={"a": 0.123456789 + tiny}) for tiny in (0, 1e-9)]
    page = get(f"/fragments/compare?runlist={','.join(ids)}").page
    assert ["a differs", "0.123456789", "0.12345679"] in rows(page)


def test_a_pipelines_page_has_its_graph_parameters_versions_and_runs(get, place):
    specs = [chain("return 1", name="wines", parameters={"rows": rows_}) for rows_ in (3, 4)]
    pipeline, (old, new) = place.add_pipeline("wines", *specs)
    place.add_run("by version", pipeline_id=pipeline, pipeline_version_id=old, spec=specs[0])
    place.add_run("from the panel", spec=specs[0])
    place.add_run("of another")
    page = get(f"/fragments/pipelines/details/{pipeline}").page
    assert "Version wines v2 , the latest" in text_of(page.header)
    assert [g["data-step"] for g in page.select("svg [data-step]")] == ["step-1"]
    field = page.find(attrs={"data-name": "rows"})
    assert (field["value"], field["data-kind"]) == ("4", "int")
    assert [row[2] for row in rows(page, ".runs")] == ["from the panel", "by version"]
    assert page.find("form", class_="start")["data-version"] == new
    earlier = get(f"/fragments/pipelines/details/{pipeline}/version/{old}").page
    assert earlier.find(attrs={"data-name": "rows"})["value"] == "3"


def test_another_run_starts_from_the_values_of_the_one_before(get, place):
    spec = chain("return 1", name="wines", parameters={"rows": 3, "place": "here"})
    run = place.add_run("one", parameters={"rows": 7, "place": "there"}, spec=spec)
    page = get(f"/fragments/runs/new?run={run}").page
    values = {tag["data-name"]: tag["value"] for tag in page.select("[data-name]")}
    assert values == {"rows": "7", "place": "there"}
    package = page.find("form", class_="start")["data-package"]
    assert get(f"/{package}").json["pipeline_spec"] == spec


SECRETS = ("server.db", "run.json", "secret")
TRICKS = (
    "../run.json",
    "..%2frun.json",
    "%2e%2e/run.json",
    "%2e%2e%2f%2e%2e%2f%2e%2e%2fserver.db",
    "a/../../run.json",
    "..\\run.json",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "link",
    "folder/secret",
    "task",
    "",
    "%00",
    "x%00.log",
    "." + "/." * 2000,
    "a" * 5000,
)


@pytest.mark.parametrize("part", ["artifacts", "logs"])
@pytest.mark.parametrize("trick", TRICKS)
def test_no_path_leads_out_of_the_runs_folder(get, place, tmp_path, part, trick):
    run = place.add_run()
    (tmp_path / "secret").write_text("secret")
    place.write(run, f"{part}/task/x", "x")
    folder = place.settings.run_folder(run) / part
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").symlink_to(tmp_path)
    answer = get(f"/files/runs/{run}/{part}/{trick}")
    assert answer.status in (404, 422, 400)
    assert b"secret" not in answer.body
    assert get(f"/files/runs/{run}/{part}/task/x").body == b"x"


@pytest.mark.parametrize(
    "trick", ["../run", "..%2F..%2Fserver", "%2Fetc%2Fpasswd", "link", "%00", "."]
)
def test_no_step_is_named_so_that_another_file_is_read(get, place, tmp_path, trick):
    run = place.add_run()
    for folder, kind in (("logs", "log"), ("outputs", "html")):
        place.write(run, f"{folder}/x", "x")
        (tmp_path / f"secret.{kind}").write_text("secret")
        (place.settings.run_folder(run) / folder / f"link.{kind}").symlink_to(
            tmp_path / f"secret.{kind}"
        )
    place.write(run, "run.log", "secret")
    place.write(run, "run.html", "secret")
    log = get(f"/files/runs/{run}/log?step={trick}")
    assert (log.json["text"], log.json["tail"]) == ("", "")
    assert get(f"/files/runs/{run}/report?step={trick}").status == 404


@pytest.mark.parametrize(
    "run",
    ["..", "%2e%2e", "none", ".", "%2e%2e%2fpipelines", "3da97a33-b828-461b-a185-d3ae729151ba"],
)
def test_no_run_is_named_so_that_another_folder_is_read(get, place, run):
    place.write("artifacts", "secret", "secret")
    for path in ("artifacts/secret", "artifacts/artifacts/secret", "run.json", "log?step=x"):
        answer = get(f"/files/runs/{run}/{path}")
        assert answer.status in (400, 404, 422)
        assert b"secret" not in answer.body


def test_links_in_a_runs_folder_are_not_listed(get, place, tmp_path):
    run = place.add_run(steps=[step("load")])
    (tmp_path / "secret").write_text("secret")
    place.write(run, "artifacts/name/load-task/model/weights", "12345")
    place.write(run, "artifacts/name/load-task/executor_output.json", "{}")
    folder = place.settings.run_folder(run) / "artifacts/name/load-task"
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").symlink_to(tmp_path)
    page = get(f"/fragments/runs/details/{run}").page
    assert rows(page, "[data-part=artifacts]") == [["load", "model/weights", "5 Bytes"]]
    link = page.select_one("[data-part=artifacts] a")["href"]
    assert get(f"/{link}").body == b"12345"


def test_files_are_to_keep_and_never_shown_as_pages(get, place):
    run = place.add_run()
    pipeline, (version,) = place.add_pipeline("wines", chain("return 1"))
    place.write(run, "artifacts/run/task/page.html", SCRIPT)
    place.write(run, "logs/load.log", "x")
    for path in (
        f"runs/{run}/artifacts/run/task/page.html",
        f"runs/{run}/logs/load.log",
        f"runs/{run}/pipeline.yaml",
        f"runs/{run}/run.json",
        f"versions/{version}/pipeline.yaml",
    ):
        answer = get(f"/files/{path}")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_report_may_run_load_and_send_nothing(get, place):
    run = place.add_run(steps=[step("load"), step("empty")])
    place.write(run, "outputs/load.html", f"<p>12 wines</p><img src='data:,x'>{SCRIPT}")
    place.write(run, "outputs/empty.html", "This step did not produce any HTML output.")
    page = get(f"/fragments/runs/details/{run}").page
    (frame,) = page.find_all("iframe")
    assert frame["sandbox"] == ["allow-same-origin"]
    assert frame.find_parent("details").has_attr("open")  # there is a picture in it
    answer = get(f"/{frame['data-src']}")
    policy = directives(answer)
    assert policy["sandbox"] == "allow-same-origin"
    assert (policy["default-src"], policy["img-src"]) == ("'none'", "data:")
    assert not {"script-src", "connect-src", "frame-src"} & set(policy)
    assert "12 wines" in answer.text


def test_a_log_comes_in_parts_as_it_grows(get, place):
    run = place.add_run()
    path = place.write(run, "logs/load.log", "one\n\x1b[31mtwo\x1b[0m\nthr")

    def read(start: int) -> dict:
        return get(f"/files/runs/{run}/log?step=load&start={start}").json

    first = read(0)
    assert (first["text"], first["tail"]) == ("one\ntwo\n", "thr")
    with path.open("a") as log:
        log.write("ee\n10%\r20%\r30%")
    second = read(first["next"])
    assert (second["text"], second["tail"]) == ("three\n", "30%")
    assert first["passages"] == [{"lines": 2, "own": True}]
    assert not second["reset"]
    path.write_text("anew\n")
    assert read(second["next"])["reset"]
    assert read(second["next"])["text"] == "anew\n"
    assert get(f"/files/runs/{run}/log?step=none").json["text"] == ""
    assert get(f"/files/runs/{run}/log?step=load&start=-5").json["text"] == "anew\n"


def test_of_a_long_log_the_end_comes_first_and_later_parts_are_whole(tmp_path):
    path = tmp_path / "long.log"
    lines = [f"line {number}\n" for number in range(60_000)]
    path.write_text("".join(lines))
    first = files.read_log(path.open("rb"), 0)
    assert first["skipped"] > 0
    assert not first["more"]
    assert first["text"] == "".join(lines)[first["skipped"] :]
    read, start = "", 1
    while True:
        part = files.read_log(path.open("rb"), start)
        read, start = read + part["text"], part["next"]
        if not part["more"]:
            break
    assert read == "".join(lines)[1:]
    path.write_bytes(b"x" * 1_000_000)  # a single line
    assert len(files.read_log(path.open("rb"), 0)["tail"]) <= files.LONGEST_TAIL


def test_the_parameters_of_a_package_have_their_kinds_and_defaults():
    declared = {
        "rows": {"parameterType": "NUMBER_INTEGER", "defaultValue": 5.0, "isOptional": True},
        "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.1, "isOptional": True},
        "place": {"parameterType": "STRING"},
        "fast": {"parameterType": "BOOLEAN", "defaultValue": True, "isOptional": True},
        "sizes": {"parameterType": "LIST", "defaultValue": [1, "é"], "isOptional": True},
    }
    spec = {"root": {"inputDefinitions": {"parameters": declared}}}
    found = {one.name: (one.kind, one.text, one.required) for one in list_fields(Package(spec))}
    assert found == {
        "rows": ("int", "5", False),
        "rate": ("float", "0.1", False),
        "place": ("str", "", True),
        "fast": ("bool", "true", False),
        "sizes": ("list", '[1, "é"]', False),
    }


def task(component: str, *after: str) -> dict:
    return {"componentRef": {"name": component}, "dependentTasks": list(after)}


def listed(spec: dict) -> dict[str, list[str]]:
    return {name: list(after) for name, after in Package(spec).steps.items()}


def test_the_steps_of_nested_pipelines_are_steps():
    inner = {"dag": {"tasks": {"in-1": task("leaf"), "in-2": task("leaf", "in-1")}}}
    spec = {
        "root": {
            "dag": {"tasks": {"a": task("leaf"), "b": task("inner", "a"), "c": task("leaf", "b")}}
        },
        "components": {"leaf": {"executorLabel": "x"}, "inner": inner},
    }
    assert listed(spec) == {
        "a": [],
        "in-1": ["a"],
        "in-2": ["in-1"],
        "c": ["in-1", "in-2"],
    }


def test_a_pipeline_in_itself_or_in_a_circle_is_not_drawn_for_ever():
    spec = {
        "root": {"dag": {"tasks": {"a": task("x")}}},
        "components": {"x": {"dag": {"tasks": {}}}},
    }
    spec["components"]["x"]["dag"]["tasks"]["again"] = task("x")
    assert listed(spec) == {"again": []}
    circle = {"root": {"dag": {"tasks": {"a": task("y", "b"), "b": task("y", "a")}}}}
    assert draw_package(Package(circle), "circle") is None


@pytest.mark.parametrize("headers", [{"Origin": "http://example.com"}, {"Origin": "null"}])
def test_what_the_buttons_do_no_page_from_elsewhere_can_do(place, headers):
    run = place.add_run()
    for method, path in (("POST", f"/runs/{run}:archive"), ("DELETE", f"/runs/{run}")):
        assert place.server.call(method, path, headers=headers)[0] == 403
    assert place.server.call("GET", f"/runs/{run}")[1]["storage_state"] == "AVAILABLE"
    assert (
        place.server.call("POST", f"/runs/{run}:archive", headers={"Origin": place.server.url})[0]
        == 200
    )
