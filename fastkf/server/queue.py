"""The runs that wait and the runs that go: one child process a run, a few at a time."""

import logging
import subprocess
import sys
import threading
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from fastkf.base import processes
from fastkf.runs.model import State
from fastkf.server import database as db
from fastkf.server import runs
from fastkf.server.settings import Settings

KILLED = 128 + 9
SECONDS_TO_RECOVER = 10.0
SECONDS_TO_END = 10.0  # a run needs up to 5 to end the processes of its steps
LOG = "server.log"  # what a run's process has to say that is no step's


class RunQueue:
    """Starts the runs that are PENDING in the database, oldest first, as places are free.

    A run's process ends with this one, however it ends (see `fastkf.base.processes`).
    """

    def __init__(self, settings: Settings, database: db.Database):
        self._settings, self._database = settings, database
        self._going: dict[str, subprocess.Popen] = {}
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._dispatch, name="queue", daemon=True)

    def start(self) -> None:
        """Marks what an earlier server has left as failed, then begins."""
        with self._database.write() as session:
            interrupted = runs.fail_interrupted(session)
        for run in interrupted:
            runs.end_record(self._settings, run)
        self._thread.start()

    def wake(self) -> None:
        """Says that there may be a run to start."""
        with self._changed:
            self._changed.notify_all()

    def terminate(self, run_id: str, wait: bool = False) -> None:
        """Ends the run's processes, if it has any; its state is set when they are gone.

        Args:
            wait: return only when the run has ended.
        """
        with self._changed:
            process = self._going.get(run_id)
        if process is None:
            return
        ending = threading.Thread(
            target=processes.end, args=([process], SECONDS_TO_END), daemon=True
        )
        ending.start()
        if wait:
            with self._changed:
                self._changed.wait_for(lambda: run_id not in self._going)

    def stop(self) -> None:
        """Starts no more runs and ends the processes of those that go."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            going = list(self._going.values())
        processes.end(going, SECONDS_TO_END)
        with self._changed:
            self._changed.wait_for(lambda: not self._going, timeout=SECONDS_TO_END)

    def _dispatch(self) -> None:
        with self._changed:
            while not self._ended:
                has_place = len(self._going) < self._settings.parallel_runs
                try:
                    if not (has_place and self._start_next()):
                        self._changed.wait()
                except SQLAlchemyError:  # a full disk, say: the runs wait for better times
                    logging.exception("the queue cannot use its database")
                    self._changed.wait(SECONDS_TO_RECOVER)

    def _start_next(self) -> bool:
        """Starts the oldest waiting run; False when none waits."""
        query = select(db.Run).where(db.Run.state == "PENDING")
        with self._database.write() as session:
            run = session.scalar(query.order_by(db.Run.scheduled_at, db.Run.id).limit(1))
            if run is None:
                return False
            runs.set_state(run, "RUNNING")
            run.started_at = db.now()
        kept = runs.read_run(self._settings, run.id)
        if missing := runs.find_missing(self._settings, kept.parameters if kept else {}):
            self._write_outcome(run.id, "FAILED", missing)
            return True
        try:
            self._going[run.id] = self._start_process(run.id)
        except OSError as error:
            self._write_outcome(run.id, "FAILED", f"the run's process cannot be started: {error}")
        else:
            threading.Thread(target=self._follow, args=(run.id,), daemon=True).start()
        return True

    def _start_process(self, run_id: str) -> subprocess.Popen:
        folder = self._settings.run_folder(run_id)
        (folder / "logs").mkdir(exist_ok=True)
        with (folder / "logs" / LOG).open("wb") as log:
            command: list[str | Path] = [sys.executable, "-m", "fastkf.server.execute", folder]
            return processes.start(command, log, folder)

    def _follow(self, run_id: str) -> None:
        """Waits for the end of a run's process and writes the outcome down."""
        process = self._going[run_id]
        code = process.wait()
        if process.stdin:
            process.stdin.close()
        try:
            self._write_outcome(run_id, *self._outcome(run_id, code))
        finally:
            with self._changed:
                del self._going[run_id]
                self._changed.notify_all()

    def _write_outcome(self, run_id: str, state: str, error: str | None) -> None:
        with self._database.write() as session:
            run = session.get(db.Run, run_id)
            if run is None:
                return
            is_terminated = run.state == "CANCELING" and state == "FAILED"
            runs.set_state(run, *("CANCELED", None) if is_terminated else (state, error))
        runs.end_record(self._settings, run)

    def _outcome(self, run_id: str, code: int) -> tuple[str, str | None]:
        if code == 0:
            return "SUCCEEDED", None
        if self._ended:
            return "FAILED", "the server was ended while the run was going"
        run = runs.read_run(self._settings, run_id)
        if run and run.state is State.FAILED:
            return "FAILED", run.error or "the run failed"
        if code == KILLED:
            return "FAILED", "the run's process was killed, as the system does when memory runs out"
        log = self._settings.run_folder(run_id) / "logs" / LOG
        return "FAILED", f"the run's process ended with exit code {code}; see {log}"
