"""The pages of artifacts and executions, and what a page shows of a file."""

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from made_runs import step

from fastkf.engine.job import describe
from fastkf.engine.scope import Values
from fastkf.runs.model import Artifact
from fastkf.server.pages.executed import MOST_DRAWN
from fastkf.server.pages.previews import MOST_LETTERS, MOST_ROWS, preview

PNG = b"\x89PNG\r\n\x1a\nrest"


@pytest.fixture
def get(served_place):
    def call(path: str):
        connection = http.client.HTTPConnection(urlsplit(served_place.server.url).netloc)
        try:
            connection.request("GET", path, headers=served_place.server.authorization)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    return call


@pytest.fixture
def page(get):
    return lambda path: BeautifulSoup(get(path)[1], "html.parser")


def made(name: str, type: str = "Dataset") -> dict:
    return {name: {"type": f"system.{type}", "uri": f"artifacts/r/{name}", "metadata": {"rows": 3}}}


@pytest.fixture
def run(place) -> str:
    data, model, page_ = made("data"), made("model", "Model"), made("page", "HTML")
    steps = [
        step("load", outputs={"parameters": {"count": 3}, "artifacts": {**data, **page_}}),
        step("train", after=["load"], inputs={"artifacts": data}, outputs={"artifacts": model}),
        step(
            "test",
            after=["train"],
            inputs={"artifacts": model},
            outputs={"artifacts": made("score")},
        ),
        step("other", outputs={"artifacts": made("aside")}),
    ]
    run = place.add_run("mine", steps=steps)
    place.write(run, "artifacts/r/data", "name,age\nAnn,3\nBen,4\n")
    place.write(run, "artifacts/r/page", "<h1>12</h1><script>alert(1)</script>")
    return run


def text_of(tag) -> str:
    return " ".join(tag.get_text(" ", strip=True).split())


def first_cells(page) -> list[str]:
    return [text_of(row.th) for row in page.select("table.list tbody tr")]


def test_artifacts_of_all_runs_are_listed_and_filtered(page, place, run):
    place.add_run("later", steps=[step("load", outputs={"artifacts": made("more", "Model")})])
    assert first_cells(page("/fragments/artifacts"))[0] == "more"
    assert set(first_cells(page("/fragments/artifacts?kind=Model"))) == {"more", "model"}
    assert set(first_cells(page("/fragments/artifacts?name=TRAIN"))) == {"model"}
    assert "No artifact fits" in text_of(page("/fragments/artifacts?name=nothing"))


def test_a_long_list_of_artifacts_goes_on_from_a_run(page, place):
    many = {f"a{n}": made("x")["x"] for n in range(60)}
    old = place.add_run("old", steps=[step("load", outputs={"artifacts": made("first")})])
    place.add_run("new", steps=[step("load", outputs={"artifacts": many})])
    shown = page("/fragments/artifacts")
    assert len(first_cells(shown)) == 60
    older = shown.find("a", rel="next")["href"]
    assert older.endswith(old)
    assert first_cells(page(f"/fragments{older.removeprefix('#')}")) == ["first"]


def test_lineage_goes_in_both_directions_and_leaves_out_the_rest(page, run):
    shown = page(f"/fragments/artifacts/details?id={run}.train-task.model")
    drawn = {one.title.string.partition(":")[0] for one in shown.select("svg [data-step]")}
    assert drawn == {"load", "data", "train", "model", "test", "score"}
    edges = {(one["data-from"], one["data-to"]) for one in shown.select("svg .edge")}
    assert (f"{run}.train-task.model", "test-task") in edges
    assert ("train-task", f"{run}.train-task.model") in edges
    assert text_of(shown.select_one("svg [aria-current] title")) == "model: Model"


