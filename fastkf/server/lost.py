"""Whether the file of the database is still where it was."""

import contextlib
import errno
import os
from pathlib import Path


class LostDatabaseError(OSError):
    """The file was removed, or another is in its place: what is written would be lost."""


class OpenFile:
    """A file that is open: SQLite writes into one that was removed as into any other.

    Args:
        path: it is there now.
    """

    def __init__(self, path: Path):
        self._path, self._file = path, os.stat(path)

    def check(self) -> None:
        """Raises LostDatabaseError where it is not there any more."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if os.path.samestat(os.stat(self._path), self._file):
                return
        raise LostDatabaseError(errno.ENOENT, "was removed; start the server again", self._path)
