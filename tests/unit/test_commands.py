"""The tests' own way to call `fastkf`: a forked command is as one in a new interpreter."""

import os
import signal
import subprocess

import pytest
from commands import Forked, fastkf, launch, start
from waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("words", [["--help"], ["dance"], ["check", "no_such.ipynb"]], ids=" ".join)
def test_forked_or_fresh_a_command_is_the_same(words, tmp_path):
    forked, fresh = (fastkf(*words, fresh=fresh, cwd=tmp_path) for fresh in (False, True))
    assert (forked.code, forked.output) == (fresh.code, fresh.output)


def test_the_environment_is_the_one_given(tmp_path):
    environment = {**os.environ, "FASTKF_SERVER": str(tmp_path / "named")}
    server = start("server", "--port", 0, env=environment)
    assert isinstance(server, Forked)
    assert server.stdout.readline()
    assert (tmp_path / "named" / "server.json").exists()
    server.terminate()
    assert server.wait(60) == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -9)]
)
def test_a_signal_ends_it_as_it_ends_any_process(number, code, tmp_path):
    server = start("server", "--folder", tmp_path, "--port", 0)
    assert server.stdout.readline()
    assert server.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        server.wait(timeout=0)
    server.send_signal(number)
    assert server.wait(60) == code
    wait_for(lambda: not os.path.exists(f"/proc/{server.pid}"))
    server.send_signal(number)  # to nobody


def test_what_is_read_at_the_start_asks_for_a_new_interpreter():
    seeded = launch(["--help"], env={**os.environ, "PYTHONHASHSEED": "1"})
    assert isinstance(seeded, subprocess.Popen)
    output, _ = seeded.communicate(timeout=60)
    assert "Usage" in output


def test_many_at_once(tmp_path):
    processes = [launch(["check", "no_such.ipynb"], cwd=tmp_path) for _ in range(5)]
    results = [process.communicate(timeout=60) for process in processes]
    assert len({process.pid for process in processes}) == 5
    assert len(set(results)) == 1
    assert [process.returncode for process in processes] == [2] * 5