def test_a_long_lineage_is_drawn_around_the_artifact(page, place):
    passed = [made(f"f{n:03}") for n in range(100)]
    both = zip(passed, passed[1:], strict=False)
    steps = [
        step(f"s{n}", inputs={"artifacts": one}, outputs={"artifacts": other})
        for n, (one, other) in enumerate(both)
    ]
    run = place.add_run("long", steps=steps)
    shown = page(f"/fragments/artifacts/details?id={run}.s49-task.f050")
    drawn = {one.title.string.partition(":")[0] for one in shown.select("svg [data-step]")}
    assert len(drawn) == MOST_DRAWN
    assert {"f050", "s49", "s50", "f049", "f051"} <= drawn


def test_files_that_are_made_of_each_other_are_not_drawn_for_ever(page, place):
    one, other = made("one"), made("other")
    steps = [
        step("a", inputs={"artifacts": one}, outputs={"artifacts": other}),
        step("b", inputs={"artifacts": other}, outputs={"artifacts": one}),
    ]
    run = place.add_run("circle", steps=steps)
    assert "cannot be drawn" in text_of(page(f"/fragments/artifacts/details?id={run}.a-task.other"))


def test_the_lineage_of_a_list_of_artifacts_has_all_of_them(page, place):
    turns = [step(f"fit.{n}", outputs={"artifacts": made(f"m{n}")}) for n in range(3)]
    fit = step("fit", steps=[{**turn, "task": "fit"} for turn in turns]) | {"task": "fit"}
    given = [
        {"name": "m", "type": {"schemaTitle": "system.Dataset"}, "uri": f"artifacts/r/m{n}"}
        for n in range(3)
    ]
    taken = describe(Values(artifacts={"models": given}), Path("/elsewhere")).artifacts
    inputs = {"artifacts": {key: {"type": one.type, "uri": one.uri} for key, one in taken.items()}}
    assert list(taken) == ["models", "models[1]", "models[2]"]
    run = place.add_run("many", steps=[fit, step("best", inputs=inputs)])
    shown = page(f"/fragments/artifacts/details?id={run}.fit.2.m2")
    edges = {(one["data-from"], one["data-to"]) for one in shown.select("svg .edge")}
    assert (f"{run}.fit.2.m2", "best-task") in edges
    _, answer = place.server.call("GET", f"/artifact_tasks?run_ids={run}&type=TASK_OUTPUT_INPUT")
    assert [(one["key"], one["artifact_id"]) for one in answer["artifact_tasks"]] == [
        ("models", f"{run}.fit.{n}.m{n}") for n in range(3)
    ]


def test_an_execution_shows_what_went_in_and_came_out(page, run):
    load = page(f"/fragments/executions/details?run={run}&node=load-task")
    assert "count 3" in text_of(load)
    assert [text_of(one) for one in load.select(".preview tbody td")] == ["Ann", "3", "Ben", "4"]
    train = page(f"/fragments/executions/details?run={run}&node=train-task")
    assert f"{run}.load-task.data" in train.select_one(".artifact a")["href"]
    assert {"load", "train", "test", "other"} == set(first_cells(page("/fragments/executions")))
    assert first_cells(page("/fragments/executions?kind=failed")) == []


def test_a_step_of_a_run_opens_on_its_inputs_and_outputs(page, run):
    shown = page(f"/fragments/runs/details/{run}?step=load")
    panel = shown.select_one("[data-part=step]")
    assert "count 3" in text_of(panel)
    assert panel.find_next_sibling("section")["data-part"].startswith("log load")
    assert shown.select_one(".side iframe")["sandbox"] == ["allow-same-origin"]


def test_metrics_show_their_values_and_need_no_file(page, place):
    scores = {"type": "system.Metrics", "uri": "artifacts/r/m", "metadata": {"accuracy": 0.93}}
    run = place.add_run("scored", steps=[step("test", outputs={"artifacts": {"scores": scores}})])
    shown = page(f"/fragments/executions/details?run={run}&node=test-task")
    assert text_of(shown.select_one(".artifact")) == "scores Metrics accuracy 0.93"


