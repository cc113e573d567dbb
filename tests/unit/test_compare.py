"""`fastkf compare`: two runs held against each other."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fastkf.base.errors import UsageError
from fastkf.cli import app
from fastkf.cli.options import parse_parameters, parse_tolerance
from fastkf.runs.compare import Tolerance, compare_runs, is_equal
from fastkf.runs.folder import find_run_folder
from fastkf.runs.model import NotebookResult, PipelineResult, Run, State, Step
from fastkf.runs.record import write_run

NAN = float("nan")


def notebook_run(folder, **metrics) -> Run:
    result = NotebookResult(State.SUCCEEDED, 1.0, metrics)
    return Run(folder, "lab", "A lab", state=State.SUCCEEDED, notebook=result)


def pipeline_run(folder, *steps: Step, outputs=None, **metrics) -> Run:
    result = PipelineResult(
        State.SUCCEEDED, steps=steps, metrics=metrics, outputs=outputs or {}, seconds=2.0
    )
    return Run(folder, "lab", "A lab", state=State.SUCCEEDED, pipeline=result)


def step(name: str, state: State = State.SUCCEEDED, *inner: Step) -> Step:
    return Step(name, name, state=state, seconds=1.5, steps=inner)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (0.1 + 0.2, 0.3, True),
        (0.3, 0.3001, False),
        (3, 3.0, True),
        (0.0, -0.0, True),
        (NAN, NAN, True),
        (NAN, 1.0, False),
        (math.inf, math.inf, True),
        (True, True, True),
        (True, 1, False),
        (False, 0.0, False),
        ("yes", "yes", True),
        ("yes", "no", False),
        (None, None, False),
        ([1, 0.1 + 0.2], [1.0, 0.3], True),
        ([1, 2], [1], False),
        ({"a": NAN}, {"a": NAN}, True),
        ({"a": 1}, {"b": 1}, False),
        ("True", True, True),  # as a notebook prints it
        ("False", True, False),
        ("yes", True, False),
        ("[1, 2]", [1.0, 2], True),
        ("(", [1], False),
    ],
)
def test_when_two_values_agree(one, other, equal):
    assert is_equal(one, other, 1e-9) is equal
    assert is_equal(other, one, 1e-9) is equal


def test_a_notebook_beside_a_run_on_a_cluster(tmp_path):
    here = notebook_run(tmp_path, accuracy=0.9028, loss=0.31)
    there = pipeline_run(tmp_path, step("train"), accuracy=0.9028, loss=0.33)
    found = compare_runs(here, there, Tolerance())
    assert [(way.run, way.kind) for way in found.ways] == [(1, "notebook"), (2, "pipeline")]
    assert [(row.name, row.equal) for row in found.values] == [("accuracy", True), ("loss", False)]
    assert found.steps == ()  # a notebook has none
    assert not found.equal
    assert compare_runs(here, there, Tolerance(named={"loss": 0.1})).equal


def test_all_ways_of_both_runs_agree_or_none(tmp_path):
    notebook, pipeline = notebook_run(tmp_path, a=1.0), pipeline_run(tmp_path, a=1.0)
    both = replace(notebook, pipeline=pipeline.pipeline)
    found = compare_runs(both, pipeline_run(tmp_path, a=2.0), Tolerance())
    assert [row.values for row in found.values] == [(1.0, 1.0, 2.0)]
    assert not found.equal
    assert compare_runs(both, pipeline, Tolerance()).equal


def test_a_metric_that_one_run_lacks_is_a_difference(tmp_path):
    found = compare_runs(notebook_run(tmp_path, a=1), pipeline_run(tmp_path, a=1, b=2), Tolerance())
    assert [(row.name, row.values, row.equal) for row in found.values] == [
        ("a", (1, 1), True),
        ("b", (None, 2), False),
    ]


def test_steps_of_a_loop_one_by_one(tmp_path):
    failed = step("loop", State.FAILED, step("train.1"), step("train.2", State.FAILED))
    whole = step("loop", State.SUCCEEDED, step("train.1"), step("train.2"))
    one = pipeline_run(tmp_path, failed, a=1)
    other = pipeline_run(tmp_path, whole, step("report"), a=1)
    found = compare_runs(one, other, Tolerance())
    assert {row.name: row.equal for row in found.steps} == {
        "loop": False,
        "loop / train.1": True,
        "loop / train.2": False,
        "report": False,
    }
    assert not found.equal


def test_outputs_of_packages_are_compared(tmp_path):
    one = pipeline_run(tmp_path, outputs={"Output": 4.0})
    assert compare_runs(one, pipeline_run(tmp_path, outputs={"Output": 4}), Tolerance()).equal
    assert not compare_runs(one, pipeline_run(tmp_path, outputs={"Output": 5}), Tolerance()).equal


def test_nothing_compared_is_not_equal(tmp_path):
    assert not compare_runs(pipeline_run(tmp_path), pipeline_run(tmp_path), Tolerance()).equal


@pytest.mark.parametrize("words", [["x"], ["-1"], ["nan"], ["inf"], ["a="], ["a=b"]])
def test_a_tolerance_that_is_none(words):
    with pytest.raises(UsageError):
        parse_tolerance(words)


def test_tolerances_of_metrics_and_of_the_others():
    tolerance = parse_tolerance(["0.01", "a=b=0.5"])
    assert (tolerance.of("loss"), tolerance.of("a=b")) == (0.01, 0.5)


def test_a_run_is_found_by_folder_by_file_and_by_name(tmp_path):
    home = tmp_path / "runs"
    for name in ("2026-11-29_10-00-00", "2026-11-29_10-00-00_2", "2026-11-29_10-00-00_10"):
        (home / "lab" / name).mkdir(parents=True)
        write_run(notebook_run(home / "lab" / name))
    newest = home / "lab" / "2026-11-29_10-00-00_10"
    assert find_run_folder("lab", home) == newest
    assert find_run_folder(str(home / "lab"), home) == newest
    assert find_run_folder(str(newest), home) == newest
    assert find_run_folder(str(newest / "run.json"), home) == newest
    with pytest.raises(UsageError, match="no run is there"):
        find_run_folder("other", home)


@pytest.fixture
def fastkf(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["compare", *words])
        return result.exit_code, result.output

    return call


def save(run: Run) -> None:
    run.folder.mkdir()
    write_run(run)


def test_what_the_command_prints(fastkf):
    save(replace(notebook_run(Path("here"), accuracy=0.9), parameters={"epochs": 2}))
    there = pipeline_run(Path("there"), step("train"), accuracy=0.9)
    save(replace(there, parameters={"epochs": 3}))
    code, output = fastkf("here", "there")
    assert code == 0
    assert "the parameter epochs is not the same: 2 and 3" in output
    assert output.splitlines()[-1] == "equal"

    save(pipeline_run(Path("other"), step("train", State.FAILED), accuracy=0.900000001234))
    code, output = fastkf("there", "other", "--tolerance", "1e-12")
    assert code == 1
    assert output.splitlines()[-1] == "2 differ: accuracy, train"
    assert "0.900000001234" in output  # and not 0.9 twice


def test_the_same_as_data(fastkf):
    save(notebook_run(Path("here"), accuracy=0.9))
    save(pipeline_run(Path("there"), step("train"), accuracy=0.8))
    code, output = fastkf("here", "there", "--json")
    content = json.loads(output)
    assert code == 1
    assert content["equal"] is False
    assert content["metrics"] == [{"name": "accuracy", "values": [0.9, 0.8], "equal": False}]


def test_numbers_that_json_has_not_are_texts(fastkf):
    save(notebook_run(Path("here"), loss=math.nan, rate=-math.inf))
    save(pipeline_run(Path("there"), step("train"), loss=math.nan, rate=0.5))

    def refuse(text: str):
        raise AssertionError(f"{text} is no JSON")

    content = json.loads(fastkf("here", "there", "--json")[1], parse_constant=refuse)
    values = {one["name"]: one["values"] for one in content["metrics"]}
    assert values == {"loss": ["NaN", "NaN"], "rate": ["-Infinity", 0.5]}


def test_a_tolerance_of_a_metric_that_neither_run_has_is_wrong_use(fastkf):
    save(notebook_run(Path("here"), accuracy=0.9))
    code, output = fastkf("here", "here", "--tolerance", "acuracy=0.1")
    assert (code, "there are: accuracy" in output) == (2, True)


def test_wrong_use_and_nothing_to_compare(fastkf):
    save(pipeline_run(Path("one")))
    save(pipeline_run(Path("two")))
    code, output = fastkf("one", "two")
    assert (code, "nothing was compared" in output) == (1, True)
    assert fastkf("one", f"{os.sep}nowhere")[0] == 2
    assert fastkf("one", "two", "--tolerance", "much")[0] == 2


def test_a_parameter_is_given_one_value():
    assert parse_parameters(["n=1", "m=2", "n=1"]) == {"n": "1", "m": "2"}
    with pytest.raises(UsageError, match="-p n=2: n is 1 already"):
        parse_parameters(["n=1", "n=2"])
