"""What went wrong in a run: each exception with the learner's own line, each thing said once."""

import pytest

from fastkf.runs.compare import compare
from fastkf.runs.model import Failure, NotebookResult, PipelineResult, Run, State, Step
from fastkf.runs.problems import Problem, explain, list_problems

SOURCE = "total = 3\nratio = total / 0"
INDENTED = "\n        total = 3\n        ratio = total / 0\n"


def failure(source=SOURCE, line=2, text="ratio = total / 0", name="ZeroDivisionError") -> Failure:
    return Failure(name, "division by zero", source, line, text)


@pytest.mark.parametrize(
    ("raised", "cells", "said"),
    [
        (failure(), {SOURCE: "cell 7"}, " (cell 7, line 2: ratio = total / 0)"),
        (failure(INDENTED), {SOURCE: "cell 7"}, " (cell 7, line 2: ratio = total / 0)"),
        (failure(text=None), {SOURCE: "cell 7"}, " (cell 7, line 2: ratio = total / 0)"),
        (failure(line=None, text=None), {SOURCE: "cell 7"}, " (cell 7)"),
        (failure(line=9, text=None), {SOURCE: "cell 7"}, " (cell 7)"),
        (failure(), {SOURCE: None}, " (line 2 of the step's cell: ratio = total / 0)"),
        (failure(None), {}, " (line 2 of the step's cell: ratio = total / 0)"),
        (failure(None, None, None), {SOURCE: "cell 7"}, ""),
        (failure(text=None), {}, ""),
        (
            failure("save(g)", 1, "save(g)"),
            {SOURCE: "cell 7"},
            " (in the code that Kale adds to pass data between steps: save(g))",
        ),
    ],
)
def test_an_exception_is_told_with_the_line_that_raised_it(raised, cells, said):
    assert explain(raised, cells) == f"ZeroDivisionError: division by zero{said}"


def test_what_has_no_name_or_no_message_is_told_without():
    assert explain(Failure("", "the command ended with exit code 1"), {}) == (
        "the command ended with exit code 1"
    )
    assert explain(Failure("KaleGracefulExit", ""), {}) == "KaleGracefulExit"


def make_run(folder, *steps: Step, **fields) -> Run:
    pipeline = PipelineResult(State.FAILED, steps=steps)
    return Run(folder, "lab", "A lab", state=State.FAILED, pipeline=pipeline, **fields)


def test_problems_come_in_the_order_of_their_cause_and_name_the_log(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "train.log").touch()
    run = make_run(
        tmp_path,
        Step("train", "train", state=State.FAILED, error="\x1b[31mValueError\x1b[0m: no"),
        Step("test", "test", state=State.FAILED),
        Step("show", "show", state=State.SKIPPED),
        notebook=NotebookResult(State.FAILED, error="KeyError: 'x'"),
        parity=compare({"accuracy": 0.75}, {"accuracy": 0.5}),
    )
    assert list_problems(run) == [
        Problem("notebook", "KeyError: 'x'"),
        Problem("step train", "ValueError: no", "train", "logs/train.log"),
        Problem("step test", "The step failed; its log says more.", "test"),
        Problem(
            "metric accuracy",
            "the notebook gives 0.75, the pipeline 0.5; look for a missing seed, or a variable "
            "that a step changes after another step has received it",
        ),
    ]


def test_what_is_said_already_is_not_said_again(tmp_path):
    step = Step("train", "train", state=State.FAILED, error="interrupted")
    run = make_run(tmp_path, step, error="interrupted; the processes of the run were ended")
    assert [problem.title for problem in list_problems(run)] == ["Run"]


def test_a_failure_without_a_reason_is_a_problem_and_a_success_has_none(tmp_path):
    assert list_problems(make_run(tmp_path)) == [
        Problem("run", "The run failed; the logs say more.")
    ]
    assert list_problems(Run(tmp_path, "lab", "A lab", state=State.SUCCEEDED)) == []


def test_where_a_step_has_failed_no_seed_is_looked_for(tmp_path):
    failed = Step("train", "train", state=State.FAILED, error="KeyError: 'x'")
    run = make_run(tmp_path, failed, parity=compare({"score": 1.0}, {}))
    assert [problem.where for problem in list_problems(run)] == ["step train"]
