"""Calls the command `fastkf` as a user does, in a process of its own.

result = fastkf("check", notebook, cwd=tmp_path)
process = start("server", "--port", "0")

The process is forked by a fork server that has imported what the commands import, where the system
can do that and nothing in the environment asks for a new interpreter.
"""

import atexit
import functools
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import fork_server

SECONDS = 600
# What the interpreter and the libraries read when they are loaded.
READ_AT_START = ("PYTHON", "LD_", "OMP_", "OPENBLAS_", "MKL_", "TF_", "ONEDNN_", "COVERAGE_")


@dataclass
class Command:
    """A finished `fastkf` command."""

    code: int
    output: str
    folder: Path

    @property
    def record(self) -> dict:
        return json.loads((self.folder / "run.json").read_text())


class Forked:
    """A command that the fork server has started; as much of subprocess.Popen as tests use."""

    def __init__(
        self, control: socket.socket, words: list[str], folder, environment, streams, **more: str
    ):
        self.args = ["fastkf", *words]
        self.returncode: int | None = None
        self._reply, there = socket.socketpair()
        request = {"words": words, "folder": str(folder), "environment": dict(environment)}
        request |= more
        with there:
            descriptors = [*streams, there.fileno()]
            socket.send_fds(control, [json.dumps(request).encode()], descriptors)
        self.pid = self._receive()
        self.stdout = self.stderr = None

    def _receive(self) -> int:
        content = self._reply.recv(8, socket.MSG_WAITALL)
        assert content, "the fork server has ended"
        return struct.unpack("q", content)[0]

    def poll(self) -> int | None:
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._reply], [], [], timeout)[0]:
            self.returncode = self._receive()
            self._reply.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str | None, str | None]:
        texts: dict = {}

        def read(stream):
            texts[stream] = stream.read()

        streams = [stream for stream in (self.stdout, self.stderr) if stream]
        readers = [threading.Thread(target=read, args=(one,), daemon=True) for one in streams]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout)
        for stream in streams:
            stream.close()
        return texts.get(self.stdout), texts.get(self.stderr)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@functools.cache
def fork_server_control() -> socket.socket:
    """The connection to this process's fork server, which ends when it is closed."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, fork_server.MESSAGE_BYTES)
    with there:
        server = subprocess.Popen(
            [sys.executable, fork_server.__file__, str(there.fileno())],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end():
        here.close()
        server.wait()

    atexit.register(end)
    return here


def can_fork(environment) -> bool:
    if sys.platform != "linux":
        return False
    names = {name for name in {*environment, *os.environ} if name.startswith(READ_AT_START)}
    return all(environment.get(name) == os.environ.get(name) for name in names)


def launch(
    words,
    *,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    cwd=None,
    env=None,
    command=(),
    fresh=False,
) -> Forked | subprocess.Popen:
    """A process of `fastkf WORDS...`, forked or fresh; its streams are text.

    Args:
        stdout: subprocess.PIPE, or an open file.
        stderr: the same, or subprocess.STDOUT.
        cwd: its working folder; this process's own when None.
        env: all of its environment variables; this process's own when None.
        command: runs the interpreter, which is a new one then.
        fresh: in a new interpreter, whatever that costs.
    """
    words = [str(word) for word in words]
    environment = os.environ if env is None else env
    if command or fresh or not can_fork(environment):
        return launch_fresh(words, command, stdout=stdout, stderr=stderr, cwd=cwd, env=env)
    with open(os.devnull) as null:
        pipes = []
        numbers = [null.fileno()]
        for target in (stdout, stderr):
            if target == subprocess.PIPE:
                pipes.append(os.pipe())
                numbers.append(pipes[-1][1])
            else:
                pipes.append(None)
                numbers.append(numbers[1] if target == subprocess.STDOUT else target.fileno())
        control = fork_server_control()
        process = Forked(control, words, cwd or os.getcwd(), environment, numbers)
    ends = []
    for pipe in pipes:
        if pipe:
            os.close(pipe[1])
        ends.append(pipe and open(pipe[0], encoding="utf-8"))  # noqa: SIM115
    process.stdout, process.stderr = ends
    return process


def launch_fresh(words, command=(), **settings) -> subprocess.Popen:
    """A process of `fastkf WORDS...` in a new interpreter, as a shell starts it."""
    return subprocess.Popen(
        [*command, sys.executable, "-m", "fastkf.cli", *map(str, words)],
        text=True,
        stdin=subprocess.DEVNULL,
        preexec_fn=heed_signals,
        **settings,
    )


def heed_signals() -> None:
    """As in a terminal, though a shell has started the tests with `&`, or nohup has."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def start(*words, **settings):
    """Starts the command, with Ctrl-C at work even where it is not in the tests."""
    return launch(words, stderr=subprocess.STDOUT, **settings)


def fastkf(
    *words, folder: Path | None = None, fresh: bool = False, seconds: float = SECONDS, **settings
) -> Command:
    """Calls the command and waits for its end.

    Args:
        folder: its --output.
        fresh: in a new interpreter, whatever that costs.
        seconds: how long it may take.
    """
    options = [] if folder is None else ["--output", folder]
    process = launch([*words, *options], fresh=fresh, **settings)
    try:
        output, errors = process.communicate(timeout=seconds)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Command(process.returncode, output + errors, folder or Path())
