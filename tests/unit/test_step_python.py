"""What a step's `python3 -m pip` and `-m venv` are answered."""

import json
import os
import subprocess
from importlib import metadata

import pytest

from fastkf.engine.warm import interpreter


@pytest.fixture
def step(tmp_path, monkeypatch):
    monkeypatch.setenv(interpreter.STEP_FOLDER, str(tmp_path))
    monkeypatch.setenv(interpreter.STUB, "/some/python3")
    monkeypatch.setenv(interpreter.RUNTIME, "nbclient jupyter-client")
    return tmp_path


@pytest.mark.parametrize(
    "requirement",
    [
        "packaging",
        "kfp==2.0.0",
        "git+https://github.com/kubeflow/pipelines.git@master#subdirectory=sdk/python",
        "kfp_pipeline_spec<0.1",
        "jupyter_client>=7,<7.1",
        'nothing-like-it==1; python_version<"3.0"',
    ],
)
def test_what_a_step_may_ask_for(step, requirement):
    assert interpreter.answer_pip(["install", "--quiet", requirement, "--no-deps"]) == 0
    assert list(step.iterdir()) == []


def test_the_log_names_the_kfp_that_runs(step, capfd):
    interpreter.answer_pip(["install", "kfp==2.0.0"])
    version = metadata.version("kfp")
    assert capfd.readouterr().out == (
        f"fastkf: kfp==2.0.0 is asked for; the step runs with {version}\n"
    )


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("packaging==0.1", "packaging==0.1 (here: "),
        ("nothing-like-it", "nothing-like-it (here: not installed)"),
        ("git+https://example.com/x.git", "git+https://example.com/x.git (which is no name of a"),
    ],
)
def test_what_is_not_here_is_named_offline(step, requirement, said, monkeypatch):
    monkeypatch.setenv(interpreter.OFFLINE, "1")
    assert interpreter.answer_pip(["install", requirement]) == 1
    error = json.loads((step / interpreter.ERROR_FILE).read_text())
    assert error["name"] == "MissingPackage"
    assert said in error["message"]


def test_a_virtual_environment_has_the_steps_own_python(step, tmp_path):
    folder = tmp_path / "it's an environment"
    assert interpreter.answer_venv([str(folder), "--system-site-packages"]) == 0
    assert os.readlink(folder / "bin" / "python3") == "/some/python3"
    script = f'. "{folder}/bin/activate"; echo "$VIRTUAL_ENV"; echo "$PATH"'
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    environment, path = ran.stdout.splitlines()
    assert environment == str(folder)
    assert path.startswith(f"{folder}/bin:")
