"""The course's lock, requirements.txt."""

from pathlib import Path

from fastkf.course import places
from fastkf.package.pins import Pins


def read_lock(path: Path | None = None) -> Pins:
    """What the lock pins; nothing where there is no course.

    Raises:
        FastkfError: the lock cannot be read.
    """
    path = path or places.LOCK
    return Pins.from_lock(path) if path.exists() else Pins()
