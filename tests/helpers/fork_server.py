"""A process that has imported what `fastkf` imports, and forks the commands of the tests.

    python fork_server.py CONTROL

A command costs its own work then, and not two seconds of imports. It is still a process of its
own, which can be signalled and killed. `commands.py` speaks to it over CONTROL, the number of a
socket: one message a command, JSON with `words`, `folder` and `environment`, and four descriptors
beside it: the three standard streams, and a socket that is sent the process's id, later its exit
code. With `module` it is another program than `fastkf`,
with `bound` it ends when the other end of that socket is closed.
"""

import array
import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import traceback
import warnings
from contextlib import suppress

from fastkf.base.iri import import_jsonschema

MESSAGE_BYTES = 1 << 20
STREAMS_AND_REPLY = 4
KERNEL = "ipykernel_launcher"
# Only packages of others: those of the project are imported anew in each command, so what they do
# on import (read the environment, say) is tested too.
READING = ("pyflakes.checker", "astor", "autopep8", "jinja2")
KALE = (*READING, "nbformat", "kale.compiler", "kfp.local", "kfp.kubernetes", "papermill", "docker")
STEPS = (
    "kale.common.jputils",
    "kale.marshal",
    "kfp.dsl.executor",
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
)
CLIENT = ("kfp_server_api", "httpx", "tenacity", "bs4")
SERVER = ("fastapi", "uvicorn", "sqlalchemy.orm", "jinja2")
TERMINAL = ("typer", "rich.console", "rich.table", "rich.progress")
FILES = ("yaml", "nbformat", "filelock", "pydantic", "packaging.requirements", "platformdirs")
TUNING = ("optuna", "alembic.command", "scipy.stats", "sklearn.ensemble")
IMPORTED_BY_ALL = (*TERMINAL, *FILES)
IMPORTED = {
    "check": READING,
    "compile": KALE,
    "doctor": KALE,
    "lab": (*KALE, *SERVER, *CLIENT),
    "migrate": KALE,
    "run": (*KALE, *STEPS, "markdown_it"),
    "serve": ("kserve", "sklearn.ensemble"),
    "server": SERVER,
    "storage": ("s3fs", "minio"),
    "submit": (*KALE, *CLIENT),
    "test": ("pytest", "psutil"),
    "train": ("kubernetes.client.models", "kubeflow_katib_api.models"),
    "tune": (*KALE, *STEPS, *TUNING, "kubeflow_katib_api.models", "numpy", "pandas"),
}


class Exit:
    """Ends a forked command with its exit code, once threads and exit handlers are through."""

    code: int | None = None

    def __call__(self) -> None:
        if self.code is not None:
            with suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(self.code)


class ForkServer:
    """Forks a command for each message, and says how it ended."""

    def __init__(self, control: socket.socket):
        self.control = control
        self.selector = selectors.DefaultSelector()
        self.children: dict[int, socket.socket] = {}
        self.ready: set[str] = set()
        self.ended, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write_end)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> dict | None:
        """Returns the request in the child that is to carry it out, None in the server's end."""
        self.selector.register(self.control, selectors.EVENT_READ)
        self.selector.register(self.ended, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.control:
                    content, descriptors, _, _ = socket.recv_fds(
                        self.control, MESSAGE_BYTES, STREAMS_AND_REPLY
                    )
                    if not content:
                        return None
                    request = json.loads(content)
                    if self.fork(request, descriptors):
                        return request
                elif key.fileobj == self.ended:
                    self.reap()
                else:
                    self.leave(key.fileobj)

    def fork(self, request: dict, descriptors: list[int]) -> bool:
        """Whether this is the child."""
        self.import_for(request["words"][0] if request["words"] else "")
        reply = socket.socket(fileno=descriptors.pop())
        process = os.fork()
        if process == 0:
            signal.set_wakeup_fd(-1)
            self.selector.close()
            for opened in (self.control, reply, *self.children.values()):
                opened.close()
            os.close(self.ended)
            for target, stream in enumerate(descriptors):
                os.dup2(stream, target)
                os.close(stream)
            return True
        for stream in descriptors:
            os.close(stream)
        self.children[process] = reply
        if request.get("bound"):
            self.selector.register(reply, selectors.EVENT_READ)
        send_number(reply, process)
        return False

    def leave(self, reply) -> None:
        """Ends a process when who has asked for it is gone."""
        for process, other in list(self.children.items()):
            if other is reply:
                self.selector.unregister(reply)
                os.kill(process, signal.SIGTERM)

    def reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.ended, MESSAGE_BYTES)
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                reply = self.children.pop(ended[0])
                if reply in self.selector.get_map():
                    self.selector.unregister(reply)
                send_number(reply, os.waitstatus_to_exitcode(ended[1]))
                reply.close()

    def import_for(self, command: str) -> None:
        if command in self.ready:
            return
        self.ready.add(command)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for module in IMPORTED.get(command, ()):
                importlib.import_module(module)
        gc.freeze()  # a collection in a child would copy every page


def send_number(reply: socket.socket, number: int) -> None:
    with suppress(OSError):  # the test is over
        reply.sendall(array.array("q", [number]).tobytes())


def carry_out(request: dict) -> int:
    """Becomes `python -m MODULE WORDS...`; returns the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # though nohup runs the tests
    # Those that are there think that they write to /dev/null, and could not be set up anew.
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, "utf-8", "backslashreplace", closefd=False)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    sys.path[0] = os.getcwd()
    sys.argv = ["-m", *request["words"]]
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    try:
        module = request.get("module", "fastkf.cli")
        if module == KERNEL:
            sys.executable = os.path.join(os.environ["FASTKF_TEST_LABS"], "python")
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
            return 1
        return (end.code or 0) & 0xFF
    except BaseException:  # noqa: BLE001, as the interpreter does
        traceback.print_exc()
        return 1
    return 0


def forget_project() -> None:
    """Takes the project's own modules away again, which each command imports anew."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "fastkf"]:
        del sys.modules[name]


def main() -> None:
    last = Exit()
    atexit.register(last)  # before any import registers one: exit handlers run last in, first out
    server = ForkServer(socket.socket(fileno=int(sys.argv[1])))
    import_jsonschema()
    for module in IMPORTED_BY_ALL:
        importlib.import_module(module)
    forget_project()
    request = server.serve()
    if request is not None:
        last.code = carry_out(request)


if __name__ == "__main__":
    main()
