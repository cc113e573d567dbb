"""The queue of runs, with processes that take no time: shortages, odd ends, jumps of the clock."""

import errno
import sys
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError
from waiting import wait_for

from fastkf.base import clock, processes
from fastkf.runs.model import Run, State
from fastkf.runs.record import read_run, write_run
from fastkf.server import database as db
from fastkf.server import queue as queues
from fastkf.server import runs
from fastkf.server.queue import RunQueue
from fastkf.server.settings import Settings, SharedFolder

pytestmark = pytest.mark.security


@pytest.fixture
def settings(tmp_path) -> Settings:
    for name in ("runs", "pipelines"):
        (tmp_path / name).mkdir()
    return Settings(tmp_path, parallel_runs=2)


@pytest.fixture
def database(settings):
    database = db.Database(settings.database)
    yield database
    database.close()


@pytest.fixture
def queue(settings, database, monkeypatch):
    """A queue whose runs are what `programs` says, the first that is left; else they succeed."""
    monkeypatch.setattr(queues, "SECONDS_TO_RECOVER", 0.05)
    queue = RunQueue(settings, database)
    queue.programs, started = [], processes.start

    def start(command, log, folder):
        program = queue.programs.pop(0) if queue.programs else ""
        if isinstance(program, OSError):
            raise program
        return started([sys.executable, "-c", program], log, folder)

    monkeypatch.setattr(processes, "start", start)
    queue.start()
    yield queue
    queue.stop()


def add(queue: RunQueue, database: db.Database, settings: Settings, state: str = "PENDING") -> str:
    moment = clock.now()
    run = db.Run(id=str(uuid.uuid4()), experiment_id="one", display_name="run", state_history=[])
    run.pipeline_name, run.created_at, run.scheduled_at = "chain", moment, moment
    runs.set_state(run, state)
    settings.run_folder(run.id).mkdir()
    write_run(Run(settings.run_folder(run.id), "chain", "chain", state=State[state]))
    with database.write() as session:
        session.add(run)
    queue.wake()
    return run.id


def ended(database: db.Database, run_id: str) -> db.Run:
    def find():
        with database.read() as session:
            run = session.get(db.Run, run_id)
            return None if run.is_going else run

    return wait_for(find)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM, errno.ENOSPC, errno.EAGAIN])
def test_a_run_that_cannot_be_started_now_waits(queue, database, settings, number):
    queue.programs += [OSError(number, "not now")] * 3
    run = ended(database, add(queue, database, settings))
    assert run.state == "SUCCEEDED"
    states = [one["state"] for one in run.state_history]
    assert states == ["PENDING", "RUNNING", "SUCCEEDED"]


def test_a_run_that_can_never_be_started_fails(queue, database, settings):
    queue.programs.append(OSError(errno.ENOENT, "no such thing"))
    run = ended(database, add(queue, database, settings))
    assert run.state == "FAILED"
    assert "cannot be started: [Errno 2] no such thing" in run.error


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit(9)", "the run's process ended with exit code 9; see "),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL (exit code 137)"),
        ("import os; os.kill(os.getppid(), 9)", "was killed by SIGKILL (exit code 137)"),
        ("import os; os.kill(os.getpgid(0), 9)", "the process that held it was killed by SIGKILL"),
        ("raise SystemExit(74)", "cannot be written: no space is left there"),
    ],
)
def test_a_run_says_how_its_process_ended(queue, database, settings, program, said):
    queue.programs.append(f"{program}\nimport time; time.sleep(600)")
    run = ended(database, add(queue, database, settings))
    assert run.state == "FAILED"
    assert said in run.error


@pytest.mark.parametrize(
    "error", [OperationalError("", {}, Exception("full")), OSError(28, "full")]
)
def test_an_outcome_that_cannot_be_written_is_written_later(
    queue, database, settings, monkeypatch, error
):
    set_state, failures = runs.set_state, [error] * 3

    def set_state_with_room(run, state, reason=None):
        if state == "SUCCEEDED" and failures:
            raise failures.pop()
        set_state(run, state, reason)

    monkeypatch.setattr(runs, "set_state", set_state_with_room)
    first = add(queue, database, settings)
    assert ended(database, first).state == "SUCCEEDED"
    assert not failures
    assert ended(database, add(queue, database, settings)).state == "SUCCEEDED"


def without_room(monkeypatch, times: int) -> list[OSError]:
    """Has so many records of runs not be written; returns what is left of these errors."""
    write_run, errors = runs.write_run, [OSError(errno.ENOSPC, "full")] * times

    def write_with_room(run) -> None:
        if errors:
            raise errors.pop()
        write_run(run)

    monkeypatch.setattr(runs, "write_run", write_with_room)
    return errors


def test_the_record_of_an_interrupted_run_is_written_when_there_is_room(
    database, settings, monkeypatch
):
    queue = RunQueue(settings, database)
    run_id = add(queue, database, settings, "RUNNING")
    monkeypatch.setattr(queues, "SECONDS_TO_RECOVER", 0.05)
    without_room(monkeypatch, 2)
    queue.start()
    try:
        wait_for(lambda: read_run(settings.run_folder(run_id)).state is State.FAILED, 20)
    finally:
        queue.stop()
    assert ended(database, run_id).state == "FAILED"


def test_the_record_of_a_run_that_cannot_be_started_is_written_when_there_is_room(
    queue, database, settings, monkeypatch
):
    errors = without_room(monkeypatch, 2)
    monkeypatch.setattr(runs, "find_missing", lambda *_: "there is no such folder")
    run_id = add(queue, database, settings)
    assert ended(database, run_id).error == "there is no such folder"
    assert not errors
    assert read_run(settings.run_folder(run_id)).state is State.FAILED


@pytest.mark.parametrize("name", ["x" * 300, "file/below"])
def test_a_shared_file_that_cannot_be_looked_for_is_not_there(settings, tmp_path, name):
    """An error would hold up the queue: its run, and all that wait behind it, for ever."""
    (tmp_path / "file").touch()
    settings = replace(settings, shared={"data": SharedFolder(tmp_path, "fetch it")})
    found = runs.find_missing(settings, {"place": f"../data/{name}"})
    assert "there is no such folder or file" in found
    assert "fetch it" in found


def test_a_record_that_may_not_be_written_holds_nothing_up(database, settings, monkeypatch, caplog):
    """A step may have closed the folder of its run."""
    queue = RunQueue(settings, database)
    run_id = add(queue, database, settings, "RUNNING")

    def refuse(run) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(runs, "write_run", refuse)
    queue.start()
    queue.stop()
    assert ended(database, run_id).state == "FAILED"
    assert "Permission denied" in caplog.text


def test_the_clock_may_jump(queue, database, settings, monkeypatch):
    """A day back and ten years ahead; runs end, and their times can be told."""
    true_now = clock.now
    for jump in (timedelta(0), timedelta(days=-1), timedelta(days=3650)):
        monkeypatch.setattr(clock, "now", lambda jump=jump: true_now() + jump)
        run = ended(database, add(queue, database, settings))
        assert run.state == "SUCCEEDED"
        assert run.created_at <= run.started_at <= run.finished_at
    queue.programs.append("import time\nwhile True: time.sleep(0.01)")
    run_id = add(queue, database, settings)
    wait_for(lambda: not queue.programs)
    monkeypatch.setattr(clock, "now", lambda: true_now() - timedelta(days=1))
    queue.terminate(run_id, wait=True)
    assert ended(database, run_id).state == "FAILED"
