"""Why a step of a notebook has failed: its error, and the finding that foretold it."""

import posixpath
import re
from dataclasses import replace
from functools import cached_property

from fastkf.notebook.check.paths import Fault, faults
from fastkf.notebook.model import Notebook
from fastkf.runs.model import Failure, Step
from fastkf.runs.problems import clean_source, explain_step

OF_FILES = ("FileNotFoundError", "IsADirectoryError", "NotADirectoryError", "PermissionError")
# What libraries say of a file that is not there, or cannot be written, in errors of their own.
SAY_SO = re.compile(
    "unable to (synchronously )?(open|create)|cannot be opened|cannot open|no such file|not found|"
    "non-existent|does not exist|permission denied|read-?only",
    re.IGNORECASE,
)


class Reasons:
    """What is known of a notebook when one of its steps fails.

    Args:
        notebook: as `composition.whole` makes it.
    """

    def __init__(self, notebook: Notebook):
        self._notebook = notebook

    def explain(self, step: Step) -> Step:
        """The step with the error of each failure, and with what a rule says of it."""
        if step.failure:
            found = [one for one in self._faults if _is_cause(one, step.name, step.failure)]
            if found:
                remedy = f"{found[0].rule}: {found[0].problem}; {found[0].remedy}"
                step = replace(step, failure=replace(step.failure, remedy=remedy))
        return explain_step(step, self._cells(step.name))

    def _cells(self, step: str) -> dict[str, str]:
        """Code to what a reader calls its cell; of cells that are alike, the one in its file."""
        cells = self._notebook.steps.get(step, [])
        files = {cell.path for cell in cells}
        beside = [cell for cell in self._notebook.code_cells if cell.path in files]
        own = {clean_source(one.source): one.label for one in reversed([*cells, *beside])}
        return {**self._notebook.cell_names, **own}

    @cached_property
    def _faults(self) -> list[Fault]:
        """Those that a finding was told of, and those that somebody has said to ignore."""
        return list(faults(self._notebook))


def _is_cause(fault: Fault, step: str, failure: Failure) -> bool:
    """Whether a file is the matter, whose name stands in the error or in the line that failed."""
    if failure.name not in OF_FILES and not SAY_SO.search(failure.message):
        return False
    lines = (failure.source or "").splitlines()
    line = lines[failure.line - 1] if failure.line and failure.line <= len(lines) else ""
    name = posixpath.basename(fault.use.path)
    is_told = any(name in text for text in (failure.message, failure.text or "", line))
    steps = [cell.step for cell in (fault.use.cell, fault.maker) if cell]
    return step in steps and is_told
