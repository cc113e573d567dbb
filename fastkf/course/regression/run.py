"""Runs the regression suite: pytest with the plugin, for `fastkf test`."""

import os
from pathlib import Path

import psutil
import pytest

from fastkf.base.outputs import cannot_be_written
from fastkf.course import places
from fastkf.runs.folder import make_new_folder

BYTES_OF_A_CHECK = 3e9  # what a deep-learning lab may take


def run_suite(
    targets: list[Path], quick: bool, changed: bool, jobs: int | None, output: Path | None
) -> int:
    """Runs the suite on notebooks and folders of notebooks; returns the exit code, 0 or 1.

    Args:
        targets: notebooks, or folders that are searched for notebooks.
        quick: leave the checks with the notebooks' own parameters out.
        changed: leave out what has not changed since it last passed.
        jobs: how many checks run at a time; as many as fit when None.
        output: gets junit.xml, summary.html and what failed checks leave.

    Raises:
        UsageError: it cannot be made.
    """
    output = output or make_new_folder(places.RUNS / "regression")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_be_written(output, error) from error
    options = ["-p", "no:nbval"]  # its import takes a second; the check `execution` starts its own
    options += ["-p", "fastkf.course.regression.plugin", "--kale", "--verbose"]
    options += ["--kale-output", str(output)]
    options += ["-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider", "--tb=short"]
    options += ["-n", str(jobs or count_jobs()), "--dist", "worksteal", "--durations", "10"]
    options += [f"--junitxml={output}/junit.xml", f"--html={output}/summary.html"]
    options += ["--self-contained-html"]
    options += ["--kale-quick"] if quick else []
    options += ["--kale-changed"] if changed else []
    code = pytest.main([*options, *map(str, targets)])
    print(f"Summary: {output}/summary.html")
    return 0 if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else 1


def count_jobs() -> int:
    """How many checks run at a time here: one a processor, where memory allows."""
    fitting = psutil.virtual_memory().available // int(BYTES_OF_A_CHECK)
    return max(1, min(os.cpu_count() or 1, fitting))
