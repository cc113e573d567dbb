"""Stands in for `python3` in a step's command: asks the warm parent for an interpreter.

Run as `python -I -S client.py SOCKET PYTHON INTERPRETER MODULES ARGUMENTS...`, once for each
interpreter of each step. So it imports what is built into Python: with `socket` and `signal` in
place of `_socket` and `_signal` it would take twice as long. It hands its arguments, environment,
working folder, processors and standard streams over, waits for the worker, and ends with its exit
code. An interrupt is passed on. When it is killed, or its own parent is gone, its connection closes
and the keeper ends the worker. When the warm parent is gone, it becomes a fresh interpreter.
"""

import _signal as signal  # type: ignore[import-not-found]
import _socket as socket
import marshal
import os
import select
import sys

POLL_SECONDS = 0.1
TAKEN = b"+"  # what a keeper says first: from then on the request is carried out
KILLED = 128 + 9


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback in the step's log
    address, python, interpreter, modules, *arguments = sys.argv[1:]
    if arguments[:1] != ["-m"] or arguments[1] not in modules.split(","):
        os.execv(python, [python, *arguments])
    parent = os.getppid()
    connection = ask(address, arguments)
    if connection is None:
        os.execv(python, [python, "-m", interpreter, *arguments])
    signal.signal(signal.SIGINT, lambda number, _: pass_on(connection, number))
    while not select.select([connection], [], [], POLL_SECONDS)[0]:
        if os.getppid() != parent:
            os._exit(1)
    answer = receive(connection)
    if not answer:
        print("fastkf: the process that kept this interpreter was killed", file=sys.stderr)
        sys.stderr.flush()
    os._exit(answer[0] if answer else KILLED)


def ask(address: str, arguments: list[str]) -> socket.socket | None:
    """The connection to a keeper that has taken the request; None when there is nobody to ask."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    processors = list(os.sched_getaffinity(0))
    what = (arguments[1], arguments[2:], dict(os.environ), os.getcwd(), processors)
    request = marshal.dumps(what)
    streams = b"".join(stream.to_bytes(4, sys.byteorder) for stream in (0, 1, 2))
    try:
        connection.connect(address)
        size = len(request).to_bytes(4, "big")
        connection.sendmsg([size], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        connection.sendall(request)
        return connection if connection.recv(1) == TAKEN else None
    except OSError:
        return None


def receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1)
    except ConnectionError:
        return b""


def pass_on(connection: socket.socket, number: int) -> None:
    try:
        connection.send(bytes([number]))
    except OSError:  # the worker has ended already
        return


if __name__ == "__main__":
    main()
