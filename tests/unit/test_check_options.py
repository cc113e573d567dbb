"""What `fastkf check` takes and prints: severities, what is ignored, folders, formats, pages."""

import json
from pathlib import Path

import pytest
from build import notebook_metadata, write_notebook
from jsonschema import Draft4Validator
from typer.testing import CliRunner

from fastkf.base.errors import UsageError
from fastkf.cli import app
from fastkf.notebook.check import Severity, check, settings_of
from fastkf.notebook.check.formats import find_line
from fastkf.notebook.model import read

SCHEMA = Path(__file__).parents[1] / "fixtures" / "sarif-2.1.0.json"
LOAD = ("step:load", "x = 1")
ERROR = (["step:train", "prev:load"], "score = x + y")
WARNING = ("step:load", "x = open('words.txt').read()")
NOTE = ("pipeline-parameters", "n = 1")


@pytest.fixture
def write(tmp_path):
    return lambda *cells, name="a.ipynb": write_notebook(tmp_path / name, cells)


def run(*words):
    result = CliRunner().invoke(app, ["check", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.mark.parametrize(
    ("cell", "code", "strict"), [(ERROR, 1, 1), (WARNING, 0, 1), (NOTE, 0, 0)], ids=str
)
def test_errors_fail_and_warnings_when_it_is_strict(cell, code, strict, write):
    path = (
        write(cell) if cell is WARNING else write(cell, LOAD) if cell is NOTE else write(LOAD, cell)
    )
    assert run(path).exit_code == code
    assert run(path, "--strict").exit_code == strict


def test_text_says_what_is_not_an_error(write):
    assert "cell 1: relative-file (warning): " in run(write(WARNING)).output
    assert "cell 1: papermill-tag (note): " in run(write(NOTE, LOAD)).output


def test_a_line_break_in_the_name_of_a_file_ends_no_line(write, tmp_path):
    path = write(LOAD, ERROR, name="a\nb.ipynb")
    assert ["a\\nb.ipynb: cell 2" in line for line in run(path).output.splitlines()] == [True]
    Path(tmp_path / "c\nd.ipynb").write_text("{}")
    assert len(run(tmp_path / "c\nd.ipynb").output.splitlines()) == 1
    lines = run(tmp_path).output.splitlines()
    found = [line for line in lines if "d.ipynb" in line]
    says = "unreadable: not a notebook of format 4; open it in JupyterLab and save it again"
    assert found == [f"{tmp_path}/c\\nd.ipynb: {says}"]


def test_a_rule_is_ignored_by_option_and_its_name_must_be_one(write):
    path = write(LOAD, ERROR)
    assert run(path, "--ignore", "undefined-name").exit_code == 0
    wrong = run(path, "--ignore", "undefined")
    assert (wrong.exit_code, "no such rule" in wrong.output) == (2, True)


@pytest.mark.parametrize(
    "mark",
    [
        "# fastkf: ignore[undefined-name]",
        "score = x + y  # known; fastkf: ignore[magic, undefined-name]",
        "#fastkf:ignore[undefined-name]",
    ],
)
def test_a_rule_is_ignored_by_a_comment_in_its_cell(mark, write):
    assert check(read(write(LOAD, (ERROR[0], f"{ERROR[1]}\n{mark}")))) == []


def test_a_comment_elsewhere_and_a_text_ignore_nothing(write):
    mark = "# fastkf: ignore[undefined-name]"
    cells = [("step:load", f"x = 1 {mark}"), (ERROR[0], f"{ERROR[1]}\nz = 'fastkf: ignore[magic]'")]
    assert [one.rule for one in check(read(write(*cells)))] == ["undefined-name"]


def test_a_rule_is_ignored_by_a_tag_where_kale_takes_one(write):
    tags = ["skip", "fastkf: ignore[interactive-input]"]
    assert check(read(write(LOAD, (tags, "y = input()")))) == []
    tags = ["step:load", "fastkf: ignore[relative-file]"]
    (finding,) = check(read(write((tags, "x = open('words.txt')"))))
    assert (finding.rule, finding.severity) == ("unknown-tag", Severity.ERROR)
    assert finding.remedy.startswith("write it as a comment in the cell: `# fastkf: ignore")


def test_a_project_says_what_is_ignored_and_whether_it_is_strict(write, tmp_path):
    path = write(WARNING, name="deep/in/a.ipynb")
    (tmp_path / "pyproject.toml").write_text("[tool.fastkf]\nstrict = true\n")
    assert run(path).exit_code == 1
    (tmp_path / "deep" / "pyproject.toml").write_text("[tool.ruff]\n")
    assert settings_of(path).strict
    (tmp_path / "pyproject.toml").write_text('[tool.fastkf]\nignore = ["relative-file"]\n')
    assert run(path).output.endswith("1 notebook, no findings\n")


@pytest.mark.parametrize(
    "table", ["ignore = 'magic'", "ignore = ['magics']", "strict = 1", "ignores = []", "ignore ="]
)
def test_settings_that_are_wrong_are_one_message(table, write, tmp_path):
    (tmp_path / "pyproject.toml").write_text(f"[tool.fastkf]\n{table}\n")
    with pytest.raises(UsageError, match="pyproject.toml"):
        check(read(write(LOAD)))
    assert run(write(LOAD)).exit_code == 2


def test_folders_and_patterns_are_searched(write, tmp_path):
    for name in ("a.ipynb", "deep/b.ipynb", ".ipynb_checkpoints/c.ipynb"):
        write(LOAD, name=name)
    assert "2 notebooks, no findings" in run(tmp_path).output
    assert "1 notebook, no findings" in run(tmp_path / "*.ipynb").output
    assert "2 notebooks, no findings" in run(tmp_path / "**" / "*.ipynb", tmp_path).output
    nothing = run(tmp_path / "*.txt")
    assert (nothing.exit_code, "no notebook" in nothing.output) == (2, True)


def test_among_several_a_file_that_is_no_notebook_is_a_finding(write, tmp_path):
    write(LOAD)
    (tmp_path / "b.ipynb").write_text("{")
    result = run(tmp_path, "--format", "json")
    assert [one["rule"] for one in json.loads(result.output)] == ["unreadable"]
    assert result.exit_code == 1


def test_sarif_is_what_its_schema_says(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(LOAD, ERROR, WARNING, name="some folder/ä b.ipynb")
    log = json.loads(run("some folder", "--format", "sarif").output)
    Draft4Validator(json.loads(SCHEMA.read_text())).validate(log)
    first = log["runs"][0]["results"][0]
    assert (first["ruleId"], first["level"]) == ("undefined-name", "error")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "some%20folder/%C3%A4%20b.ipynb"
    assert place["region"]["startLine"] == find_line(tmp_path / "some folder/ä b.ipynb", 2)


def test_github_gets_workflow_commands(write):
    path = write(LOAD, (["step:a,b", "prev:load"], "score = x"))
    line = run(path, "--format", "github").output.splitlines()[0]
    assert line.startswith(f"::error file={path},line=")
    assert ",title=fastkf%3A invalid-step-name::cell 2: " in line


def test_the_line_of_a_cell_is_where_it_begins(write):
    path = write(("markdown", '# "cells": [{'), LOAD)
    lines = path.read_text().splitlines()
    number = find_line(path, 2)
    assert lines[number - 1].strip() == "{"
    assert '"cell-2"' in "".join(lines[number : number + 6])
    assert find_line(path, None) == 1


def test_the_graph_shows_the_order_that_kale_makes(write):
    output = run(write(LOAD, ("step:other", "y = 2")), "--graph").output
    assert "waits for" in output
    assert [line.split() for line in output.splitlines() if "other" in line][0] == [
        "other",
        "load",
    ]


def test_explain_shows_a_page_and_lists_the_rules():
    page = CliRunner().invoke(app, ["explain", "missing-prev"]).output
    assert page.startswith("# missing-prev\n")
    assert "## Wrong" in page
    assert "## Right" in page
    assert "missing-prev" in CliRunner().invoke(app, ["explain"]).output
    unknown = CliRunner().invoke(app, ["explain", "no-such-rule"])
    assert unknown.exit_code == 2


def test_compile_stops_at_an_error_and_goes_on_with_unchecked(write, tmp_path):
    words = ["compile", str(write(LOAD, ERROR)), "-o", str(tmp_path / "a.yaml")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "undefined-name" in result.output
    assert not (tmp_path / "a.yaml").exists()
    assert CliRunner().invoke(app, [*words, "--unchecked"]).exit_code == 0
    assert (tmp_path / "a.yaml").exists()


def test_old_notebooks_get_the_one_finding_that_helps(write):
    cells = [
        ("pipeline-parameters", "k = 3"),
        ("block:load", "x = np.ones(k)"),
        ("prev:load", "y = x"),
    ]
    assert {one.rule for one in check(read(write(*cells)))} == {"old-kale"}


@pytest.mark.parametrize(
    "cells",
    [
        [LOAD, ("step:", "y = 1"), (["step:use", "prev:load"], "z = x + y"), ("step:", "print(z)")],
        [("skip", "pip install numpy"), ("skip", "ls"), LOAD],
        [("markdown", "# Title"), LOAD],
        [("imports", "import pandas"), ("step:load", "import numpy, yaml\nx = numpy.ones(2)")],
        [("imports", "import torch\nimport xgboost"), LOAD],
        [
            ("step:load", "k = 2\nx = list(map(str, [1]))\nx.sort(key=lambda v: v * k)"),
            (["step:use", "prev:load"], "print(x)"),
        ],
        [
            ("imports", "import torch"),
            ("step:load", "net = torch.hub.load('pytorch/vision:v0.10.0', 'resnet18')"),
        ],
    ],
    ids=[
        *("empty step tag", "automagic", "text", "what packages bring", "not installed"),
        *("a lambda that is called at once", "a name that is no path"),
    ],
)
def test_what_kale_honours_is_no_finding(cells, write):
    assert check(read(write(*cells))) == []


def test_a_notebook_from_kaggle_may_name_papermill(tmp_path):
    metadata = notebook_metadata() | {"papermill": {"version": "2.3.4"}}
    assert check(read(write_notebook(tmp_path / "a.ipynb", [LOAD], metadata=metadata))) == []
