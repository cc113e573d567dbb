"""Installs this project as a wheel, with the packages of the lock, in an environment of its own."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fastkf.course.places import LOCK, PROJECT

BUILDER = "setuptools"
SOURCES = ("fastkf", "pyproject.toml", "README.md", "LICENSE", "LICENSE-course")


def list_closure(requirements: Iterable[str], extra: str = "") -> dict[str, set[str]]:
    """The packages that these requirements bring, each with the extras it is asked with."""
    found: dict[str, set[str]] = {}
    waiting = [(Requirement(text), extra) for text in requirements]
    while waiting:
        requirement, of_extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(requirement.name)
        new = ({""} | requirement.extras) - found.get(name, set())
        found.setdefault(name, set()).update(new)
        inner = [Requirement(text) for text in requires(name)]
        waiting += [(one, of) for one in inner for of in new]
    return found


def requires(name: str) -> list[str]:
    """What a package needs; nothing, where the lock leaves it out."""
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def lock_entries(names: Iterable[str], lock: Path = LOCK) -> str:
    """The lines of the lock for some packages, with their hashes."""
    entries = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(encoding="utf-8"), flags=re.M)
    return "".join(entry for entry in entries if canonicalize_name(entry.split("==")[0]) in names)


def build_wheel(folder: Path) -> Path:
    """Builds the wheel from what a clone would hold; returns its path."""
    source = folder / "source"
    listed = subprocess.run(
        ["git", "-C", str(PROJECT), "ls-files", "--cached", "--others", "--exclude-standard"]
        + ["--", *SOURCES],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in filter(lambda name: (PROJECT / name).is_file(), listed):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((PROJECT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    [wheel] = folder.glob("fastkf-*.whl")
    return wheel


@dataclass
class Installed:
    """An environment in which the wheel is installed, and an empty folder to work in."""

    environment: Path
    folder: Path

    def __call__(self, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs `fastkf WORDS...` in the folder."""
        program = self.environment / "bin"
        settings = {"PATH": f"{program}{os.pathsep}{os.defpath}", "HOME": str(self.folder.parent)}
        settings |= {"COLUMNS": "200", **variables}
        return subprocess.run(
            [program / "fastkf", *map(str, words)],
            cwd=self.folder,
            env=settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def count_bytes(self) -> int:
        """The size of the files, without what Python compiles of them."""
        files = (path for path in self.environment.rglob("*") if path.suffix != ".pyc")
        return sum(path.lstat().st_size for path in files if not path.is_dir())


def install_wheel(folder: Path) -> Installed:
    """Makes the environment: of the lock, only what the core asks for; then the wheel alone.

    Raises:
        InstallError: uv gets the packages neither from its cache nor from the index.
    """
    environment = folder / "environment"
    python = str(environment / "bin" / "python")
    core = list_closure(metadata.requires("fastkf") or [])
    (folder / "core.txt").write_text(lock_entries(core))
    (folder / "builder.txt").write_text(lock_entries([BUILDER]))
    run_uv("venv", "--quiet", "--python", sys.executable, str(environment), folder=folder)
    # One package comes as source, and is built with the lock's builder, as in the set-up.
    install_locked(folder, python, "builder.txt")
    install_locked(folder, python, "core.txt")
    run_uv("pip", "uninstall", "--quiet", "--python", python, BUILDER, folder=folder, check=True)
    wheel = build_wheel(folder)
    run_uv("pip", "install", "--offline", *PLAIN, python, str(wheel), folder=folder, check=True)
    run_uv("pip", "check", "--python", python, folder=folder, check=True)
    (folder / "empty").mkdir()
    return Installed(environment, folder / "empty")


def install_locked(folder: Path, python: str, requirements: str) -> None:
    """Installs packages of the lock: from uv's cache, which the set-up has filled, or the index."""
    words = [*PLAIN, python, "--require-hashes", "--requirement", requirements]
    if run_uv("pip", "install", "--offline", *words, folder=folder):
        run_uv("pip", "install", *words, folder=folder, check=True)


PLAIN = ("--quiet", "--no-deps", "--no-build-isolation", "--python")


class InstallError(Exception):
    """uv could not do it; the text is what it said."""


def run_uv(*words: str, folder: Path, check: bool = False) -> int:
    """Calls uv with the index that pip is told of; returns its exit code."""
    spec = importlib.util.spec_from_file_location("set_up", PROJECT / "tools" / "set_up.py")
    set_up = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(set_up)
    settings = {**os.environ, **set_up.uv_settings(PROJECT)}
    settings |= {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    result = subprocess.run(
        [sys.executable, "-m", "uv", *words],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
    )
    if check and result.returncode:
        raise InstallError(result.stderr)
    return result.returncode