def test_the_attempts_of_a_step_lead_to_their_logs(page, place):
    attempts = [step(f"load.try-{n}", "failed", error="no") for n in (1, 2)]
    run = place.add_run("again", "FAILED", steps=[step("load", "failed", attempts=attempts)])
    shown = page(f"/fragments/runs/details/{run}?step=load")
    links = [one["href"].rpartition("=")[2] for one in shown.select(".attempts a")]
    assert links == ["load", "load.try-1", "load.try-2"]
    second = page(f"/fragments/runs/details/{run}?step=load.try-2")
    assert "step=load.try-2" in second.select_one("[data-log]")["data-log"]


def test_a_page_that_a_step_made_runs_nothing(get, run):
    answer, body = get(f"/files/runs/{run}/shown?node=load-task&output=page")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-same-origin; default-src 'none'")
    assert b"<h1>12</h1>" in body


@pytest.mark.parametrize(
    "path",
    [
        "{run}/shown?node=load-task&output=data",
        "{run}/shown?node=x&output=y",
        "no/shown?node=x&output=y",
    ],
)
def test_what_is_no_page_and_no_picture_is_not_shown(get, run, path):
    assert get(f"/files/runs/{path.format(run=run)}")[0].status == 404


def test_markdown_is_drawn_without_the_markup_in_it(get, place):
    run = place.add_run(steps=[step("load", outputs={"artifacts": made("note", "Markdown")})])
    text = "# Title\n\n<script>x</script>\n\n[a](javascript:x)\n\n| a |\n|---|\n| 1 |\n"
    place.write(run, "artifacts/r/note", text)
    _, body = get(f"/files/runs/{run}/shown?node=load-task&output=note")
    assert b"<h1>Title</h1>" in body
    assert b"<table>" in body
    assert b"<script>" not in body
    assert b'href="javascript' not in body


def look(folder: Path, content: bytes, name="file", type="system.Artifact"):
    (folder / name).write_bytes(content)
    return preview(folder, Artifact(type, name))


def test_a_preview_goes_by_what_is_in_the_file(tmp_path):
    assert look(tmp_path, b"hello").text == "hello"
    assert look(tmp_path, PNG, "file.csv").kind == "picture"
    assert look(tmp_path, b"a\0b").kind == "nothing"
    assert look(tmp_path, b"").text == "The file is empty."
    assert look(tmp_path, b"a,b\n1,2\n", "t.csv").rows == (("a", "b"), ("1", "2"))
    assert look(tmp_path, b"a\tb\n1\t2\n", "t.tsv").rows == (("a", "b"), ("1", "2"))
    assert look(tmp_path, b"a,b\n1,2\n").kind == "text"
    assert look(tmp_path, b"a,b\n1\n", "t.csv").kind == "text"


def test_a_preview_reads_the_beginning_of_a_long_file(tmp_path):
    seen = look(tmp_path, "ä".encode() * 100_000)
    assert (len(seen.text), seen.more) == (MOST_LETTERS, True)
    seen = look(tmp_path, b"a,b\n" + b"1,2\n" * 100_000, "t.csv")
    assert (len(seen.rows), seen.more) == (MOST_ROWS + 1, True)


def test_a_preview_stays_in_the_runs_folder(tmp_path):
    folder, secret = tmp_path / "run", tmp_path / "secret"
    (folder / "inner").mkdir(parents=True)
    secret.mkdir()
    (secret / "key").write_text("hidden")
    (folder / "link").symlink_to(secret)
    (folder / "inner" / "model").write_text("x")
    for uri in ("../secret", "../secret/key", "link", "link/key", str(secret), "gs://a/b", ""):
        seen = preview(folder, Artifact("system.Artifact", uri))
        assert (seen.kind, seen.rows) == ("nothing", ()), uri
    assert preview(folder, Artifact("system.Model", "inner")).rows == (("model",),)
