"""The rule on code that is too long for a step to start with."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.model import Notebook
from fastkf.package.lengths import MOST_BYTES, TooLong, list_too_long

# Below it, the package need not be asked: a sign of four bytes becomes ten there (\U0001f600), any
# other at most twice as many, and Kale adds little of its own.
WORTH_A_LOOK = (MOST_BYTES - 10_000) // 3


def long_code(notebook: Notebook) -> Found:
    """A step whose code, with that of the shared cells, is longer than a pod can start with."""
    if notebook.given is not None or not _is_worth_a_look(notebook):
        return
    names = {f"{step.replace('_', '-')}-step": cells for step, cells in notebook.steps.items()}
    for name, found in _list_too_long(notebook):
        cell = names[name][0] if name in names else None
        yield cell, f"in step {name.removesuffix('-step')}, {found.message}", found.remedy


def _is_worth_a_look(notebook: Notebook) -> bool:
    try:
        units = notebook.pipeline.steps + notebook.pipeline.parts
    except FastkfError:
        return False
    steps = [step for unit in units for step in unit.inside or (unit,)]
    return any(sum(len(one.encode()) for one in step.source) > WORTH_A_LOOK for step in steps)


def _list_too_long(notebook: Notebook) -> Iterator[tuple[str, TooLong]]:
    from fastkf.notebook.compile import compile_package

    with tempfile.TemporaryDirectory(prefix="fastkf-check-") as folder:
        try:
            package = compile_package(notebook, Path(folder) / "pipeline.yaml")
        except FastkfError:  # of which other rules tell
            return
    yield from list_too_long(package)


RULES = (Rule(long_code),)
