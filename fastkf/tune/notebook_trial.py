"""Runs a Kale notebook as a trial: `python -m fastkf.tune.notebook_trial NOTEBOOK -p NAME=VALUE`.

Prints the pipeline metrics as `name=value` lines, as Katib's StdOut collector reads them. Cells
tagged `skip` are left out, as in the notebook's pipeline. In a pod it runs in the image's folder.
Here it gets a folder like that: with what parameters name and what is brought, and not writable.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.base.files import remove_folder
from fastkf.base.iri import import_jsonschema
from fastkf.base.privileges import obey_permissions
from fastkf.engine.notebook import execute_notebook
from fastkf.engine.step_folder import Provisions, texts_of
from fastkf.notebook.brought import brought_files, with_files
from fastkf.notebook.file import read_complete
from fastkf.notebook.metadata import Value
from fastkf.notebook.model import Notebook, read
from fastkf.notebook.parameters import read_parameters
from fastkf.tune.trials import TRIAL_FOLDER, TRIAL_NOTEBOOK


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fastkf.tune.notebook_trial")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--bring", action="append", default=[], metavar="FILE")
    arguments = parser.parse_args()
    given = dict(one.split("=", 1) for one in arguments.parameter)
    here = os.environ.get(TRIAL_NOTEBOOK)  # the notebook's own name; on a cluster, a fit one
    path = Path(here) if here else arguments.notebook
    try:
        run_trial(path, given, arguments.bring)
    except FastkfError as error:
        sys.exit(str(error))


def run_trial(path: Path, given: dict[str, str], names: Sequence[str] = ()) -> None:
    """Executes the notebook with other parameters and prints its metrics.

    Args:
        names: files beside the notebook; in a pod, its image has them.

    Raises:
        FastkfError: the notebook cannot be read or fails; the text is its first exception.
    """
    notebook = read(path)
    parameters = read_parameters(notebook, given)
    scratch, own = Path(tempfile.mkdtemp(prefix="fastkf-trial-")), os.environ.get(TRIAL_FOLDER)
    try:
        copy = write_steps(notebook, scratch / "steps.ipynb")
        output = Path(own or scratch) / "notebook.ipynb"
        folder = make_folder(with_files(notebook, names), parameters, scratch) if own else None
        run = partial(execute_notebook, on_cell=lambda done, total: None)
        result = run(notebook, output, parameters, copy=copy, folder=folder)
    finally:
        remove_folder(scratch)
    if result.error:
        raise FastkfError(result.error)
    for name, value in result.metrics.items():
        # As a decimal number: what is tuned is an objective, and no count.
        print(f"{name}={float(value) if isinstance(value, int) else value}")


def make_folder(notebook: Notebook, parameters: Mapping[str, Value], place: Path) -> Path:
    """The folder that the trial starts in; from now on, this process cannot write there."""
    named = texts_of({**notebook.parameters, **parameters})
    provisions = Provisions(notebook.path.resolve().parent, named, brought_files(notebook))
    folder = provisions.keep(place / "brought").make_folder(place / "trial", writable=False)
    obey_permissions()
    return folder


def write_steps(notebook: Notebook, path: Path) -> Path:
    """Writes the notebook without its cells tagged `skip`."""
    skipped = {cell.number for cell in notebook.cells_with_role("skip")}
    import_jsonschema()
    import nbformat

    node = nbformat.from_dict(read_complete(notebook.path))
    node.cells = [cell for i, cell in enumerate(node.cells, start=1) if i not in skipped]
    nbformat.write(node, path)
    return path


if __name__ == "__main__":
    main()
