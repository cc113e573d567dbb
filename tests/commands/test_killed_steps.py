"""Each process of a step is killed once: the step says so, and nothing of it goes on."""

import signal
from pathlib import Path

import pytest
from build import write_notebook
from local_runs import run_notebook_here
from test_local import by_name
from waiting import wait_until_gone

from fastkf.base import leash
from fastkf.engine.notebook import execute_notebook
from fastkf.notebook.model import read
from fastkf.runs.model import State

pytestmark = [
    pytest.mark.security,
    pytest.mark.slow,
    pytest.mark.skipif(not leash.HAS_SUBREAPERS, reason="only Linux has subreapers"),
]

# In a cell, so that no time is waited for: `find` looks from the step's kernel for the others.
FUNCTIONS = """
def find(role):
    me, folder = psutil.Process(), os.environ["FASTKF_STEP_FOLDER"]
    warm_parent = me.parent().parent()
    def is_of_step(process):
        with contextlib.suppress(psutil.Error):
            return process.environ().get("FASTKF_STEP_FOLDER") == folder
    def runs(process, name):
        return any(word.endswith(name) for word in process.cmdline())
    leashes = [one for one in psutil.process_iter() if is_of_step(one) and runs(one, "leash.py")]
    outer = min(leashes, key=lambda one: one.create_time())
    clients = [one for one in psutil.process_iter() if is_of_step(one) and runs(one, "client.py")]
    [kernel_client] = [one for one in clients if one.parent().parent().parent() == warm_parent]
    executor = kernel_client.parent()
    return {
        "kernel": me,
        "keeper of the kernel": me.parent(),
        "client of the kernel": kernel_client,
        "executor": executor,
        "keeper of the executor": executor.parent(),
        "client of the executor": next(one for one in clients if one != kernel_client),
        "outer leash": outer,
        "inner leash": outer.children()[0],
        "warm parent": warm_parent,
    }[role]

def kill(role):
    name = role.replace(" ", "_")
    daemon = subprocess.Popen(["sleep", "600"], start_new_session=True)
    victim = find(role)
    with open(os.path.join(PLACE, f"{name}.pids"), "w") as file:
        print(daemon.pid, os.getpid(), victim.pid, file=file)
    victim.kill()
"""
IMPORTS = "import contextlib, os, subprocess, time\nimport psutil"
KILLED = "the step's process was killed by SIGKILL (exit code 137)"
SAID = {
    "kernel": "the kernel of the step was killed by SIGKILL (exit code 137)",
    "keeper of the kernel": "Kernel died",
    "client of the kernel": "Kernel died",
    "executor": KILLED,
    "keeper of the executor": KILLED,
    "client of the executor": KILLED,
    "outer leash": "was ended, as the process that held it was killed by SIGKILL (exit code 137)",
    "inner leash": KILLED,
}


def read_pids(folder: Path) -> list[int]:
    return [int(pid) for path in folder.glob("*.pids") for pid in path.read_text().split()]


def test_whichever_process_of_a_step_is_killed_the_step_fails_and_all_of_it_ends(tmp_path):
    steps = {role: f"victim_{number}" for number, role in enumerate(SAID)}
    notebook = write_notebook(
        tmp_path / "killed.ipynb",
        [
            ("imports", IMPORTS),
            ("functions", FUNCTIONS.replace("PLACE", repr(str(tmp_path)))),
            ("step:first", "ready = True"),
            *(
                ([f"step:{step}", "prev:first"], f"assert ready\nkill({role!r})\ntime.sleep(600)")
                for role, step in steps.items()
            ),
        ],
    )
    run = run_notebook_here(notebook, tmp_path / "run", IMPORTS, parallel=len(steps))
    assert not run.succeeded
    said = {role: str(by_name(run)[step].failure) for role, step in steps.items()}
    assert {role: text for role, text in said.items() if SAID[role] not in text} == {}
    pids = read_pids(tmp_path)
    assert len(pids) == 3 * len(steps)
    assert wait_until_gone(pids) == set()


def test_without_the_warm_parent_the_steps_go_on_in_fresh_interpreters(tmp_path):
    notebook = write_notebook(
        tmp_path / "killed.ipynb",
        [
            ("imports", IMPORTS),
            ("functions", FUNCTIONS.replace("PLACE", repr(str(tmp_path)))),
            ("step:first", "kill('warm parent')\none = 1"),
            (["step:second", "prev:first"], "two = float(one + 1)"),
            ("pipeline-metrics", "print(two)"),
        ],
    )
    run = run_notebook_here(notebook, tmp_path / "run", IMPORTS)
    assert {step.name: step.state for step in run.steps} == {
        "first": State.SUCCEEDED,
        "second": State.SUCCEEDED,
    }
    assert run.metrics == {"two": 2.0}
    assert wait_until_gone(read_pids(tmp_path)) == set()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGBUS])
def test_a_kernel_that_is_killed_is_told_in_words(tmp_path, number):
    cells = [("step:load", f"import os\nos.kill(os.getpid(), {int(number)})")]
    path = write_notebook(tmp_path / "killed.ipynb", cells)
    result = execute_notebook(read(path), tmp_path / "out.ipynb", {}, lambda done, total: None)
    assert result.error.startswith("the notebook's kernel has died: a cell has ended its process")
    assert f"was killed by {number.name} (exit code {128 + number}) (cell 1)" in result.error
