"""Runs a notebook file as a notebook, through papermill."""

import itertools
import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from fastkf.base.iri import import_jsonschema
from fastkf.base.processes import SIGNALLED, Ending, MemoryWatch
from fastkf.base.quiet import quiet_logging
from fastkf.engine.kernels import PrivateKernelManager
from fastkf.engine.layer import Layer
from fastkf.engine.step_folder import with_remedy
from fastkf.notebook.composition import executable_copy
from fastkf.notebook.file import read_content, readable_copy
from fastkf.notebook.model import Notebook, read
from fastkf.runs.model import Failure, NotebookResult, State
from fastkf.runs.problems import explain

ANSI_CODES = re.compile(r"\x1b\[[0-9;]*m")

Metric = float | str
WHOLE_NUMBER = re.compile(r"[+-]?\d{1,15}")  # a longer one is no double any more
# Many a notebook does not say its language.
PYTHON = {"kernel_name": "python3", "language": "python", "progress_bar": False}


class QuietKernelManager(PrivateKernelManager):
    """Keeps what the kernel itself logs off the terminal; what cells print is in the notebook.

    Attributes:
        layer: the layer whose Python the kernel is, so that no cell installs into this one.
        offline: what the cells install is not fetched.
        code: the exit code of the class's kernel, once it has died.
    """

    layer: Layer
    offline = False
    code: int | None = None

    def start_kernel(self, **options: Any) -> Any:
        given = options.pop("env", None) or os.environ
        own = self.layer.environment(given, self.offline)
        return super().start_kernel(stderr=subprocess.DEVNULL, env=own, **options)

    async def is_alive(self) -> bool:  # type: ignore[override]
        alive = bool(await self._async_is_alive())
        if not alive and self.provisioner:
            code = await self.provisioner.poll()
            type(self).code = SIGNALLED - code if code is not None and code < 0 else code
        return alive

    def format_kernel_cmd(self, *words: Any, **options: Any) -> list[str]:
        _, *arguments = super().format_kernel_cmd(*words, **options)
        return [str(self.layer.python), *arguments]


@contextmanager
def _kernels_of_a_layer(below: Layer | None, offline: bool) -> Iterator[type[QuietKernelManager]]:
    with tempfile.TemporaryDirectory(prefix="fastkf-", ignore_cleanup_errors=True) as folder:
        own = Layer(Path(folder) / "python")
        own.make(below)
        # papermill takes a class, and makes the manager itself.
        settings = {"layer": own, "offline": offline, "home": folder}
        yield type("KernelManager", (QuietKernelManager,), settings)


def execute_notebook(
    notebook: Notebook,
    output: Path,
    parameters: Mapping[str, Any],
    on_cell: Callable[[int, int], None],
    copy: Path | None = None,
    below: Layer | None = None,
    offline: bool = False,
    folder: Path | None = None,
) -> NotebookResult:
    """Executes the notebook and writes the executed copy, failed or not.

    Args:
        notebook: the notebook to execute, as `composition.whole` makes it.
        output: where the executed notebook goes.
        parameters: pipeline parameters that differ from the notebook's.
        on_cell: called with the number of code cells done and their total.
        copy: a file with some of the notebook's cells, executed in its place.
        below: the environment with the packages that it imports, where they are not here.
        offline: what its cells install is not fetched.
        folder: where it runs, not writable, as a step's; the notebook's own folder when None.

    Returns:
        How it ended; the metrics are those that its cells have printed.
    """
    began = time.monotonic()
    count = _count_cells(len(notebook.code_cells), on_cell)
    layer, given = _kernels_of_a_layer(below, offline), dict(parameters)
    error = _execute(notebook, output, given, count, copy, layer, folder)
    return NotebookResult(
        State.FAILED if error else State.SUCCEEDED,
        time.monotonic() - began,
        dict(read_metrics(output)) if output.exists() else {},
        error,
    )


