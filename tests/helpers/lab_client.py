"""Stands in for a Python: asks the server of the labs for one that has imported what is needed.

    python -I -S lab_client.py ADDRESS IMPORTS MODULE WORDS...

IMPORTS is a file with a lab's imports. It hands on its environment, its folder, its streams and
the signals that it gets, and ends as `python -m MODULE WORDS...` ends; when it is killed, that ends
too.
"""

import json
import os
import signal
import socket
import sys


def main() -> None:
    address, imports, module, *words = sys.argv[1:]
    here, there = socket.socketpair()
    with open(imports, encoding="utf-8") as file:
        request = {
            "module": module,
            "words": words,
            "folder": os.getcwd(),
            "environment": dict(os.environ),
            "imports": file.read(),
            "bound": True,
        }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control, there:
        control.connect(address)
        socket.send_fds(control, [json.dumps(request).encode()], [0, 1, 2, there.fileno()])
    process = int.from_bytes(here.recv(8, socket.MSG_WAITALL), sys.byteorder)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(process, number))
    code = int.from_bytes(here.recv(8, socket.MSG_WAITALL), sys.byteorder, signed=True)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
