"""The report of a run: complete, safe whatever the notebook printed, whole without the network."""

import base64
import json
import os
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from fastkf.base.errors import FastkfError
from fastkf.runs.model import Step
from fastkf.runs.record import read_run
from fastkf.runs.report import page as report
from fastkf.runs.report.contents import LARGEST_OUTPUT, LARGEST_PLOTS, LOG_LINES, read_outputs
from fastkf.runs.report.rows import list_rows
from fastkf.runs.text import clean_text

SCRIPT = "<script>alert('from the notebook')</script>"
PNG = base64.encodebytes(b"\x89PNG\r\n" + bytes(range(90))).decode()
OUTSIDE = re.compile(r"(?:https?:)?//|url\(|@import|\bfetch\(")


def step(name: str, after=(), status="succeeded", started=0.0, seconds=1.0, error=None) -> dict:
    return {
        "name": name,
        "status": status,
        "started": started,
        "seconds": seconds,
        "after": list(after),
        "error": error,
    }


def titanic_run(**changes) -> dict:
    metrics = {"test_accuracy": 0.8268156424581006, "test_roc_auc": 0.87}
    run = {
        "name": "02_titanic",
        "title": "Who survived the Titanic?",
        "status": "succeeded",
        "started": "2026-11-24T12:14:03+00:00",
        "seconds": 41.2,
        "parameters": {"data_dir": "data/titanic", "cv_folds": 5},
        "notebook": {"status": "succeeded", "seconds": 13.4, "metrics": metrics},
        "pipeline": {
            "status": "succeeded",
            "seconds": 21.3,
            "steps": [
                step("load_data", seconds=2.0),
                step("train_svm", ["load_data"], started=2.0, seconds=3.0),
                step("train_tree", ["load_data"], started=2.0, seconds=4.0),
                step("evaluate", ["train_svm", "train_tree"], started=6.0, seconds=2.0),
            ],
            "metrics": metrics,
        },
        "parity": {
            name: {"notebook": value, "pipeline": value, "equal": True}
            for name, value in metrics.items()
        },
    }
    return {**run, **changes}


def failed_run() -> dict:
    error = "train_svm, cell 17, line 3\n    model.fit(features)\n\x1b[31mValueError\x1b[0m: <NaN>"
    run = titanic_run(status="failed", parity={})
    run["pipeline"]["status"] = "failed"
    run["pipeline"]["metrics"] = {}
    run["pipeline"]["steps"][1].update(status="failed", error=error)
    run["pipeline"]["steps"][3].update(status="skipped", started=None, seconds=0)
    return run


