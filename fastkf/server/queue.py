"""The runs that wait and the runs that go: one child process a run, a few at a time."""

import errno
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from fastkf.base import clock, processes
from fastkf.base.errors import first_line
from fastkf.base.files import is_full, lacks_space
from fastkf.base.processes import Ending, MemoryWatch, Process
from fastkf.runs.model import State
from fastkf.server import database as db
from fastkf.server import execute, leftovers, runs
from fastkf.server.execute import DISK_FULL
from fastkf.server.settings import Settings

SECONDS_TO_RECOVER = 2.0
SECONDS_TO_END = 10.0  # a run needs up to 5 to end the processes of its steps
LOG = "server.log"  # what a run's process has to say that is no step's
# What passes, as a full disk does: a run that cannot be started for it waits.
SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


class RunQueue:
    """Starts the runs that are PENDING in the database, oldest first, as places are free.

    A run's process ends with this one, however it ends (see `fastkf.base.processes`). What cannot
    be written down, on a full disk say, is tried again until it can be; the run keeps its place
    meanwhile.
    """

    def __init__(self, settings: Settings, database: db.Database):
        self._settings, self._database = settings, database
        self._going: dict[str, Process] = {}
        self._changed = threading.Condition()
        self._is_cleared = self._ended = False
        self._thread = threading.Thread(target=self._dispatch, name="queue", daemon=True)

    def start(self) -> None:
        """Clears up what an earlier server has left, then begins."""
        self._is_cleared = self._attempt(self._clear_up)
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
                self._is_cleared = self._is_cleared or self._attempt(self._clear_up)
                if not (self._is_cleared and self._attempt(self._start_waiting)):
                    self._changed.wait(SECONDS_TO_RECOVER)
                elif not self._ended:
                    self._changed.wait()

    def _attempt(self, write: Callable[[], None]) -> bool:
        """Does what may fail for want of room; whether it was done."""
        try:
            write()
        except (SQLAlchemyError, OSError) as error:
            logging.error(  # one line: on a full disk it comes again and again
                "%s: %s; trying again in %.0f s",
                self._settings.folder,
                first_line(getattr(error, "orig", None) or error),
                SECONDS_TO_RECOVER,
            )
            return False
        return True

    def _clear_up(self) -> None:
        """Marks the runs as failed that went when an earlier server ended."""
        with self._database.write() as session:
            interrupted = runs.fail_interrupted(session)
            leftovers.remove(self._settings, session)
            for run in interrupted:
                runs.end_record(self._settings, run)

    def _start_waiting(self) -> None:
        """Starts runs while any wait and there are places."""
        while len(self._going) < self._settings.parallel_runs and self._start_next():
            pass

    def _start_next(self) -> bool:
        """Starts the oldest waiting run; False when none waits."""
        query = select(db.Run).where(db.Run.state == "PENDING", db.Run.id.not_in(list(self._going)))
        with self._database.write() as session:
            run = session.scalar(query.order_by(db.Run.scheduled_at, db.Run.id).limit(1))
            if run is None:
                return False
            runs.set_state(run, "RUNNING")
            run.started_at = clock.now()
            session.flush()  # what there is no room for fails before the process starts
            kept = runs.read_run(self._settings, run.id)
            problem = runs.find_missing(self._settings, kept.parameters if kept else {})
            problem = problem or self._start(run)
            if problem:
                runs.set_state(run, "FAILED", problem)
                runs.end_record(self._settings, run)
        return True

    def _start(self, run: db.Run) -> str | None:
        """Starts the process of a run; returns why it cannot be started.

        Raises:
            OSError: it cannot be started now.
        """
        run_id, memory = run.id, MemoryWatch()
        folder = self._settings.run_folder(run_id)
        times = (clock.format_utc(moment) for moment in (run.created_at, run.scheduled_at))
        try:
            (folder / "logs").mkdir(exist_ok=True)
            with (folder / "logs" / LOG).open("wb") as log:
                command: list[str | Path] = [sys.executable, "-m", execute.__name__]
                command += [run.display_name, *times, folder]
                self._going[run_id] = processes.start(command, log, folder)
        except OSError as error:
            if lacks_space(error) or error.errno in SHORTAGES:
                raise
            return f"the run's process cannot be started: {error}"
        # It cannot write before the transaction is through that this is called in.
        threading.Thread(target=self._follow, args=(run_id, memory), daemon=True).start()
        return None

    def _follow(self, run_id: str, memory: MemoryWatch) -> None:
        """Waits for the end of a run's process and writes the outcome down."""
        process = self._going[run_id]
        code = process.wait()
        if processes.was_killed(process):
            processes.end([process], SECONDS_TO_END)
        if process.stdin:
            process.stdin.close()
        outcome = self._outcome(run_id, memory.ending(code))
        try:
            self._persist(lambda: self._write_outcome(run_id, *outcome))
        finally:
            with self._changed:
                del self._going[run_id]
                self._changed.notify_all()

    def _persist(self, write: Callable[[], None]) -> None:
        """Does it until it is done, or this server ends."""
        while not self._attempt(write):
            with self._changed:
                if self._changed.wait_for(lambda: self._ended, SECONDS_TO_RECOVER):
                    return

    def _write_outcome(self, run_id: str, state: str, error: str | None) -> None:
        with self._database.write() as session:
            run = session.get(db.Run, run_id)
            if run is not None:
                is_terminated = run.state == "CANCELING" and state == "FAILED"
                runs.set_state(run, *("CANCELED", None) if is_terminated else (state, error))
                runs.end_record(self._settings, run)

    def _outcome(self, run_id: str, ending: Ending) -> tuple[str, str | None]:
        if ending.code == 0:
            return "SUCCEEDED", None
        if self._ended:
            return "FAILED", "the server was ended while the run was going"
        run = runs.read_run(self._settings, run_id)
        if run and run.state is State.FAILED and not ending.has_lost_leash:
            return "FAILED", run.error or "the run failed"
        folder = self._settings.run_folder(run_id)
        if not folder.exists():
            return "FAILED", f"{folder} was removed while the run was going"
        if ending.code == DISK_FULL or is_full(folder):
            return "FAILED", f"{folder} cannot be written: no space is left there"
        reason = f"the run's process {ending}"
        return "FAILED", reason if ending.signal else f"{reason}; see {folder / 'logs' / LOG}"
