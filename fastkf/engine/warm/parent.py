"""A warm parent: one process that imports what steps need, and forks their interpreters.

A step of a Kale pipeline starts two interpreters, KFP's executor and a Jupyter kernel, and each
would import the same packages anew. Here both are forks of one process that has imported them.
Systems where a fork of a process with loaded libraries is not safe (macOS) get a fresh interpreter
for each instead, through the same stub.

Who forks whom: this process forks the *warm parent*; that one, for each request of a stub, forks a
*keeper* (`fastkf.engine.warm.keeper`); and the keeper forks the *worker*, which becomes the
interpreter that was asked for.

Each of them may be killed. A worker's end is told to its stub by the keeper. A keeper's end closes
the stub's connection, and the warm parent ends the worker. Without the warm parent, stubs start
fresh interpreters, and the keepers go on.
"""

import gc
import os
import select
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from fastkf.base import leash
from fastkf.base.errors import FastkfError
from fastkf.base.files import check_name, remove_folder
from fastkf.base.ports import LONGEST_ADDRESS
from fastkf.engine.warm import client, interpreter
from fastkf.engine.warm.ahead import import_ahead
from fastkf.engine.warm.keeper import look_after_worker
from fastkf.engine.warm.shared import Shared

CAN_FORK = sys.platform == "linux"
# An install of what is here is answered at once: an interpreter would cost as much as the step.
STUB = """\
#!/bin/sh
[ "$1 $2 $3" = "-m pip install" ] && case "
${present}
" in *"
$*
"*) exit 0 ;; esac
exec {command} "$@"
"""


@dataclass(frozen=True)
class StepsPython:
    """What stands in for `python3` in the commands of steps.

    Attributes:
        stub: the path of an executable.
        parent: the warm parent's number; None where each step gets a fresh interpreter.
    """

    stub: Path
    parent: int | None = None

    def cool(self) -> None:
        """Ends the warm parent, unless it has imported all: steps get fresh interpreters."""
        if self.parent is not None:
            os.kill(self.parent, signal.SIGTERM)


@contextmanager
def python_for_steps(
    folder: Path,
    imports: str | None = "",
    warm: bool = CAN_FORK,
    shared: Shared = (),
) -> Iterator[StepsPython]:
    """Yields what stands in for `python3` in the commands of steps.

    Args:
        folder: a private folder for the stub and its socket; removed with all in it at the end,
            by the warm parent if this process is killed.
        imports: source of the notebook's imports; those up to its first statement that neither
            imports nor sets an environment variable are imported ahead of the steps. None where
            the steps are not a notebook's, and need neither Kale nor kernels.
        shared: modules with import statements, which are run ahead of steps that are not a
            notebook's; those of modules that are not installed here are not.
        warm: fork interpreters from a warm parent; False starts a fresh one each time.

    Raises:
        FastkfError: no program can be started in the folder, or found there.
        RuntimeError: this process has other threads already, and a fork would take over the locks
            that they hold, without the threads that give them back.
    """
    stub, address = folder / "python3", folder / "socket"
    try:
        if not warm or len(str(address)) > LONGEST_ADDRESS:
            write_fresh_stub(stub, Path(sys.executable))
            yield StepsPython(stub)
            return
        # -I -S: the client imports some modules of the standard library, and site would cost more.
        command = [sys.executable, "-I", "-S", client.__file__, str(address), sys.executable]
        write_stub(stub, [*command, interpreter.__name__, ",".join(interpreter.MODULES)])
        with _warm_parent(address, folder, imports, shared) as process:
            yield StepsPython(stub, process)
    finally:
        remove_folder(folder)


@contextmanager
def _warm_parent(address: Path, folder: Path, imports: str | None, shared: Shared) -> Iterator[int]:
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate())
        raise RuntimeError(f"the warm parent must be forked before any thread starts: {names}")
    # The socket listens before the fork: a step's stub can connect at once and waits for its answer
    # while the parent still imports.
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(address))
    listener.listen(64)
    # Nothing is ever written to this pipe. Its end at `control` is how the warm parent learns that
    # this process is done or was killed, in whatever way.
    control, lifeline = os.pipe()
    # What is still in the buffers would be written twice.
    sys.stdout.flush()
    sys.stderr.flush()
    # A signal that comes before the child has its own handlers would be answered by this process's,
    # and lead the child back up the stack.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, leash.END_SIGNALS)
    parent = os.fork()
    if parent == 0:
        # The parent's own copy of the lifeline would keep the pipe open for ever.
        os.close(lifeline)
        _be_warm_parent(listener, control, folder, imports, shared, mask)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    os.close(control)
    listener.close()
    try:
        yield parent
    finally:
        os.close(lifeline)
        os.kill(parent, signal.SIGTERM)  # or it would import all before it sees that it may go
        os.waitpid(parent, 0)


