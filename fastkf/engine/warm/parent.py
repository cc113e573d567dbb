"""A warm parent: one process that imports what steps need, and forks their interpreters.

A step of a Kale pipeline starts two interpreters, KFP's executor and a Jupyter kernel, and each
would import the same packages anew. Here both are forks of one process that has imported them.
Systems where a fork of a process with loaded libraries is not safe (macOS) get a fresh interpreter
for each instead, through the same stub.

Who forks whom: this process forks the *warm parent*; that one, for each request of a stub, forks a
*keeper*; and the keeper forks the *worker*, which becomes the interpreter that was asked for.
"""

import ast
import gc
import importlib
import logging
import marshal
import os
import select
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from fastkf.base.iri import import_jsonschema
from fastkf.engine.warm import client, interpreter

CAN_FORK = sys.platform == "linux"
LONGEST_ADDRESS = 100  # of a Unix socket, on any system
SECONDS_TO_END = 3.0
IMPORTED_BY_EVERY_STEP = (
    "kale.common.jputils",
    "kale.marshal",
    "kfp.dsl.executor",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
)


@contextmanager
def python_for_steps(folder: Path, imports: str = "", warm: bool = CAN_FORK) -> Iterator[Path]:
    """Yields the path of an executable that stands in for `python3` in the commands of steps.

    Args:
        folder: a private folder for the stub and its socket; removed with all in it at the end,
            by the warm parent if this process is killed.
        imports: source of the notebook's imports; those up to its first statement that neither
            imports nor sets an environment variable are imported ahead of the steps.
        warm: fork interpreters from a warm parent; False starts a fresh one each time.

    Raises:
        RuntimeError: this process has other threads already, and a fork would take over the locks
            that they hold, without the threads that give them back.
    """
    stub, address = folder / "python3", folder / "socket"
    if not warm or len(str(address)) > LONGEST_ADDRESS:
        _write_stub(stub, [sys.executable, "-m", interpreter.__name__])
        try:
            yield stub
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    # -I -S: the client imports four modules of the standard library, and site would cost more.
    command = [sys.executable, "-I", "-S", client.__file__, str(address), sys.executable]
    _write_stub(stub, [*command, ",".join(interpreter.MODULES)])
    with _warm_parent(address, folder, imports):
        yield stub


@contextmanager
def _warm_parent(address: Path, folder: Path, imports: str) -> Iterator[None]:
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
    parent = os.fork()
    if parent == 0:
        # The parent's own copy of the lifeline would keep the pipe open for ever.
        os.close(lifeline)
        _be_warm_parent(listener, control, folder, imports)
    os.close(control)
    listener.close()
    try:
        yield
    finally:
        os.close(lifeline)
        os.waitpid(parent, 0)


def _write_stub(stub: Path, command: Sequence[str]) -> None:
    stub.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    stub.chmod(0o700)


def _be_warm_parent(listener: socket.socket, control: int, folder: Path, imports: str) -> NoReturn:
    # A session of its own, so that Ctrl-C in the terminal reaches this process's parent alone,
    # which then decides; and a group of its own, for the killpg below.
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Nobody waits for the keepers: with SIGCHLD ignored the kernel removes them when they end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    try:
        _import_ahead(imports)
        # What is here now stays for ever. Moved out of the collector's sight, no collection in a
        # worker writes into its pages, and they stay shared.
        gc.freeze()
        watched: list[socket.socket | int] = [listener, control]
        while control not in select.select(watched, [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                os.close(control)
                _look_after_worker(connection)
            connection.close()
        # The other end of the control pipe is closed: its process is done, or was killed. The
        # keepers are in this group and end their workers; this process ignores the signal.
        os.killpg(0, signal.SIGTERM)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)  # SIGCHLD is ignored: returns when the last keeper has ended
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        # Never back up the stack: what stands there belongs to the process that was forked.
        os._exit(0)


def _import_ahead(imports: str) -> None:
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    import_jsonschema()
    for module in IMPORTED_BY_EVERY_STEP:
        importlib.import_module(module)
    names: dict[str, Any] = {}
    with suppress(SyntaxError):
        for node in ast.parse(imports).body:
            if not (isinstance(node, ast.Import | ast.ImportFrom) or _sets_variable(node)):
                break
            try:
                exec(compile(ast.Module([node], []), "imports", "exec"), names)
            except Exception:  # noqa: BLE001 - any module may raise anything; the step itself says so
                break


def _sets_variable(node: ast.stmt) -> bool:
    """Whether it is `os.environ["NAME"] = "value"`.

    Libraries such as TensorFlow read their variables when they are imported. So what the notebook
    sets before an import has to be set here before it, too.
    """
    match node:
        case ast.Assign(
            targets=[
                ast.Subscript(
                    value=ast.Attribute(value=ast.Name(id="os"), attr="environ"),
                    slice=ast.Constant(value=str()),
                )
            ],
            value=ast.Constant(value=str()),
        ):
            return True
    return False


def _look_after_worker(connection: socket.socket) -> NoReturn:
    """Forks the worker for one request, ends it when the client goes away, sends its exit code.

    Two forks, a keeper and a worker: the worker becomes a whole interpreter and may end in any way,
    and only a process beside it can wait for it, and end it with all that it has started.
    """
    # Ignored, as inherited, the worker's exit code would be lost to the waitpid below; and in the
    # worker, which inherits it in turn, to every `subprocess` of the learner's.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(connection, 4, 3)
    request = connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    worker = os.fork()
    if worker == 0:
        os.setsid()
        connection.close()
        module, arguments, environment, folder = marshal.loads(request)
        _be_worker(module, arguments, environment, folder, streams)
    # The worker is known from here on, and before the thread starts: a signal must find both.
    signal.signal(signal.SIGTERM, lambda *_: _end_worker(worker))
    threading.Thread(target=_end_worker_without_client, args=(connection, worker)).start()
    _, status = os.waitpid(worker, 0)
    _end_worker(worker, signal.SIGKILL)  # what it has left behind
    with suppress(OSError):
        connection.send(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
    os._exit(0)


def _end_worker_without_client(connection: socket.socket, worker: int) -> None:
    if not connection.recv(1):
        _end_worker(worker)


def _end_worker(worker: int, number: int = signal.SIGTERM) -> None:
    """Signals the worker and what it started, then kills what does not end by itself."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, number)
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
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
            os.close(stream)
        _reopen_streams()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None  # computed from the environment when it is asked for again
        _seed_numpy()
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
