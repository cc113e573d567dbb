"""The learner's copies of the labs, how far a learner is in them, and the order of the course."""

import json

import pytest
from build import write_notebook
from typer.testing import CliRunner

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.files import write_new
from fastkf.cli import app
from fastkf.cli.display import Display
from fastkf.cli.lab import choose_place, prepare_workbook
from fastkf.course import places, workbook
from fastkf.course.labs import read_labs
from fastkf.course.progress import look
from fastkf.notebook.file import read_content

LAB = [
    ("markdown", "# Sums\n![a](images/01_sums.svg) ![b](https://example.com/images/01_sums.svg)"),
    ("step:load", "first = 1"),
    (
        "markdown",
        'See [the other](02_dice.ipynb), <img src="images/01_sums.svg">, [guide](../labs/kale.md),'
        " [one way](solutions/01_sums.ipynb#top), [none](images/none.svg).",
    ),
    ("markdown", "## Exercises\n\n### Exercise 1 (easy): add"),
    ("skip", "answer = None"),
    ("skip", "print('Right: it is 3.' if answer == 3 else 'Not yet.')"),
    ("markdown", "### Exercise 2 (medium): subtract"),
    ("skip", "print('Not yet.')"),
    ("markdown", "## The end"),
    ("skip", ""),
]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of two labs; the first has a picture, outputs and a solution."""
    notebooks = tmp_path / "notebooks"
    write_notebook(notebooks / "01_sums.ipynb", LAB)
    write_notebook(notebooks / "02_dice.ipynb", [("step:throw", "dice = 6")])
    write_notebook(notebooks / "solutions" / "01_sums.ipynb", LAB)
    (notebooks / "images").mkdir()
    (notebooks / "images" / "01_sums.svg").write_text("<svg/>")
    (notebooks / "course.toml").write_text('core = ["02_dice", "01_sums"]')
    run(notebooks / "01_sums.ipynb", [1])
    for name, path in {"COURSE": "", "PROJECT": "", "NOTEBOOKS": "notebooks"}.items():
        monkeypatch.setattr(places, name, tmp_path / path)
    monkeypatch.setattr(places, "WORKBOOK", tmp_path / "workbook")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(path, numbers, printed=None):
    """Saves a notebook as it is after these of its code cells were run."""
    content = json.loads(path.read_text())
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    for count, number in enumerate(numbers, start=1):
        text = (printed or {}).get(number, "done")
        output = {"output_type": "stream", "name": "stdout", "text": [text]}
        code[number - 1] |= {"execution_count": count, "outputs": [output]}
    path.write_text(json.dumps(content))


def test_copies_have_no_outputs_and_links_that_lead_to_the_same(course):
    assert [path.name for path in workbook.prepare().added] == ["02_dice.ipynb", "01_sums.ipynb"]
    copied = read_content(course / "workbook" / "01_sums.ipynb")
    assert not any(cell.get("outputs") for cell in copied["cells"])
    text = "".join("".join(cell["source"]) for cell in copied["cells"])
    assert "![a](../notebooks/images/01_sums.svg)" in text
    assert 'src="../notebooks/images/01_sums.svg"' in text
    assert "(../notebooks/solutions/01_sums.ipynb#top)" in text
    for untouched in (
        "(02_dice.ipynb)",
        "(../labs/kale.md)",
        "(https://example.com/images/01_sums.svg)",
        "(images/none.svg)",
    ):
        assert untouched in text
    assert sorted(path.name for path in (course / "workbook").iterdir()) == [
        "01_sums.ipynb",
        "02_dice.ipynb",
    ]


def test_a_copy_is_never_overwritten_and_new_labs_are_added(course):
    workbook.prepare()
    mine = course / "workbook" / "02_dice.ipynb"
    mine.write_text("mine")
    write_notebook(course / "notebooks" / "03_new.ipynb", [("step:a", "x = 1")])
    again = workbook.prepare()
    assert [path.name for path in again.added] == ["03_new.ipynb"]
    assert mine.read_text() == "mine"
    assert again.outdated == []


def test_a_newer_original_is_told_of_and_the_copy_stays(course, capsys):
    workbook.prepare()
    original = course / "notebooks" / "02_dice.ipynb"
    run(original, [1])  # other outputs are nothing new
    assert workbook.prepare().outdated == []
    copied = (course / "workbook" / "02_dice.ipynb").read_text()
    write_notebook(original, [("step:throw", "dice = 7")])
    prepare_workbook(Display())
    [line] = capsys.readouterr().out.splitlines()
    assert "newer versions of 02_dice" in line
    assert "`fastkf lab --fresh 02_dice`" in line
    assert (course / "workbook" / "02_dice.ipynb").read_text() == copied


def test_a_fresh_copy_takes_a_name_of_its_own(course, capsys):
    for name in ("02_dice-fresh.ipynb", "02_dice-fresh2.ipynb"):
        assert choose_place(None, "02", Display()) == course / "workbook" / name
    with pytest.raises(UsageError, match="no lab of the course"):
        choose_place(None, str(course / "notebooks" / "solutions" / "01_sums.ipynb"), Display())


def test_what_is_opened(course, capsys):
    """A lab's name means the copy; the path of a notebook means that notebook."""
    assert choose_place(None, None, Display()) == course / "workbook" / "02_dice.ipynb"
    assert choose_place("sums", None, Display()) == course / "workbook" / "01_sums.ipynb"
    path = "notebooks/01_sums.ipynb"
    assert choose_place(path, None, Display()) == course / path
    assert choose_place("notebooks", None, Display()) == course / "notebooks"


