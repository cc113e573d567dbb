"""Accidents while runs go on the server: killed processes, a full disk."""

import contextlib
import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest
from disks import small_disk
from servers import Server, at, chain
from waiting import is_alive, wait_for, wait_until_gone

from fastkf.base import leash

pytestmark = pytest.mark.security

# Ends when it is told to, and has a daemon.
WAITING = """
import os, subprocess, time
daemon = subprocess.Popen(["sleep", "600"], start_new_session=True)
os.makedirs(place)
open(f"{place}/draft", "w").write(f"{os.getpid()} {daemon.pid}")
os.rename(f"{place}/draft", f"{place}/pids")
while not os.path.exists(f"{place}/go"):
    time.sleep(0.05)
return 1"""


def run_waiting(server: Server, place: Path, *name: str) -> str:
    """Runs a step whose files are in this folder."""
    return server.run(chain(WAITING, parameters={"place": ""}), *name, **at(place))


def started(place: Path) -> list[int]:
    """Waits until the step has started; its pids."""
    wait_for((place / "pids").exists, seconds=120)
    return [int(pid) for pid in (place / "pids").read_text().split()]


@pytest.mark.skipif(not leash.HAS_SUBREAPERS, reason="only Linux has subreapers")
def test_whichever_process_of_a_run_is_killed_it_fails_and_all_of_it_ends(tmp_path):
    with Server(tmp_path, "--parallel-runs", 3) as server:
        places = {role: tmp_path / f"of {role}" for role in ("outer", "inner", "run")}
        runs = {role: run_waiting(server, place, role) for role, place in places.items()}
        pids = [pid for place in places.values() for pid in started(place)]
        for outer in psutil.Process(server.process.pid).children():
            (inner,) = outer.children()
            (process,) = inner.children()
            everything = outer.children(recursive=True)
            pids += [one.pid for one in everything]
            run = next(role for role, run in runs.items() if run in " ".join(process.cmdline()))
            {"outer": outer, "inner": inner, "run": process}[run].kill()
        answers = {role: server.wait(run) for role, run in runs.items()}
        assert wait_until_gone(pids) == set()
        assert [answer["state"] for answer in answers.values()] == ["FAILED"] * 3
        killed = "the run's process was killed by SIGKILL"
        assert killed in answers["inner"]["error"]["message"]
        assert killed in answers["run"]["error"]["message"]
        lost = "the run's process was ended, as the process that held it was killed by SIGKILL"
        assert lost in answers["outer"]["error"]["message"]
        for run in runs.values():
            assert server.record(run)["status"] == "failed"
            (step,) = server.record(run)["pipeline"]["steps"]
            assert step["status"] == "failed"


def fill(folder: Path) -> Path:
    """Fills the disk with one file."""
    with (
        (folder / "filling").open("wb", buffering=0) as file,
        contextlib.suppress(OSError),
    ):
        while True:
            file.write(bytes(4096))
    return folder / "filling"


def test_on_a_full_disk_runs_end_and_others_wait_for_room(tmp_path):
    """One run comes to its end, one is killed; none of both can be written down for a while."""
    folder = tmp_path / "server"
    folder.mkdir()
    with Server(folder, "--parallel-runs", 2, command=small_disk(folder)) as server:
        seen = Path(f"/proc/{server.process.pid}/root") / folder.relative_to("/")
        places = (tmp_path / "first", tmp_path / "second")
        first, second = (run_waiting(server, place) for place in places)
        waiting = server.run(chain("return 1"))
        pids = started(places[0]) + started(places[1])
        filling = fill(seen)
        os.rename(*(places[0] / name for name in ("pids", "go")))
        os.kill(pids[2], 9)
        processes = psutil.Process(server.process.pid)
        wait_for(lambda: not processes.children(), seconds=120)
        assert not any(map(is_alive, pids))
        status, answer = server.call("POST", f"/runs/{second}:terminate")
        assert (status, answer["code"]) == (503, 14)
        assert "database or disk is full" in answer["message"]
        more = {"display_name": "more", "pipeline_spec": chain("return 1")}
        status, answer = server.call("POST", "/runs", more)
        assert (status, answer["code"]) == (503, 14)
        assert "No space left on device" in answer["message"]
        assert server.state(first) == server.state(second) == "RUNNING"
        filling.unlink()
        answers = [server.wait(run) for run in (first, second)]
        assert [one["state"] for one in answers] == ["FAILED"] * 2
        assert all("cannot be written: no" in one["error"]["message"] for one in answers)
        assert server.wait(waiting)["state"] == "SUCCEEDED"


def test_a_run_whose_folder_is_removed_has_failed_for_that(tmp_path):
    with Server(tmp_path) as server:
        id = run_waiting(server, tmp_path / "place")
        folder = tmp_path / "runs" / id
        pids = started(tmp_path / "place")
        shutil.rmtree(folder)
        os.kill(pids[0], signal.SIGKILL)
        run = server.wait(id)
        assert run["state"] == "FAILED"
        assert f"{folder} was removed while the run was going" in str(run)
        assert wait_until_gone(pids) == set() or not leash.HAS_SUBREAPERS
