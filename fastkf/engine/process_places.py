"""What a process has for itself, as its container would: a home, and folders for temporary files.

For programs that are no steps, such as the trials of a search and the replicas of a training. What
one leaves there, such as a checkpoint or a cache, no other finds. Where a program may have mounts
of its own (`fastkf.base.mounts`), /tmp and /var/tmp by their names are its own too.
"""

import json
import os
import site
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fastkf.base import mounts as mounting
from fastkf.base.files import remove_folder
from fastkf.base.mounts import Mount, can_mount, dump, name_tmp
from fastkf.base.paths import is_at_home, is_below
from fastkf.engine.own_places import PLACES, are_named, list_kept, list_own
from fastkf.engine.pip_settings import find_at_home
from fastkf.engine.steps_on_disk import PATH

SHARED = (
    "{kind}s share this machine's /tmp: it lets no program mount a folder. On a cluster each has a "
    "/tmp of its own, and does not find there what another has written"
)
ELSEWHERE = (
    "{whose} has it, and each {kind} has a {place} of its own, as on a cluster: keep it beside the "
    "manifest, and have the image bring it, or in a volume"
)


class ProcessPlaces:
    """The places of one process, gone when it has ended.

    Args:
        kind: what the process is, in one word.
        project: the folder in which it starts.
        kept: what else it needs of this machine.
        given: texts that may be paths of this machine that it may use.
        before: the words of the command that runs the process, in a network of its own say.
    """

    def __init__(
        self,
        kind: str,
        project: Path,
        kept: Sequence[Path] = (),
        given: Iterable[str] = (),
        before: Sequence[str] = (),
    ):
        self._kind, self._before = kind, tuple(before)
        self._own = Path(tempfile.mkdtemp(prefix=f"fastkf-{kind}-"))
        for name in ("home", "tmp"):
            (self._own / name).mkdir()
        self._mounts: list[Mount] = []
        self._kept: list[str] = []
        is_whole = any(str(one) in PLACES for one in (project, *kept))
        if not is_whole and can_mount(self._before):
            self._mounts = list_own(self._own, ())
            self._kept = list_kept((_find_top(project), self._own, *kept), given)

    def variables(self) -> dict[str, str]:
        tmp = str(self._own / "tmp")
        # Packages that a user has installed for themselves are this Python's, wherever the home is.
        found = {**find_at_home(), "PYTHONUSERBASE": site.getuserbase()}
        variables = {**found, "HOME": str(self._own / "home"), "TMPDIR": tmp}
        name_tmp(self._mounts, tmp, variables)
        return variables

    def wrap(self, command: Sequence[str]) -> list[str]:
        """The command that runs another one with what it sees of this machine."""
        if not self._mounts:
            return [*self._before, *command]
        words = dump(self._mounts), json.dumps(self._kept)
        start = [sys.executable, "-I", "-m", mounting.__name__, *words]
        return [*self._before, *start, *command]

    def explain(self, said: str) -> str | None:
        """Why the process did not find a path that it names at its end, where this is known."""
        for path in (quoted or bare for quoted, bare in PATH.findall(said)):
            if reason := self._explain_path(path):
                return reason
        return None

    def _explain_path(self, path: str) -> str | None:
        if is_at_home(path, str(self._own / "home")):
            return self._tell("your home folder", "home")
        place = next((one for one in PLACES if is_below(path, [one])), None)
        if not self._mounts or place in (None, path) or is_below(path, self._kept):
            return None
        return self._tell("this machine", str(place)) if os.path.lexists(path) else None

    def _tell(self, whose: str, place: str) -> str:
        return ELSEWHERE.format(whose=whose, kind=self._kind, place=place)

    def remove(self) -> None:
        remove_folder(self._own)


def warn_of_shared(kind: str, texts: Iterable[str], before: Sequence[str] = ()) -> Iterator[str]:
    """Says that processes share folders that their texts name, where they do."""
    if not can_mount(tuple(before)) and are_named(texts):
        yield SHARED.format(kind=kind)


def _find_top(folder: Path) -> Path:
    """The topmost folder around a folder that is in one of these places; else the folder itself."""
    around = [one for one in (folder, *folder.parents) if str(one.parent) in PLACES]
    return around[-1] if around else folder
