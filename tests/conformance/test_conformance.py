"""Packages whose results on a Kubeflow Pipelines are known, run here, with one warm parent."""

import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from cases import CASES, IMAGE, TASK_CONFIG
from local_runs import FRESH

from fastkf.base.errors import FastkfError
from fastkf.engine.run import Outcome, run_package
from fastkf.engine.step_folder import Provisions
from fastkf.engine.tasks.container import ContainerTasks
from fastkf.engine.tasks.python import PythonTasks
from fastkf.package.model import Package
from fastkf.package.settings import describe_settings
from fastkf.runs.model import State
from fastkf.runs.problems import explain_step

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("conformance")]
FOLDERS = {name: re.sub(r"\W", "-", name) for name in CASES}


def run_all(place: Path) -> dict:
    """Name to the outcome of its package, or to what it was refused with."""
    packages = write_all(place)
    found: dict[str, Outcome | str] = {}
    with PythonTasks(Provisions(place)) as python, ContainerTasks(place, {IMAGE: place}) as image:
        for name, path in packages.items():
            given = CASES[name].arguments.items()
            try:
                found[name] = run_package(
                    Package.read(path),
                    {key: str(place / "brought") if at == "PLACE" else at for key, at in given},
                    path.parent / "run",
                    executors={"python": python, "container": image},
                    on_step=lambda step: None,
                )
            except FastkfError as error:
                found[name] = str(error)
    return found


def write_all(place: Path) -> dict[str, Path]:
    """The packages, made where few modules are loaded: KFP reads the source of each, many times."""
    import sdk_packages
    import small_packages
    from kfp import compiler

    pipelines = vars(small_packages) | vars(sdk_packages)
    paths = {name: place / folder / "package.yaml" for name, folder in FOLDERS.items()}
    for name, path in paths.items():
        path.parent.mkdir()
        compiler.Compiler().compile(pipelines[CASES[name].pipeline], str(path))
        path.write_text(CASES[name].edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    return paths


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    # A folder that holds what was once replaced in paths, and a space.
    folder = tmp_path_factory.mktemp("python3 course")
    (folder / "brought").write_text("brought")
    return folder


@pytest.fixture(scope="module")
def outcomes(place):
    with ProcessPoolExecutor(max_workers=1, mp_context=FRESH) as pool:
        return pool.submit(run_all, place).result()


def list_errors(outcome: Outcome) -> str:
    steps = [explain_step(step, {}) for step in outcome.steps]
    return "\n".join([outcome.error or "", *(step.error or "" for step in steps)])


@pytest.mark.parametrize("name", CASES)
def test_what_a_kubeflow_does(outcomes, name):
    case, outcome = CASES[name], outcomes[name]
    if isinstance(outcome, str):
        assert case.error
        assert case.error in outcome
        return
    errors = list_errors(outcome)
    assert outcome.succeeded == (case.error is None), errors
    assert (case.error or "") in errors
    states = {
        step.name: step.state.value for step in outcome.steps if step.state is not State.SUCCEEDED
    }
    assert states == case.states, errors
    if case.outputs:
        assert outcome.outputs == case.outputs


def steps_of(outcomes, name) -> dict:
    return {step.name: step for step in outcomes[name].steps}


def test_the_status_that_an_exit_task_is_told(outcomes):
    told = {
        name: steps_of(outcomes, name)["report"].outputs.parameters["Output"]
        for name in ("an exit handler", "an exit handler after a failure")
    }
    assert told == {
        "an exit handler": "COMPLETE exit-handler-1 None",
        "an exit handler after a failure": "FAILED exit-handler-1 None",
    }


def test_a_task_that_ignores_a_failure_gets_its_default(outcomes):
    step = steps_of(outcomes, "a failure that is ignored")["show-default"]
    assert step.outputs.parameters == {"Output": "default"}


def test_each_iteration_and_each_attempt_has_its_log_inputs_and_outputs(outcomes, place):
    (check,) = outcomes["one iteration fails"].steps
    assert [step.inputs.parameters for step in check.steps] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [step.state.value for step in check.steps] == ["succeeded", "failed", "succeeded"]
    logs = place / FOLDERS["one iteration fails"] / "run" / "logs"
    assert "item 2 is bad" in (logs / "check.1.log").read_text()
    (tried,) = outcomes["a step that is tried again"].steps
    assert [(one.name, one.state.value) for one in tried.attempts] == [
        *[("fail.try-1", "failed"), ("fail.try-2", "failed")]
    ]
    logs = place / FOLDERS["a step that is tried again"] / "run" / "logs"
    whole, *parts = [(logs / f"fail{end}.log").read_text() for end in ("", ".try-1", ".try-2")]
    assert whole == "".join(parts)
    assert all("ValueError: always" in part for part in parts)


def test_the_placeholders_of_a_job(outcomes):
    text = steps_of(outcomes, "placeholders")["show"].outputs.parameters["Output"]
    name, resource_name, job_id, task, created, scheduled, rest = text.split(" ", 6)
    assert name == resource_name
    assert name.startswith("names-")
    assert re.fullmatch(r"[0-9a-f-]{36}", job_id)
    assert task == "show"
    assert created == scheduled
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created)
    assert rest == "{{$.inputs.parameters['not there']}}"


