"""`fastkf project new` and `check`, as a user types them."""

import json

import pytest
from conftest import fastkf
from projects import make_project


def test_a_finished_project_passes(tmp_path):
    result = fastkf("project", "check", make_project(tmp_path / "visits"))
    assert result.code == 0
    assert "20 of 20 points" in result.output
    assert "By hand" in result.output


def test_the_points_are_data(tmp_path):
    folder = make_project(tmp_path / "visits")
    (folder / "README.md").unlink()
    result = fastkf("project", "check", folder, "--json")
    content = json.loads(result.output)
    assert (result.code, content["points"], content["of"], content["passed"]) == (0, 18, 20, True)
    assert {one["area"] for one in content["criteria"] if not one["given"]} == {"readme"}


@pytest.mark.parametrize("data", ["flights", "titanic", "diabetes", "own"])
def test_a_new_project_is_begun(tmp_path, data):
    folder = tmp_path / "my work"
    assert fastkf("project", "new", folder, "--data", data).code == 0
    assert (folder / "my_work.ipynb").exists()
    assert fastkf("check", folder / "my_work.ipynb", "--strict").code == 0
    result = fastkf("project", "check", folder)
    assert result.code == 1
    assert "1 of 20 points" in result.output


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    result = fastkf("project", "new", tmp_path, "--data", "own")
    assert result.code == 2
    assert "not empty" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    "words", [("check", "nowhere"), ("check", "."), ("new", "a", "--data", "iris")]
)
def test_a_wrong_use_is_told(tmp_path, words):
    result = fastkf("project", *words, cwd=tmp_path)
    assert result.code == 2
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_notebook_that_is_run_first_counts(tmp_path):
    assert fastkf("project", "new", "visits", "--data", "own", cwd=tmp_path).code == 0
    result = fastkf("project", "check", "visits", "--run", cwd=tmp_path)
    assert "visits succeeded" in result.output
    assert "pipeline 2/2" in result.output
    assert "4 of 20 points" in result.output
    assert list(tmp_path.glob("runs/visits/*/run.json"))


@pytest.mark.slow
def test_why_a_notebook_failed_when_it_was_run_is_told(tmp_path):
    folder = make_project(tmp_path / "visits")  # its data are not there
    result = fastkf("project", "check", folder, "--run", cwd=tmp_path)
    assert "FileNotFoundError" in result.output
    assert "as a notebook the run has failed, so no pipeline ran" in result.output
    assert "pipeline 0/2" in result.output
    assert "15 of 20 points" in result.output
