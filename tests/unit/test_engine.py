"""Which tasks of a pipeline run, in which order and on what data, whatever they run as.

The pipelines are compiled by KFP; a stand-in for the executor calls a function for each task.
"""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from kfp import compiler, dsl
from kfp.dsl import Dataset, Metrics, Output

from fastkf.base.errors import FastkfError
from fastkf.engine.board import Board
from fastkf.engine.memo import Memo
from fastkf.engine.run import run_package
from fastkf.package.model import Package
from fastkf.runs.model import Failure, State, Step, Values


class Functions:
    """Runs a task by calling `work` with its step's name and its parameters.

    What it returns is the task's output parameter; an exception is its failure.
    """

    honours = frozenset()

    def __init__(self, work):
        self.work = work
        self.calls: list[tuple[str, dict]] = []
        self.ended = threading.Event()

    def execute(self, job, log, show):
        inputs = job.executor_input["inputs"].get("parameterValues", {})
        self.calls.append((job.name, inputs))
        log.write_text("working")
        try:
            made = self.work(job.name, inputs)
        except (ValueError, threading.BrokenBarrierError) as error:
            return Failure(type(error).__name__, str(error))
        outputs = {"parameterValues": {} if made is None else {"Output": made}}
        Path(job.executor_input["outputs"]["outputFile"]).write_text(json.dumps(outputs))
        return None

    def end(self):
        self.ended.set()


def compiled(pipeline, folder) -> Package:
    path = folder / "package.yaml"
    compiler.Compiler().compile(pipeline_func=pipeline, package_path=str(path))
    return Package.read(path)


def run(pipeline, folder, work, arguments=None, **options):
    executor = Functions(work)
    outcome = run_package(
        compiled(pipeline, folder),
        arguments or {},
        folder / "run",
        executors={"python": executor},
        **{"on_step": lambda step: None, **options},
    )
    return outcome, executor


def states(outcome) -> dict[str, str]:
    return {step.name: step.state.value for step in outcome.steps}


def component(function):
    return dsl.component(function, base_image="python:3.11", install_kfp_package=False)


@component
def add(x: int, y: int = 1) -> int: ...


@component
def many() -> list: ...


@component
def total(numbers: list) -> int: ...


@component
def finish(status: dsl.PipelineTaskFinalStatus): ...


def calculate(name, given):
    if name.startswith("many"):
        return [1, 2, 3]
    if name.startswith("total"):
        return int(sum(given["numbers"]))
    if "add" in name:
        return given["x"] + given["y"]
    return None


@dsl.pipeline
def inner(n: int) -> int:
    first = add(x=n)
    return add(x=first.output, y=10).output


@dsl.pipeline
def nested(n: int = 3) -> int:
    one = inner(n=n)
    return inner(n=one.output).output


def test_pipelines_inside_a_pipeline_pass_their_values_on(tmp_path):
    outcome, _ = run(nested, tmp_path, calculate)
    assert outcome.succeeded
    assert outcome.outputs == {"Output": 25}
    assert [step.name for step in outcome.steps] == [
        *("inner-add", "inner-add-2", "inner-2-add", "inner-2-add-2")
    ]
    assert outcome.steps[2].after == ("inner-add", "inner-add-2")
    assert outcome.steps[2].inputs.parameters == {"x": 14, "y": 1}


def test_each_of_two_tasks_of_one_name_has_its_own_log_and_outputs(tmp_path):
    run(nested, tmp_path, calculate)
    logs = sorted(path.name for path in (tmp_path / "run" / "logs").iterdir())
    assert logs == ["inner-2-add-2.log", "inner-2-add.log", "inner-add-2.log", "inner-add.log"]


@dsl.pipeline
def looping() -> int:
    numbers = many()
    with dsl.ParallelFor(numbers.output) as number:
        one = add(x=number)
    return total(numbers=dsl.Collected(one.output)).output


def test_the_iterations_of_a_loop_are_steps_inside_its_step(tmp_path):
    outcome, executor = run(looping, tmp_path, calculate)
    assert outcome.outputs == {"Output": 9}
    body = next(step for step in outcome.steps if step.name == "add")
    assert body.state is State.SUCCEEDED
    assert [step.name for step in body.steps] == ["add.0", "add.1", "add.2"]
    assert [step.outputs.parameters["Output"] for step in body.steps] == [2, 3, 4]
    assert sorted(name for name, _ in executor.calls) == [
        *("add.0", "add.1", "add.2", "many", "total")
    ]


