"""Child processes: their exit codes, their end, and that they do not outlive who started them."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
from waiting import is_alive, wait_until_gone

from fastkf.base import leash, oom, processes

pytestmark = pytest.mark.slow

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


@pytest.mark.slow
def test_children_do_not_outlive_a_killed_parent():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    children = [int(parent.stdout.readline()) for _ in range(2)]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert wait_until_gone(children) == set()


# Three daemons: in a session of its own, through a double fork, and without any variable.
DAEMONS = """
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
one = subprocess.Popen(sleep, start_new_session=True)
print(one.pid, flush=True)
for environment in (None, {}):
    program = f"import subprocess; print(subprocess.Popen({sleep!r}, env={environment!r}).pid)"
    subprocess.run([sys.executable, "-c", program], start_new_session=True)
print(os.getpid(), flush=True)
"""
needs_subreapers = pytest.mark.skipif(not leash.HAS_SUBREAPERS, reason="only Linux has subreapers")


@pytest.fixture
def with_daemons():
    """`with_daemons(code)`: a process that starts daemons, and all pids below it."""
    started = []

    def begin(code: str = "", **options):
        command = [sys.executable, "-c", f"{DAEMONS}\n{code}"]
        process = processes.start(command, subprocess.PIPE, **options)
        started.append([process, *(int(process.stdout.readline()) for _ in range(4))])
        return started[-1][0], started[-1][1:]

    yield begin
    for process, *pids in started:
        processes.end([process], seconds=0)
        process.stdout.close()
        for pid in filter(is_alive, pids):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.security
@needs_subreapers
def test_what_a_command_leaves_ends_with_it(with_daemons):
    process, pids = with_daemons()
    assert process.wait(30) == 0
    assert not any(map(is_alive, pids))


@pytest.mark.security
@needs_subreapers
def test_the_daemons_of_a_command_end_when_it_is_ended(with_daemons):
    process, pids = with_daemons("time.sleep(60)")
    processes.end([process], seconds=0.2)
    assert not any(map(is_alive, pids))


@pytest.mark.security
@needs_subreapers
@pytest.mark.parametrize("place", ["outer", "inner", "command"])
def test_whichever_process_of_a_leash_is_killed_all_end(with_daemons, place):
    process, pids = with_daemons("time.sleep(60)")
    (inner,) = psutil.Process(process.pid).children()
    victims = {"outer": process.pid, "inner": inner.pid, "command": pids[-1]}
    os.kill(victims[place], signal.SIGKILL)
    assert process.wait(30) == (-9 if place == "outer" else 137)
    assert processes.was_killed(process) == (place == "outer")
    assert wait_until_gone([*pids, process.pid, inner.pid]) == set()


@pytest.mark.security
def test_daemons_may_be_let_go_on(with_daemons):
    process, pids = with_daemons(keep_daemons=True)
    assert process.wait(30) == 0
    assert all(map(is_alive, pids[:3]))


@pytest.mark.security
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_leash_outlives_the_signals_that_its_command_is_sent(number):
    program = "import signal, sys; signal.signal(int(sys.argv[1]), lambda *_: sys.exit(5))"
    command = [sys.executable, "-c", f"{program}; print(flush=True); signal.pause()", str(number)]
    process = processes.start(command, subprocess.PIPE)
    process.stdout.readline()
    os.killpg(process.pid, number)
    assert process.wait(30) == 5
    process.stdout.close()


@pytest.mark.security
@pytest.mark.parametrize(
    ("code", "short", "said"),
    [
        (0, True, "ended with exit code 0"),
        (3, True, "ended with exit code 3"),
        (
            -9,
            True,
            "was ended, as the process that held it was killed by SIGKILL; the machine was short "
            "of memory (exit code 137)",
        ),
        (137, True, "was killed by SIGKILL; the machine was short of memory (exit code 137)"),
        (137, False, "was killed by SIGKILL (exit code 137)"),
        (139, True, "was killed by SIGSEGV (exit code 139)"),
        (255, False, "ended with exit code 255"),
    ],
)
def test_an_ending_says_which_signal_it_was_and_whether_memory_ran_out(
    tmp_path, monkeypatch, code, short, said
):
    """The counters are those of proc(5) and of the kernel's cgroup-v2 and cgroup-v1 guides."""
    vmstat, events, control = (tmp_path / name for name in ("vmstat", "events", "oom_control"))
    vmstat.write_text("pgfault 17\noom_kill 2\nunevictable_pgs_culled 0\n")
    events.write_text("oom 0\noom_kill 0\noom_group_kill 0\n")
    counters = (vmstat, events, control, tmp_path / "not_there")
    assert oom.count_oom_kills(counters) == 2
    monkeypatch.setattr(processes, "count_oom_kills", lambda: oom.count_oom_kills(counters))
    memory = processes.MemoryWatch()
    if short:
        control.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    ending = memory.ending(code)
    assert str(ending) == said
    assert (ending.cause is None) == said.startswith("ended with exit code")
