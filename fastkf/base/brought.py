"""Files that somebody brings by name, from one folder, for use in the same places elsewhere."""

import os
import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastkf.base.errors import UsageError
from fastkf.base.files import check_name

MOST_FILES = 10_000
MOST_BYTES = 2**30
IN_PLACE = "copy it into that folder, and name it there"


def find_named(home: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Files and folders that are named in a command, as paths from the folder that they are in.

    A relative name is looked for in the working folder, then in `home`.

    Raises:
        UsageError: there is no such file, or it is outside of `home`.
    """
    return tuple(_find_named(home, check_name(Path(name))) for name in names)


def _find_named(home: Path, name: Path) -> str:
    candidates = [Path(os.path.abspath(folder / name)) for folder in (Path.cwd(), home)]
    there = [one for one in candidates if os.path.lexists(one)]
    if not there:
        raise UsageError(f"--bring {name}: no such file or folder")
    for one in there:
        for base in (Path(os.path.abspath(home)), home.resolve()):
            if one != base and one.is_relative_to(base):
                return one.relative_to(base).as_posix()
    raise UsageError(f"--bring {name}: it is not in the folder {home.resolve()}", IN_PLACE)


def list_files(home: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """The files that these paths name, those in folders and below too, each once.

    Args:
        home: the folder that the paths start in; no link leads out of it.
        paths: relative ones; not trusted.

    Raises:
        UsageError: a path leads out of the folder, to nothing, to a link, or to what is neither
            file nor folder; the files are too many, or too large.
    """
    found: dict[str, None] = {}
    size = 0
    for path in paths:
        for file in _walk(home, path):
            if not os.access(home / file, os.R_OK):
                raise UsageError(f"{home / file}: it cannot be read")
            size += (home / file).stat().st_size if file not in found else 0
            found[file] = None
            if len(found) > MOST_FILES or size > MOST_BYTES:
                raise UsageError(
                    f"{path}: with it, more than {MOST_FILES:,} files or {MOST_BYTES // 2**30} GB "
                    "are brought",
                    "keep large data in a store or a folder, and name that in a pipeline parameter",
                )
    return tuple(found)


def _walk(home: Path, path: str) -> Iterator[str]:
    parts = posixpath.normpath(path).split("/")
    if path.startswith(("/", "~")) or ".." in parts or "\0" in path:
        raise UsageError(f"{path}: it is not in the folder {home}", IN_PLACE)
    if parts == ["."]:
        raise UsageError(f"{path}: all of the folder {home}", "name the files in it that are used")
    for end in range(1, len(parts) + 1):
        _refuse_link(home.joinpath(*parts[:end]))
    top = home.joinpath(*parts)
    if top.is_file():
        yield "/".join(parts)
    elif top.is_dir():
        yield from (one.relative_to(home).as_posix() for one in _files_below(top))
    elif top.exists():
        raise UsageError(f"{top}: neither a file nor a folder")
    else:
        raise UsageError(f"{top}: no such file or folder", "it is among those that are brought")


def _files_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        for path in (Path(place, name) for name in (*folders, *sorted(names))):
            _refuse_link(path)
            if path.is_file():
                yield check_name(path)
            elif not path.is_dir():
                raise UsageError(f"{path}: neither a file nor a folder")


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise UsageError(f"{path}: a link, and links are not brought", "name the file itself")
