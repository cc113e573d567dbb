"""Which files of this user's home the code of steps names: they are here, and in no pod."""

import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from fastkf.package.model import Package
from fastkf.package.settings import for_executors, words_of

NO_HOMES = ("/", "/tmp", "~")  # of who has none of their own


def list_of_home(package: Package) -> Iterator[tuple[str, list[str]]]:
    """Component to the paths in its code that lead into the home folder here, and to what is there.

    Of a path in quotes, as a program has it: text and remarks name paths, too.
    """
    home = os.path.normpath(os.path.expanduser("~"))
    if home in NO_HOMES:
        return
    quoted = re.compile(rf"""['"]({re.escape(home)}/[^'"\n\\]+)""")
    settings = for_executors(package)
    for executor, content in package.executors.items():
        words = "\n".join(words_of(content.get("container") or {}))
        mounted = list(_list_mounts(settings.get(executor)))
        found = {path for path in quoted.findall(words) if os.path.lexists(path)}
        if named := sorted(path for path in found if not _is_in(path, mounted)):
            yield executor.removeprefix("exec-"), named


def _is_in(path: str, folders: list[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)


def _list_mounts(settings: Any) -> Iterator[str]:
    """The places of volumes in the settings of an executor."""
    if isinstance(settings, dict):
        if isinstance(place := settings.get("mountPath"), str) and place:
            yield place
        for one in settings.values():
            yield from _list_mounts(one)
    elif isinstance(settings, list):
        for one in settings:
            yield from _list_mounts(one)