def text_cell(source: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def plot_cell(*images: str) -> dict:
    outputs = [{"output_type": "display_data", "data": {"image/png": png}} for png in images]
    return {"cell_type": "code", "metadata": {}, "source": "plot()", "outputs": outputs}


@pytest.fixture
def folder(tmp_path) -> Path:
    write(tmp_path, "run.json", json.dumps(titanic_run()))
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_run(folder: Path, run: dict) -> None:
    write(folder, "run.json", json.dumps(run))


def write_notebook(folder: Path, *cells: dict) -> None:
    write(folder, "notebook.ipynb", json.dumps({"nbformat": 4, "cells": list(cells)}))


def write_report(folder: Path) -> Path:
    return report.write_report(read_run(folder))


def page_of(folder: Path) -> BeautifulSoup:
    return BeautifulSoup(write_report(folder).read_text(encoding="utf-8"), "html.parser")


def section(page: BeautifulSoup, title: str):
    heading = page.find("h2", string=title)
    return heading and heading.parent


def rows(table) -> list[list[str]]:
    return [
        [cell.get_text(" ", strip=True).replace("_ ", "_") for cell in row.find_all(["th", "td"])]
        for row in table.find("tbody").find_all("tr")
    ]


def test_the_report_is_written_beside_the_run(folder):
    assert write_report(folder) == folder / "report.html"
    assert write_report(folder).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_headline_says_what_ran_when_and_how_it_ended(folder):
    header = page_of(folder).find("header").get_text(" ", strip=True)
    for text in ("Who survived the Titanic?", "02_titanic", "Succeeded", "41 s"):
        assert text in header
    assert "24 November 2026, 12:14 UTC" in header
    assert "2 of 2 equal" in header


def test_a_run_that_went_well_shows_no_error(folder):
    assert section(page_of(folder), "What went wrong") is None


def test_parameters_are_listed(folder):
    table = section(page_of(folder), "Parameters").find("table")
    assert rows(table) == [["data_dir", "data/titanic"], ["cv_folds", "5"]]


def test_metrics_stand_side_by_side(folder):
    table = section(page_of(folder), "Metrics").find("table")
    assert rows(table)[0] == ["test_accuracy", "0.826816", "0.826816", "equal"]


def test_different_metrics_are_marked_and_named_as_the_problem(folder):
    run = titanic_run(status="failed")
    run["pipeline"]["metrics"] = {"test_accuracy": 0.8268156424, "test_roc_auc": 0.87}
    run["parity"]["test_accuracy"].update(pipeline=0.8268156424, equal=False)
    write_run(folder, run)
    page = page_of(folder)
    row = rows(section(page, "Metrics").find("table"))[0]
    assert row == ["test_accuracy", "0.8268156424581006", "0.8268156424", "different"]
    problems = section(page, "What went wrong")
    assert [h.string for h in problems.find_all("h3")] == ["Metric test_accuracy"]
    assert "the notebook gives 0.82681564245" in problems.get_text()


def test_the_graph_shows_every_step_with_its_status(folder):
    write_run(folder, failed_run())
    graph = section(page_of(folder), "Pipeline").find("svg")
    drawn = {g["data-step"]: g["class"] for g in graph.find_all("g") if g.get("data-step")}
    assert drawn["train_svm"] == ["step", "failed"]
    assert drawn["evaluate"] == ["step", "skipped"]
    assert len(drawn) == 4


def test_the_table_of_steps_has_states_and_times(folder):
    write_run(folder, failed_run())
    table = rows(section(page_of(folder), "Steps").find("table"))
    assert [row[:3] for row in table] == [
        ["load_data", "succeeded", "2.0 s"],
        ["train_svm", "failed", "3.0 s"],
        ["train_tree", "succeeded", "4.0 s"],
        ["evaluate", "skipped", "–"],
    ]


def test_steps_stand_in_the_order_they_started(folder):
    run = failed_run()
    run["pipeline"]["steps"].reverse()
    write_run(folder, run)
    names = [row[0] for row in rows(section(page_of(folder), "Steps").find("table"))]
    assert names[0] == "load_data"
    assert names[-1] == "evaluate"


def test_the_timeline_shows_what_ran_at_the_same_time(folder):
    steps = section(page_of(folder), "Steps")
    bars = [(bar["x"], bar["width"]) for bar in steps.find_all(class_="bar")]
    assert bars == [("0.0%", "25.0%"), ("25.0%", "37.5%"), ("25.0%", "50.0%"), ("75.0%", "25.0%")]
    assert "11 s of work in 8.0 s" in steps.get_text()


def test_a_failed_run_begins_with_the_learners_exception(folder):
    write_run(folder, failed_run())
    write(folder, "logs/train_svm.log", "line\n")
    page = page_of(folder)
    problems = page.find("main").find("section")
    assert problems.find("h2").string == "What went wrong"
    assert problems.find("h3").string == "Step train_svm"
    shown = problems.find("pre").string
    assert shown == "train_svm, cell 17, line 3\n    model.fit(features)\nValueError: <NaN>"
    link = problems.find("a")["href"]
    assert page.find(id=link[1:]).find("code").string == "train_svm"


def test_an_error_said_twice_is_shown_once(folder):
    run = failed_run()
    run["pipeline"]["error"] = run["pipeline"]["steps"][1]["error"]
    run["pipeline"]["steps"][2].update(status="failed", error="interrupted")
    run["error"] = "interrupted; the processes of the run were ended"
    write_run(folder, run)
    problems = section(page_of(folder), "What went wrong")
    assert [h.string for h in problems.find_all("h3")] == ["Run", "Step train_svm"]


def test_a_failed_notebook_is_shown(folder):
    run = titanic_run(status="failed", pipeline=None, parity={})
    run["notebook"] = {"status": "failed", "seconds": 1, "metrics": {}, "error": "cell 4: KeyError"}
    write_run(folder, run)
    assert "cell 4: KeyError" in section(page_of(folder), "What went wrong").get_text()


def test_a_failure_without_a_reason_still_says_so(folder):
    write_run(folder, titanic_run(status="failed"))
    assert "The run failed" in section(page_of(folder), "What went wrong").get_text()


def test_plots_are_captioned_by_the_heading_above(folder):
    write_notebook(
        folder,
        text_cell("# Lab\n## Survival by *sex*\nWords\n```\n# not a heading\n```"),
        plot_cell(PNG),
        text_cell("Only words."),
        plot_cell(PNG),
        text_cell("## [Ages](x.md)"),
        plot_cell(PNG),
    )
    figures = section(page_of(folder), "Plots").find_all("figure")
    captions = [figure.find("figcaption").get_text(" ", strip=True) for figure in figures]
    assert captions == [
        "Survival by sex (1 of 2) cell 2",
        "Survival by sex (2 of 2) cell 4",
        "Ages cell 6",
    ]
    image = figures[0].find("img")
    assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))[1:4] == b"PNG"
    assert image["alt"] == "Survival by sex (1 of 2)"


