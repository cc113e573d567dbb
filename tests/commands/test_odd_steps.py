"""Steps that do what no step should: each has its true state, and takes nothing with it."""

import os
import pickle
import subprocess
import sys

import pytest
from servers import chain
from waiting import wait_until_gone

from fastkf.base import leash
from fastkf.engine.run import run_package
from fastkf.engine.step_folder import Provisions
from fastkf.engine.tasks.python import PythonTasks
from fastkf.package.model import Package
from fastkf.runs.model import State

pytestmark = [pytest.mark.security, pytest.mark.slow]

# What a step does, and what is said of it; None when it has succeeded.
ODD = {
    "import os\nos._exit(3)": "the step's process ended with exit code 3",
    "import os\nos.kill(os.getpid(), 15)": "was killed by SIGTERM (exit code 143)",
    "import ctypes\nctypes.string_at(0)": "was killed by SIGSEGV (exit code 139)",
    "raise MemoryError('no more')": "no more",
    "raise SystemExit(5)": "ended with exit code 5",
    "import sys\nsys.setrecursionlimit(100)\nf = lambda: f()\nf()": "recursion",
    "import os\nos.closerange(0, 3)\nreturn 1": None,
    "import os\nos.mkdir('gone')\nos.chdir('gone')\nos.rmdir('../gone')\nreturn 1": None,
    "print('x' * 5_000_000)\nreturn 1": None,
    "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
    "\nreturn 1": None,
    "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nreturn 1": None,
    "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    "        open(os.environ['PID'], 'w').write(str(os.getpid()))\n"
    "        os.execvp('env', ['env', '-i', 'sleep', '600'])\n    os._exit(0)\n"
    "pid = os.environ['PID']\n"
    "while not (os.path.exists(pid) and open(pid).read()): pass\nreturn 1": None,
}


# One that has one thread, as that of `fastkf run` has.
IN_AN_INTERPRETER = """
import pathlib, pickle, sys
import test_odd_steps
folder = pathlib.Path(sys.argv[1])
result = test_odd_steps.run_odd_steps(folder, warm=sys.argv[2] == "warm")
(folder / "result").write_bytes(pickle.dumps(result))
"""


def run_odd_steps(folder, warm):
    """The run, and which of the daemons that a step has left live on after the steps' end."""
    spec = chain(*ODD)
    for task in spec["root"]["dag"]["tasks"].values():
        task["dependentTasks"] = []
    os.environ["PID"] = str(folder / "pid")
    with PythonTasks(Provisions(folder), warm=warm) as python:
        run = run_package(
            Package.from_spec(spec),
            {},
            folder / "run",
            executors={"python": python},
            on_step=lambda step: None,
        )
        pid = int((folder / "pid").read_text())
        return run, wait_until_gone([pid]) if leash.HAS_SUBREAPERS else set()


@pytest.mark.parametrize("kind", ["warm", "fresh"])
def test_odd_steps_have_their_true_states(tmp_path, kind):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", IN_AN_INTERPRETER, tmp_path, kind]
    subprocess.run(command, env=environment, check=True)
    run, daemons = pickle.loads((tmp_path / "result").read_bytes())
    assert daemons == set()
    steps = {step.name: step for step in run.steps}
    for number, (source, said) in enumerate(ODD.items(), start=1):
        step = steps[f"step-{number}"]
        state = State.SUCCEEDED if said is None else State.FAILED
        assert step.state is state, f"{source}: {step.failure}"
        assert said is None or said in step.failure.message, source
