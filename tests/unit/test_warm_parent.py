"""The warm parent, and the stub before it. How steps run in its forks: tests/commands."""

import os
import subprocess
import sys

import pytest

from fastkf.engine.warm.interpreter import PRESENT
from fastkf.engine.warm.parent import CAN_FORK, write_stub

needs_fork = pytest.mark.skipif(not CAN_FORK, reason="there is no warm parent here")

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


@needs_fork
def test_imports_that_nobody_needs_any_more_are_not_waited_for(begin):
    assert begin() == "False\n"


@needs_fork
def test_steps_of_a_warm_parent_that_is_not_wanted_have_fresh_interpreters(begin):
    assert begin("-m", "pip", "install", "packaging") == "False\n"


@pytest.mark.parametrize(
    ("words", "present", "started"),
    [
        ("-m pip install -q a>=1 b", "-m pip install c\n-m pip install -q a>=1 b", False),
        ("-m pip install -q a>=1", "-m pip install -q a>=1 b", True),
        ("-m pip install *", "-m pip install a", True),
        ("-m pip install", "", True),
        ("", "", True),
        ("-m kfp.dsl.executor_main", "-m kfp.dsl.executor_main", True),
    ],
)
def test_only_an_install_of_what_is_here_starts_no_interpreter(tmp_path, words, present, started):
    write_stub(stub := tmp_path / "python3", ["false"])
    ended = subprocess.run([stub, *words.split()], env={**os.environ, PRESENT: present})
    assert (ended.returncode != 0) == started


ORDER = """
import io, sys, types
from fastkf.engine.warm.ahead import import_ahead
import_ahead("import joblib")
import joblib
if sys.argv[1:]:
    import dill
    from fastkf.engine.warm.kernel import keep_order_of_imports
    info = types.SimpleNamespace(raw_cell=sys.argv[1])
    keep_order_of_imports(types.SimpleNamespace(info=info))
joblib.dump(lambda: 1, io.BytesIO())
"""


@pytest.mark.parametrize(
    ("blocks", "fails"),
    [([], True), (["import numpy"], True), (['x = _kale_marshal.load("x_artifact")'], False)],
)
def test_joblib_saves_a_lambda_where_it_does_in_a_kernel_of_kale(blocks, fails):
    program = [sys.executable, "-c", ORDER, *blocks]
    ended = subprocess.run(program, capture_output=True, text=True)
    assert ("Can't pickle" in ended.stderr) is fails, ended.stderr