def test_an_iteration_and_a_later_task_share_neither_log_nor_outputs(tmp_path):
    @dsl.pipeline
    def pipeline() -> int:
        with dsl.ParallelFor([10, 20, 30]) as number:
            add(x=number)
        return add(x=1).output  # a task that KFP calls add-2

    outcome, executor = run(pipeline, tmp_path, calculate, parallel=1)
    assert sorted(name for name, _ in executor.calls) == ["add-2", "add.0", "add.1", "add.2"]
    assert outcome.outputs == {"Output": 2}
    logs = sorted(path.name for path in (tmp_path / "run" / "logs").iterdir())
    assert logs == ["add-2.log", "add.0.log", "add.1.log", "add.2.log"]


def test_a_failing_iteration_fails_the_loop_and_the_others_go_on(tmp_path):
    def work(name, given):
        if name == "add.1":
            raise ValueError("no")
        return calculate(name, given)

    outcome, _ = run(looping, tmp_path, work)
    body = next(step for step in outcome.steps if step.name == "add")
    assert [step.state for step in body.steps] == [State.SUCCEEDED, State.FAILED, State.SUCCEEDED]
    assert (body.state, body.failure) == (State.FAILED, Failure("ValueError", "no"))
    assert states(outcome)["total"] == "skipped"
    assert not outcome.succeeded


def test_a_loop_over_nothing_leaves_its_steps_out(tmp_path):
    @dsl.pipeline
    def pipeline():
        with dsl.ParallelFor(many().output) as number:
            add(x=number)

    outcome, _ = run(pipeline, tmp_path, lambda name, given: [])
    assert outcome.succeeded
    assert states(outcome) == {"many": "succeeded", "add": "skipped"}


def test_as_many_iterations_at_a_time_as_the_pipeline_allows(tmp_path):
    @dsl.pipeline
    def pipeline():
        with dsl.ParallelFor([1, 2, 3, 4], parallelism=1) as number:
            add(x=number)

    outcome, _ = run(pipeline, tmp_path, calculate, parallel=4)
    (body,) = outcome.steps
    for one, other in zip(body.steps, body.steps[1:], strict=False):
        assert one.started.timestamp() + one.seconds <= other.started.timestamp() + 0.001


def test_fields_of_the_items_of_a_loop(tmp_path):
    @dsl.pipeline
    def pipeline():
        with dsl.ParallelFor([{"a": 1, "b": 2}, {"a": 3, "b": 4}]) as item:
            add(x=item.a, y=item.b)

    outcome, _ = run(pipeline, tmp_path, calculate)
    assert [step.outputs.parameters["Output"] for step in outcome.steps[0].steps] == [3, 7]


@dsl.pipeline
def branching(n: int = 3) -> int:
    first = add(x=n)
    with dsl.If(first.output > 5):
        big = add(x=100)
    with dsl.Else():
        small = add(x=1)
    return dsl.OneOf(big.output, small.output)


@pytest.mark.parametrize(("n", "output"), [(3, 2), (9, 101)])
def test_one_of_two_branches_runs(tmp_path, n, output):
    outcome, _ = run(branching, tmp_path, calculate, {"n": n})
    assert outcome.succeeded
    assert outcome.outputs == {"Output": output}
    assert sorted(states(outcome).values()) == ["skipped", "succeeded", "succeeded"]


@dsl.pipeline
def handled():
    with dsl.ExitHandler(finish()):
        add(x=add(x=1).output)


def test_the_task_of_an_exit_handler_runs_after_a_failure_and_is_told_of_it(tmp_path):
    def work(name, given):
        if name == "add":
            raise ValueError("no")

    outcome, executor = run(handled, tmp_path, work)
    assert states(outcome) == {"add": "failed", "add-2": "skipped", "finish": "succeeded"}
    assert not outcome.succeeded
    assert executor.calls[-1][1]["status"]["state"] == "FAILED"


def test_a_task_may_ignore_that_one_before_it_has_failed(tmp_path):
    @dsl.pipeline
    def pipeline():
        first = add(x=1)
        many().after(first).ignore_upstream_failure()
        total(numbers=[1]).after(first)

    def work(name, given):
        if name == "add":
            raise ValueError("no")
        return calculate(name, given)

    outcome, _ = run(pipeline, tmp_path, work)
    assert states(outcome) == {"add": "failed", "many": "succeeded", "total": "skipped"}


def test_a_task_is_tried_as_often_as_it_asks_for(tmp_path):
    @dsl.pipeline
    def pipeline():
        add(x=1).set_retry(num_retries=2, backoff_duration="0s")

    attempts = []

    def work(name, given):
        attempts.append(name)
        if len(attempts) < 3:
            raise ValueError("not yet")
        return 2

    outcome, _ = run(pipeline, tmp_path, work)
    assert outcome.succeeded
    assert len(attempts) == 3
    assert outcome.steps[0].failure is None


