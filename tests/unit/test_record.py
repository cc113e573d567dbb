"""run.json: what is written is what is read, and what is not a record is refused by name."""

import contextlib
import json
import math
import os
from datetime import UTC, datetime, timedelta

import pytest

from fastkf.base.errors import FastkfError
from fastkf.runs.compare import compare
from fastkf.runs.describe import describe_run, seconds_until_start
from fastkf.runs.model import (
    Artifact,
    Comparison,
    NotebookResult,
    PipelineResult,
    Replica,
    Run,
    State,
    Step,
    Values,
)
from fastkf.runs.record import (
    LARGEST,
    RecordMissingError,
    read_run,
    write_run,
)
from fastkf.runs.report.rows import list_rows, make_timeline

START = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def whole_run(folder) -> Run:
    made = Artifact("system.Metrics", "artifacts/train/metrics", {"accuracy": 0.5})
    steps = (
        Step("load", "load-step", (), State.SUCCEEDED, later(1.25), 2.5, outputs=Values({"n": 3})),
        Step(
            "train",
            "train-step",
            ("load",),
            State.FAILED,
            later(4),
            1.0,
            error="ValueError: no",
            image="python:3.12",
            command=("python3", "-c", "pass"),
            inputs=Values({"n": 3}),
            outputs=Values(artifacts={"metrics": made}),
        ),
        Step("show", "show-step", ("train",), State.SKIPPED),
    )
    return Run(
        folder=folder,
        name="lab",
        title="A lab",
        parameters={"n": 3, "words": ["x"]},
        state=State.FAILED,
        started=START,
        seconds=7.5,
        notebook=NotebookResult(State.SUCCEEDED, 1.5, {"accuracy": 0.75}),
        pipeline=PipelineResult(
            State.FAILED, later(0.5), 5.0, steps, {"accuracy": 0.5}, {"best": "tree"}
        ),
        parity=compare({"accuracy": 0.75}, {"accuracy": 0.5}),
        note="Ran there.",
        link="https://example.com/run",
        error="the run failed",
        replicas=(Replica("mnist-worker-0", "failed", 2, 137, "logs/mnist-worker-0.log"),),
    )


def test_a_run_is_read_as_it_was_written(tmp_path):
    run = whole_run(tmp_path)
    write_run(run)
    assert read_run(tmp_path) == run


def test_the_record_has_a_version_and_times_from_the_pipelines_start(tmp_path):
    write_run(whole_run(tmp_path))
    content = json.loads((tmp_path / "run.json").read_text())
    assert content["version"] == 1
    load, train, show = content["pipeline"]["steps"]
    assert (load["started"], train["started"], show["started"]) == (0.75, 3.5, None)
    assert (train["started_at"], train["ended_at"]) == (
        "2026-11-28T12:00:04.000Z",
        "2026-11-28T12:00:05.000Z",
    )


def test_a_record_without_version_and_times_of_day_is_read(tmp_path):
    content = describe_run(whole_run(tmp_path))
    del content["version"], content["pipeline"]["started"]
    content["started"] = "2026-11-28T12:00:00.500+00:00"
    for step in content["pipeline"]["steps"]:
        step.pop("started_at", None)
    (tmp_path / "run.json").write_text(json.dumps(content))
    assert read_run(tmp_path).steps == whole_run(tmp_path).steps


def test_numbers_that_are_not_finite_are_json_and_come_back(tmp_path):
    values = {"up": math.inf, "down": -math.inf, "list": "NaN?"}
    notebook = NotebookResult(State.SUCCEEDED, metrics={"none": math.nan, **values})
    parity = {name: Comparison(one, one, True) for name, one in values.items()}
    run = Run(tmp_path, "a", "A", notebook=notebook, parity=parity)
    write_run(run)

    def refuse(word):
        raise AssertionError(word)

    json.loads((tmp_path / "run.json").read_text(), parse_constant=refuse)
    again = read_run(tmp_path)
    assert math.isnan(again.notebook.metrics.pop("none"))
    assert (again.notebook.metrics, again.parity) == (values, run.parity)


