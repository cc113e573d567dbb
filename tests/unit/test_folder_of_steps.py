"""The folder for temporary files, in which the steps of a run have theirs."""

import os
import subprocess
import sys

import pytest
from disks import small_disk

from fastkf.base.processes import Ending
from fastkf.engine.tasks import python
from fastkf.engine.tasks.python import read_failure

pytestmark = pytest.mark.security

PROGRAM = """
import os, sys
from pathlib import Path
from fastkf.base.errors import FastkfError
from fastkf.engine.warm.parent import python_for_steps
folder = Path(sys.argv[1], "steps")
folder.mkdir()
try:
    with python_for_steps(folder, warm=sys.argv[2] == "True"):
        print("started")
except FastkfError as error:
    print(error)
print(folder.exists())
"""


@pytest.mark.parametrize("warm", [True, False])
def test_a_folder_in_which_no_program_can_be_started_is_named(tmp_path, warm):
    disk = small_disk(tmp_path, "size=1m,noexec")
    command = [*disk, sys.executable, "-c", PROGRAM, tmp_path, str(warm)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"{tmp_path}/steps: no program can be started there")
    assert result.stdout.endswith("set TMPDIR to another folder\nFalse\n")
    assert result.stdout.count("\n") == 2


@pytest.mark.parametrize("said", ["", '{"name": "Val', '{"unknown": 1}', None])
def test_a_step_that_could_not_say_why_it_failed_has_failed_for_its_exit_code(tmp_path, said):
    if said is not None:
        (tmp_path / "error.json").write_text(said)
    failure = read_failure(tmp_path, Ending(3))
    assert (failure.name, failure.message) == (
        "StepError",
        "the step's process ended with exit code 3",
    )


def test_a_step_without_room_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(python, "is_full", lambda folder: folder == tmp_path)
    message = read_failure(tmp_path, Ending(1)).message
    assert "exit code 1; there is no space left in " in message
    assert message.endswith("set TMPDIR to another folder")


def test_an_error_that_a_step_could_not_write_is_no_half_of_one(tmp_path, monkeypatch):
    from fastkf.engine.warm import interpreter

    monkeypatch.setenv(interpreter.STEP_FOLDER, str(tmp_path))
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        interpreter.write_error("ValueError", "a message")
    assert list(tmp_path.iterdir()) == []
