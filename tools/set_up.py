"""Makes the environment: .venv, with exactly the packages of requirements.txt and this project.

    python tools/set_up.py              sets .venv up, unless it is ready
    python tools/set_up.py lock [ARG]   makes requirements.txt again from pyproject.toml

Runs on a bare Python, before anything is installed. pip installs uv and what builds packages;
uv, which is faster, installs the rest; where uv cannot, pip does. All of it is checked against
the hashes in requirements.txt. uv does not read pip's configuration, so it is told what pip is
configured with.
"""

import ast
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

PROJECT = Path(__file__).resolve().parent.parent
NEEDED_GB = 4
HEARTBEAT_SECONDS = 15
ENVIRONMENT = ".venv"
LOCK = "requirements.txt"

# Installed before the rest: uv, and what the packages that come as source are built with.
FIRST = ("uv", "setuptools", "wheel")

# Imported once, in two processes, when all is installed. This compiles what the labs use and
# nothing else, which takes half as long as compiling every file, and shows that it works here.
IMPORTS = (
    ("tensorflow", "keras", "sklearn.ensemble", "sklearn.inspection", "sklearn.svm", "seaborn"),
    (
        "kale.compiler",
        "kfp.client",
        "kfp.compiler",
        "kfp.local",
        "kfp.dsl.executor_main",
        "papermill",
        "ipykernel.kernelapp",
        "nbconvert",
        "jupyterlab.labapp",
        "pytest",
    ),
)


class SetUpError(Exception):
    """A set-up that cannot go on; the text says why and what to do."""


# What a failed command printed, and what it means. The first that matches is the cause.
CAUSES = (
    (
        r"No space left on device|os error 28|Disk quota exceeded",
        "the disk is full. Free some space (the environment takes 3 GB)",
    ),
    (
        r"DO NOT MATCH THE HASHES|Hash mismatch",
        "the package index offers a file that is not the one pinned in requirements.txt, so it "
        "was not installed. Ask whoever runs your index, or use another index",
    ),
    (
        r"ensurepip is not available",
        "this Python cannot make virtual environments. On Debian and Ubuntu, `apt install "
        "python3-venv` (or python3.12-venv for a Python 3.12); or name another Python: "
        "`make PYTHON=/path/to/python3.12`",
    ),
    (
        r"Retrying \(Retry|Connection(Error|RefusedError| refused)|Could not fetch URL|"
        r"name resolution|ProxyError|SSLError|CERTIFICATE|40[137] |timed out",
        "the package index cannot be reached. Check the network, the proxy, and the index that pip "
        "uses (`pip config list`)",
    ),
    (
        r"No matching distribution found for (?P<what>\S+)",
        "the package index has no {what} for this Python and machine. Check the index that pip "
        "uses (`pip config list`)",
    ),
    (
        r"Permission denied|Operation not permitted|Read-only file system",
        "a file cannot be written. Make this folder yours to write",
    ),
)
FINAL = (0, 1, 2, 3)  # causes that another installer would meet as well


@dataclass(frozen=True)
class Project:
    """The folders and files that a set-up works on."""

    folder: Path

    @property
    def environment(self) -> Path:
        return self.folder / ENVIRONMENT

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def lock(self) -> Path:
        return self.folder / LOCK

    @property
    def stamp(self) -> Path:
        """Written last, so that an interrupted set-up is done again. The Makefile reads it."""
        return self.environment / "ready"


def say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    project = Project(PROJECT)
    try:
        with one_at_a_time(project):
            if arguments[:1] == ["lock"]:
                make_lock(project, arguments[1:])
            elif not arguments:
                set_up(project)
            else:
                print(__doc__)
                return 2
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"set-up: {explain(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up: stopped. The next `make` does it again.", file=sys.stderr)
        return 130
    return 0


def set_up(project: Project, imports: tuple[tuple[str, ...], ...] = IMPORTS) -> None:
    """Makes the environment ready; returns at once when it is."""
    started = time.monotonic()
    wanted = describe_wanted(project)
    if read_text(project.stamp) == wanted and project.python.exists():
        project.stamp.touch()
        return
    update = can_be_updated(project)
    project.stamp.unlink(missing_ok=True)
    if not update:
        check_space(project)
        make_environment(project)
    installer = install(project)
    install_project(project)
    import_once(project, imports)
    project.stamp.write_text(wanted)
    seconds = time.monotonic() - started
    say(f"ready in {seconds:.0f} s (Python {sys.version.split()[0]}, installed by {installer})")


def describe_wanted(project: Project) -> str:
    """What the stamp of a ready environment says: for which folder, Python, lock and settings."""
    contents = project.lock.read_bytes() + (project.folder / "pyproject.toml").read_bytes()
    python = ".".join(map(str, sys.version_info[:2]))
    return f"{project.folder}\n{python}\n{hashlib.sha256(contents).hexdigest()}\n"


def can_be_updated(project: Project) -> bool:
    """Whether .venv was once ready, here, with this Python: then only what changed is installed."""
    same = describe_wanted(project).splitlines()[:2]
    return project.python.exists() and read_text(project.stamp).splitlines()[:2] == same


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def check_space(project: Project) -> None:
    free = shutil.disk_usage(project.folder).free / 1e9
    if free < NEEDED_GB:
        raise SetUpError(
            f"the environment needs about {NEEDED_GB} GB of disk, and {project.folder} has "
            f"{free:.1f} GB free. Free some space, then run `make` again."
        )


@contextmanager
def one_at_a_time(project: Project):
    """Waits while another set-up works on the same folder."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        yield
        return
    with open(project.lock, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is running in this folder; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        yield


def make_environment(project: Project) -> None:
    """Makes an empty .venv, in the place of one that is not whole."""
    say(f"making {ENVIRONMENT} with Python {sys.version.split()[0]}")
    command = [sys.executable, "-m", "venv", "--clear", str(project.environment)]
    status, output = run(command, f"making {ENVIRONMENT}", project)
    if status != 0:
        raise SetUpError(explain(output))


def install(project: Project) -> str:
    """Installs the lock, by uv where that works, else by pip; returns the installer's name."""
    say("installing uv, which installs the rest")
    status, output = install_first(project)
    if status != 0 and cause_of(output) in FINAL:
        raise SetUpError(explain(output))
    if status == 0:
        say(f"installing the packages of {LOCK} (about 0.9 GB to download, the first time)")
        if run_uv(project, ["install", "--require-hashes", "--requirements", LOCK]) == 0:
            return "uv"
        make_environment(project)  # without what uv may have left in it
    say("uv does not work here; installing with pip, which takes longer")
    status, output = run_pip(
        project, ["--require-hashes", "--no-build-isolation", "-r", LOCK], count_collected
    ) if install_first(project, ("setuptools", "wheel"))[0] == 0 else install_first(project)
    if status != 0:
        raise SetUpError(explain(output))
    return "pip"
