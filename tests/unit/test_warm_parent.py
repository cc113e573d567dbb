"""The warm parent's beginning and end. How steps run in its forks: tests/commands."""

import subprocess
import sys

import pytest

from fastkf.engine.warm.parent import CAN_FORK

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="there is no warm parent here")

SLOW = "import time\nfrom pathlib import Path\nPath({mark!r}).touch()\ntime.sleep(60)\n"
PROGRAM = """
import subprocess, sys, time
from pathlib import Path
from fastkf.engine.warm.parent import python_for_steps
folder, mark = Path(sys.argv[1], "steps"), Path(sys.argv[2])
folder.mkdir()
with python_for_steps(folder, None) as python:
    while not mark.exists():
        time.sleep(0.01)
    if sys.argv[3:]:
        python.cool()
        subprocess.run([python.stub, *sys.argv[3:]], check=True)
print(folder.exists())
"""


@pytest.fixture
def begin(tmp_path):
    """Runs the program, whose warm parent is a minute at its imports."""
    mark = tmp_path / "imports"
    (tmp_path / "kfp.py").write_text(SLOW.format(mark=str(mark)))

    def begin(*command: str) -> str:
        path = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        program = [sys.executable, "-c", path + PROGRAM, tmp_path, mark, *command]
        ended = subprocess.run(program, capture_output=True, text=True, timeout=30, check=True)
        return ended.stdout

    return begin


def test_imports_that_nobody_needs_any_more_are_not_waited_for(begin):
    assert begin() == "False\n"


def test_steps_of_a_warm_parent_that_is_not_wanted_have_fresh_interpreters(begin):
    assert begin("-m", "pip", "install", "packaging") == "False\n"
