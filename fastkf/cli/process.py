"""What a command needs of the process that it is called in."""

import contextlib
import os
import resource
import sys

from fastkf.base.errors import UsageError

FEWEST_FILES = 64  # a run has some 40 open
ENOUGH_FILES = 1024
OWNERS_RIGHTS = 0o700


def open_streams() -> None:
    """Opens those of the three standard streams that are closed on /dev/null, as daemons do.

    To be called first: the next file that is opened would take their place.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def check_limits() -> None:
    """Raises the limit on open files, where it is low and may be raised.

    Raises:
        UsageError: nothing can be done with the limits that this process has.
    """
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < ENOUGH_FILES:
        files = ENOUGH_FILES if most == resource.RLIM_INFINITY else min(ENOUGH_FILES, most)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    if files < FEWEST_FILES:
        raise UsageError(
            f"this process may have {files} files open at a time, and needs {FEWEST_FILES}",
            f"allow more: ulimit -n {ENOUGH_FILES}",
        )
    mask = os.umask(OWNERS_RIGHTS)
    os.umask(mask)
    if mask & OWNERS_RIGHTS:
        raise UsageError(
            f"the umask {mask:03o} takes the right to what is written from you too",
            "set another: umask 022",
        )
