"""Runs a command that ends when whoever started it is gone: `python leash.py COMMAND...`.

Its standard input is a pipe that the parent holds open and never writes to. When the parent ends,
in whatever way, the pipe closes, and the command and all it started in its process group end.
It runs with `-I -S`, so that it starts in milliseconds: it imports the standard library only.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

SECONDS_TO_END = 5.0


def signal_group(group: int, number: int) -> None:
    """Sends a signal to all processes of a group, if there still are any; 0 is the own group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: all are zombies
        os.killpg(group, number)


def main() -> None:
    """Runs the command in this process group and ends with its exit code."""
    # The command is in the same group and gets the same signal; it decides when to end, and this
    # process must outlive it to tell its exit code and to kill what it leaves.
    for number in (signal.SIGINT, signal.SIGTERM):
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
    """Waits until the parent is gone, then ends the group: asks first, then kills."""
    sys.stdin.buffer.read()  # returns when the other end of the pipe is closed
    signal_group(0, signal.SIGTERM)
    threading.Event().wait(SECONDS_TO_END)  # main() may end the process meanwhile
    signal_group(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
