"""The folder that a step starts in: empty but for what its container would have there.

In a container that is the image's folder. Kale has its steps run as a user who may not write there,
whatever the image; components without such a setting run as the image's own user, mostly root, who
may. What a step writes there is gone with its container.
"""

import os
import posixpath
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastkf.runs.model import Failure

OF_FILES = ("FileNotFoundError", "OSError", "PermissionError")
OF_OTHERS = re.compile("permission denied|no such file|non-existent directory", re.IGNORECASE)
NOT_WRITABLE = (
    "a step cannot write to a relative path, as on a cluster: write below tempfile.gettempdir(), "
    "or where a parameter names the whole path, and pass on what other steps need in a variable"
)
NOT_THERE = (
    "a step starts in a folder of its own, as on a cluster, and finds there only what its image "
    "has: bring the file with --bring, name its folder in a pipeline parameter, or pass on what "
    "another step has made in a variable"
)


@dataclass(frozen=True)
class Provisions:
    """What of this machine a step finds by relative paths.

    Attributes:
        home: the folder where these paths start for whoever wrote them; it need not exist.
        named: texts, of pipeline parameters say; what those that are relative paths name is
            linked.
        brought: files, as paths from `home`, that the steps' image is to have.
        kept: the folder with copies of these.
        given: texts of the parameters that were given for this run; what those that are absolute
            paths name stays where it is.
    """

    home: Path
    named: tuple[str, ...] = ()
    brought: tuple[str, ...] = ()
    kept: Path | None = None
    given: tuple[str, ...] = ()

    @property
    def places(self) -> list[Path]:
        """The paths of this machine to which the steps' folders lead."""
        return [self.home, *(self._target(path).resolve() for path in self._find_named())]

    def keep(self, folder: Path) -> "Provisions":
        """The same, with a copy of each file that is brought: what changes later is not seen."""
        for path in self.brought:
            copy = folder / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.home / path, copy)
            copy.chmod(0o444 | (self.home / path).stat().st_mode & 0o111)
        return replace(self, kept=folder)

    def make_folder(self, place: Path, writable: bool) -> Path:
        """Makes the folder that a step starts in; returns its path.

        Args:
            place: a folder of the step's own, in which it is made.
            writable: whether the step may write into it, and into those around it.
        """
        paths = self._find_named()
        # As deep as the paths go up, so that they end in the step's own place.
        top = place / "root"
        folder = top.joinpath(*["work"] * (1 + max(map(_steps_up, paths), default=0)))
        folder.mkdir(parents=True)
        for path in paths:
            _link(top, Path(os.path.normpath(folder / path)), self._target(path))
        self._bring(folder, writable)
        if not writable:
            _close(top)
        return folder

    def _bring(self, folder: Path, writable: bool) -> None:
        if self.kept is None:
            return
        for path in self.brought:
            place = folder / path
            if any(one.is_symlink() for one in place.parents) or os.path.lexists(place):
                continue  # it is there by the name of its folder, or its own
            place.parent.mkdir(parents=True, exist_ok=True)
            if writable:
                shutil.copyfile(self.kept / path, place)
            else:
                os.link(self.kept / path, place)

    def _find_named(self) -> list[str]:
        """The relative paths of what is there, the shorter ones first; no folder around a step."""
        found = {posixpath.normpath(text) for text in self.named if is_relative(text)}
        there = [path for path in found if set(path.split("/")) - {".", ".."} and self._has(path)]
        return sorted(there, key=lambda path: (path.count("/"), path))

    def _has(self, path: str) -> bool:
        try:
            return self._target(path).exists()
        except OSError:  # too long for a name, say
            return False

    def _target(self, path: str) -> Path:
        return Path(os.path.normpath(self.home / path))


def texts_of(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of parameters that are texts."""
    return tuple(value for value in parameters.values() if isinstance(value, str))


def is_relative(text: str) -> bool:
    """Whether a text may be a path that starts in the step's folder."""
    return bool(text) and not text.startswith(("/", "~")) and not re.search(r"://|[\0\n]", text)


def _steps_up(path: str) -> int:
    return path.split("/").count("..")


def _link(top: Path, place: Path, target: Path) -> None:
    """Puts a link where nothing is yet, and no link leads out of the way to it."""
    above = [one for one in place.parents if one.is_relative_to(top)]
    if any(one.is_symlink() for one in above) or os.path.lexists(place):
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target.resolve())


def _close(top: Path) -> None:
    for folder in _folders(top):
        folder.chmod(0o555)


def _folders(top: Path) -> Iterator[Path]:
    yield top
    for place, names, _ in os.walk(top):
        yield from (one for name in names if not (one := Path(place, name)).is_symlink())


def with_remedy(failure: Failure, writable: bool) -> Failure:
    """The failure, with what to do where it is one of a path that starts in the step's folder."""
    named = re.findall(r"'([^']+)'", failure.message)
    said = OF_OTHERS.search(failure.message) if failure.name in OF_FILES else None
    if said is None or not any(map(is_relative, named)):
        return failure
    is_denied = said.group().lower() == "permission denied"
    if is_denied and writable:
        return failure
    return replace(failure, remedy=NOT_WRITABLE if is_denied else NOT_THERE)
