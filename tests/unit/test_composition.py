"""Notebooks that refer to others: read, checked and executed with their parts."""

import io
import json

import pytest
from build import write_notebook
from rich.console import Console

from fastkf.base.errors import FastkfError, UsageError
from fastkf.cli.display import Display
from fastkf.cluster.source import read_source
from fastkf.course.regression.checks import CheckError, outputs
from fastkf.course.regression.once import whole_file
from fastkf.engine.notebook import execute_notebook
from fastkf.notebook.brought import brought_files
from fastkf.notebook.check import check_file
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.composition import flat_dependencies, leave_out_parts, whole
from fastkf.notebook.file import readable_copy
from fastkf.notebook.model import read
from fastkf.package.model import Package
from fastkf.run.reasons import Reasons
from fastkf.runs.model import Failure, State, Step
from fastkf.tune.notebook import Search, make_manifest

PARAMETERS = ["pipeline-parameters", "parameters"]
FIRST = [
    ("imports", "import math"),
    (PARAMETERS, "n = 2\nk = 3"),
    ("functions", "def double(x):\n    return 2 * x"),
    ("step:load", "data = [double(i) for i in range(n * k)]"),
]
SECOND = [
    ("imports", "import statistics"),
    ("step:load", "middle = statistics.mean(data) + offset"),
    ("", "wide = middle * 2"),
    ("pipeline-metrics", "print(wide)"),
]
ROOT = [
    (PARAMETERS, "n = 4\noffset = 1.5"),
    ("notebook:first", ""),
    ("notebook:second", "# Notebook: second"),
    ("", "extra = 10"),
    ("step:final", "score = wide + extra"),
    ("pipeline-metrics", "print(score)"),
]


@pytest.fixture
def compose(tmp_path):
    def write(root=ROOT, **parts):
        for name, cells in parts.items():
            write_notebook(tmp_path / f"{name}.ipynb", cells, pipeline_name=name)
        path = write_notebook(tmp_path / "main.ipynb", root, pipeline_name="main")
        content = json.loads(path.read_text())
        for cell in content["cells"]:
            for tag in cell["metadata"].get("tags", []):
                if tag.startswith("notebook:"):
                    cell["metadata"]["notebook_path"] = f"./{tag[9:]}.ipynb"
        path.write_text(json.dumps(content))
        return path

    return write


def replaced(cells, place, source):
    return [*cells[:place], (cells[place][0], source), *cells[place + 1 :]]


def findings(path):
    return [(one.path.split("/")[-1], one.cell, one.rule) for one in check_file(path)]


def test_names_that_other_parts_make_are_known(compose):
    assert findings(compose(first=FIRST, second=SECOND)) == []


def test_a_name_that_no_part_makes_is_found_in_its_file(compose):
    typo = replaced(SECOND, 1, "middle = statistics.mean(dta) + offset")
    assert findings(compose(first=FIRST, second=typo)) == [("second.ipynb", 2, "undefined-name")]
    root = replaced(ROOT, 4, "score = wyde + extra")
    assert findings(compose(root, first=FIRST, second=SECOND)) == [
        ("main.ipynb", 5, "undefined-name")
    ]


def test_a_part_has_its_own_imports_alone(compose):
    root = [("imports", "import statistics"), *ROOT]
    assert findings(compose(root, first=FIRST, second=SECOND[1:])) == [
        ("second.ipynb", 1, "undefined-name")
    ]


def test_a_metric_of_the_root_is_computed_in_the_root(compose):
    root = [*ROOT[:5], ("pipeline-metrics", "print(wide)")]
    assert findings(compose(root, first=FIRST, second=SECOND)) == [
        ("main.ipynb", 6, "unknown-metric")
    ]


@pytest.mark.parametrize(
    ("root", "parts", "said"),
    [
        (ROOT, {"first": FIRST}, "there is no notebook"),
        (ROOT, {"first": FIRST, "second": [("notebook:main", "")]}, "in its turn"),
        ([("notebook:main", ""), ("step:a", "x = 1")], {}, "refers to itself"),
        ([*ROOT[:2], *ROOT[1:]], {"first": FIRST, "second": SECOND}, "another part already"),
        ([ROOT[1], ("step:first", "print(data)")], {"first": FIRST}, "name of a step"),
    ],
)
def test_a_part_that_cannot_be_one_is_a_finding_at_its_cell(compose, root, parts, said):
    found = [one for one in check_file(compose(root, **parts)) if one.rule == "broken-reference"]
    assert len(found) == 1
    assert found[0].cell
    assert said in found[0].problem
    with pytest.raises(FastkfError):
        compile_notebook(read(compose(root, **parts)), compose(root).with_name("a.yaml"))


def test_a_part_that_python_cannot_read_is_told_by_its_own_name(compose):
    path = compose(first=FIRST, second=replaced(SECOND, 1, "middle = = 3"))
    assert ("second.ipynb", 2, "syntax-error") in findings(path)


def test_the_steps_and_their_order_are_those_of_the_package(compose, tmp_path):
    notebook = read(compose(first=FIRST, second=SECOND))
    package = Package.load(compile_notebook(notebook, tmp_path / "main.yaml"))
    steps = {name: list(after) for name, after in package.steps.items()}
    assert flat_dependencies(notebook) == steps
    assert list(whole(notebook).steps) == ["first_load", "second_load", "final"]