def test_a_missing_record_is_told_apart_from_a_damaged_one(tmp_path):
    with pytest.raises(RecordMissingError, match=r"run\.json: no such file; name the folder"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '"text"',
        '{"pipeline": {"steps": [{}]}}',
        '{"pipeline": {"steps": "none"}}',
        '{"pipeline": "none"}',
        '{"notebook": {"metrics": [1]}}',
        '{"parity": {"accuracy": 1}}',
        '{"seconds": "soon"}',
        '{"version": 2}',
    ],
)
def test_a_damaged_record_is_one_error_that_names_the_file(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(FastkfError, match=r"run\.json: ") as raised:
        read_run(tmp_path)
    assert not isinstance(raised.value, RecordMissingError)


@pytest.mark.security
@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "too large", "deep"])
def test_what_a_step_put_in_the_place_of_the_record_is_no_record(tmp_path, kind):
    path = tmp_path / "run.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        write_run(whole_run(tmp_path))
        path.symlink_to(path.rename(tmp_path / "other"))
    elif kind == "folder":
        path.mkdir()
    elif kind == "deep":
        path.write_text("[" * 100_000)
    else:
        with path.open("wb") as file:
            file.truncate(LARGEST + 1)
    with pytest.raises(FastkfError, match="not a readable record of a run") as raised:
        read_run(tmp_path)
    assert not isinstance(raised.value, RecordMissingError)


ODD = [None, True, -1, 1e300, float("nan"), 10**30, "\ud800", "x", [], [5], {}, {"a": 5}]


@pytest.mark.security
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_odd_values_in_a_record_are_refused_or_shown(tmp_path, value):
    """What is read is of the types that the model says, in each place."""
    content = describe_run(whole_run(tmp_path))
    for place, key in places(content):
        old, place[key] = place[key], value
        (tmp_path / "run.json").write_text(json.dumps(content))
        with contextlib.suppress(FastkfError):
            run = read_run(tmp_path)
            assert describe_run(run)
            made = [one for step in run.steps if step.outputs for one in artifacts_of(step)]
            assert all(isinstance(text, str) for one in made for text in (one.type, one.uri))
            assert all(isinstance(name, str) for step in run.steps for name in step.after)
            make_timeline(list_rows(run.steps, run.pipeline and run.pipeline.started))
        place[key] = old


def artifacts_of(step: Step):
    return step.outputs.artifacts.values()


def places(value):
    """Each value inside plain data: what it is in, and its key there."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def test_a_record_of_a_later_version_says_so(tmp_path):
    (tmp_path / "run.json").write_text('{"version": 2}')
    with pytest.raises(FastkfError, match="version 2, and this fastkf reads version 1; read it"):
        read_run(tmp_path)


def test_steps_of_an_earlier_attempt_start_as_they_did_in_that_one():
    kept = Step("load", "load", state=State.SUCCEEDED, started=later(-300))
    second = Step("split", "split", state=State.SUCCEEDED, started=later(-298))
    again = Step("train", "train", state=State.SUCCEEDED, started=later(2))
    waits = Step("show", "show")
    assert seconds_until_start([kept, second, again, waits], START) == {
        "load": 0,
        "split": 2,
        "train": 2,
    }
    assert seconds_until_start([waits], None) == {}


def test_when_a_run_ends_what_ran_has_failed_and_what_waited_is_left_out(tmp_path):
    run = Run(
        tmp_path,
        "lab",
        "A lab",
        state=State.RUNNING,
        notebook=NotebookResult(State.SUCCEEDED),
        pipeline=PipelineResult(
            State.RUNNING,
            steps=(
                Step("a", "a", state=State.SUCCEEDED),
                Step("b", "b", state=State.RUNNING),
                Step("c", "c"),
            ),
        ),
    )
    ended = run.end(State.FAILED, "the server ended")
    assert (ended.state, ended.error) == (State.FAILED, "the server ended")
    assert ended.notebook == run.notebook
    assert ended.pipeline.state is State.FAILED
    assert [(step.state, step.error) for step in ended.steps] == [
        (State.SUCCEEDED, None),
        (State.FAILED, "interrupted"),
        (State.SKIPPED, None),
    ]


def test_a_step_that_is_read_and_written_again_has_the_same_times(tmp_path):
    """A run that is tried again keeps the steps that have succeeded, as they were."""
    started = datetime(2026, 11, 24, 12, 40, 51, 204_700, tzinfo=UTC)
    step = Step("load", "load", state=State.SUCCEEDED, started=started, seconds=3.1343)
    write_run(Run(tmp_path, "x", "X", pipeline=PipelineResult(State.RUNNING, started, 4, (step,))))
    (first,) = json.loads((tmp_path / "run.json").read_text())["pipeline"]["steps"]
    write_run(read_run(tmp_path))
    (again,) = json.loads((tmp_path / "run.json").read_text())["pipeline"]["steps"]
    for moment in ("started_at", "ended_at"):
        assert again[moment] == first[moment]
