"""Writes the record of a run while it goes."""

import contextlib
import threading
import time

from fastkf.runs.model import Run
from fastkf.runs.record import write_run

SHARE = 0.1  # of the time is spent on writing, at most


class Recorder:
    """Writes the newest of the records it is given, in a thread of its own.

    The record of a loop of a thousand iterations takes a third of a second to write, and changes
    some three thousand times: who changes it must not wait for each.
    """

    def __init__(self) -> None:
        self._newest: Run | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._thread: threading.Thread | None = None

    def note(self, run: Run) -> None:
        """Takes a record, to be written soon."""
        with self._changed:
            self._newest = run
            self._changed.notify_all()
            # Not before: a process that has threads cannot fork the steps' warm parent.
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Writes no more; what is being written is written to its end."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _write(self) -> None:
        while (run := self._next()) is not None:
            began = time.monotonic()
            # On a full disk the step itself may need no room, and the next change may find some.
            with contextlib.suppress(OSError):
                write_run(run)
            took = time.monotonic() - began
            with self._changed:
                self._changed.wait_for(lambda: self._ended, took * (1 / SHARE - 1))

    def _next(self) -> Run | None:
        """The newest record, once there is one that is not written; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._newest is not None)
            run, self._newest = self._newest, None
            return None if self._ended else run
