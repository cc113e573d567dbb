"""Stands in for `python3` in a step's command: asks the warm parent for an interpreter.

Run as `python -I -S client.py SOCKET PYTHON ARGUMENTS...`, once for each interpreter of each step,
so it imports next to nothing. It hands its arguments, environment, working folder and standard
streams over, waits for the worker, and ends with its exit code. When it is killed, or its own
parent is gone, its connection closes and the warm parent ends the worker.
"""

import marshal
import os
import select
import socket
import sys

POLL_SECONDS = 0.1


def main() -> None:
    address, python, modules, *arguments = sys.argv[1:]
    if arguments[:1] != ["-m"] or arguments[1] not in modules.split(","):
        os.execv(python, [python, *arguments])
    parent = os.getppid()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(address)
    request = marshal.dumps((arguments[1], arguments[2:], dict(os.environ), os.getcwd()))
    socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, 1, 2])
    connection.sendall(request)
    while not select.select([connection], [], [], POLL_SECONDS)[0]:
        if os.getppid() != parent:
            os._exit(1)
    answer = connection.recv(1)
    os._exit(answer[0] if answer else 1)


if __name__ == "__main__":
    main()
