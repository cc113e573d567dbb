"""Secrets and ConfigMaps of a cluster, as whoever runs a package here gives them.

Each comes from a file of NAME=VALUE lines, from a folder with a file for each key (as a pod sees a
mounted Secret), or from its Kubernetes manifest. Their values are given to steps, and to nothing
else: they are in no record, log or report, unless a step writes them there.
"""

import base64
import binascii
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.masks import Mask
from fastkf.base.paths import lacks_folder
from fastkf.package.model import Package
from fastkf.package.settings import (
    CPU_LIMIT,
    MEMORY_LIMIT,
    TIME_LIMIT,
    WHOLE_CPU_LIMIT,
    for_executors,
)

Table = Mapping[str, Any]
LARGEST = 1024 * 1024  # bytes, as Kubernetes has it
HAS_AFFINITY = hasattr(os, "sched_setaffinity")  # of processes to processors
ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Kind:
    """Secrets, or ConfigMaps: how they are called in a package, and the option that gives one."""

    name: str
    field: str
    key: str
    option: str

    @property
    def as_env(self) -> str:
        return f"{self.field}AsEnv"

    @property
    def as_volume(self) -> str:
        return f"{self.field}AsVolume"

    @property
    def reference(self) -> str:
        """The field by which a pod's variable refers to it."""
        return f"{self.key}Ref"


SECRET = Kind("Secret", "secret", "secretKey", "--secret")
CONFIG_MAP = Kind("ConfigMap", "configMap", "configMapKey", "--config-map")
KINDS = (SECRET, CONFIG_MAP)
LIMITS = frozenset((MEMORY_LIMIT, *([WHOLE_CPU_LIMIT] if HAS_AFFINITY else [])))
# Settings of an executor that are honoured here whatever is given, and those that are where what
# they name is.
DONE_WITHOUT = LIMITS | {TIME_LIMIT, "pvcMount", "genericEphemeralVolume", "emptyDirMounts"}
DONE = DONE_WITHOUT | {name for kind in KINDS for name in (kind.as_env, kind.as_volume)}


@dataclass(frozen=True)
class Given:
    """What a run gives the steps of a package in the place of a cluster.

    Attributes:
        values: kind to name to key to value.
        done: the settings of a package that this is enough for.
        volumes: the folders of claims.
        places: the files and folders of all, by their names.
        keeps_limits: whether the steps' limits of memory and processors are held.
    """

    values: Mapping[Kind, Mapping[str, Mapping[str, str]]] = field(default_factory=dict, repr=False)
    done: frozenset[str] = DONE
    volumes: Mapping[str, Path] = field(default_factory=dict)
    places: Mapping[str, Path] = field(default_factory=dict)
    keeps_limits: bool = True

    def is_at(self, name: str, path: str) -> bool:
        """Whether the folder that is given by a name is at that path of this machine."""
        try:
            return name in self.places and self.places[name].samefile(path)
        except OSError:
            return False

    def without_limits(self) -> "Given":
        """The same, for steps that may use what the machine has."""
        return replace(self, done=self.done - LIMITS, keeps_limits=False)

    def in_containers(self) -> "Given":
        """The same, for steps in containers: there all limits but that of time are held."""
        limits = {MEMORY_LIMIT, CPU_LIMIT} if self.keeps_limits else set()
        return replace(self, done=self.done - {TIME_LIMIT} | limits)

    def find(self, kind: Kind, name: str) -> Mapping[str, str] | None:
        return self.values.get(kind, {}).get(name)


def read_given(
    secrets: Mapping[str, str],
    config_maps: Mapping[str, str],
    volumes: Mapping[str, str] | None = None,
) -> Given:
    """Reads what options name.

    Args:
        secrets, config_maps, volumes: name to path.

    Raises:
        UsageError: there is no such file, or it is none of the three; a volume is no folder.
    """
    folders = {name: Path(path).absolute() for name, path in (volumes or {}).items()}
    for name, folder in folders.items():
        if lack := lacks_folder(folder):
            raise UsageError(f"--volume {name}: {folder}: {lack}", "name a folder that there is")
    named = ((SECRET, secrets), (CONFIG_MAP, config_maps))
    return Given(
        {
            kind: {name: _read(kind, Path(path)) for name, path in paths.items()}
            for kind, paths in named
        },
        volumes=folders,
        places={name: Path(path) for _, paths in named for name, path in paths.items()} | folders,
    )


