"""A process that has imported what the labs import, and forks whatever runs a lab's cells.

    python lab_server.py ADDRESS OWNER

One for all workers of the tests: importing TensorFlow takes six seconds of a processor, and each
lab is run as a notebook, as a pipeline, and for the answers to its exercises. `lab_processes.py`
speaks to it: a connection to the socket ADDRESS for each process, with one message as
fork_server.py takes it, and `imports` in it, the source of the lab's imports. It ends with the
process OWNER.

What a lab sets before it imports TensorFlow is read by TensorFlow while it is imported. So there is
a process below this one, forked when it is first asked for, for all labs that set the same and
import the same of the heavy packages. `tests/labs/test_processors.py` tries the settings themselves
in processes of their own.
"""

import ast
import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import warnings

import fork_server
from fork_server import IMPORTED, IMPORTED_BY_ALL, ForkServer

from fastkf.base.iri import import_jsonschema

HEAVY = frozenset(("tensorflow", "keras", "jax", "kserve"))
READ_LATER = ("TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS")
LABS = (
    *("nbval.plugin", "nbclient", "matplotlib.pyplot", "matplotlib.backends.backend_agg"),
    *("scipy.stats", "pandas", "pyarrow", "pyarrow.parquet", "joblib", "fsspec", "s3fs"),
    *("sklearn.compose", "sklearn.datasets", "sklearn.dummy", "sklearn.ensemble", "sklearn.impute"),
    *("sklearn.feature_extraction.text", "sklearn.inspection", "sklearn.linear_model"),
    *("sklearn.metrics", "sklearn.model_selection", "sklearn.neighbors", "sklearn.pipeline"),
    *("sklearn.preprocessing", "sklearn.svm", "sklearn.tree"),
    *("optuna", "kubeflow_katib_api.models", "pandera.pandas", "httpx"),
)


class LabServer(ForkServer):
    """Takes a request over each connection, and carries it out or hands it on."""

    def __init__(self, listener: socket.socket, owner: int):
        super().__init__(listener)
        self.owner = os.pidfd_open(owner)
        self.below: dict[str, socket.socket] = {}

    def serve(self) -> dict | None:
        for watched in (self.control, self.ended, self.owner):
            self.selector.register(watched, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj == self.owner:
                    return None
                if key.fileobj == self.ended:
                    self.reap()
                elif key.fileobj is not self.control:
                    self.leave(key.fileobj)
                elif (request := self.take()) is not None:
                    return request

    def take(self) -> dict | None:
        """The request of one connection, where this is the child that is to carry it out."""
        connection, _ = self.control.accept()
        with connection:
            content, descriptors, _, _ = socket.recv_fds(
                connection, fork_server.MESSAGE_BYTES, fork_server.STREAMS_AND_REPLY
            )
        if not content:
            return None
        request = json.loads(content)
        settings, statements = read_heavy(request["imports"])
        if statements:
            packages = {one.split()[1].partition(".")[0] for one in statements}
            name = json.dumps([settings, sorted(packages)])
            if name not in self.below:
                taken = self.fork_server_for(name, settings, statements, descriptors)
                if taken:
                    return taken
            socket.send_fds(self.below[name], [content], descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            return None
        if not self.fork(request, descriptors):
            return None
        self.close_all()
        return request

    def close_all(self) -> None:
        """In a child, what is this process's alone."""
        for opened in self.below.values():
            opened.close()
        os.close(self.owner)

    def fork_server_for(
        self, name: str, settings: dict[str, str], statements: list[str], descriptors: list[int]
    ) -> dict | None:
        """Forks a server that has imported heavy packages; in its children, what they carry out.

        Args:
            name: what it is asked for by.
            descriptors: of the request that it is forked for, which it gets as any other request.
        """
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, fork_server.MESSAGE_BYTES)
        if os.fork():
            there.close()
            self.below[name] = here
            return None
        for opened in (here, self.control, *self.children.values()):
            opened.close()
        for opened in (self.ended, *descriptors):
            os.close(opened)
        self.selector.close()
        self.close_all()
        server = ForkServer(there)
        import_heavy(settings, statements)
        request = server.serve()
        if request is None:
            os._exit(0)
        return request

    def import_for(self, command: str) -> None:
        """All is here."""


def read_heavy(imports: str) -> tuple[dict[str, str], list[str]]:
    """What a lab sets in its environment, and its statements that import heavy packages."""
    settings, statements = {}, []
    try:
        nodes = ast.parse(imports).body
    except SyntaxError:  # as of a cell that installs something
        return {}, []
    for node in nodes:
        match node:
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant(value=str(name)))],
                value=ast.Constant(value=str(value)),
            ) if name not in READ_LATER:
                settings[name] = value
            case ast.Import(names=[ast.alias(name=module)]) | ast.ImportFrom(module=module):
                if (module or "").partition(".")[0] in HEAVY:
                    statements.append(ast.unparse(node))
    return settings if statements else {}, statements


def import_heavy(settings: dict[str, str], statements: list[str]) -> None:
    os.environ.update(settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for statement in statements:
            exec(statement, {})
    gc.freeze()


def import_light() -> None:
    import_jsonschema()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in (*IMPORTED_BY_ALL, *IMPORTED["run"], *IMPORTED["test"], *LABS):
            importlib.import_module(module)
    sys.modules["pandas"].set_option("display.max_columns", 20)  # as it decides in a kernel
    fork_server.forget_project()
    gc.freeze()  # a collection in a child would copy every page


def main() -> None:
    last = fork_server.Exit()
    atexit.register(last)  # before any import registers one: exit handlers run last in, first out
    address, owner = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its owner decides
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{address}.new")
    listener.listen(64)
    os.rename(f"{address}.new", address)  # who finds it can connect
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # as kernels have it
    import_light()
    request = LabServer(listener, owner).serve()
    if request is not None:
        last.code = fork_server.carry_out(request)


if __name__ == "__main__":
    main()
