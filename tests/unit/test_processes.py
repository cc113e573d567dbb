"""Child processes: their exit codes, their end, and that they do not outlive who started them."""

import os
import signal
import subprocess
import sys

import pytest
from waiting import wait_until_gone

from fastkf.base import processes

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys, time
from fastkf.base import processes
child = processes.start([sys.executable, "-c", {STUBBORN!r}], sys.stdout)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("program", "code"),
    [("pass", 0), ("exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_exit_code_is_the_commands(program, code):
    process = processes.start([sys.executable, "-c", program], subprocess.DEVNULL)
    assert process.wait(30) == code


def test_a_command_that_is_not_there_says_so(tmp_path):
    with (tmp_path / "log").open("w") as log:
        assert processes.start(["no-such-command"], log).wait(30) == 127
    assert "no-such-command: No such file or directory" in (tmp_path / "log").read_text()


def test_end_kills_what_does_not_end_by_itself_and_what_it_started():
    process = processes.start([sys.executable, "-c", STUBBORN], subprocess.PIPE)
    grandchild = int(process.stdout.readline())
    processes.end([process], seconds=0.5)
    assert wait_until_gone([process.pid, grandchild]) == set()


def test_children_do_not_outlive_a_killed_parent():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    children = [int(parent.stdout.readline()) for _ in range(2)]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert wait_until_gone(children) == set()