def write_fresh_stub(stub: Path, python: Path) -> None:
    """Writes a stub for the steps' interpreters that starts a fresh one each time."""
    write_stub(stub, [str(python), "-m", interpreter.__name__])


def write_stub(stub: Path, command: Sequence[str]) -> None:
    """Writes a program that stands in for `python3`.

    Raises:
        FastkfError: no program can be started in its folder, or found there.
    """
    check_name(stub.parent)
    if os.pathsep in str(stub.parent):
        # PATH would end there, and steps would get another python3, which installs packages.
        raise FastkfError(
            f"{stub.parent}: the name of the folder holds a {os.pathsep!r}, which PATH cannot hold",
            "set TMPDIR to another folder",
        )
    program = STUB.format(present=interpreter.PRESENT, command=shlex.join(command))
    stub.write_text(program, encoding="utf-8")
    stub.chmod(0o700)
    if not os.access(stub, os.X_OK):
        raise FastkfError(
            f"{stub.parent}: no program can be started there (the file system is mounted noexec, "
            "say), and the steps' Python is to stand there",
            "set TMPDIR to another folder",
        )


def _be_warm_parent(
    listener: socket.socket,
    control: int,
    folder: Path,
    imports: str | None,
    shared: Shared,
    mask: Iterable[int],
) -> NoReturn:
    _detach(mask)
    try:
        leash.adopt_orphans()  # of a keeper that is killed
        gc.disable()  # what modules make is there to stay, and would be looked through many times
        import_ahead(imports, shared)
        gc.enable()
        # What is here now stays for ever. Moved out of the collector's sight, no collection in a
        # worker writes into its pages, and they stay shared.
        gc.freeze()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        keepers = Keepers()
        watched: list[socket.socket | int] = [listener, control, keepers.ended]
        while control not in (ready := select.select(watched, [], [])[0]):
            if keepers.ended in ready:
                keepers.take_leave()
            if listener in ready:
                connection, _ = listener.accept()
                keepers.start(connection, not_theirs=(listener.fileno(), control))
                connection.close()
        # The other end of the control pipe is closed: its process is done, or was killed. The
        # keepers are in this group and end their workers; this process ignores the signal.
        leash.signal_group(0, signal.SIGTERM)
        keepers.wait()
        remove_folder(folder)
    finally:
        # Never back up the stack: what stands there belongs to the process that was forked.
        os._exit(0)


def _detach(mask: Iterable[int]) -> None:
    """Takes this process away from what it was forked from: its signals, its terminal."""
    # A session of its own, so that Ctrl-C in the terminal reaches this process's parent alone,
    # which then decides; and a group of its own, whose members are told to end below.
    os.setsid()
    for number in leash.END_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # while it imports, it has nothing to look after
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)


class Keepers:
    """The keepers that this process has started.

    Attributes:
        ended: a descriptor to select on; it can be read when one of them has ended.
    """

    def __init__(self) -> None:
        self._running: set[int] = set()
        self.ended, self._signalled = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only what has a handler wakes
        signal.set_wakeup_fd(self._signalled, warn_on_full_buffer=False)

    def start(self, connection: socket.socket, not_theirs: Iterable[int]) -> None:
        """Forks a keeper for a request.

        Args:
            not_theirs: descriptors that it must not hold.
        """
        keeper = os.fork()
        if keeper == 0:
            signal.set_wakeup_fd(-1)
            for descriptor in (*not_theirs, self.ended, self._signalled):
                os.close(descriptor)
            look_after_worker(connection)
        self._running.add(keeper)

    def take_leave(self) -> None:
        """Takes note of those that have ended, and ends what one that was killed has left."""
        with suppress(BlockingIOError):
            while os.read(self.ended, 4096):
                pass
        was_lost = False
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                was_lost = was_lost or ended[1] != 0 or ended[0] not in self._running
                self._running.discard(ended[0])
        if was_lost:  # what is below this process and below no keeper has lost its own
            leash.kill_descendants(spared=self._running)

    def wait(self) -> None:
        """Waits until all have ended, and what they have left."""
        while self._running:
            select.select([self.ended], [], [])
            self.take_leave()
        leash.end_descendants()
