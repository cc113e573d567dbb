"""The cache: which steps are taken from an earlier run, and what is then in the new one."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Output

from fastkf.engine.run import run_package
from fastkf.package.model import Package
from fastkf.runs.cache import Entry, Store
from fastkf.runs.model import Failure


class Functions:
    """Runs each task in this process; `calls` has the names of those that it has run."""

    honours = frozenset()

    def __init__(self, fails=(), stamp="packages"):
        self.calls, self.fails, self._stamp = [], fails, stamp

    def stamp(self, job):
        return self._stamp

    def execute(self, job, log, show):
        self.calls.append(job.name)
        if job.name in self.fails:
            return Failure("ValueError", "no")
        given, outputs = job.executor_input["inputs"], job.executor_input["outputs"]
        parameters = {"Output": sum(given["parameterValues"].values())}
        for made in outputs["artifacts"].values():
            Path(made["artifacts"][0]["uri"]).write_text(f"made by {job.name}")
        Path(outputs["outputFile"]).write_text(
            json.dumps({"parameterValues": parameters if outputs["parameters"] else {}})
        )
        return None

    def end(self):
        pass


@dsl.component(base_image="python:3.11")
def add(x: int, y: int = 1) -> int: ...


@dsl.component(base_image="python:3.11")
def write(n: int, data: Output[Dataset]): ...


@dsl.component(base_image="python:3.11")
def measure(data: Input[Dataset]) -> int: ...


@dsl.pipeline
def sums(n: int = 1) -> int:
    return add(x=add(x=n).output, y=5).output


@dsl.pipeline
def files(n: int = 1) -> int:
    made = write(n=n)
    made.set_display_name("Write the data")
    return measure(data=made.outputs["data"]).output


def compiled(pipeline, folder) -> Package:
    path = folder / "package.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return Package.read(path)


class Runs:
    """Runs packages one after the other in one folder of runs."""

    def __init__(self, folder):
        self.folder, self.store, self.count = folder, Store.beside(folder), 0

    def run(self, pipeline, arguments=None, executor=None, **changes):
        self.count += 1
        executor = executor or Functions()
        package = pipeline if isinstance(pipeline, Package) else compiled(pipeline, self.folder)
        outcome = run_package(
            package,
            arguments or {},
            self.folder / f"run-{self.count}",
            executors={"python": executor},
            on_step=lambda step: None,
            parallel=1,
            **{"store": self.store, **changes},
        )
        return outcome, executor.calls


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def words(outcome) -> dict[str, str]:
    return {step.name: step.word for step in outcome.steps}


def test_a_step_that_has_run_is_taken_from_the_run_that_ran_it(runs):
    first, _ = runs.run(sums)
    second, calls = runs.run(sums)
    assert calls == []
    assert words(second) == {"add": "cached", "add-2": "cached"}
    assert {step.cached_from for step in second.steps} == {"run-1"}
    assert [step.cached_node for step in second.steps] == ["add", "add-2"]
    prints = [[step.fingerprint for step in one.steps] for one in (first, second)]
    assert prints[0] == prints[1]
    assert all(prints[0])
    assert second.outputs == first.outputs == {"Output": 7}
    log = runs.folder / "run-2/logs/add.log"
    assert "its outputs are those of add in the run run-1" in log.read_text()


def test_another_input_runs_what_follows_from_it_alone(runs):
    runs.run(sums)
    _, calls = runs.run(sums, {"n": 2})
    assert calls == ["add", "add-2"]
    _, calls = runs.run(sums, {"n": 2})
    assert calls == []


def test_another_image_command_pipeline_or_set_of_packages_runs(runs):
    runs.run(sums)
    package = compiled(sums, runs.folder)
    for what, change in {
        "image": lambda spec: _container(spec).update(image="python:3.13"),
        "command": lambda spec: _container(spec)["command"].append("more"),
        "variable": lambda spec: _container(spec).update(env=[{"name": "A", "value": "b"}]),
        "pipeline": lambda spec: spec["pipelineInfo"].update(name="another"),
    }.items():
        spec = json.loads(json.dumps(package.spec))
        change(spec)
        _, calls = runs.run(replace(package, spec=spec))
        assert calls, what
    _, calls = runs.run(package, executor=Functions(stamp="other packages"))
    assert calls == ["add", "add-2"]


def _container(spec):
    executor, *_ = spec["deploymentSpec"]["executors"].values()
    return executor["container"]


def test_a_run_without_a_cache_takes_and_leaves_nothing(runs):
    runs.run(sums, store=None)
    _, calls = runs.run(sums)
    assert calls == ["add", "add-2"]
    _, calls = runs.run(sums, store=None)
    assert calls == ["add", "add-2"]


def test_a_task_may_refuse_the_cache(runs):
    @dsl.pipeline
    def some():
        add(x=1)
        add(x=2).set_caching_options(False)

    runs.run(some)
    outcome, calls = runs.run(some)
    assert calls == ["add-2"]
    assert words(outcome) == {"add": "cached", "add-2": "succeeded"}


def test_a_key_of_its_own_stands_for_all_inputs(runs):
    @dsl.pipeline
    def keyed(n: int) -> int:
        task = add(x=n)
        task.set_caching_options(True, cache_key="monday")
        return task.output

    runs.run(keyed, {"n": 1})
    outcome, calls = runs.run(keyed, {"n": 2})
    assert calls == []
    assert outcome.outputs == {"Output": 2}


def test_a_failed_step_is_not_kept_and_the_others_of_its_run_are(runs):
    failed, _ = runs.run(sums, executor=Functions(fails=["add-2"]))
    assert not failed.succeeded
    outcome, calls = runs.run(sums)
    assert calls == ["add-2"]
    assert words(outcome) == {"add": "cached", "add-2": "succeeded"}


def test_equal_steps_of_one_run_share_what_the_first_has_made(runs):
    @dsl.pipeline
    def twice():
        one = add(x=1)
        add(x=1).after(one)

    outcome, calls = runs.run(twice)
    assert calls == ["add"]
    assert words(outcome) == {"add": "succeeded", "add-2": "cached"}


def test_iterations_are_taken_one_by_one(runs):
    @dsl.pipeline
    def loop(items: list):
        with dsl.ParallelFor(items) as item:
            add(x=item)

    runs.run(loop, {"items": [1, 2]})
    outcome, calls = runs.run(loop, {"items": [2, 3]})
    assert calls == ["add.1"]
    (step,) = outcome.steps
    assert [one.word for one in step.steps] == ["cached", "succeeded"]
    assert step.word == "succeeded"


def test_a_run_has_its_own_copies_of_the_files(runs):
    runs.run(files)
    outcome, calls = runs.run(files)
    assert calls == []
    shutil.rmtree(runs.folder / "run-1")
    made = outcome.steps[0].outputs.artifacts["data"]
    assert (runs.folder / "run-2" / made.uri).read_text() == "made by write"


def test_what_was_deleted_with_its_run_runs_again(runs):
    runs.run(files)
    shutil.rmtree(runs.folder / "run-1")
    assert list(runs.store.entries()) == []
    outcome, calls = runs.run(files)
    assert outcome.succeeded
    assert calls == ["write", "measure"]


def test_an_artifact_that_has_changed_since_is_made_again(runs):
    outcome, _ = runs.run(files)
    made = runs.folder / "run-1" / outcome.steps[0].outputs.artifacts["data"].uri
    made.write_text("changed")
    _, calls = runs.run(files)
    assert calls == ["write", "measure"]


def test_an_artifact_made_anew_is_another_one_though_it_is_equal(runs):
    """Kubeflow Pipelines knows artifacts by their numbers, and looks into none."""
    package = compiled(files, runs.folder)
    package.spec["root"]["dag"]["tasks"]["write"]["cachingOptions"] = {}
    runs.run(package)
    _, calls = runs.run(package)
    assert calls == ["write", "measure"]


def test_what_cannot_be_read_is_no_entry(runs):
    runs.run(sums)
    for path in runs.store.folder.iterdir():
        path.write_text('{"version": 1}')
    _, calls = runs.run(sums)
    assert calls == ["add", "add-2"]


@pytest.mark.parametrize("text", [b"", b"[]", b'{"version": 2}', b"[" * 100_000, b"null"])
def test_entries_are_checked(text):
    with pytest.raises(ValueError, match=r"."):
        Entry.read("key", text)


def test_a_name_for_people_is_kept_beside_the_name(runs):
    outcome, _ = runs.run(files)
    assert [(step.name, step.label) for step in outcome.steps] == [
        ("write", "Write the data"),
        ("measure", "measure"),
    ]
