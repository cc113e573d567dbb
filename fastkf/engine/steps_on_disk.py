"""The folders of a run's steps, and what a step is told that looks into those of another."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fastkf.base.mounts import Mount, name_tmp
from fastkf.base.paths import is_at_home, is_below
from fastkf.engine.own_places import PLACES, has_own
from fastkf.runs.model import Failure

PATH = re.compile(r"""['"](/[^'"\n]+)['"]|(/[^\s'",;:()\[\]]+)""")
OF_ANOTHER = (
    "the step {step} has written it, and each step has a file system of its own, as on a cluster, "
    "/tmp too: pass its content on in a variable or an artifact, or keep it in a volume or an "
    "object store"
)
OF_HOME = (
    "your home folder has it, and a step has one of its own, as on a cluster: bring the file with "
    "--bring, or give what is secret as a Secret (--secret)"
)
OF_THE_MACHINE = (
    "this machine has it, and each step has a /tmp of its own, as on a cluster: bring the file "
    "with --bring, name its folder with --parameter, or keep it in a volume"
)
IN_THE_WAY = (
    "{path} is this machine's: a step can write to it, but neither replace nor remove what lies in "
    "{place} itself. Put it into a folder there, such as {place}/{step}, and name that path"
)
LONGEST_NAME = 20  # a socket's path has 107 bytes, and programs make theirs in TMPDIR
BUSY = "Device or resource busy"


class Steps:
    """The folders of the steps of a run: of those that go on, and of those that have ended.

    When a step has ended, its folder moves: its paths lead to nothing then, as when a container is
    gone.

    Args:
        folder: in which they are.
    """

    def __init__(self, folder: Path):
        self._running, self._ended = folder / "steps", folder / "ended"
        self._names: dict[str, str] = {}
        self._seen: dict[str, tuple[list[Mount], list[str]]] = {}

    def make_folder(self, step: str) -> Path:
        self._running.mkdir(exist_ok=True)
        prefix = f"{step[:LONGEST_NAME]}-"
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self._running))
        self._names[folder.name] = step
        return folder

    def end(
        self, folder: Path, mounts: Sequence[Mount] = (), kept: Sequence[str] = ()
    ) -> dict[str, Path]:
        """Moves the folder of a step that has ended; returns what it has seen to where it is.

        Args:
            mounts: what it has seen at paths of its own.
            kept: what it has seen of this machine, also below those.
        """
        self._ended.mkdir(exist_ok=True)
        now = folder.rename(self._ended / folder.name)
        self._seen[folder.name] = [*mounts], [*kept]
        seen = {path: Path(path) for path in kept}
        for one in mounts:
            source = Path(one.source)
            is_own = source.is_relative_to(folder)
            seen[one.target] = now / source.relative_to(folder) if is_own else source
        return {**seen, str(folder): now}

    def explain(self, failure: Failure, name: str, variables: Mapping[str, str]) -> Failure:
        """The failure, with what to do where a path in it is another step's, or this machine's.

        Args:
            name: of the folder of the step that has failed, and ended.
            variables: the step's.
        """
        if failure.remedy:
            return failure
        mounts, kept = self._seen[name]
        seen, own = kept if has_own(mounts) else None, str(self._running / name / "tmp")
        variables = dict(variables)
        name_tmp(mounts, own, variables)
        home = variables["HOME"]
        for path in (quoted or bare for quoted, bare in PATH.findall(failure.message)):
            is_steps = Path(path).is_relative_to(self._running)
            if seen is not None and is_below(path, seen) and not is_steps:
                remedy = _tell_busy(path, self._names[name]) if BUSY in failure.message else None
            else:
                remedy = self._name_other(path, self._ended / name)
                remedy = remedy or (OF_HOME if is_at_home(path, home) else None)
                if remedy is None and seen is not None and not is_steps:
                    is_there = _find_inside(path) is not None and os.path.lexists(path)
                    remedy = OF_THE_MACHINE if is_there else None
            if remedy is not None:
                return replace(failure, remedy=remedy)
        return failure

    def _name_other(self, path: str, own: Path) -> str | None:
        if Path(path).is_relative_to(self._running):
            name = next(iter(Path(path).relative_to(self._running).parts), "")
            is_there = name in self._names and name != own.name and (self._ended / name).is_dir()
            return self._tell(name) if is_there else None
        inside = _find_inside(path)
        if inside is None or os.path.lexists(own / inside):
            return None
        others = [*self._ended.glob("*"), *self._running.glob("*")]
        for other in others:
            if other != own and os.path.lexists(other / inside):
                return self._tell(other.name)
        return None

    def _tell(self, name: str) -> str:
        return OF_ANOTHER.format(step=self._names[name])


def _tell_busy(path: str, step: str) -> str | None:
    """What to do where a step cannot replace what is mounted alone."""
    place = os.path.dirname(path)
    if place not in PLACES:
        return None
    return IN_THE_WAY.format(path=path, place=place, step=step)


def _find_inside(path: str) -> str | None:
    """Where in a step's folder is what it sees at a path."""
    for place, name in PLACES.items():
        if path != place and Path(path).is_relative_to(place):
            return os.path.join(name, os.path.relpath(path, place))
    return None
