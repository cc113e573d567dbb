"""Runs a lab as a notebook here and as a pipeline on a Kubeflow, and compares the metrics.

    .venv/bin/python tools/compare_with_cluster.py 02_titanic --host http://localhost:8080

The options after the lab's name are those of `fastkf submit`. The exit code is 0 when both
succeeded and the metrics agree.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from fastkf.cli.options import find_notebook
from fastkf.notebook.model import read
from fastkf.runs.compare import SAME, Tolerance, compare
from fastkf.runs.model import Run
from fastkf.runs.record import read_run


def main(lab: str, options: list[str]) -> int:
    notebook = read(find_notebook(lab))
    with tempfile.TemporaryDirectory() as folder:
        here = fastkf("run", lab, "--only", "notebook", output=Path(folder, "notebook"))
        there = fastkf("submit", lab, *options, output=Path(folder, "pipeline"))
    tolerance = SAME if notebook.course.tolerance is None else notebook.course.tolerance
    metrics = compare(here.notebook.metrics, there.pipeline.metrics, Tolerance(tolerance))
    print(json.dumps({name: asdict(metric) for name, metric in metrics.items()}, indent=2))
    return 0 if metrics and all(metric.equal for metric in metrics.values()) else 1


def fastkf(*words: str, output: Path) -> Run:
    """What has run; ends this program when the run fails."""
    command = [sys.executable, "-m", "fastkf.cli", *words, "--output", str(output)]
    code = subprocess.run(command).returncode
    if code:
        sys.exit(code)
    return read_run(output)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
