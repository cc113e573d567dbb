"""Reading a notebook file: what it holds, and what is said when it is no notebook."""

import json

import pytest
from build import write_notebook

from fastkf.base.errors import FastkfError
from fastkf.notebook.metadata import CourseMetadata
from fastkf.notebook.model import read

PARAMETERS = ["pipeline-parameters", "parameters"]


@pytest.fixture
def write(tmp_path):
    def call(*cells, **settings):
        return read(write_notebook(tmp_path / "01_example.ipynb", cells, **settings))

    return call


def roles(notebook) -> list[tuple]:
    return [(cell.number, cell.role, cell.step) for cell in notebook.cells]


CONTENTS = {
    "not a readable notebook": "no JSON",
    "not a notebook of format 4": json.dumps({"nbformat": 3, "worksheets": []}),
    r"not a valid notebook \(its cells\)": json.dumps({"nbformat": 4, "cells": 5}),
    "no code cells": json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}),
}


@pytest.mark.parametrize("says", CONTENTS)
def test_a_file_that_is_no_notebook(tmp_path, says):
    path = tmp_path / "broken.ipynb"
    path.write_text(CONTENTS[says])
    with pytest.raises(FastkfError, match=says) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"[]", b"{}", b'{"nbformat": 4}', b'{"nbformat": 4, "cells": ["x"]}'],
)
def test_other_contents_that_are_no_notebook(tmp_path, content):
    path = tmp_path / "broken.ipynb"
    path.write_bytes(content)
    with pytest.raises(FastkfError, match="notebook"):
        read(path)


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("source", 1, "the source of cell 2"),
        ("source", ["x = 1", 2], "the source of cell 2"),
        ("metadata", ["step:load"], "the metadata of cell 2"),
        ("metadata", {"tags": "step:load"}, "the tags of cell 2"),
        ("outputs", {"text": "1"}, "the outputs of cell 2"),
        ("outputs", ["1"], "the outputs of cell 2"),
        ("cell_type", 1, "the cell_type of cell 2"),
    ],
)
def test_a_cell_with_a_part_of_a_wrong_type(tmp_path, part, value, says):
    path = write_notebook(tmp_path / "odd.ipynb", [("step:load", "x = 1"), ("", "y = 2")])
    content = json.loads(path.read_text())
    content["cells"][1][part] = value
    path.write_text(json.dumps(content))
    with pytest.raises(FastkfError, match=f"not a valid notebook .{says}."):
        read(path)


def test_metadata_of_a_wrong_type(tmp_path):
    path = write_notebook(tmp_path / "odd.ipynb", [("step:load", "x = 1")])
    path.write_text(json.dumps({**json.loads(path.read_text()), "metadata": ["x"]}))
    with pytest.raises(FastkfError, match=r"not a valid notebook \(its metadata\)"):
        read(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FastkfError, match="no such file$"):
        read(tmp_path / "missing.ipynb")


def test_a_folder(tmp_path):
    with pytest.raises(FastkfError, match="this is a folder; name one notebook"):
        read(tmp_path)


def test_a_notebook_of_text_only(write):
    with pytest.raises(FastkfError, match="no code cells; add cells and Kale tags"):
        write(("markdown", "# Title"), ("step:load", "  \n"))


def test_a_notebook_with_odd_but_harmless_json(tmp_path):
    path = write_notebook(tmp_path / "odd.ipynb", [("step:load", "x = 1"), ("", "y = 2")])
    content = json.loads(path.read_text())
    content["metadata"] = {"kubeflow_notebook": None}
    content["cells"][0]["source"] = "x = 1"
    content["cells"][1]["metadata"] = {"tags": None}
    path.write_text(json.dumps(content))
    notebook = read(path)
    assert roles(notebook) == [(1, "step", "load"), (2, "step", "load")]
    assert notebook.kale == {}


def test_untagged_cells_continue_the_cell_above(write):
    notebook = write(
        ("markdown", "# Title"),
        ("", "lost = 1"),
        ("imports", "import json"),
        ("", "import math"),
        (PARAMETERS, "a = 1"),
        (["step:load", "image:python:3.12"], "x = a"),
        ("skip", "print(x)"),
        ("raw", "a note"),
        ("", "y = x"),
        (["step:train", "prev:load"], "z = y"),
        ("pipeline-metrics", "print(z)"),
    )
    assert roles(notebook) == [
        (1, None, None),
        (2, None, None),
        (3, "imports", None),
        (4, "imports", None),
        (5, "pipeline-parameters", None),
        (6, "step", "load"),
        (7, "skip", None),
        (8, None, None),
        (9, "step", "load"),
        (10, "step", "train"),
        (11, "pipeline-metrics", None),
    ]
    assert [cell.number for cell in notebook.steps["load"]] == [6, 9]
    assert notebook.cells[5].tag_values("image") == ["python:3.12"]
    assert [step.source[-1] for step in notebook.pipeline.steps][0] == "y = x"


