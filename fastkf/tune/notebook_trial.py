"""Runs a Kale notebook as a trial: `python -m fastkf.tune.notebook_trial NOTEBOOK -p NAME=VALUE`.

Prints the pipeline metrics as `name=value` lines, as Katib's StdOut collector reads them. Cells
tagged `skip` are left out, as in the notebook's pipeline.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import nbformat

from fastkf.base.errors import FastkfError
from fastkf.engine.notebook import execute_notebook
from fastkf.notebook.model import Notebook, read
from fastkf.notebook.parameters import read_parameters
from fastkf.tune.trials import TRIAL_FOLDER


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fastkf.tune.notebook_trial")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    try:
        run_trial(arguments.notebook, dict(one.split("=", 1) for one in arguments.parameter))
    except FastkfError as error:
        sys.exit(str(error))


def run_trial(path: Path, given: dict[str, str]) -> None:
    """Executes the notebook with other parameters and prints its metrics.

    Raises:
        FastkfError: the notebook cannot be read or fails; the text is its first exception.
    """
    notebook = read(path)
    parameters = read_parameters(notebook, given)
    with tempfile.TemporaryDirectory() as scratch:
        copy = write_steps(notebook, Path(scratch) / "steps.ipynb")
        output = Path(os.environ.get(TRIAL_FOLDER, scratch)) / "notebook.ipynb"
        result = execute_notebook(notebook, output, parameters, lambda done, total: None, copy)
    if result.error:
        raise FastkfError(result.error)
    for name, value in result.metrics.items():
        print(f"{name}={value}")


def write_steps(notebook: Notebook, path: Path) -> Path:
    """Writes the notebook without its cells tagged `skip`."""
    skipped = {cell.number for cell in notebook.cells_with_role("skip")}
    node = nbformat.read(notebook.path, as_version=nbformat.NO_CONVERT)
    node.cells = [cell for i, cell in enumerate(node.cells, start=1) if i not in skipped]
    nbformat.write(node, path)
    return path


if __name__ == "__main__":
    main()