def test_what_is_not_an_image_is_not_shown_as_one(folder):
    write_notebook(folder, plot_cell('"><script>alert(1)</script>'))
    assert section(page_of(folder), "Plots") is None


def test_too_many_plots_are_left_in_the_notebook(folder):
    large = base64.b64encode(bytes(LARGEST_PLOTS // 2)).decode()
    write_notebook(folder, plot_cell(large, large, large))
    plots = section(page_of(folder), "Plots")
    assert len(plots.find_all("img")) == 1
    assert "2 more in notebook.ipynb" in plots.get_text()


def test_outputs_of_steps_are_in_frames_without_scripts(folder):
    write(folder, "outputs/train_svm.html", f'<p title="it\'s">fitted</p>{SCRIPT}')
    frame = section(page_of(folder), "What the steps showed").find("iframe")
    assert frame["sandbox"] == ["allow-same-origin"]
    assert frame["srcdoc"].endswith(f'<p title="it\'s">fitted</p>{SCRIPT}')
    assert frame.find_parent("details").get("open") is None


def test_steps_that_showed_nothing_are_left_out(folder):
    write(folder, "outputs/train_svm.html", "<p>This step did not produce any HTML output.</p>")
    assert section(page_of(folder), "What the steps showed") is None


@pytest.mark.parametrize("text", ["x" * (LARGEST_OUTPUT + 1), "é" + "x" * LARGEST_OUTPUT])
def test_an_output_too_large_for_the_page_is_linked(folder, text):
    write(folder, "outputs/train_svm.html", text)
    shown = section(page_of(folder), "What the steps showed")
    assert shown.find("iframe") is None
    assert shown.find("a")["href"] == "outputs/train_svm.html"


def test_a_file_whose_name_is_no_text_is_linked_by_its_bytes(folder):
    name = os.fsdecode(b"caf\xe9")
    write(folder, f"outputs/{name}.html", "shown")
    (output,) = read_outputs(folder, list_rows([Step(name, name)], None))
    assert output.path == "outputs/caf%E9.html"


def test_logs_are_escaped_and_without_colour_codes(folder):
    write(folder, "logs/load_data.log", f"\x1b[32mgreen\x1b[0m </pre>{SCRIPT}\n10%\r100%\n")
    assert section(page_of(folder), "Logs").find("pre").string == f"green </pre>{SCRIPT}\n100%"


def test_a_long_log_shows_its_end_and_names_the_file(folder):
    write(folder, "logs/load_data.log", "".join(f"line {n}\n" for n in range(1500)))
    log = section(page_of(folder), "Logs").find("details")
    shown = log.find("pre").string.split("\n")
    assert (shown[0], shown[-1]) == (f"line {1500 - LOG_LINES}", "line 1499")
    assert "1,500 lines" in log.find("summary").get_text()
    assert "the whole file: logs/load_data.log" in log.get_text()


def test_logs_follow_the_steps_and_then_the_others(folder):
    for name in ("kfp", "evaluate", "load_data"):
        write(folder, f"logs/{name}.log", "something\n")
    names = [code.string for code in section(page_of(folder), "Logs").select("summary code")]
    assert names == ["load_data", "evaluate", "kfp"]


def test_nothing_from_the_run_becomes_markup(folder):
    run = titanic_run(
        name=SCRIPT,
        title=SCRIPT,
        status="failed",
        error=SCRIPT,
        started=SCRIPT,
        parameters={SCRIPT: SCRIPT},
        parity={SCRIPT: {"notebook": SCRIPT, "pipeline": SCRIPT, "equal": False}},
    )
    run["notebook"] = {"status": SCRIPT, "seconds": 1, "metrics": {SCRIPT: SCRIPT}, "error": SCRIPT}
    run["pipeline"]["steps"].append(step(SCRIPT, ["load_data"], status=SCRIPT, error=SCRIPT))
    write_run(folder, run)
    write_notebook(folder, text_cell(f"# {SCRIPT}"), plot_cell(PNG))
    html = write_report(folder).read_text(encoding="utf-8")
    assert SCRIPT not in html
    assert html.count("<script") == 1


def test_the_page_loads_nothing_from_elsewhere(folder):
    write_notebook(folder, text_cell("# A"), plot_cell(PNG))
    html = write_report(folder).read_text(encoding="utf-8")
    page = BeautifulSoup(html, "html.parser")
    sources = [tag["src"] for tag in page.find_all(src=True)]
    assert sources
    assert all(source.startswith("data:") for source in sources)
    hrefs = [tag["href"] for tag in page.find_all(href=True)]
    assert not [href for href in hrefs if re.match(r"//|(?!data:)\w+:", href)]
    images = r"data:image/png;base64,[^\"]*|xmlns=\"[^\"]*\""
    assert not OUTSIDE.findall(re.sub(images, "", html))


def test_the_content_security_policy_allows_the_pages_own_script_alone(folder):
    page = page_of(folder)
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script-src 'sha256-" in policy
    assert "http" not in policy


def test_the_page_has_landmarks_and_headings_in_order(folder):
    write_run(folder, failed_run())
    page = page_of(folder)
    assert page.html["lang"] == "en"
    assert all(len(page.find_all(name)) == 1 for name in ("header", "main", "footer", "h1"))
    levels = [int(heading.name[1]) for heading in page.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in zip(levels, levels[1:], strict=False))
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert all(img.get("alt") for img in page.find_all("img"))


@pytest.mark.parametrize("missing", ["notebook", "pipeline"])
def test_either_part_may_be_missing(folder, missing):
    write_run(folder, titanic_run(**{missing: None, "parity": {}}))
    page = page_of(folder)
    assert (section(page, "Pipeline") is None) == (missing == "pipeline")
    assert rows(section(page, "Metrics").find("table"))[0] == ["test_accuracy", "0.826816"]


def test_a_run_ended_before_anything_ran_is_reported(folder):
    write_run(folder, {"name": "early", "status": "failed", "error": "interrupted"})
    page = page_of(folder)
    assert page.find("h1").string == "early"
    assert "interrupted" in section(page, "What went wrong").get_text()
    assert [h.string for h in page.find("main").find_all("h2")] == ["What went wrong"]


def test_only_files_that_are_there_are_linked(folder):
    write(folder, "pipeline.yaml", "")
    links = [link["href"] for link in page_of(folder).find("footer").find_all("a")]
    assert links == ["pipeline.yaml", "run.json"]


def test_an_unreadable_notebook_is_left_out(folder):
    write(folder, "notebook.ipynb", '{"cells": [')
    assert section(page_of(folder), "Plots") is None


def test_files_outside_the_run_folder_are_not_read(folder):
    write(folder, "secret.log", "secret")
    write(folder, "logs/load_data.log", "public")
    run = titanic_run()
    run["pipeline"]["steps"].append(step("../secret"))
    write_run(folder, run)
    assert "public" in (html := write_report(folder).read_text(encoding="utf-8"))
    assert ">secret<" not in html


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_folder_without_a_run_is_refused_with_its_name(tmp_path, content):
    if content is not None:
        write(tmp_path, "run.json", content)
    with pytest.raises(FastkfError, match="run.json"):
        write_report(tmp_path)


def test_a_usual_report_is_small(folder):
    write_notebook(folder, *[plot_cell(base64.b64encode(bytes(40_000)).decode())] * 12)
    for name in ("load_data", "train_svm", "train_tree", "evaluate"):
        write(folder, f"logs/{name}.log", "a line of the log, of the usual length\n" * 3000)
    assert write_report(folder).stat().st_size < 2_000_000


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("10%\r50%\r100%\nnext", "100%\nnext"),
        ("windows\r\nlines", "windows\nlines"),
        ("bell\x07 tab\t", "bell tab\t"),
    ],
)
def test_text_is_cleaned_as_a_terminal_would(raw, clean):
    assert clean_text(raw) == clean


def test_the_iterations_of_a_loop_stand_below_their_step(folder):
    run = titanic_run(status="failed", parity={})
    inner = [
        step("train_svm.0", started=2.0),
        step("train_svm.1", started=2.5, status="failed", error="ValueError: item 2 is bad"),
    ]
    for one in inner:
        one["started_at"] = "2026-11-24T12:14:05+00:00"
    run["pipeline"]["steps"][1].update(status="failed", steps=inner, error="ValueError: item 2")
    write(folder, "run.json", json.dumps(run))
    write(folder, "logs/train_svm.1.log", "item 2\n")
    page = page_of(folder)
    rows = page.find("table", "steps").find("tbody").find_all("tr")
    names = [row.th.get_text().strip() for row in rows]
    at = names.index("train_svm")
    assert names[at + 1 : at + 3] == ["train_svm.0", "train_svm.1"]
    assert "inside" in rows[at + 1]["class"]
    problem = page.find("section", "problems").article
    assert problem.h3.string == "Step train_svm.1"
    log = problem.find("a")["href"].removeprefix("#")
    assert "train_svm.1" in page.find(id=log).summary.get_text()
