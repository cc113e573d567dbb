"""Paths that lead into folders, this user's home among them."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePath

NO_HOMES = ("/", ".", "/tmp", "~")  # of who has none of their own


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of the folders, or leads into one."""
    return any(PurePath(path).is_relative_to(folder) for folder in folders)


def lacks_folder(path: Path) -> str | None:
    """What is there in place of a folder, in words; None if the folder is there."""
    if path.is_dir():
        return None
    return "this is a file, and no folder" if os.path.lexists(path) else "no such folder"


def own_home() -> str | None:
    """The home folder of this user; None for one who has none of their own."""
    home = os.path.normpath(os.path.expanduser("~"))
    return None if home in NO_HOMES else home


def is_at_home(path: str, home: str) -> bool:
    """Whether this user's home has what a path names in another one, the home of a step say."""
    if path == home or not is_below(path, [home]):
        return False
    return os.path.lexists(os.path.join(os.path.expanduser("~"), os.path.relpath(path, home)))
