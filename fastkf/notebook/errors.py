"""What Kale or KFP say against a notebook."""

import shlex
from pathlib import Path

from fastkf.base.errors import FastkfError, one_line


class KaleError(FastkfError):
    """Kale rejects the notebook.

    Attributes:
        reason: why, in Kale's words.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path}: Kale cannot turn this notebook into a pipeline: {one_line(reason)}",
            f"run `fastkf check {shlex.quote(str(path))}` to see where",
        )
        self.reason = reason


class CompileError(FastkfError):
    """Kale accepts the notebook, and what it generates does not compile."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path}: the pipeline does not compile: {one_line(reason)}",
            f"run `fastkf check {shlex.quote(str(path))}` to see where",
        )
