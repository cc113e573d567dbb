"""Runs a command that ends when whoever started it is gone: `python leash.py COMMAND...`.

Its standard input is a pipe that the parent holds open and never writes to. When the parent ends,
in whatever way, the pipe closes, and the command and all it started in its process group end.
"""

import os
import signal
import subprocess
import sys
import threading

SECONDS_TO_END = 5.0


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the command decides when to end
        signal.signal(number, lambda *_: None)
    try:
        command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{sys.argv[1]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)
    threading.Thread(target=end_without_parent, daemon=True).start()
    code = command.wait()
    os._exit(code if code >= 0 else 128 - code)


def end_without_parent() -> None:
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGTERM)
    threading.Event().wait(SECONDS_TO_END)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