def test_a_step_with_which_no_pod_starts_is_told_why_and_what_to_do(outcomes):
    errors = list_errors(outcomes["values with which no pod starts"])
    assert "Linux starts no program with an argument or a variable of more than 131,071" in errors
    assert "pass what is long as an artifact" in errors


def test_a_log_says_which_kfp_runs_and_what_is_not_applied(outcomes, place):
    logs = place / FOLDERS["packages of another release"] / "run" / "logs"
    assert "kfp==2.14.6 is asked for; the step runs with" in (logs / "show.log").read_text()
    folder = place / FOLDERS["settings for Kubernetes"]
    said = (folder / "run" / "logs" / "show.log").read_text().splitlines()[0]
    assert said == "fastkf: not applied here: secrets as variables (db)"
    assert describe_settings(Package.read(folder / "package.yaml")) == (
        "show: secrets as variables (db), memory limit 1G",
    )


def test_a_task_is_told_what_it_asks_of_kubernetes(outcomes):
    steps = steps_of(outcomes, "what a task asks of Kubernetes")
    told = dict(steps["tell-config"].outputs.parameters["Output"])
    workspace, claim = told.pop("volumes")
    assert told == TASK_CONFIG
    assert claim == {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    assert workspace["persistentVolumeClaim"]["claimName"].endswith("-kfp-workspace")
    # Variables that are for what it starts alone are not set for the step itself.
    variables = [{"name": "ONE", "value": "1"}]
    told = steps["tell-variables"].outputs.parameters["Output"]
    assert told == [variables, None, None]


def test_what_is_drawn_and_told_of_a_step(outcomes, place):
    made = steps_of(outcomes, "what is drawn")["draw"].outputs.artifacts
    assert {name: one.type for name, one in made.items()} == {
        "page": "system.HTML",
        "text": "system.Markdown",
        "curve": "system.ClassificationMetrics",
        "metrics": "system.Metrics",
    }
    assert made["metrics"].metadata == {"accuracy": 0.9}
    assert outcomes["what is drawn"].metrics == {"draw.accuracy": 0.9}
    text = steps_of(outcomes, "placeholders of a step")["show"].outputs.parameters["Output"]
    task_id, root = text.split(" ", 1)
    assert re.fullmatch(r"[0-9a-f-]{36}", task_id)
    assert root == str(place / FOLDERS["placeholders of a step"] / "run" / "artifacts")


def test_an_importer_has_a_state_and_outputs_of_its_own(outcomes, place):
    step = steps_of(outcomes, "an imported file")["importer"]
    assert step.state is State.SUCCEEDED
    assert step.outputs.artifacts["artifact"].uri == str(place / "brought")
    assert step.outputs.artifacts["artifact"].metadata == {"of": str(place / "brought")}
