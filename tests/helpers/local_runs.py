"""Runs packages here, with the steps' processes that `fastkf run` has.

The warm parent is forked from a process without threads. A process that runs tests has some soon
(servers, clients of object stores), so a run with a warm parent gets a process of its own.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from fastkf.engine.run import Outcome, run_package
from fastkf.engine.step_folder import Provisions
from fastkf.engine.tasks.python import PythonTasks
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import read
from fastkf.package.model import Package

FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["fastkf.engine.run", "imported_by_steps"])


def run_notebook_here(path: Path, folder: Path, imports="", warm=True, parallel=None) -> Outcome:
    package = compile_notebook(read(path), folder / "pipeline.yaml")
    return run_package_here(package, folder, path.parent, imports, warm, parallel)


def run_package_here(
    package: Path, folder: Path, working_folder: Path, imports="", warm=True, parallel=None
) -> Outcome:
    words = (package, folder, working_folder, imports, warm, parallel)
    if not warm:
        return _run(*words)
    with ProcessPoolExecutor(max_workers=1, mp_context=FRESH) as pool:
        return pool.submit(_run, *words).result()


def _run(package, folder, working_folder, imports, warm, parallel) -> Outcome:
    with PythonTasks(Provisions(working_folder), imports, warm) as python:
        return run_package(
            Package.read(package),
            {},
            folder,
            executors={"python": python},
            on_step=lambda step: None,
            parallel=parallel,
        )
