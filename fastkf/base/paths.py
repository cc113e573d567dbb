"""Paths that lead into folders, this user's home among them."""

import os
from collections.abc import Iterable
from pathlib import PurePath

NO_HOMES = ("/", ".", "/tmp", "~")  # of who has none of their own


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of the folders, or leads into one."""
    return any(PurePath(path).is_relative_to(folder) for folder in folders)


def own_home() -> str | None:
    """The home folder of this user; None for one who has none of their own."""
    home = os.path.normpath(os.path.expanduser("~"))
    return None if home in NO_HOMES else home


def is_at_home(path: str, home: str) -> bool:
    """Whether this user's home has what a path names in another one, the home of a step say."""
    if path == home or not is_below(path, [home]):
        return False
    return os.path.lexists(os.path.join(os.path.expanduser("~"), os.path.relpath(path, home)))
