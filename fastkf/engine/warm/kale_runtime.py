"""What the generated code of a Kale step calls here in place of Kale's own functions.

The names and what they do are Kale's (kale/common/jputils.py, kale/common/kfputils.py of Kale 2.3);
what differs is said with each. `fastkf.engine.isolation` puts this module into Kale's imports.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from fastkf.engine.warm.interpreter import STEP_FOLDER

METRICS_FILE = "metrics.json"
ANSI_CODES = re.compile(r"\x1b\[[0-9;]*m")


def run_code(source: tuple[str, ...], kernel_name: str = "python3") -> str:
    """Runs the blocks of a step in a Jupyter kernel; returns its HTML report.

    Kale sleeps for a second after the blocks, to give a thread time to print what the kernel
    writes. That thread's target is a coroutine function, so it ends at once and the second is idle;
    here the kernel writes to the step's log itself.

    Raises:
        SystemExit: a block has raised. The others have run all the same, as Kale does it.
    """
    import nbformat
    from kale.common.jputils import process_outputs
    from nbclient import NotebookClient

    from fastkf.engine.kernels import PrivateKernelManager

    cells = [nbformat.v4.new_code_cell(block) for block in source]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    NotebookClient(
        notebook,
        timeout=None,
        kernel_name=kernel_name,
        kernel_manager_class=PrivateKernelManager,
        allow_errors=True,
        store_widget_state=True,
    ).execute()
    tracebacks = [
        output["traceback"]
        for cell in notebook.cells
        for output in cell.outputs
        if output.output_type == "error"
    ]
    for lines in tracebacks:
        print(ANSI_CODES.sub("", "\n".join(lines)), file=sys.stderr, flush=True)
    if tracebacks:
        sys.exit("the notebook's code has failed")
    return str(process_outputs(notebook.cells))


def generate_mlpipeline_metrics(metrics: dict[str, Any]) -> None:
    """Keeps the metrics that a step's kernel has computed: in the step's folder, not in /tmp.

    Raises:
        TypeError: Kale cannot write one of them down; there it fails without the name.
    """
    for name, value in metrics.items():
        try:
            json.dumps(value)
        except TypeError:
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise TypeError(
                f"the metric {name} is a {kind}, which Kale cannot write down; make it a plain "
                "number in its step, such as with float()"
            ) from None
    _metrics_file().write_text(json.dumps(metrics), encoding="utf-8")


def load_mlpipeline_metrics(output: Any) -> None:
    """Logs the metrics that the kernel has kept.

    Args:
        output: the step's `kfp.dsl.Metrics` artifact.
    """
    if _metrics_file().exists():
        metrics = json.loads(_metrics_file().read_text(encoding="utf-8"))
        for name, value in metrics.items():
            output.log_metric(name, value)


def _metrics_file() -> Path:
    return Path(os.environ[STEP_FOLDER], METRICS_FILE)
