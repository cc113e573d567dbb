"""Tags that are proposed for a notebook without any."""

import json

import pytest
from build import write_notebook
from typer.testing import CliRunner

from fastkf.base.errors import UsageError
from fastkf.cli import app
from fastkf.course.labs import read_labs
from fastkf.notebook.check import check
from fastkf.notebook.model import read
from fastkf.notebook.step_names import name_of
from fastkf.notebook.suggest import suggest_tags, uses
from fastkf.notebook.tagged_copy import write_copy

PLAIN = [
    ("markdown", "# Two models"),
    ("", "import math\nimport random"),
    ("", "def double(x):\n    return 2 * x"),
    ("", "size = 3\nrate = 0.5"),
    ("markdown", "## Load the data"),
    ("", "numbers = [double(n) for n in range(size)]"),
    ("markdown", "## A look"),
    ("", "longest = max(numbers)\nprint(longest)"),
    ("markdown", "## 2. Train *two* models"),
    ("", "import statistics\nfirst = statistics.mean(numbers) * rate"),
    ("", "second = sum(numbers)"),
    ("markdown", "## Compare"),
    ("", "best = max(first, second)"),
    ("", "print(best)"),
    ("", "print('the end')"),
]


def without_tags(path, folder):
    content = json.loads(path.read_text())
    for cell in content["cells"]:
        cell["metadata"].pop("tags", None)
    bare = folder / "bare.ipynb"
    bare.write_text(json.dumps(content))
    return read(bare)


def test_a_plain_notebook(tmp_path):
    proposal = suggest_tags(read(write_notebook(tmp_path / "a.ipynb", PLAIN, metadata={})))
    assert [cell.tags for cell in proposal.cells] == [
        ("imports",),
        ("functions",),
        ("pipeline-parameters", "parameters"),
        ("step:load_the_data",),
        ("skip",),
        ("step:train_two_models", "prev:load_the_data"),
        ("step:train_two_models_2", "prev:load_the_data"),
        ("step:compare", "prev:train_two_models", "prev:train_two_models_2"),
        ("pipeline-metrics",),
        ("skip",),
    ]


@pytest.mark.parametrize("constants", ["A = 1", "A, B = 1, 2", "[A, (B, C)] = 1, (2, 6)"])
def test_functions_may_stand_beside_constants(constants, tmp_path):
    cells = [*PLAIN[:2], ("", f"{constants}\ndef double(x):\n    return 2 * x"), *PLAIN[3:]]
    proposal = suggest_tags(read(write_notebook(tmp_path / "a.ipynb", cells, metadata={})))
    assert proposal.cells[1].tags == ("functions",)


def test_the_copy_is_a_pipeline_and_the_notebook_stays(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", PLAIN)
    before = path.read_bytes()
    result = CliRunner().invoke(app, ["suggest", str(path), "--write", str(tmp_path / "b.ipynb")])
    assert result.exit_code == 0, result.output
    assert "load_the_data → train_two_models" in result.output
    assert check(read(tmp_path / "b.ipynb")) == []
    assert path.read_bytes() == before


def test_what_a_cell_changes_is_found_out_once(tmp_path, monkeypatch):
    asked = []
    look = uses.changed_in
    monkeypatch.setattr(uses, "changed_in", lambda *both: asked.append(both) or look(*both))
    suggest_tags(read(write_notebook(tmp_path / "a.ipynb", PLAIN, metadata={})))
    assert asked
    assert len({(id(view), cell.number) for view, cell in asked}) == len(asked)


def test_nothing_is_overwritten(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", PLAIN)
    with pytest.raises(UsageError, match="already"):
        write_copy(read(path), suggest_tags(read(path)), path)
    (tmp_path / "link.ipynb").symlink_to("nowhere.ipynb")
    with pytest.raises(UsageError, match="already"):
        write_copy(read(path), suggest_tags(read(path)), tmp_path / "link.ipynb")


@pytest.mark.parametrize("target", ["nowhere/b.ipynb", "a.ipynb/b.ipynb"])
def test_a_copy_that_cannot_be_written_is_wrong_use(tmp_path, target):
    path = write_notebook(tmp_path / "a.ipynb", PLAIN)
    result = CliRunner().invoke(app, ["suggest", str(path), "--write", str(tmp_path / target)])
    assert result.exit_code == 2, result.output
    assert f"{tmp_path / target}: " in result.output


def test_a_notebook_with_tags_is_left_to_check(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", [("step:load", "x = 1")])
    with pytest.raises(UsageError, match="has tags of Kale's already"):
        suggest_tags(read(path))


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Step 2: Load the `data`", "load_the_data"),
        ("Steps 2 and 3: the fork", "the_fork"),
        ("3.1 Größe & Gewicht", "grosse_gewicht"),
        ("2024", "step_2024"),
        ("Imports", "imports_step"),
        ("数据", "step"),
    ],
)
def test_names_come_from_headings(heading, name):
    assert name_of(heading) == name


# Their tags ask for more order than the data do, which nothing in a bare notebook tells.
MORE_ORDER = {"10_drift", "11_trainer"}
ONE_HEADING = pytest.mark.xfail(
    strict=True, reason="two trainings under one heading, with names in common, are one step"
)
BARE = [
    pytest.param(lab, marks=ONE_HEADING if lab.stem == "12_language_model" else (), id=lab.stem)
    for lab in read_labs().all
]


@pytest.mark.slow
@pytest.mark.parametrize("lab", BARE)
def test_a_lab_without_its_tags_gets_its_own_pipeline_back(lab, tmp_path):
    """The same number of steps, in the same order, each waiting for the same ones."""
    bare = without_tags(lab, tmp_path)
    write_copy(bare, suggest_tags(bare), tmp_path / "made.ipynb")
    made, own = read(tmp_path / "made.ipynb"), read(lab)
    assert check(made) == []
    position = {step: list(made.steps).index(step) for step in made.steps}
    edges = [sorted(map(position.get, after)) for after in made.dependencies.values()]
    position = {step: list(own.steps).index(step) for step in own.steps}
    if lab.stem in MORE_ORDER:
        assert len(made.steps) == len(own.steps)
        return
    assert edges == [sorted(map(position.get, after)) for after in own.dependencies.values()]


def test_a_function_that_only_an_exploration_calls_stays_out(tmp_path):
    cells = [
        ("", "def double(n):\n    return 2 * n"),
        ("", "def show(n):\n    print(double(n), port)"),
        ("", "numbers = [double(n) for n in range(3)]"),
        ("", "port = 8080\nshow(numbers[0])"),
        ("", "total = sum(numbers)"),
        ("", "print(total)"),
    ]
    proposal = suggest_tags(read(write_notebook(tmp_path / "a.ipynb", cells, kale=None)))
    assert [cell.tags[0].partition(":")[0] for cell in proposal.cells] == [
        "functions",
        "skip",
        "step",
        "skip",
        "step",
        "pipeline-metrics",
    ]
