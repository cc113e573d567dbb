"""Every lab, the same way: rules, committed outputs, as a notebook, as a pipeline, parity."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from build import write_notebook
from conftest import LABS, SOLUTIONS, fastkf

from fastkf.check import check
from fastkf.cli import draw_picture
from fastkf.execute import execute_notebook
from fastkf.notebook import read

ALL = [*LABS, *SOLUTIONS]
SOLVED = "solutions"


def ids(path):
    return f"{SOLVED}-{path.stem}" if path.parent.name == SOLVED else path.stem


@pytest.fixture(params=ALL, ids=ids)
def lab(request):
    return read(request.param)


@pytest.fixture(scope="session", params=LABS, ids=ids)
def finished_run(request, tmp_path_factory):
    """One whole run of each lab: `fastkf run LAB`."""
    return fastkf("run", request.param, folder=tmp_path_factory.mktemp("run") / request.param.stem)


def test_there_are_labs_and_each_has_its_solution():
    assert LABS
    assert {path.name for path in LABS} == {path.name for path in SOLUTIONS}


def test_has_no_findings(lab):
    assert [str(finding) for finding in check(lab)] == []


def test_is_committed_with_clean_outputs(lab):
    """nbval passes a notebook that was never executed, and one with other stderr than before."""
    cells = [cell for cell in lab.code_cells if cell.source.strip()]
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    printed = lab.cells_with_role("pipeline-metrics")[-1].outputs
    assert printed, "the metrics cell has no output: execute the notebook and save it"


def test_is_as_jupyterlab_saves_it(lab):
    import nbformat

    node = nbformat.read(lab.path, as_version=4)
    assert lab.path.read_text() == nbformat.writes(node) + "\n"
    counts = [cell.execution_count for cell in node.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_picture_is_drawn_from_the_tags(lab, tmp_path):
    if lab.path.parent.name == SOLVED:
        pytest.skip("a solution shows its lab's picture")
    committed = lab.path.parent / "images" / f"{lab.name}.svg"
    assert f"images/{lab.name}.svg" in "".join(cell.source for cell in lab.text_cells)
    copy = tmp_path / lab.path.name
    copy.write_bytes(lab.path.read_bytes())
    drawn = draw_picture(read(copy)).read_text()
    assert committed.read_text() == drawn, f"draw it again: fastkf draw {lab.name}"
    ElementTree.fromstring(drawn)


def test_runs_with_other_parameters(lab, tmp_path):
    quick = lab.course["quick"]
    result = execute_notebook(lab, tmp_path / "quick.ipynb", quick, lambda done, total: None)
    assert result.error is None
    assert set(result.metrics) == set(lab.metrics)


def test_runs_as_notebook_and_pipeline_to_the_same_metrics(finished_run):
    assert finished_run.code == 0, finished_run.output
    record = finished_run.record
    lab = read(next(path for path in LABS if path.stem == record["name"]))
    assert record["status"] == "succeeded"
    assert [step["name"] for step in record["pipeline"]["steps"]] == list(lab.steps)
    assert list(record["parity"]) == lab.metrics
    assert all(metric["equal"] for metric in record["parity"].values())


def test_a_run_leaves_what_the_readme_names(finished_run):
    names = {path.name for path in finished_run.folder.iterdir()}
    assert {"notebook.ipynb", "pipeline.yaml", "logs", "report.html", "run.json"} <= names
    for step in finished_run.record["pipeline"]["steps"]:
        assert (finished_run.folder / "logs" / f"{step['name']}.log").stat().st_size
    assert "Report: " in finished_run.output


def test_gives_the_committed_outputs_again(lab):
    """nbval executes the notebook and compares each cell's output with the committed one."""
    result = run_nbval(lab.path)
    assert result.returncode == 0, result.stdout[-4000:]


def test_an_output_that_no_longer_matches_is_noticed(tmp_path):
    cells = [("step:load", "number = 1 + 1\nprint(number)")]
    path = write_notebook(tmp_path / "stale.ipynb", cells)
    content = json.loads(path.read_text())
    printed = {"name": "stdout", "output_type": "stream", "text": ["3\n"]}
    content["cells"][0] |= {"execution_count": 1, "outputs": [printed]}
    path.write_text(json.dumps(content))
    result = run_nbval(path)
    assert result.returncode == 1
    assert "mismatch" in result.stdout


def run_nbval(path):
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(path.parent)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", *options, str(path)],
        cwd=path.parent,
        capture_output=True,
        text=True,
    )
