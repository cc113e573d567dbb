"""Loaded by a step's kernel before its cells run (an IPython extension)."""

import traceback
from typing import Any

from fastkf.engine.warm import interpreter


def load_ipython_extension(shell: Any) -> None:
    shell.events.register("post_run_cell", keep_first_error)


def keep_first_error(result: Any) -> None:
    """Writes down the first exception that a cell raises, with the cell's code and the line."""
    error = result.error_before_exec or result.error_in_exec
    if error is None:
        return
    source = result.info.transformed_cell or result.info.raw_cell
    line = _line_in_cell(error)
    lines = source.splitlines()
    interpreter.write_error(
        type(error).__name__,
        str(error),
        source=source,
        line=line,
        text=lines[line - 1].strip() if line and line <= len(lines) else None,
    )


def _line_in_cell(error: BaseException) -> int | None:
    if isinstance(error, SyntaxError):
        return error.lineno
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name == "<module>":
            return line
    return None
