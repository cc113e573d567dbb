"""The pre-commit hook and the GitHub action by which other repositories check notebooks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from build import write_notebook

from fastkf.course.places import CHECKOUT

ACTION = yaml.safe_load((CHECKOUT / "action.yml").read_text())
HOOKS = yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text())


@pytest.mark.slow
def test_the_action_follows_the_schema():
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-actions",
    ]
    done = subprocess.run([*command, CHECKOUT / "action.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hook_is_a_command_for_notebooks():
    (hook,) = HOOKS
    assert (hook["entry"], hook["types"]) == ("fastkf check", ["jupyter"])


def run_action(folder, **inputs):
    """The action's last step, with the inputs as GitHub hands them over."""
    (folder / "fastkf" / "bin").mkdir(parents=True, exist_ok=True)
    command = folder / "fastkf" / "bin" / "fastkf"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m fastkf.cli "$@"\n')
    command.chmod(0o755)
    given = {name: one["default"] for name, one in ACTION["inputs"].items()} | inputs
    step = ACTION["runs"]["steps"][-1]
    variables = {name: given[name.lower()] for name in step["env"]}
    environment = {**os.environ, **variables, "RUNNER_TEMP": str(folder)}
    return subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_action_reports_beside_the_lines_and_fails_at_an_error(tmp_path):
    write_notebook(tmp_path / "my notebooks" / "a.ipynb", [("step:load", "x = y")])
    done = run_action(tmp_path, paths="my notebooks\n", sarif="found.sarif")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error file=my notebooks/a.ipynb,line=")
    assert '"undefined-name"' in (tmp_path / "found.sarif").read_text()
    assert run_action(tmp_path, ignore="undefined-name\nmagic").returncode == 0


def test_what_an_input_holds_is_no_command(tmp_path):
    done = run_action(tmp_path, paths='$(touch made); "; touch made #', ignore="`touch made`")
    assert done.returncode == 2
    assert not Path(tmp_path / "made").exists()
