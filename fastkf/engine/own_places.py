"""The folders that each container has for itself, and steps on one machine share: /tmp, /var/tmp.

A step whose code or parameters name them gets its own, where a process may have mounts of its own
(`fastkf.base.mounts`): what one step writes there, no other finds, as on a cluster. What this
machine has there for the steps, such as the run's folder, stays where it is.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fastkf
from fastkf.base.mounts import Mount, can_mount
from fastkf.base.paths import is_below
from fastkf.engine.isolation import MARSHAL
from fastkf.engine.job import Job
from fastkf.engine.placeholders import local_path
from fastkf.package.given import Given
from fastkf.package.kale import brings_source
from fastkf.package.model import Package
from fastkf.package.settings import words_of

PLACES = {"/tmp": "tmp", "/var/tmp": "var-tmp"}  # to the name in a step's folder
NAMED = re.compile(r"/(?:var/)?tmp\b")
PROGRAMS = (".py", ".sh")
KALES_HOME = ("HOME", "/tmp")  # which leads to the step's own folder
SHARED = (
    "steps share this machine's /tmp: it lets no program mount a folder. On a cluster each step "
    "has a /tmp of its own, and does not find there what another has written"
)


@dataclass(frozen=True)
class Texts:
    """What may name these folders.

    Attributes:
        code: the texts of a step's programs.
        paths: what may be paths of this machine that it may use.
    """

    code: Sequence[str]
    paths: Sequence[str] = ()


def arrange(
    job: Job, given: Given | None, folder: Path, kept: Sequence[Path], texts: Texts, log: Path
) -> tuple[list[Mount], list[str]]:
    """The folders that a step sees at paths of its own, and the paths that stay as they are.

    Where it has folders of its own, these are all that it sees of this machine below them.

    Args:
        folder: the step's own.
        kept: what it needs of this machine.
        texts: its code, and what may be paths that it may use.
        log: says where it cannot have folders of its own, though it asks for them.
    """
    asks = are_named((*texts.code, *texts_in(job.arguments.parameters), *_list_values(job)))
    if asks and not can_mount():
        with log.open("a", encoding="utf-8") as file:
            file.write(f"fastkf: {SHARED}\n")
        asks = False
    mounts = job.list_mounts(given, folder, PLACES if asks else ())
    stays = [str(path) for path in kept if path.exists() and str(path) not in PLACES]
    if asks:
        taken = (one for listed in job.arguments.artifacts.values() for one in listed)
        inside = list_kept((*kept, *map(local_path, taken)), texts.paths)
        # One mount for what lies together: nothing is moved or replaced across mounts.
        around = [path for path in stays if not is_below(path, PLACES)]
        return [*list_own(folder, mounts), *mounts], [*around, *inside]
    return mounts, stays


def warn_of_shared(package: Package, arguments: Mapping[str, Any]) -> Iterator[str]:
    """Says that steps share folders that they name, where they do."""
    if are_named(_list_texts(package, arguments)) and not can_mount():
        yield SHARED


def are_named(texts: Iterable[str]) -> bool:
    """Whether one of the texts of a step names one of these folders, Kale's own use aside."""
    return any(NAMED.search(text.replace(MARSHAL, "")) for text in texts)


def has_own(mounts: Iterable[Mount]) -> bool:
    """Whether a step with these mounts has one of these folders for itself."""
    return any(one.target in PLACES for one in mounts)


def _list_values(job: Job) -> Iterator[str]:
    """What the pipeline sets variables of a step to."""
    return _values_of(job.environment.items())


def _values_of(variables: Iterable[tuple[str, Any]]) -> Iterator[str]:
    for name, value in variables:
        if (name, value) != KALES_HOME:
            yield str(value)


def texts_in(value: Any) -> Iterator[str]:
    """The texts in a value of a parameter."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_in(one)


def list_own(folder: Path, volumes: Sequence[Mount]) -> list[Mount]:
    """A folder of the step's own for each of these, with room in it for its volumes.

    Args:
        folder: the step's own.
        volumes: what it sees elsewhere; one that is at such a path itself is enough.
    """
    targets = [one.target for one in volumes]
    own = []
    for place, name in PLACES.items():
        if os.path.realpath(place) != place or not os.path.isdir(place) or place in targets:
            continue
        source = folder / name
        for path in (one for one in targets if Path(one).is_relative_to(place)):
            (source / os.path.relpath(path, place)).mkdir(parents=True, exist_ok=True)
        source.mkdir(exist_ok=True)
        source.chmod(0o1777)  # also for what the step runs as another user
        own.append(Mount(str(source), place))
    return own


def list_kept(paths: Iterable[Path | str], texts: Iterable[str] = ()) -> list[str]:
    """What of this machine stays where it is below these folders.

    Args:
        paths: of what the step needs.
        texts: that may be paths of what it may use: what is there of each.
    """
    ours = (sys.prefix, sys.base_prefix, *sys.path, *fastkf.__path__)
    named = (part for text in os.environ.values() for part in text.split(os.pathsep))
    given = filter(None, map(_find_there, texts))
    every = {os.path.abspath(path) for path in (*paths, *ours, *named, *given) if path}
    every |= {os.path.realpath(path) for path in every}
    found: list[str] = []
    for path in sorted(every):
        is_inside = any(path != place and Path(path).is_relative_to(place) for place in PLACES)
        if is_inside and os.path.exists(path) and not is_below(path, found):
            found.append(path)
    return found


def _list_texts(package: Package, arguments: Mapping[str, Any]) -> Iterator[str]:
    """The texts of its steps' code and of the values that they are given."""
    yield from texts_in({**package.defaults, **arguments})
    yield from package.python_sources.values()
    for executor in package.executors.values():
        container = executor.get("container") or {}
        yield from _values_of((one["name"], one.get("value")) for one in container.get("env") or ())
        if not brings_source(container.get("command") or ()):
            yield from words_of(container)


def _find_there(text: str) -> str | None:
    """The folder around an absolute path, as far as it is there; what is in /tmp itself, alone.

    What is mounted alone can be written, but neither replaced nor removed, as whoever makes it anew
    does.
    """
    path = os.path.normpath(_read_path(text))
    if not path.startswith("/") or "\0" in path:
        return None
    above = os.path.dirname(path)
    if above in PLACES:
        return path
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    return above


def _read_path(text: str) -> str:
    """The path that a text is, or the URL of a file, such as file:///tmp/table.csv."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    return text if parts.netloc else f"/{unquote(parts.path).lstrip('/')}"


@cache
def read_code(folder: Path, pattern: str = "**/*") -> tuple[str, ...]:
    """The texts of the programs in a folder, as they are when it is asked for the first time."""
    texts = []
    for path in sorted(folder.glob(pattern)):
        if path.suffix in PROGRAMS and path.is_file():
            with suppress(OSError):  # closed to this user, and to the step
                texts.append(path.read_text(encoding="utf-8", errors="replace"))
    return tuple(texts)