def test_what_is_submitted_knows_the_cells_of_its_parts(compose):
    silent = Display(Console(file=io.StringIO()))
    source = read_source(compose(first=FIRST, second=SECOND), silent, given={})
    steps = source.notebook.steps
    assert list(steps) == ["first_load", "second_load", "final"]
    assert [cell.label for cell in steps["second_load"]] == [
        "second.ipynb, cell 2",
        "second.ipynb, cell 3",
    ]


@pytest.mark.slow
def test_the_notebook_is_its_parts_in_their_places(compose, tmp_path):
    notebook = read(compose(first=FIRST, second=SECOND))
    output = tmp_path / "out.ipynb"
    run = execute_notebook(whole(notebook), output, {"n": 5}, lambda done, total: None)
    assert run.state is State.SUCCEEDED
    assert run.metrics == {"wide": 31.0, "score": 41.0}
    failing = read(compose(first=FIRST, second=replaced(SECOND, 1, "print(data)\nwide = 1 / 0")))
    run = execute_notebook(whole(failing), output, {}, lambda done, total: None)
    assert run.error == (
        "ZeroDivisionError: division by zero (second.ipynb, cell 2, line 2: wide = 1 / 0)"
    )


def test_a_part_with_a_byte_order_mark_is_read(compose, tmp_path):
    path = compose(first=FIRST, second=SECOND)
    part = tmp_path / "second.ipynb"
    part.write_text(part.read_text(), encoding="utf-8-sig")
    assert findings(path) == []
    with readable_copy(path) as copy:
        assert copy != path


def test_parts_are_checked_with_their_notebook(compose, tmp_path):
    path = compose(first=FIRST, second=SECOND)
    files = sorted(tmp_path.glob("*.ipynb"))
    assert len(files) == 3
    assert leave_out_parts(files) == [path]


def test_what_its_parts_bring_is_brought(compose, tmp_path):
    (tmp_path / "words.txt").write_text("one two")
    part = replaced(FIRST, 3, "data = [float(len(open('words.txt').read()))]")
    path = compose(first=part, second=SECOND)
    assert (findings(path), brought_files(whole(read(path)))) == (
        [("first.ipynb", 4, "relative-file")],
        (),
    )
    inner = tmp_path / "first.ipynb"
    content = json.loads(inner.read_text())
    content["metadata"]["fastkf"] = {"files": ["words.txt"]}
    inner.write_text(json.dumps(content))
    assert (findings(path), brought_files(whole(read(path)))) == ([], ("words.txt",))


def test_a_file_that_goes_from_part_to_part_is_found(compose):
    made = replaced(FIRST, 3, "data = [1.0]\nopen('/tmp/made.txt', 'w').close()")
    used = replaced(SECOND, 1, "middle = offset + sum(data)\nopen('/tmp/made.txt')")
    path = compose(first=made, second=used)
    assert findings(path) == [("second.ipynb", 2, "file-between-steps")]
    ignoring = replaced(used, 1, f"{used[1][1]}  # fastkf: ignore[file-between-steps]")
    assert findings(compose(first=made, second=ignoring)) == []


def test_cells_that_are_alike_are_told_by_their_own_file(compose):
    same = [(PARAMETERS, "n = 2"), ("step:a", "raise ValueError(n)")]
    other = [("step:b", "data = 1"), (["step:c", "prev:b"], "raise ValueError(n)")]
    reasons = Reasons(whole(read(compose(ROOT[:3], first=same, second=other))))
    failure = Failure("ValueError", "2", "raise ValueError(n)", 1)
    for step, place in (("a", "first.ipynb, cell 2"), ("c", "second.ipynb, cell 2")):
        explained = reasons.explain(Step(step, step, failure=failure))
        assert explained.error == f"ValueError: 2 ({place}, line 1: raise ValueError(n))"


def test_the_outputs_of_its_parts_are_its_own(compose, tmp_path):
    path = compose([("notebook:part", "")], part=[("step:a", "x = 1"), ("step:b", "print(x)")])
    with pytest.raises(CheckError, match="committed without outputs"):
        outputs(read(path), tmp_path)
    part = tmp_path / "part.ipynb"
    content = json.loads(part.read_text())
    content["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    part.write_text(json.dumps(content))
    outputs(read(path), tmp_path)
    with whole_file(read(path)) as file:
        assert file.parent == tmp_path
        assert [cell.source for cell in read(file).code_cells] == ["x = 1", "print(x)"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["main.ipynb", "part.ipynb"]


def test_a_composition_is_not_tuned(compose):
    notebook = read(compose(first=FIRST, second=SECOND))
    with pytest.raises(UsageError, match="cannot be tuned"):
        make_manifest(notebook, Search("score", ["n=1,2"], {}))


def test_a_step_of_a_part_waits_for_its_data_alone(compose):
    part = [("step:a", "x = 1"), ("step:b", "y = 2"), (["step:c", "prev:b"], "z = y")]
    path = compose([("notebook:part", ""), ("step:end", "print(x, z)")], part=part)
    assert findings(path) == []
    assert flat_dependencies(read(path)) == {"a": [], "b": [], "c": ["b"], "end": ["a", "b", "c"]}
