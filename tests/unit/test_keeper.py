"""A run is kept to its end, however it ends."""

import errno

import pytest

from fastkf.base.errors import FastkfError
from fastkf.runs.keeper import keep
from fastkf.runs.model import NotebookResult, PipelineResult, Run, State, Step
from fastkf.runs.record import read_run

GOING = PipelineResult(State.RUNNING, steps=(Step("a", "a", state=State.RUNNING), Step("b", "b")))


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(tmp_path, "lab", "A lab", {"n": 1})


def test_while_it_goes_the_record_says_that_it_did_not_end(run):
    with keep(run):
        kept = read_run(run.folder)
    assert (kept.state, kept.error) == (State.FAILED, "the run did not end")


@pytest.mark.parametrize(("pipeline", "state"), [(0.5, State.SUCCEEDED), (0.6, State.FAILED)])
def test_a_run_has_succeeded_when_its_metrics_agree(run, pipeline, state):
    with keep(run) as keeper:
        keeper.update(
            notebook=NotebookResult(State.SUCCEEDED, metrics={"accuracy": 0.5}),
            pipeline=PipelineResult(State.SUCCEEDED, metrics={"accuracy": pipeline}),
        )
    kept = read_run(run.folder)
    assert (kept.state, kept.error) == (state, None)
    assert kept.parity["accuracy"].equal == (state is State.SUCCEEDED)
    assert (run.folder / "report.html").exists()


def test_a_run_in_which_nothing_ran_has_not_succeeded(run):
    with keep(run) as keeper:
        pass
    assert keeper.run.state is State.FAILED


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (KeyboardInterrupt(), "interrupted; the processes of the run were ended"),
        (FastkfError("no such thing", "make one"), "no such thing; make one"),
        (OSError(errno.ENOSPC, "full", "/data/x"), "/data/x: no space is left there; make room"),
    ],
)
def test_an_expected_end_is_written_down_and_the_program_goes_on(run, raised, said):
    with keep(run) as keeper:
        keeper.update(pipeline=GOING)
        raise raised
    kept = read_run(run.folder)
    assert (kept.state, kept.error) == (State.FAILED, said)
    assert kept.pipeline.state is State.FAILED
    assert [step.state for step in kept.steps] == [State.FAILED, State.SKIPPED]


def test_an_unexpected_error_leaves_a_whole_record_and_its_cause(run):
    def meet_another_version() -> None:
        with keep(run) as keeper:
            keeper.update(notebook=NotebookResult(State.RUNNING), pipeline=GOING)
            raise AttributeError("no run_dag")

    with pytest.raises(FastkfError, match="the run ended with AttributeError: no run_") as raised:
        meet_another_version()
    assert isinstance(raised.value.__cause__, AttributeError)
    assert "FASTKF_DEBUG=1" in raised.value.remedy
    kept = read_run(run.folder)
    assert (kept.state, kept.error) == (State.FAILED, "AttributeError: no run_dag")
    assert (kept.notebook.state, kept.pipeline.state) == (State.FAILED, State.FAILED)
    assert [step.state for step in kept.steps] == [State.FAILED, State.SKIPPED]
    assert "no run_dag" in (run.folder / "report.html").read_text(encoding="utf-8")