def test_independent_tasks_of_a_group_run_at_the_same_time(tmp_path):
    @dsl.pipeline
    def two():
        add(x=1)
        add(x=2)

    @dsl.pipeline
    def pipeline():
        two()

    meeting = threading.Barrier(2)
    outcome, _ = run(pipeline, tmp_path, lambda name, given: meeting.wait(20), parallel=2)
    assert outcome.succeeded, [step.failure for step in outcome.steps]


def test_no_more_tasks_at_a_time_than_asked_for(tmp_path):
    @dsl.pipeline
    def pipeline():
        for number in range(6):
            add(x=number)

    running, most = set(), []

    def work(name, given):
        running.add(name)
        most.append(len(running))
        time.sleep(0.02)
        running.remove(name)
        return 1

    assert run(pipeline, tmp_path, work, parallel=2)[0].succeeded
    assert max(most) <= 2


def test_what_an_earlier_attempt_has_made_is_not_made_again(tmp_path):
    @dsl.pipeline
    def pipeline() -> int:
        return add(x=add(x=1).output).output

    def work(name, given):
        if name == "add-2":
            raise ValueError("no")
        return calculate(name, given)

    first, _ = run(pipeline, tmp_path, work)
    second, executor = run(pipeline, tmp_path, calculate, memo=Memo(first.steps))
    assert [name for name, _ in executor.calls] == ["add-2"]
    assert second.outputs == {"Output": 3}
    assert second.steps[0] == first.steps[0]


def test_of_a_loop_only_the_iterations_that_have_failed_run_again(tmp_path):
    def work(name, given):
        if name == "add.1":
            raise ValueError("no")
        return calculate(name, given)

    first, _ = run(looping, tmp_path, work)
    second, executor = run(looping, tmp_path, calculate, memo=Memo(first.steps))
    assert [name for name, _ in executor.calls] == ["add.1", "total"]
    assert second.outputs == {"Output": 9}


def test_what_comes_after_a_skipped_task_is_skipped_and_the_run_succeeds(tmp_path):
    @dsl.pipeline
    def pipeline(n: int = 1):
        with dsl.If(n == 2):
            one = add(x=1)
            with dsl.If(one.output == 2):
                add(x=one.output)
        with dsl.If(n == 1):
            add(x=n)

    outcome, _ = run(pipeline, tmp_path, calculate)
    assert outcome.succeeded
    assert sorted(states(outcome).values()) == ["skipped", "skipped", "succeeded"]


def test_an_output_of_another_type_or_none_at_all_fails_the_step(tmp_path):
    @dsl.pipeline
    def pipeline():
        add(x=1)
        many()

    outcome, _ = run(pipeline, tmp_path, lambda name, given: "text" if name == "add" else None)
    said = {step.name: step.failure.message for step in outcome.steps}
    assert said == {
        "add": "output Output is NUMBER_INTEGER, not 'text'",
        "many": "it has not written its output parameter Output",
    }


def test_steps_are_told_of_before_the_first_starts_and_as_they_change(tmp_path):
    told = []
    run(handled, tmp_path, lambda name, given: 1, on_step=told.append)
    assert [(step.name, step.state) for step in told[:3]] == [
        *[("add", State.PENDING), ("add-2", State.PENDING), ("finish", State.PENDING)]
    ]
    of_one = [step.state for step in told if step.name == "add-2"]
    assert of_one == [State.PENDING, State.RUNNING, State.SUCCEEDED]


def test_an_interruption_ends_the_executors_and_leaves_what_ran_running(tmp_path):
    told: dict[str, Step] = {}
    started = threading.Event()

    def work(name, given):
        started.set()
        executor.ended.wait(20)
        raise ValueError("killed")

    executor = Functions(work)

    def tell(step):
        told[step.name] = step

    def press():
        started.wait(20)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        run_package(
            compiled(handled, tmp_path),
            {},
            tmp_path / "run",
            executors={"python": executor},
            on_step=tell,
        )
    assert told["add"].state is State.RUNNING
    assert told["add"].failure is None
    assert told["add"].end_with_run().error == "interrupted"


def test_metrics_and_artifacts_that_a_task_has_not_mentioned(tmp_path):
    @component
    def measure(data: Output[Dataset], metrics: Output[Metrics]): ...

    @dsl.pipeline
    def pipeline():
        measure()

    class Measuring(Functions):
        def execute(self, job, log, show):
            outputs = job.executor_input["outputs"]
            metrics = outputs["artifacts"]["metrics"]
            metrics["artifacts"][0]["metadata"] = {"size": 2.0}
            said = {"artifacts": {"metrics": metrics}}
            Path(outputs["outputFile"]).write_text(json.dumps(said))
            return None

    outcome = run_package(
        compiled(pipeline, tmp_path),
        {},
        tmp_path / "run",
        executors={"python": Measuring(None)},
        on_step=lambda step: None,
    )
    assert outcome.metrics == {"measure.size": 2.0}
    data = outcome.steps[0].outputs.artifacts["data"]
    assert data.type == "system.Dataset"
    assert data.uri.startswith("artifacts/pipeline-")
    assert data.uri.endswith("/measure/data")


