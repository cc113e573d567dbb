"""What a trial has for itself, as its container would: a home, and folders for temporary files.

What one trial leaves there, such as a checkpoint or a cache, no other finds. Where a program may
have mounts of its own (`fastkf.base.mounts`), /tmp and /var/tmp by their names are its own too.
"""

import json
import os
import site
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fastkf.base import mounts as mounting
from fastkf.base.files import remove_folder
from fastkf.base.mounts import Mount, can_mount, dump, name_tmp
from fastkf.engine.own_places import PLACES, are_named, is_below, list_kept, list_own, read_code
from fastkf.engine.pip_settings import find_at_home
from fastkf.engine.steps_on_disk import PATH
from fastkf.tune.experiment import Experiment

SHARED = (
    "trials share this machine's /tmp: it lets no program mount a folder. On a cluster each has a "
    "/tmp of its own, and does not find there what another has written"
)
OF_THE_MACHINE = (
    "this machine has it, and each trial has a {place} of its own, as on a cluster: keep it beside "
    "the manifest, and have the image bring it"
)
OF_HOME = (
    "your home folder has it, and each trial has one of its own, as on a cluster: keep it beside "
    "the manifest, and have the image bring it"
)
VALUE = "--parameter="  # before NAME=VALUE, of the trials of a notebook


class TrialPlaces:
    """The places of one trial, gone when it has ended.

    Args:
        container: what the trial's pod runs, with its values filled in.
        folder: where the trial's files go.
    """

    def __init__(self, experiment: Experiment, container: dict, folder: Path):
        self._own = Path(tempfile.mkdtemp(prefix="fastkf-trial-"))
        for name in ("home", "tmp"):
            (self._own / name).mkdir()
        self._mounts: list[Mount] = []
        self._kept: list[str] = []
        if can_mount() and str(experiment.folder) not in PLACES:
            around = (_find_project(experiment.folder), folder.resolve(), self._own)
            self._mounts = list_own(self._own, ())
            self._kept = list_kept(around, _list_given(experiment, container))

    def variables(self) -> dict[str, str]:
        own, tmp = str(self._own / "home"), str(self._own / "tmp")
        # Packages that a user has installed for themselves are this Python's, wherever the home is.
        found = {**find_at_home(), "PYTHONUSERBASE": site.getuserbase()}
        variables = {**found, "HOME": own, "TMPDIR": tmp}
        name_tmp(self._mounts, tmp, variables)
        return variables

    def wrap(self, command: Sequence[str]) -> list[str]:
        """The command that runs another one with what it sees of this machine."""
        if not self._mounts:
            return [*command]
        words = dump(self._mounts), json.dumps(self._kept)
        return [sys.executable, "-I", "-m", mounting.__name__, *words, *command]

    def explain(self, said: str) -> str:
        """What a trial said at its end, with the reason where it did not find what is here."""
        for path in (quoted or bare for quoted, bare in PATH.findall(said)):
            if remedy := self._explain_path(path):
                return f"{said} ({remedy})"
        return said

    def _explain_path(self, path: str) -> str | None:
        home, mine = self._own / "home", Path.home()
        if Path(path).is_relative_to(home) and path != str(home):
            is_mine = os.path.lexists(mine / Path(path).relative_to(home))
            return OF_HOME if is_mine else None
        place = next((one for one in PLACES if is_below(path, [one])), None)
        if not self._mounts or place in (None, path) or is_below(path, self._kept):
            return None
        return OF_THE_MACHINE.format(place=place) if os.path.lexists(path) else None

    def remove(self) -> None:
        remove_folder(self._own)


def warn_of_shared(experiment: Experiment) -> Iterator[str]:
    """Says that trials share folders that they name, where they do."""
    container = experiment.primary_container(experiment.spec["trialTemplate"]["trialSpec"])
    if not can_mount() and are_named([json.dumps(container), *_list_code(experiment)]):
        yield SHARED


def _list_code(experiment: Experiment) -> Iterator[str]:
    if experiment.notebook:
        yield (experiment.folder / experiment.notebook).read_text(encoding="utf-8")
    else:
        yield from read_code(experiment.folder, "*")


def _find_project(folder: Path) -> Path:
    """The topmost folder around a folder that is in one of these places; else the folder itself."""
    around = [one for one in (folder, *folder.parents) if str(one.parent) in PLACES]
    return around[-1] if around else folder


def _list_given(experiment: Experiment, container: dict) -> Iterator[str]:
    """What may be paths of this machine: values of a notebook's parameters, places of volumes."""
    if experiment.notebook:
        for word in (*container.get("command", ()), *container.get("args", ())):
            yield word.removeprefix(VALUE).partition("=")[2] if word.startswith(VALUE) else ""
    template = experiment.spec["trialTemplate"]["trialSpec"]
    volumes = template["spec"]["template"]["spec"].get("volumes") or ()
    empty = {one["name"] for one in volumes if "emptyDir" in one or set(one) == {"name"}}
    for mount in container.get("volumeMounts") or ():
        if mount.get("name") not in empty:
            yield str(mount.get("mountPath", ""))
