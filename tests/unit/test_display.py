"""What the terminal shows of a run that has ended."""

import io
import re

import pytest
from rich.console import Console

from fastkf.cli.display import Display
from fastkf.runs.model import NotebookResult, PipelineResult, Run, State, Step


@pytest.fixture
def show(tmp_path):
    def call(*steps: Step, **outputs) -> str:
        pipeline = PipelineResult(State.SUCCEEDED, steps=steps, outputs=outputs)
        file = io.StringIO()
        run = Run(tmp_path, "loop", "Loop", state=State.SUCCEEDED, pipeline=pipeline)
        Display(Console(file=file, width=100)).show_run(run)
        return file.getvalue()

    return call


def test_a_table_is_plain_where_no_terminal_is():
    rows = [("train", "load, prepare, " * 20 + "end"), ("test", "")]
    file = io.StringIO()
    Display(Console(file=file, width=80)).show_table(("step", "after"), rows)
    assert [line.split()[0] for line in file.getvalue().splitlines()] == ["step", "train", "test"]
    file = io.StringIO()
    Display(Console(file=file, width=80, force_terminal=True)).show_table(("step", "after"), rows)
    assert "┃" in file.getvalue()


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.82681, 0.82681), ["0.8268", "0.8268"]),
        ((105475, 105475.0), ["105475", "105475"]),
        ((0.0000212, 0.0), ["2.12e-05", "0.0000"]),
        ((0.82681, 0.82684), ["0.82681", "0.82684"]),
        ((0.5, None), ["0.5000", "–"]),
        ((3.0, 3), ["3", "3"]),
        ((3.0, 2.5), ["3.0000", "2.5000"]),
        ((3.5, 3), ["3.5000", "3"]),
    ],
)
def test_metrics_are_shown_to_the_digits_that_tell_them_apart(tmp_path, values, shown):
    of_notebook, of_pipeline = ({} if one is None else {"cost": one} for one in values)
    run = Run(
        *(tmp_path, "loop", "Loop"),
        notebook=NotebookResult(State.SUCCEEDED, metrics=of_notebook),
        pipeline=PipelineResult(State.SUCCEEDED, metrics=of_pipeline),
    )
    file = io.StringIO()
    Display(Console(file=file, width=100)).show_run(run)
    (row,) = [line.split() for line in file.getvalue().splitlines() if line.startswith("cost")]
    assert row[1:3] == shown


def test_a_narrow_terminal_cuts_no_word():
    rows = [("test_accuracy", "0.8659", State.SUCCEEDED), ("cv_accuracy", "", State.FAILED)]
    headings = ("metric", "02_titanic, notebook", "equal")
    shown = {}
    for width in (24, 60):
        file = io.StringIO()
        console = Console(file=file, width=width, force_terminal=True, soft_wrap=True)
        Display(console).show_table(headings, rows, title="Metrics")
        shown[width] = re.sub("\x1b[^m]*m", "", file.getvalue())
    assert "┃" in shown[60]
    assert shown[24].splitlines() == [
        "Metrics",
        "test_accuracy",
        "    02_titanic, notebook: 0.8659",
        "    equal: ✓",
        "cv_accuracy",
        "    equal: ✗",
    ]


def loop(iterations: int, failing: int) -> Step:
    steps = [
        Step(f"train.{n}", "train", state=State.FAILED if n == failing else State.SUCCEEDED)
        for n in range(iterations)
    ]
    return Step("train", "train", state=State.FAILED, steps=tuple(steps))


def test_the_iterations_of_a_loop_stand_below_it(show):
    text = show(loop(3, failing=1))
    assert [f"train.{n}" in text for n in range(3)] == [True] * 3


def test_of_very_many_only_those_that_did_not_succeed(show):
    text = show(loop(1_000, failing=640))
    assert "train.640" in text
    assert "train.641" not in text


def test_a_long_output_is_cut_with_a_word(show):
    text = show(short="ab", long="x" * 200_000)
    assert "Output short: ab\n" in text
    assert len(text) < 3_000
    assert "200,000 characters, whole in run.json" in text
