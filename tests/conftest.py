"""Fixtures that several test files share."""

import gc
import json
import os
from pathlib import Path

import browser
import images
import lab_processes
import pytest
from commands import Command, fastkf, start

from fastkf.base.iri import import_jsonschema
from fastkf.course import places
from fastkf.course.labs import read_labs
from fastkf.course.regression import checks, once

import_jsonschema()  # quickly, before a test imports nbformat

__all__ = ["LABS", "SOLUTIONS", "WELCOME", "Command", "fastkf", "start"]

LABS = sorted(read_labs(places.NOTEBOOKS).all)
SOLUTIONS = sorted((places.NOTEBOOKS / "solutions").glob("*.ipynb"))
WELCOME = list(read_labs(places.NOTEBOOKS).welcome)

SECONDS_OF_A_LAB = 1700  # on a busy machine; pytest's own limit ends the test a little later
run_fresh, run_pytest_fresh = checks.run_command, once.run_pytest
ALL_SLOW = "\npytestmark = pytest.mark.slow\n"
LONGEST_FIRST = Path(__file__).with_name("longest_first.txt")


def run_forked(notebook, folder, options):
    """`checks.run_command` in a process that is forked (see lab_processes.py), as its kernel is."""
    output = folder / "run"
    words = ["run", str(notebook.path.resolve()), *options, "--output", str(output)]
    here, kernel = Path.cwd(), lab_processes.describe_kernel(notebook.imports)
    code, told = lab_processes.run(
        "fastkf.cli", words, notebook.imports, here, SECONDS_OF_A_LAB, JUPYTER_PATH=str(kernel)
    )
    if code:
        raise checks.CheckError(told)
    return json.loads((output / "run.json").read_text())


def run_pytest_forked(notebook, words, folder):
    """`once.run_pytest`, forked too, and so is the kernel that it starts."""
    path = lab_processes.describe_kernel(notebook.imports)
    return lab_processes.run(
        "pytest", words, notebook.imports, folder, SECONDS_OF_A_LAB, JUPYTER_PATH=str(path)
    )


def pytest_configure(config):
    if lab_processes.CAN_FORK:
        if not hasattr(config, "workerinput"):
            lab_processes.make_folder()
        checks.run_command, once.run_pytest = run_forked, run_pytest_forked


def pytest_ignore_collect(collection_path, config):
    """`-m "not slow"` does not import files of slow tests, and what they import."""
    if config.getoption("markexpr") == "not slow" and collection_path.suffix == ".py":
        return True if ALL_SLOW in collection_path.read_text(encoding="utf-8") else None
    return None


def pytest_collection():
    gc.disable()  # all that is made now stays


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Each worker begins a folder with another file.

    What one has made of a file, Python keeps for the others; side by side, all would make all.
    """
    report = yield
    if isinstance(collector, pytest.Directory) and report.passed:
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        first = len(report.result) * worker // workers
        report.result = [*report.result[first:], *report.result[:first]]
    return report


def pytest_collection_modifyitems(items):
    """Puts the files that take longest first, so that no worker is left alone with one in the end.

    A worker takes the next file when it has done its own (`--dist loadfile` in the Makefile), so
    what a file makes once for its tests, as the site or JupyterLab, is made once.
    """
    ranks = {line: rank for rank, line in enumerate(LONGEST_FIRST.read_text().splitlines())}
    files = [item.nodeid.partition("::")[0] for item in items]
    order = {file: (ranks.get(file, len(ranks)), file) for file in files}
    items.sort(key=lambda item: order[item.nodeid.partition("::")[0]])


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
