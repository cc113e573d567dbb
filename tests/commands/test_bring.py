"""Files that steps find in their folder, and what they may do there."""

import pytest
from build import notebook_metadata, write_notebook
from conftest import fastkf

pytestmark = pytest.mark.slow
READS = ("step:load", "n = len(open('words/all.txt').read())")
USES = (["step:use", "prev:load"], "total = float(n)")
METRICS = ("pipeline-metrics", "print(total)")


@pytest.fixture
def words(tmp_path):
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "all.txt").write_text("hallo")
    return tmp_path / "words"


def test_a_step_finds_what_is_brought(tmp_path, words):
    path = write_notebook(tmp_path / "reads.ipynb", [READS, USES, METRICS])
    run = fastkf("run", path, "--only", "pipeline", "--bring", words, folder=tmp_path / "run")
    assert run.record["pipeline"]["metrics"] == {"total": 5.0}, run.output
    assert "relative-file" not in run.output


def test_a_step_finds_what_the_metadata_name_and_a_failure_says_what_to_do(tmp_path, words):
    metadata = {**notebook_metadata(), "fastkf": {"files": ["words/all.txt"]}}
    bad = ("step:bad", "open('made.txt', 'w')")
    cells = [READS, USES, bad, METRICS]
    path = write_notebook(tmp_path / "reads.ipynb", cells, metadata=metadata)
    run = fastkf("run", path, "--only", "pipeline", folder=tmp_path / "run")
    steps = {step["name"]: step for step in run.record["pipeline"]["steps"]}
    assert steps["use"]["status"] == "succeeded", run.output
    assert "PermissionError" in steps["bad"]["error"]
    assert "line 1: open('made.txt', 'w')" in steps["bad"]["error"]
    assert "tempfile" in steps["bad"]["error"]
    assert not (tmp_path / "made.txt").exists()


def test_a_trial_finds_what_is_brought_and_can_write_nothing(tmp_path, words):
    cells = [(["pipeline-parameters", "parameters"], "k = 1"), READS, USES, METRICS]
    path = write_notebook(tmp_path / "reads.ipynb", cells)
    search = ("--metric", "total", "--param", "k=1,2", "--trials", "1")
    run = fastkf("tune", path, *search, "--bring", words, folder=tmp_path / "run")
    assert run.code == 0, run.output
    assert "--bring=words" in (tmp_path / "run" / "manifest.yaml").read_text()
    without = fastkf("tune", path, *search, folder=tmp_path / "without")
    assert without.code == 1
    assert "FileNotFoundError" in without.output
    assert not list(tmp_path.glob("**/fastkf-trial-*"))


def test_what_cannot_be_brought_ends_the_run_before_it_begins(tmp_path):
    path = write_notebook(tmp_path / "book" / "reads.ipynb", [READS, USES, METRICS])
    (tmp_path / "outside.txt").touch()
    run = fastkf("run", path, "--bring", tmp_path / "outside.txt", folder=tmp_path / "run")
    assert run.code == 2
    assert "is not in the folder" in run.output
    assert not (tmp_path / "run").exists()
