"""Stands in for the Python of a kernel: asks the server of the labs for one (lab_server.py).

    python -I -S lab_kernel.py ADDRESS IMPORTS WORDS...

IMPORTS is a file with the lab's imports. It hands on its environment, its folder, its streams and
the signals that it gets, and ends as the kernel ends; when it is killed, the kernel ends too.
"""

import json
import os
import signal
import socket
import sys


def main() -> None:
    address, imports, *words = sys.argv[1:]
    here, there = socket.socketpair()
    with open(imports, encoding="utf-8") as file:
        request = {
            "module": "ipykernel_launcher",
            # It is no child of the process that it could be told to end with.
            "words": [*words, "--IPKernelApp.parent_handle=1"],
            "folder": os.getcwd(),
            "environment": dict(os.environ),
            "imports": file.read(),
        }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control, there:
        control.connect(address)
        socket.send_fds(control, [json.dumps(request).encode()], [0, 1, 2, there.fileno()])
    kernel = int.from_bytes(here.recv(8, socket.MSG_WAITALL), sys.byteorder)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(kernel, number))
    code = int.from_bytes(here.recv(8, socket.MSG_WAITALL), sys.byteorder, signed=True)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
