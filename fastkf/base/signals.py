"""The signals that ask a process to end."""

import os
import signal
import stat
from collections.abc import Callable
from types import FrameType
from typing import Any

from fastkf.base.leash import END_SIGNALS

__all__ = ["END_SIGNALS", "interrupt", "on_end"]


def on_end(handler: Callable[[int, FrameType | None], Any]) -> None:
    """Has a handler called when this process is asked to end, from a terminal too that is closed.

    Whoever has started it with nohup wants it to outlive the terminal, and it does.
    """
    for number in END_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupts the main thread, as Ctrl-C does.

    Raises:
        KeyboardInterrupt: always.
    """
    if number == signal.SIGHUP:
        _leave_terminal()
    raise KeyboardInterrupt


def _leave_terminal() -> None:
    """What is written to a terminal that is closed would be an error, and hide why a run ends."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        if stat.S_ISCHR(os.fstat(stream).st_mode):
            os.dup2(null, stream)
    os.close(null)
