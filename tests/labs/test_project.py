"""The finished example of the project: it has all points, and its notebook still runs."""

import json

import pytest
from conftest import fastkf

from fastkf.course import places
from fastkf.course.project.rubric import check_project
from fastkf.notebook.model import read

EXAMPLE = places.PROJECT / "labs" / "project" / "example"


def test_the_example_has_all_points():
    refused = {one.criterion: one.found for one in check_project(EXAMPLE) if not one.given}
    assert refused == {}


def test_the_example_is_small():
    size = sum(path.stat().st_size for path in EXAMPLE.rglob("*") if path.is_file())
    assert size < 300_000


def test_the_readme_has_the_numbers_of_the_evidence():
    readme = (EXAMPLE / "README.md").read_text()
    drift = json.loads((EXAMPLE / "evidence" / "drift.json").read_text())
    for month in drift["periods"].values():
        assert f"{month['auc']:.3f}" in readme
    total = (EXAMPLE / "evidence" / "load_stats.csv").read_text().splitlines()[-1].split(",")
    assert f"{total[2]} requests" in readme
    assert f"{total[16]} ms" in readme


@pytest.mark.slow
def test_the_example_still_runs_as_a_pipeline(tmp_path):
    """With few flights, to numbers of the same kind."""
    notebook = read(EXAMPLE / "late_flights.ipynb")
    quick = [
        word for name, value in notebook.course.quick.items() for word in ("-p", f"{name}={value}")
    ]
    words = [
        "run",
        notebook.path,
        "--only",
        "pipeline",
        *quick,
        "-p",
        f"output_dir={tmp_path}/handed",
    ]
    result = fastkf(*words, folder=tmp_path / "run")
    assert result.code == 0, result.output
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    metrics = record["pipeline"]["metrics"]
    assert set(metrics) == set(notebook.metrics)
    assert 0.6 < metrics["test_auc"] < 0.85
    assert (tmp_path / "handed" / "drift.json").exists()
