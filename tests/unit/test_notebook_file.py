"""Notebook files as others write them: a byte order mark, no ids, format 3, any kernel."""

import json

import pytest
from build import write_notebook

from fastkf.base.errors import FastkfError
from fastkf.engine.notebook import execute_notebook
from fastkf.migrate import migrate
from fastkf.notebook.check import check
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.file import readable_copy
from fastkf.notebook.model import read
from fastkf.runs.model import State
from fastkf.runs.report.contents import read_plots
from fastkf.tune.notebook import Search, make_manifest
from fastkf.tune.notebook_trial import write_steps

CELLS = [
    ("pipeline-parameters", "n = 1"),
    ("step:load", "x = n + 1"),
    (["step:train", "prev:load"], "score = x * 2"),
    ("pipeline-metrics", "print(score)"),
]


def change(path, edit, encoding="utf-8"):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(edit(content)), encoding=encoding)
    return path


def as_format_3(content):
    cells = [
        {
            "cell_type": "code",
            "input": cell["source"],
            "language": "python",
            "metadata": cell["metadata"],
            "outputs": [],
        }
        for cell in content["cells"]
    ]
    sheets = [{"cells": cells, "metadata": {}}]
    return {
        "metadata": content["metadata"],
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": sheets,
    }


def without_ids(content):
    for cell in content["cells"]:
        del cell["id"]
    return content


def with_kernel(content):
    content["metadata"]["kernelspec"] = {
        "display_name": "conda",
        "language": "python",
        "name": "x1",
    }
    return content


def without_metadata(content):
    return {**content, "metadata": {}}


FORMS = {
    "byte order mark": (lambda content: content, "utf-8-sig"),
    "format 3": (as_format_3, "utf-8"),
    "no ids": (without_ids, "utf-8"),
    "another kernel": (with_kernel, "utf-8"),
}


@pytest.fixture(params=FORMS)
def path(request, tmp_path):
    edit, encoding = FORMS[request.param]
    return change(write_notebook(tmp_path / "a.ipynb", CELLS), edit, encoding)


def test_it_is_checked_and_compiled_and_stays_as_it_is(path, tmp_path, recwarn):
    before = path.read_bytes()
    assert [one.rule for one in check(read(path))] == ["papermill-tag"]
    package = compile_notebook(read(path), tmp_path / "a.yaml").read_text()
    assert "comp-load-step" in package
    assert "comp-train-step" in package
    assert path.read_bytes() == before
    # What another test has left open is collected at any moment, with a warning of its own.
    assert [one for one in recwarn if one.category is not ResourceWarning] == []


def test_it_is_migrated_and_tuned(path, tmp_path):
    assert migrate(path, tmp_path / "new.ipynb").compiles
    steps = read(write_steps(read(path), tmp_path / "steps.ipynb"))
    assert [cell.source for cell in steps.cells] == [source for _, source in CELLS]
    config_map, _ = make_manifest(read(path), Search("score", ["n=1,2"], {}))
    assert json.loads(config_map["data"]["a.ipynb"])["nbformat"] == 4


def test_papermill_gets_what_it_asks_for(path, recwarn):
    with readable_copy(path, to_execute=True) as copy:
        content = json.loads(copy.read_text())
    assert content["nbformat"] == 4
    assert all("id" in cell for cell in content["cells"])
    assert content["cells"][0]["metadata"]["tags"] == ["pipeline-parameters", "parameters"]


@pytest.mark.slow
def test_other_parameters_reach_a_notebook_without_papermills_tag(tmp_path):
    path = change(write_notebook(tmp_path / "a.ipynb", CELLS), without_metadata)
    output = tmp_path / "out.ipynb"
    result = execute_notebook(read(path), output, {"n": 4}, lambda done, total: None)
    assert result.state is State.SUCCEEDED
    assert result.metrics == {"score": 10.0}


def test_a_plain_notebook_is_not_copied(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", CELLS)
    with readable_copy(path) as copy:
        assert copy == path


def test_a_file_that_only_says_format_3_is_one_message(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text('{"nbformat": 3, "worksheets": 7}')
    with pytest.raises(FastkfError, match="nor one of format 3"):
        read(path)


def test_references_alone_make_a_notebook(tmp_path):
    write_notebook(tmp_path / "part.ipynb", [("step:load", "x = 1")], pipeline_name="part")
    path = write_notebook(tmp_path / "whole.ipynb", [("notebook:part", "")])

    def refer(content):
        content["cells"][0]["metadata"]["notebook_path"] = "part.ipynb"
        return content

    change(path, refer, "utf-8-sig")
    assert check(read(path)) == []


@pytest.mark.parametrize("edit", [{"source": None}, {}], ids=["null", "missing"])
def test_a_code_cell_without_a_source_is_named(tmp_path, edit):
    def empty(content):
        del content["cells"][1]["source"]
        content["cells"][1].update(edit)
        return content

    path = change(write_notebook(tmp_path / "a.ipynb", CELLS), empty)
    with pytest.raises(FastkfError) as told:
        read(path)
    assert told.value.problem == f"{path}: cell 2 has no source"
    assert "delete the cell" in told.value.remedy


def test_a_text_cell_without_a_source_is_as_good_as_empty(tmp_path):
    def add(content):
        text = {"cell_type": "markdown", "metadata": {}, "source": None}
        return {**content, "cells": [text, *content["cells"]]}

    path = change(write_notebook(tmp_path / "a.ipynb", CELLS), add)
    assert "comp-load-step" in compile_notebook(read(path), tmp_path / "a.yaml").read_text()
    assert read_plots(path) == ([], 0)


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}, "R"),
        ({"kernelspec": {"name": "ir"}, "language_info": {"name": "R"}}, "R"),
        ({"kernelspec": {"name": "julia-1.9", "language": "julia"}}, "julia"),
        ({"kernelspec": {"name": "bash", "language": "bash\n\x1b"}}, "bash"),
        ({"kernelspec": {"name": "x", "language": "ipython"}, "language_info": None}, None),
        ({"kernelspec": {"name": "python2", "language": "Python 2"}}, None),
        ({"kernelspec": {"name": "x", "language": None}, "language_info": {"name": ""}}, None),
        ({}, None),
    ],
)
def test_a_notebook_in_another_language_is_told_as_one(metadata, language, tmp_path):
    path = write_notebook(tmp_path / "other.ipynb", CELLS)
    others = ("kernelspec", "language_info")
    change(
        path,
        lambda content: {
            **content,
            "metadata": {k: v for k, v in content["metadata"].items() if k not in others}
            | metadata,
        },
    )
    if language is None:
        assert read(path).steps
        return
    for command in (read, lambda path: migrate(path, tmp_path / "new.ipynb")):
        with pytest.raises(FastkfError) as caught:
            command(path)
        assert f"its language is {language}" in str(caught.value)
        assert "choose a Python kernel" in caught.value.remedy


def test_a_heading_of_format_3_is_read_as_jupyter_wrote_it(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", CELLS)
    content = as_format_3(json.loads(path.read_text()))
    heading = {"cell_type": "heading", "level": 2, "metadata": {}, "source": ["An old one"]}
    content["worksheets"][0]["cells"].insert(0, heading)
    path.write_text(json.dumps(content))
    assert read(path).cells[0].source == "## An old one"