def test_one_notebook_that_cannot_be_read_does_not_keep_the_others_back(course, capsys):
    (course / "notebooks" / "02_dice.ipynb").write_text("{")
    prepare_workbook(Display())
    assert "02_dice.ipynb: not a readable notebook" in capsys.readouterr().out
    assert (course / "workbook" / "01_sums.ipynb").is_file()


def test_a_workbook_that_cannot_be_made_is_named(course):
    (course / "workbook").write_text("a file")
    with pytest.raises(FastkfError, match="fastkf lab notebooks"):
        workbook.prepare()


def test_a_file_is_written_only_where_there_is_none(tmp_path):
    assert write_new(tmp_path / "a", b"first")
    assert not write_new(tmp_path / "a", b"second")
    (tmp_path / "b").symlink_to(tmp_path / "nowhere")
    assert not write_new(tmp_path / "b", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_progress_counts_what_the_copies_have_saved(course):
    workbook.prepare()
    run(course / "workbook" / "01_sums.ipynb", [1, 2, 3], {3: "Right: it is 3."})
    dice, sums = look()
    assert dice.as_dict()["cells"] == {"run": 0, "all": 1}
    assert dice.as_dict()["exercises"] == {"solved": 0, "all": 0}
    assert sums.as_dict()["cells"] == {"run": 3, "all": 4}  # an empty cell is none
    assert sums.as_dict()["exercises"] == {"solved": 1, "all": 2}


def test_progress_takes_the_copy_with_which_one_came_farthest(course, capsys):
    workbook.prepare()
    fresh = choose_place(None, "sums", Display())
    run(fresh, [1, 2, 3, 4], {3: "Right: it is 3.", 4: "Right."})
    (course / "workbook" / "01_sums-fresh9.ipynb").write_text("no notebook")
    sums = look()[1]
    assert (sums.notebook, sums.exercises_solved) == (fresh, 2)


def test_progress_on_the_terminal_and_as_data(course):
    shown = CliRunner().invoke(app, ["progress"])
    assert "0 of 4" in shown.output
    assert "`fastkf lab` makes them" in shown.output
    data = json.loads(CliRunner().invoke(app, ["progress", "--json"]).output)
    assert [one["name"] for one in data] == ["02_dice", "01_sums"]
    assert data[0]["notebook"] is None


def test_list_follows_the_order_of_the_course(course):
    data = json.loads(CliRunner().invoke(app, ["list", "--json"]).output)
    assert [(one["name"], one["part"]) for one in data] == [("02_dice", "1"), ("01_sums", "2")]


@pytest.mark.parametrize("text", ["core = [", "core = 1", "core = [1]"])
def test_an_order_that_cannot_be_read_is_named(text, tmp_path):
    (tmp_path / "course.toml").write_text(text)
    with pytest.raises(FastkfError, match="course.toml"):
        read_labs(tmp_path)


def test_what_the_order_does_not_name_comes_last(tmp_path):
    for name in ("09_iris", "01_sums", "00_welcome"):
        write_notebook(tmp_path / f"{name}.ipynb", [("step:a", "x = 1")])
    (tmp_path / "course.toml").write_text('welcome = "00_welcome"\ncore = ["01_sums", "02_none"]')
    labs = read_labs(tmp_path)
    assert [path.stem for path in labs.notebooks] == ["00_welcome", "01_sums", "09_iris"]
    assert [labs.part(path) for path in labs.all] == ["1", "elective"]
