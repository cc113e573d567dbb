"""A keeper: forked by the warm parent for one request, it looks after one worker."""

import logging
import marshal
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from fastkf.base import leash
from fastkf.base.processes import Ending, MemoryWatch
from fastkf.engine.warm import client, interpreter

SECONDS_TO_END = 3.0


def look_after_worker(connection: socket.socket) -> NoReturn:
    """Forks the worker for one request, ends it when the client goes away, sends its exit code.

    Two forks, a keeper and a worker: the worker becomes a whole interpreter and may end in any way,
    and only a process beside it can wait for it, and end it with all that it has started.
    """
    try:
        _look_after_worker(connection)
    finally:
        os._exit(1)  # never back up the stack: it belongs to the process that was forked


def _look_after_worker(connection: socket.socket) -> NoReturn:
    # With the parent's handler the worker, which inherits it in turn, would not see the end of its
    # own children: no `subprocess` of the learner's must be lost.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(connection, 4, 3)
    request = connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    module, arguments, environment, folder, processors = marshal.loads(request)
    connection.send(client.TAKEN)
    memory = MemoryWatch()
    note = _note_self(environment)
    worker = os.fork()
    if worker == 0:
        os.setsid()
        connection.close()
        with suppress(OSError):
            os.sched_setaffinity(0, processors)
        _be_worker(module, arguments, environment, folder, streams)
    leash.adopt_orphans()  # the worker's daemons
    for stream in streams:
        os.close(stream)
    # The worker is known from here on, and before the thread starts: a signal must find both.
    signal.signal(signal.SIGTERM, lambda *_: _end_worker(worker))
    threading.Thread(target=_serve_client, args=(connection, worker), daemon=True).start()
    ending = memory.ending(leash.wait_for(worker))
    leash.end_descendants()
    if module == interpreter.KERNEL and ending.code and not _has_left(connection):
        _note_end_of_kernel(ending, environment)
    if note:
        note.unlink(missing_ok=True)
    with suppress(OSError):
        connection.send(bytes([ending.code & 0xFF]))
    os._exit(0)


def _note_self(environment: dict[str, str]) -> Path | None:
    """Notes this process where what a step holds is measured, as its worker is not below the step.

    Before the worker starts, or the first it does would not be seen.
    """
    note = Path(environment.get(interpreter.STEP_FOLDER, ""), interpreter.KEEPERS, str(os.getpid()))
    with suppress(OSError):  # nobody measures this step
        note.touch()
        return note
    return None


def _serve_client(connection: socket.socket, worker: int) -> None:
    """Passes on the signals that the client is sent; ends the worker when the client is gone."""
    while number := connection.recv(1):
        leash.signal_group(worker, number[0])
    _end_worker(worker)


def _has_left(connection: socket.socket) -> bool:
    """Whether the client has closed the connection."""
    with suppress(BlockingIOError):
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    return False


def _note_end_of_kernel(ending: Ending, environment: dict[str, str]) -> None:
    """Says why the cells of a step have not come to an end: the step itself only knows that."""
    os.environ.update(environment)
    with suppress(OSError):
        interpreter.write_error("", f"the kernel of the step {ending}")


def _end_worker(worker: int, number: int = signal.SIGTERM) -> None:
    """Signals the worker and what it started, then kills what does not end by itself."""
    leash.signal_group(worker, number)
    if number != signal.SIGKILL:
        timer = threading.Timer(SECONDS_TO_END, _end_worker, (worker, signal.SIGKILL))
        timer.daemon = True
        timer.start()


def _be_worker(
    module: str,
    arguments: list[str],
    environment: dict[str, str],
    folder: str,
    streams: Sequence[int],
) -> NoReturn:
    """Becomes the interpreter that was asked for; never returns."""
    code = 1
    try:
        # As in a fresh interpreter, and before anything of the learner's runs.
        for number in leash.END_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
            os.close(stream)
        _reopen_streams()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None  # computed from the environment when it is asked for again
        time.tzset()
        _seed_numpy()
        if module == interpreter.KERNEL:
            _show_tables_as_kernels_do()
        code = interpreter.run(module, arguments)
    finally:
        interpreter.finish(code)


def _reopen_streams() -> None:
    sys.stdin = _open_stream(0, "r")
    sys.stdout = sys.__stdout__ = _open_stream(1, "w")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _open_stream(2, "w")  # type: ignore[misc]
    # Handlers that were made while importing hold the parent's stream, which leads nowhere.
    for logger in [logging.root, *map(logging.getLogger, logging.root.manager.loggerDict)]:
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.setStream(sys.stderr)


def _open_stream(number: int, mode: str) -> Any:
    return open(number, mode, buffering=1, encoding="utf-8", closefd=False)


def _seed_numpy() -> None:
    """A fresh interpreter's numpy seeds itself from the system; a forked one repeats its parent."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def _show_tables_as_kernels_do() -> None:
    """While it is imported, pandas looks whether it is in a kernel (pandas/core/config_init.py)."""
    if "pandas" in sys.modules:
        sys.modules["pandas"].set_option("display.max_columns", 20)
