"""Fixtures that several test files share."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import browser
import images
import pytest

from fastkf.course import places

LABS = sorted(places.NOTEBOOKS.glob("[0-9]*.ipynb"))
SOLUTIONS = sorted((places.NOTEBOOKS / "solutions").glob("*.ipynb"))


@dataclass
class Command:
    """A finished `fastkf` command."""

    code: int
    output: str
    folder: Path

    @property
    def record(self) -> dict:
        return json.loads((self.folder / "run.json").read_text())


def start(*words, **settings) -> subprocess.Popen:
    """Starts the command as a shell does, with Ctrl-C at work even where it is not in the tests."""
    return subprocess.Popen(
        [sys.executable, "-m", "fastkf.cli", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **settings,
    )


def fastkf(*words, folder: Path | None = None, **settings) -> Command:
    """Calls the command as a user does, in a process of its own."""
    arguments = [str(word) for word in words]
    if folder is not None:
        arguments += ["--output", str(folder)]
    process = subprocess.run(
        [sys.executable, "-m", "fastkf.cli", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=600,
        **settings,
    )
    return Command(process.returncode, process.stdout + process.stderr, folder or Path())


@pytest.fixture
def run(tmp_path):
    """`run(notebook, *options)`: calls `fastkf run` into a folder of the test's own."""

    def call(notebook, *options, name="run", **settings) -> Command:
        return fastkf("run", notebook, *options, folder=tmp_path / name, **settings)

    return call


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium for the tests of a module, which are skipped where there is none."""
    with browser.start_chromium() as program:
        yield program


@pytest.fixture(scope="module")
def served_place(tmp_path_factory):
    from made_runs import serve_place

    with serve_place(tmp_path_factory.mktemp("server")) as place:
        yield place


@pytest.fixture
def place(served_place):
    """The data folder of a local server that serves it, emptied (see `made_runs.Place`)."""
    served_place.clear()
    return served_place


@pytest.fixture(scope="session")
def debian_root(tmp_path_factory):
    """The root file system that takes the place of base images (see images.py)."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    root = images.DebianRoot(shared)
    yield root
    root.remove()
