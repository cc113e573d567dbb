"""The lab on control flow: its package is what the compiler makes, and runs as the text says."""

import json

import pytest
from conftest import fastkf
from lab_processes import run

from fastkf.course import places
from fastkf.course.data import fetch

pytestmark = pytest.mark.slow

LAB = places.PROJECT / "labs" / "control_flow"


def test_the_committed_package_is_what_the_compiler_makes(tmp_path):
    made = tmp_path / "pipeline.yaml"
    code, told = run("pipeline", [str(made)], "", LAB, seconds=300)
    assert code == 0, told
    assert made.read_text() == (LAB / "pipeline.yaml").read_text(), (
        "compile it again: python labs/control_flow/pipeline.py labs/control_flow/pipeline.yaml"
    )


def test_few_flights_get_the_baseline_and_enough_of_them_a_model(tmp_path):
    folder = fetch(["flights"], progress=lambda line: None)["flights"]
    options = ["-p", f"data_dir={folder}", "-p", 'airports=["JFK", "LGA"]', "-p", "month=2"]
    done = fastkf(
        "run", LAB / "pipeline.yaml", *options, "-p", "least_flights=7500", folder=tmp_path / "run"
    )
    assert done.code == 0, done.output
    steps = {
        one["name"]: one
        for step in json.loads((tmp_path / "run" / "run.json").read_text())["pipeline"]["steps"]
        for one in step.get("steps") or [step]
    }
    states = {name: step["status"] for name, step in steps.items()}
    assert [states[f"{name}.0"] for name in ("train", "always-on-time")] == ["succeeded", "skipped"]
    assert [states[f"{name}.1"] for name in ("train", "always-on-time")] == ["skipped", "succeeded"]
    baseline = steps["test-model.1"]["outputs"]["parameters"]["Output"]
    assert (baseline["kind"], baseline["auc"]) == ("baseline", 0.5)
    assert steps["test-model.0"]["outputs"]["parameters"]["Output"]["auc"] > 0.6
    assert steps["compare-airports"]["outputs"]["parameters"]["Output"] == "JFK"
