"""Runs a notebook file as a notebook, through papermill."""

import logging
import re
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager

from fastkf.notebook.model import Notebook, describe_error, read

ANSI_CODES = re.compile(r"\x1b\[[0-9;]*m")


class QuietKernelManager(AsyncKernelManager):
    """Keeps what the kernel itself logs off the terminal; what cells print is in the notebook."""

    def start_kernel(self, **options):
        return super().start_kernel(stderr=subprocess.DEVNULL, **options)


@dataclass
class NotebookRun:
    """How the execution ended: `status` is "succeeded" or "failed"; metrics as the cells print."""

    status: str
    seconds: float
    metrics: dict[str, float | str] = field(default_factory=dict)
    error: str | None = None


def execute_notebook(
    notebook: Notebook,
    output: Path,
    parameters: dict,
    on_cell: Callable[[int, int], None],
    copy: Path | None = None,
) -> NotebookRun:
    """Executes the notebook in its own folder and writes the executed copy, failed or not.

    Args:
        notebook: the notebook to execute.
        output: where the executed notebook goes.
        parameters: pipeline parameters that differ from the notebook's.
        on_cell: called with the number of code cells done and their total.
        copy: a file with some of the notebook's cells, executed in its place.
    """
    import papermill
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    total, done = len(notebook.code_cells), 0

    def count_cell(cell, cell_index, **_):
        nonlocal done
        if cell.cell_type == "code":
            done = min(done + 1, total)
            on_cell(done, total)

    began = time.monotonic()
    status, error = "succeeded", None
    # Stays off after an interruption: asyncio then tells of each task that was cut off.
    logging.disable(logging.CRITICAL)
    try:
        papermill.execute_notebook(
            str(copy or notebook.path),
            str(output),
            parameters=parameters,
            cwd=str(notebook.path.resolve().parent),
            kernel_name="python3",
            progress_bar=False,
            kernel_manager_class=QuietKernelManager,
            on_cell_executed=count_cell,
        )
    except papermill.PapermillExecutionError as failure:
        status = "failed"
        error = describe_error(
            notebook, failure.ename, failure.evalue, failure.source, _line(failure.traceback)
        )
    except (CellExecutionError, DeadKernelError) as failure:
        status, error = "failed", f"{type(failure).__name__}: {failure}"
    logging.disable(logging.NOTSET)
    seconds = time.monotonic() - began
    return NotebookRun(status, seconds, read_metrics(output) if output.exists() else {}, error)


def read_metrics(path: Path) -> dict[str, float | str]:
    """The metrics that an executed notebook's metrics cells print, one a line."""
    metrics = {}
    for cell in read(path).cells_with_role("pipeline-metrics"):
        metrics |= printed_metrics(cell.source, cell.outputs)
    return metrics


def printed_metrics(source: str, outputs: Iterable[dict]) -> dict[str, float | str]:
    """Name to value of each `print(name)` of a metrics cell, from the cell's outputs."""
    names = re.findall(r"^\s*print\((\w+)\)\s*$", source, re.M)
    printed = "".join("".join(o.get("text", "")) for o in outputs if "text" in o)
    return {name: _number(text) for name, text in zip(names, printed.splitlines(), strict=False)}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _line(trace: list[str]) -> int | None:
    """The line of the failing cell, from IPython's traceback (its outermost frame)."""
    found = re.search(r"Cell In\[\d+\], line (\d+)", ANSI_CODES.sub("", "\n".join(trace)))
    return int(found.group(1)) if found else None