def _execute(
    notebook: Notebook,
    output: Path,
    parameters: dict[str, Any],
    count: Callable[..., None],
    copy: Path | None,
    layer: AbstractContextManager[type[QuietKernelManager]],
    folder: Path | None,
) -> str | None:
    """Executes it; returns why it has failed, in words for whoever wrote the notebook."""
    import_jsonschema()
    import papermill
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    memory = MemoryWatch()
    made = readable_copy(copy, to_execute=True) if copy else executable_copy(notebook)
    try:
        with layer as kernels, made as path, quiet_logging():
            papermill.execute_notebook(
                _literal(path),
                _literal(output),
                parameters=parameters,
                cwd=str(folder or notebook.path.resolve().parent),
                kernel_manager_class=kernels,
                on_cell_executed=count,
                **PYTHON,
            )
    except papermill.PapermillExecutionError as failure:
        return explain(_read_failure(failure, folder), notebook.cell_names)
    except DeadKernelError:
        ending = None if kernels.code is None else memory.ending(kernels.code)
        return explain(_read_death(ending, output), notebook.cell_names)
    except CellExecutionError as failure:
        return f"{type(failure).__name__}: {failure}"
    except KeyboardInterrupt:
        # asyncio tells of each task that was cut off when its loop is thrown away, after this.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        raise
    return None


def _read_failure(raised: Any, folder: Path | None) -> Failure:
    """What papermill raises of a cell, as plain data."""
    failure = Failure(raised.ename, raised.evalue, raised.source, _line(raised.traceback))
    return with_remedy(failure, writable=False) if folder else failure


def _read_death(ending: Ending | None, output: Path) -> Failure:
    """What is known of a kernel that has died; the last cell that had begun was running."""
    said = (
        "the notebook's kernel has died: a cell has ended its process, or made it crash, or "
        "the machine was short of memory"
    )
    cells = read_content(output)["cells"] if output.exists() else []
    ran = [one for one in cells if one["metadata"].get("papermill", {}).get("start_time")]
    source = "".join(ran[-1]["source"]) if ran else None
    return Failure("", said if ending is None else f"{said}; it {ending}", source)


def _literal(path: Path) -> str:
    """A path for papermill, which writes parameters in place of {names} in it."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _count_cells(total: int, on_cell: Callable[[int, int], None]) -> Callable[..., None]:
    """What papermill calls after each cell."""
    done = itertools.count(1)

    def count_cell(cell: Any, cell_index: int, **_: Any) -> None:
        if cell.cell_type == "code":
            on_cell(min(next(done), total), total)  # papermill adds one for the parameters

    return count_cell


def read_metrics(path: Path) -> dict[str, Metric]:
    """The metrics that an executed notebook's metrics cells print."""
    metrics: dict[str, Metric] = {}
    for cell in read(path).cells_with_role("pipeline-metrics"):
        metrics |= printed_metrics(cell.source, cell.outputs)
    return metrics


def printed_metrics(source: str, outputs: Iterable[Mapping[str, Any]]) -> dict[str, Metric]:
    """Name to value of each `print(name)` of a metrics cell, from the cell's outputs.

    A value may have several lines, where it is clear which: a number ends what is printed around
    it. Where it is not, nothing is known of any of them.
    """
    names = re.findall(r"^\s*print\((\w+)\)\s*$", source, re.M)
    texts = [one.get("text", "") for one in outputs if one.get("name", "stdout") == "stdout"]
    lines = "".join("".join(text) for text in texts).splitlines()
    values = lines if len(lines) <= len(names) else _join_words(lines)
    if len(values) > len(names):
        return {}
    return {name: _number(text) for name, text in zip(names, values, strict=False)}


def _join_words(lines: list[str]) -> list[str]:
    """Each number alone, and the lines between numbers as one text."""
    values: list[str] = []
    for are_numbers, group in itertools.groupby(lines, lambda line: _number(line) != line):
        texts = list(group)
        values += texts if are_numbers else ["\n".join(texts)]
    return values


def _number(text: str) -> Metric:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(text) if WHOLE_NUMBER.fullmatch(text) else number


def _line(trace: Iterable[str]) -> int | None:
    """The line of the failing cell, from IPython's traceback (its outermost frame)."""
    found = re.search(r"Cell In\[\d+\], line (\d+)", ANSI_CODES.sub("", "\n".join(trace)))
    return int(found.group(1)) if found else None
