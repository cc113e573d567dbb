"""The packages of runs."""

import contextlib
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.package.model import Package
from fastkf.server import database as db
from fastkf.server.settings import Settings


def load_package(settings: Settings, run_id: str) -> Package:
    """The package in the run's folder.

    Raises:
        FastkfError: it cannot be read.
    """
    try:
        return Package.load(settings.run_folder(run_id) / "pipeline.yaml")
    except FastkfError as error:
        problem = f"the package of the run cannot be read any more ({error.problem})"
        raise FastkfError(problem, "start a new run of its pipeline") from error


def read_spec(settings: Settings, row: db.Run) -> dict[str, Any]:
    """The PipelineSpec of a run; {} where it cannot be read any more."""
    spec = row.spec
    if spec is None:
        with contextlib.suppress(FastkfError):
            spec = load_package(settings, row.id).spec
    return (spec or {}).get("pipeline_spec", spec) or {}