def test_an_imported_artifact_is_where_it_is_said_to_be(tmp_path):
    @component
    def read(data: dsl.Input[Dataset]) -> int: ...

    @dsl.pipeline
    def pipeline(place: str):
        made = dsl.importer(artifact_uri=place, artifact_class=Dataset, metadata={"of": place})
        read(data=made.output)

    outcome, _ = run(pipeline, tmp_path, lambda name, given: 1, {"place": "/data/here"})
    assert outcome.succeeded, outcome.error
    (data,) = outcome.steps[1].inputs.artifacts.values()
    assert (data.type, data.uri) == ("system.Dataset", "/data/here")
    assert data.metadata == {"of": "/data/here"}


def test_a_task_without_its_kind_of_executor_is_named(tmp_path):
    outcome = run_package(
        compiled(handled, tmp_path),
        {},
        tmp_path / "run",
        executors={},
        on_step=lambda step: None,
    )
    assert "task add is a python component" in outcome.steps[0].failure.message


def test_a_condition_that_cannot_be_judged_is_the_runs_error(tmp_path):
    package = compiled(branching, tmp_path)
    text = (tmp_path / "package.yaml").read_text().replace("> 5", "> five")
    (tmp_path / "package.yaml").write_text(text)
    outcome = run_package(
        Package.read(tmp_path / "package.yaml"),
        {},
        tmp_path / "run",
        executors={"python": Functions(calculate)},
        on_step=lambda step: None,
    )
    assert package.name == "branching"
    assert not outcome.succeeded
    assert "cannot be judged" in outcome.error


def test_the_times_of_a_loops_body_span_its_iterations():
    board = Board({("loop", "work"): Step("work", "work")}, lambda step: None)
    board.repeat([("loop", "work")], (), 2)
    board.repeat([("loop", "work")], (0,), 1)
    assert [step.name for step in board.executions] == ["work.0.0", "work.1"]
    assert board.step(("loop", "work"), ()).state is State.PENDING
    board.change(("loop", "work"), (1,), state=State.SUCCEEDED, outputs=Values())
    assert board.step(("loop", "work"), ()).state is State.RUNNING
    board.skip([("loop", "work")], (0,))
    assert board.step(("loop", "work"), ()).state is State.SUCCEEDED


def test_a_version_of_kfp_that_was_not_tested_is_named(tmp_path, monkeypatch):
    from fastkf.base import versions

    monkeypatch.setattr(versions.metadata, "version", lambda package: "3.0")
    with pytest.raises(FastkfError, match=r"kfp 3\.0 is installed"):
        run(handled, tmp_path, calculate)


def test_a_step_that_waits_for_its_next_attempt_lets_others_run(tmp_path):
    @dsl.pipeline
    def pipeline():
        many().set_retry(num_retries=1, backoff_duration="1s")
        add(x=1).after(total(numbers=[1]))

    calls = []

    def work(name, given):
        calls.append(name)
        if name == "many" and calls.count("many") == 1:
            raise ValueError("not yet")
        return calculate(name, given)

    outcome, _ = run(pipeline, tmp_path, work, parallel=1)
    assert outcome.succeeded
    assert calls.index("add") < len(calls) - 1 - calls[::-1].index("many")


@pytest.mark.slow
def test_many_iterations_cost_as_much_each_as_few(tmp_path):
    """Each change of one was told with all the others: the cost of a loop grew with its square."""

    @dsl.pipeline
    def loop(items: list):
        with dsl.ParallelFor(items) as item:
            add(x=item)

    told = []
    outcome, _ = run(loop, tmp_path, calculate, {"items": list(range(400))}, on_step=told.append)
    (step,) = outcome.steps
    assert [one.outputs.parameters["Output"] for one in step.steps] == list(range(1, 401))
    assert told[-1] == step
    assert step.state is State.SUCCEEDED


def test_what_a_loop_tells_late_is_told_at_the_end():
    place = ("loop", "fit")
    told = []
    board = Board({place: Step("fit", "fit")}, told.append)
    board._spent = 1e6  # noqa: SLF001 - nothing more may be spent on telling
    board.repeat([place], (), 2)
    board.change(place, (0,), state=State.SUCCEEDED)
    assert told == []
    assert [one.state for one in board.steps[0].steps] == [State.SUCCEEDED, State.PENDING]
    board.change(place, (1,), state=State.FAILED)
    assert [step.state for step in told] == [State.FAILED]
