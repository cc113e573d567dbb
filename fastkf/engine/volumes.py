"""Volumes, Secrets and ConfigMaps: the folders that a step sees at the paths that it names.

A claim (PersistentVolumeClaim) is a folder that whoever runs the package names, or one in the run's
own folder. What only a step has (empty folders, volumes for its time, the files of Secrets) is in
the step's own.
"""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.base.mounts import Mount, can_mount
from fastkf.engine.task_config import list_volumes
from fastkf.package.given import CONFIG_MAP, SECRET, Given, Kind
from fastkf.package.model import Package
from fastkf.package.settings import for_executors

Table = Mapping[str, Any]
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")  # of an object of Kubernetes
KEY = re.compile(r"[\w.-]{1,253}", re.ASCII)  # of a Secret or a ConfigMap
EMPTY = ("emptyDirMounts", "genericEphemeralVolume")
OF_KINDS = {"secret": (SECRET, "secretName"), "configMap": (CONFIG_MAP, "name")}


@dataclass(frozen=True)
class Volumes:
    """The claims of a run.

    Attributes:
        own: the folder of those that are the run's own.
        given: name to folder, of those that whoever runs it names.
    """

    own: Path
    given: Mapping[str, Path] = field(default_factory=dict)

    def find(self, name: str) -> Path:
        """The folder of a claim, which need not exist.

        Raises:
            ValueError: Kubernetes has no such names.
        """
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"{str(name)[:80]!r} is no name of a volume")
        return self.given.get(name) or self.own / name


def list_mounts(
    asked: Table,
    volumes: Iterable[tuple[Table, Table]],
    claims: Volumes,
    given: Given,
    folder: Path,
    hidden: Iterable[str] = (),
) -> list[Mount]:
    """What a step is to see, and where; the folders are made.

    Args:
        asked: what its executor asks of Kubernetes.
        volumes: those of them that have names, each with its mount, as in a pod's manifest.
        folder: the step's own, for what nobody else has.
        hidden: folders in which it does not see what this machine has there.

    Raises:
        ValueError: a name or path that Kubernetes does not take.
    """
    hidden = tuple(hidden)
    mounts = [*_list_named(volumes, claims, given, folder), *_list_empty(asked, folder)]
    targets = [one.target for one in mounts]
    if twice := next((one for one in targets if targets.count(one) > 1), None):
        raise ValueError(f"two volumes are to be at {twice}, which Kubernetes refuses")
    is_hidden = [any(map(Path(one.target).is_relative_to, hidden)) for one in mounts]
    return [one for one, is_ in zip(mounts, is_hidden, strict=True) if is_ or not one.is_there]


def _list_named(
    volumes: Iterable[tuple[Table, Table]], claims: Volumes, given: Given, folder: Path
) -> Iterator[Mount]:
    for number, (volume, mount) in enumerate(volumes):
        path = _path(mount)
        if "persistentVolumeClaim" in volume:
            inside = _inside(mount.get("subPath", ""))
            source = claims.find(volume["persistentVolumeClaim"]["claimName"]) / inside
            source.mkdir(parents=True, exist_ok=True)
            yield Mount(str(source.resolve()), path)
        for field_name, (kind, key) in OF_KINDS.items():
            if field_name in volume:
                name = volume[field_name][key]
                found = given.find(kind, name)
                is_there = not can_mount() and given.is_at(name, path)
                if not is_there and (found is not None or volume[field_name]["optional"]):
                    files = _write_files(found or {}, folder / "files" / str(number))
                    yield Mount(str(files), path, read_only=True)


def _list_empty(asked: Table, folder: Path) -> Iterator[Mount]:
    shared: dict[str, Path] = {}
    for number, one in enumerate(one for name in EMPTY for one in asked.get(name) or ()):
        name, path = str(one.get("volumeName", "")), _path(one)
        if not can_mount() and os.path.isdir(path):
            continue  # empty or not, it can be written to
        source = shared.setdefault(name, folder / "empty" / str(number))
        source.mkdir(parents=True, exist_ok=True)
        yield Mount(str(source), path)


def _path(mount: Table) -> str:
    path = str(mount.get("mountPath") or "")
    if not path.strip("/") or "\0" in path or ":" in path:
        raise ValueError(f"{path!r} is no path for a volume")
    return posixpath.normpath(f"/{path.lstrip('/')}")


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise ValueError(f"{path!r} is no path in a volume")
    return path


def _write_files(values: Mapping[str, str], folder: Path) -> Path:
    """The files that a step finds of a Secret or a ConfigMap: one for each key."""
    folder.mkdir(parents=True)
    for key, value in values.items():
        if not KEY.fullmatch(key) or set(key) == {"."}:
            raise ValueError(f"{key[:80]!r} is no key of a Secret or a ConfigMap")
        (folder / key).write_bytes(value.encode())
        (folder / key).chmod(0o444)
    folder.chmod(0o755)
    return folder


def list_claims(package: Package) -> Iterator[tuple[str, str]]:
    """The claims whose names are known before the run, each with the path that it is to be at."""
    for asked in for_executors(package).values():
        for volume, mount in list_volumes(asked, _constant, None):
            if "persistentVolumeClaim" in volume and volume["name"]:
                yield str(volume["name"]), _path(mount)


def take_folders_here(package: Package, given: Given) -> Given:
    """What is given, with the volumes whose paths are there on this machine.

    A notebook that runs on it sees what is at these paths, and so do the steps then.

    Raises: as `check_mounts`.
    """
    paths = {name: Path(path) for name, path in list_claims(package)}
    here = {name: path for name, path in paths.items() if path.is_dir()}
    found = replace(given, volumes={**here, **given.volumes}, places={**here, **given.places})
    check_mounts(package, found)
    return found


def check_mounts(package: Package, given: Given) -> None:
    """Says what steps are to see at paths where this machine lets nobody put it.

    Raises:
        FastkfError: names all of it.
    """
    lacking = list(_list_lacking(package, given))
    if lacking and not can_mount():
        raise FastkfError(
            "no program may mount a folder on this machine, and so steps cannot have what they "
            f"look for: {'; '.join(lacking)}",
            "run it with --docker, or on a Kubeflow; or make the folders at these paths yourself, "
            "and say so: --volume NAME=PATH, --secret NAME=PATH",
        )


def _list_lacking(package: Package, given: Given) -> Iterator[str]:
    for executor, asked in for_executors(package).items():
        step = executor.removeprefix("exec-")
        for volume, mount in list_volumes(asked, _constant, None):
            path, name = _path(mount), str(volume.get("name") or "")
            if not given.is_at(name, path):
                yield f"{_word(volume)} {name} of {step} at {path}".replace("  ", " ")
        for one in (one for name in EMPTY for one in asked.get(name) or ()):
            if not os.path.isdir(path := _path(one)):
                yield f"an empty folder of {step} at {path}"


def _word(volume: Table) -> str:
    kinds: dict[str, Kind] = {name: kind for name, (kind, _) in OF_KINDS.items()}
    return next((kind.name for name, kind in kinds.items() if name in volume), "volume")


def _constant(described: Table) -> Any:
    """A name, where it is known before the run."""
    return (described.get("runtimeValue") or {}).get("constant")