def _read(kind: Kind, path: Path) -> dict[str, str]:
    try:
        if path.is_dir():
            files = [one for one in path.iterdir() if one.is_file() and one.name[0] != "."]
            return {one.name: _read_text(one) for one in files}
        text = _read_text(path)
        if path.suffix in ENDINGS:
            return _read_manifest(kind, yaml.safe_load(text))
        return dict(_read_lines(text))
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, yaml.YAMLError):
        # What is in it stays out of the message.
        reason = f"no lines NAME=VALUE, and no manifest of a {kind.name}"
    raise UsageError(
        f"{kind.option}: {path}: {reason}",
        f"give a file of NAME=VALUE lines, a folder with a file for each key, or a {kind.name} as "
        "YAML",
    )


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError("larger than 1 MiB, which Kubernetes does not take either")
    return content.decode("utf-8")


def _read_manifest(kind: Kind, manifest: Any) -> dict[str, str]:
    if not isinstance(manifest, dict) or manifest.get("kind") != kind.name:
        raise ValueError
    data = dict(manifest.get("data") or {})
    if kind is SECRET:
        data = {name: _decode(value) for name, value in data.items()}
        data |= manifest.get("stringData") or {}
    if not all(isinstance(value, str) for value in data.values()):
        raise ValueError
    return data


def _decode(value: Any) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode("utf-8")
    except binascii.Error as error:
        raise ValueError from error


def _read_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        line = line.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not (name.strip() and equals):
            raise ValueError
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        yield name.strip(), value


def check_given(package: Package, given: Given) -> None:
    """Says what steps take from Secrets and ConfigMaps that is not given, before anything runs.

    On a cluster such a step waits for ever.

    Raises:
        FastkfError: names all of it.
    """
    if lack := explain_lack(package, given):
        raise lack


def explain_lack(package: Package, given: Given) -> FastkfError | None:
    """What `check_given` says; None where nothing is lacking."""
    lacking = list(_list_lacking(package, given))
    if not lacking:
        return None
    options = dict.fromkeys(f"{kind.option} {name}=FILE" for kind, name, _, _ in lacking)
    return FastkfError(
        f"not given here: {'; '.join(dict.fromkeys(what for _, _, what, _ in lacking))}",
        f"give the values with {' '.join(options)}, or set the steps' variables yourself",
    )


def find_mask(package: Package, given: Given) -> Mask:
    """Hides what Secrets hold, also where this process's own variables stand for them."""
    values = [value for keys in given.values.get(SECRET, {}).values() for value in keys.values()]
    for asked in for_executors(package).values():
        for one in asked.get(SECRET.as_env) or ():
            names = [str(pair.get("envVar")) for pair in one.get("keyToEnv") or ()]
            values += [os.environ[name] for name in names if name in os.environ]
    return Mask(values)


def fit(package: Package, given: Given) -> Given:
    """What is given, with what of a package's settings it is enough for."""
    fields = {name for _, _, _, name in _list_lacking(package, given)}
    return replace(given, done=given.done - fields)


def _list_lacking(package: Package, given: Given) -> Iterator[tuple[Kind, str, str, str]]:
    """What is not given and not in this process's environment, which steps inherit.

    Kind, name, what it is in words, and the field of the executor's settings that asks for it.
    """
    for executor, asked in for_executors(package).items():
        step = executor.removeprefix("exec-")
        for kind, one in _list_asked(asked):
            name = constant_name(kind, one)
            found = given.find(kind, name)
            if not name or one.get("optional"):
                continue
            wanted = [pair for pair in one.get("keyToEnv") or () if not _is_set(pair)]
            missing = [str(pair.get(kind.key)) for pair in wanted if not _has(found, kind, pair)]
            if missing:
                what = "" if found is None else f"{', '.join(missing)} in "
                yield kind, name, f"{what}{kind.name} {name} of {step}", kind.as_env
        for kind in KINDS:
            for one in asked.get(kind.as_volume) or ():
                name = constant_name(kind, one)
                if name and not one.get("optional") and given.find(kind, name) is None:
                    yield kind, name, f"{kind.name} {name} of {step}", kind.as_volume


def _is_set(pair: Table) -> bool:
    return str(pair.get("envVar")) in os.environ


def _has(found: Table | None, kind: Kind, pair: Table) -> bool:
    return found is not None and pair.get(kind.key) in found


def _list_asked(asked: Table) -> Iterator[tuple[Kind, Table]]:
    for kind in KINDS:
        for one in asked.get(kind.as_env) or ():
            yield kind, one


def constant_name(kind: Kind, asked: Table) -> str:
    """The name that is asked for; "" where it comes from an input."""
    parameter = asked.get(f"{kind.field}NameParameter")
    if parameter is None:
        return str(asked.get(f"{kind.field}Name") or "")
    return str((parameter.get("runtimeValue") or {}).get("constant") or "")


def name_variables(asked: Table) -> set[str]:
    """The names of the variables that come from Secrets and ConfigMaps, given or not."""
    pairs = (pair for _, one in _list_asked(asked) for pair in one.get("keyToEnv") or ())
    return {str(pair.get("envVar", "")) for pair in pairs}