def test_an_empty_step_name_counts_as_untagged_as_in_kale(write):
    notebook = write(("step:load", "x = 1"), ("step:", "y = 2"))
    assert list(notebook.steps) == [step.name for step in notebook.pipeline.steps] == ["load"]
    assert notebook.cells[1].step == "load"


def test_a_reference_to_another_notebook_is_no_step(write):
    notebook = write(("step:load", "x = 1"), ("notebook:other", ""), ("", "y = x"))
    assert roles(notebook) == [(1, "step", "load"), (2, "notebook", None), (3, "notebook", None)]


def test_parameters_are_the_plain_values(write):
    notebook = write(
        (PARAMETERS, "a = 1\nb = 0.5\nc = 'text'\nd = False"),
        ("", "e = None\nf = -1\ng = [1]\nh: int = 2\ni, j = 3, 4\nk = b'x'"),
        ("step:load", "a = 2"),
    )
    assert notebook.parameters == {"a": 1, "b": 0.5, "c": "text", "d": False}


def test_metrics_in_order(write):
    notebook = write(("step:load", "x = y = 1"), ("pipeline-metrics", "print(y)\nprint(x)\n# x"))
    assert notebook.metrics == ["y", "x"]


def test_title_and_names(write, tmp_path):
    cells = [("markdown", "Some text\n\n# Add integers\n\n## Aims"), ("step:load", "x = 1")]
    assert write(*cells).title == "Add integers"
    assert write(cells[1]).title == "01_example"
    assert write(*cells, metadata={"fastkf": {"title": "Sums"}}).title == "Sums"
    assert write(*cells, pipeline_name="sums").pipeline_name == "sums"
    assert write(*cells, metadata={}).pipeline_name == "example"


def test_what_the_course_says(write):
    block = {"title": "Sums", "minutes": 5, "needs": ["titanic"], "quick": {"n": 1}, "other": 1}
    course = write(("step:load", "x = 1"), metadata={"fastkf": block}).course
    assert course == CourseMetadata("Sums", None, 5, ("titanic",), {"n": 1}, None)
    assert write(("step:load", "x = 1"), metadata={}).course == CourseMetadata()


@pytest.mark.parametrize("block", ["x", None, {"needs": "titanic"}, {"tolerance": "much"}])
def test_a_damaged_block_of_the_course_is_one_message(write, block):
    notebook = write(("step:load", "x = 1"), metadata={"fastkf": block})
    with pytest.raises(FastkfError, match=r"01_example.ipynb: fastkf.* in the metadata is"):
        notebook.course  # noqa: B018


def test_a_cell_with_a_magic_has_no_tree(write):
    notebook = write(("step:load", "x = 1"), ("skip", "%time x"), ("skip", "pattern = '\\d'"))
    assert [cell.tree is not None for cell in notebook.cells] == [True, False, True]


def test_dependencies_are_those_of_the_data(write):
    notebook = write(
        ("step:load", "x = 1"),
        (["step:forest", "prev:load"], "forest = x"),
        (["step:tree", "prev:load", "prev:forest"], "tree = 2"),
        (["step:compare", "prev:forest", "prev:tree"], "print(forest, x)"),
        ("step:show", "print('no data')"),
    )
    assert notebook.dependencies == {
        "load": [],
        "forest": ["load"],
        "tree": ["forest"],
        "compare": ["forest"],
        "show": ["load"],  # next to it in topological order
    }
    assert notebook.sources["compare"] == {"forest": "forest", "x": "forest"}


@pytest.mark.parametrize(
    "cells",
    [
        [("step:load-data", "x = 1")],
        [(["step:load", "prev:load"], "x = 1")],
        [(PARAMETERS, "a.b = 1"), ("step:load", "x = 1")],
        [("step:load", "x = (")],
    ],
    ids=["unknown tag", "cycle", "no parameter", "syntax error"],
)
def test_what_kale_refuses_is_one_clear_error(write, cells):
    notebook = write(*cells)
    with pytest.raises(FastkfError, match="Kale cannot turn this notebook into a pipeline"):
        notebook.pipeline  # noqa: B018


@pytest.mark.parametrize("minor", ["x", -1, True, None, 2.5])
def test_a_minor_format_that_is_no_number_is_refused(tmp_path, minor):
    path = write_notebook(tmp_path / "a.ipynb", [("step:load", "x = 1")])
    path.write_text(json.dumps({**json.loads(path.read_text()), "nbformat_minor": minor}))
    with pytest.raises(FastkfError, match=r"not a valid notebook \(its nbformat_minor\)"):
        read(path)
