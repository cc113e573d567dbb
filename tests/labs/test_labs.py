"""What is true of the course's notebooks beside the regression suite."""

import re
import tomllib
import xml.etree.ElementTree as ElementTree

import nbformat
import pytest
from conftest import LABS, SOLUTIONS, WELCOME

from fastkf.course import places
from fastkf.course.labs import read_labs
from fastkf.course.regression import checks
from fastkf.course.tag_lines import remove_line, write_lines
from fastkf.notebook.model import read
from fastkf.notebook.picture import draw_picture

LINES_OF_A_CELL = 30
LAB_OF = {path.name: path for path in LABS}


def ids(path):
    return f"{path.parent.name}-{path.stem}"


@pytest.fixture(params=LABS, ids=ids)
def lab(request):
    return read(request.param)


@pytest.fixture(params=[*WELCOME, *LABS], ids=ids)
def pipeline(request):
    return read(request.param)


@pytest.fixture(params=[*WELCOME, *LABS, *SOLUTIONS], ids=ids)
def notebook(request):
    return read(request.param)


def test_each_lab_has_its_solution():
    assert LABS
    assert {path.name for path in LABS} == {path.name for path in SOLUTIONS}


@pytest.mark.parametrize("path", SOLUTIONS, ids=ids)
def test_what_kale_reads_of_a_solution_is_that_of_its_lab(path):
    """So what opening and saving the lab shows (test_one_click.py) holds for its solution, too."""
    solution, lab = (nbformat.read(one, as_version=4) for one in (path, LAB_OF[path.name]))
    for notebook in (solution, lab):
        notebook.metadata["kubeflow_notebook"].pop("pipeline_name")
        notebook.metadata.pop("fastkf")
    assert solution.metadata == lab.metadata
    of_pipelines = [
        [cell.metadata for cell in notebook.cells if is_of_pipeline(cell)]
        for notebook in (solution, lab)
    ]
    assert of_pipelines[0] == of_pipelines[1]


def is_of_pipeline(cell) -> bool:
    return cell.cell_type == "code" and cell.metadata.get("tags") != ["skip"]


def test_has_the_metadata_of_a_lab(pipeline):
    course = nbformat.read(pipeline.path, as_version=4).metadata["fastkf"]
    assert set(course) >= {"title", "aim", "minutes", "needs", "quick"}
    assert pipeline.metrics
    assert checks.golden_path(pipeline).exists()


def test_is_as_jupyterlab_saves_it(notebook):
    node = nbformat.read(notebook.path, as_version=4)
    assert notebook.path.read_text() == nbformat.writes(node) + "\n"
    counts = [cell.execution_count for cell in node.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_is_readable(notebook):
    cells = notebook.code_cells
    assert [cell.number for cell in cells if len(cell.source.splitlines()) > LINES_OF_A_CELL] == []
    assert notebook.path.stat().st_size < 1_000_000


def test_shows_a_plot(lab):
    outputs = [output for cell in lab.code_cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_picture_is_drawn_from_the_tags(pipeline, tmp_path):
    committed = pipeline.path.parent / "images" / f"{pipeline.name}.svg"
    assert f"images/{pipeline.name}.svg" in "".join(cell.source for cell in pipeline.text_cells)
    copy = tmp_path / pipeline.path.name
    copy.write_bytes(pipeline.path.read_bytes())
    drawn = draw_picture(read(copy)).read_text()
    assert committed.read_text() == drawn, f"draw it again: fastkf draw {pipeline.name}"
    ElementTree.fromstring(drawn)


def test_has_three_exercises(lab):
    text = "\n".join(cell.source for cell in lab.text_cells)
    assert [f"### Exercise {number} ({level})" in text for number, level in LEVELS] == [True] * 3


LEVELS = [(1, "easy"), (2, "medium"), (3, "hard")]


def test_quick_parameters_give_the_same_both_ways(tmp_path):
    """On one lab; the others prove it with their own parameters, each way to what is committed."""
    checks.run(read(places.NOTEBOOKS / "01_first_pipeline.ipynb"), tmp_path)


@pytest.mark.parametrize("path", [*WELCOME, *LABS, *SOLUTIONS], ids=ids)
def test_the_text_says_the_tags_of_the_cell_below(path):
    """For whoever reads it where Kale's tags are not shown: on GitHub, in print."""
    node = nbformat.read(path, as_version=4)
    assert node.cells == write_lines(node.cells), "write them: make format"


# The order of the course: notebooks/course.toml.


def test_the_order_names_each_lab_once():
    order = tomllib.loads((places.NOTEBOOKS / "course.toml").read_text())
    assert sorted([*order["core"], *order["electives"]]) == [path.stem for path in LABS]


def test_each_lab_leads_to_the_next():
    labs = read_labs().all
    for path, following in zip(labs, (*labs[1:], None), strict=True):
        text = "\n\n".join(cell.source for cell in read(path).text_cells)
        [last] = re.findall(r"^(?:## Next\n|Next: )(?:(?!^#).*\n?)*", text, re.M)
        assert not following or f"]({following.name})" in last, path.stem


def test_the_tables_of_labs_follow_the_order():
    labs = [path.stem for path in read_labs().all]
    readme = (places.PROJECT / "README.md").read_text()
    assert re.findall(r"^\| \[.*?\]\(notebooks/(\w+)\.ipynb\)", readme, re.M) == labs
    [welcome] = read_labs().welcome
    text = "\n".join(cell.source for cell in read(welcome).text_cells)
    assert re.findall(r"^\| (\w+) \| \[.*?\]\((\w+)\.ipynb\)", text, re.M) == [
        (read_labs().part(path), path.stem) for path in read_labs().all
    ]


# Time.

WORDS_A_MINUTE = 200


def count_words(notebook) -> int:
    """The words of the text cells: no addresses, no HTML, no rules of tables."""
    text = "\n".join(remove_line(cell.source) for cell in notebook.text_cells)
    text = re.sub(r"\]\([^)]*\)|<[^>]+>|^\|[-| :]+\|$", " ", text, flags=re.M)
    return len(re.findall(r"\w[\w'’.-]*", text))


def test_the_minutes_are_enough_to_read_the_text(pipeline):
    reading = count_words(pipeline) / WORDS_A_MINUTE
    assert pipeline.course.minutes >= reading, f"{reading:.0f} minutes of reading alone"
