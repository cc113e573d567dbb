"""Keeps the record of a run whatever happens while it goes."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fastkf.base import clock
from fastkf.base.errors import FastkfError
from fastkf.base.files import lacks_space
from fastkf.runs.compare import EXACT, Tolerance, compare
from fastkf.runs.model import Run, State
from fastkf.runs.record import write_run

INTERRUPTED = "interrupted; the processes of the run were ended"


class Keeper:
    """Holds a run while it goes.

    Attributes:
        run: the run as it is now.
    """

    def __init__(self, run: Run):
        self.run = run

    def update(self, **changes: Any) -> None:
        """Changes fields of the run."""
        self.run = replace(self.run, **changes)


@contextmanager
def keep(run: Run, tolerance: Tolerance = EXACT) -> Iterator[Keeper]:
    """Keeps the run that is done inside: run.json and report.html say how it ended.

    An interruption, and an error that the user can put right, end the run as failed, and the
    program goes on with it.

    Args:
        run: as it is before anything has run; its folder is there.
        tolerance: how far a metric of the notebook and the pipeline's may be apart.

    Raises:
        FastkfError: an error that nobody expected has ended the run; it is the cause.
    """
    keeper, began = Keeper(replace(run, state=State.RUNNING, started=clock.now())), time.monotonic()
    # In case that this process is killed: then nobody is left to say that the run has failed.
    write_run(keeper.run.end(State.FAILED, "the run did not end"))
    error: str | None = None
    try:
        yield keeper
    except KeyboardInterrupt:
        error = INTERRUPTED
    except FastkfError as failure:
        error = str(failure)
    except Exception as failure:
        error = describe_unexpected(failure)
        if not lacks_space(failure):
            raise FastkfError(
                f"the run ended with {error}",
                f"its report: {run.folder / 'report.html'}; with FASTKF_DEBUG=1 the traceback is "
                "shown",
            ) from failure
    finally:
        _end(keeper, error, time.monotonic() - began, tolerance)


def describe_unexpected(error: Exception) -> str:
    """An exception that is not one of ours, in one line."""
    if isinstance(error, OSError) and lacks_space(error):
        where = error.filename or f"the run's folder, or {tempfile.gettempdir()} (TMPDIR)"
        return f"{where}: no space is left there; make room"
    return f"{type(error).__name__}: {error}".strip().removesuffix(":")


def _end(keeper: Keeper, error: str | None, seconds: float, tolerance: Tolerance) -> None:
    from fastkf.runs.report.page import write_report  # Jinja, when the steps have run

    run = keeper.run
    if run.notebook and run.pipeline:
        run = replace(run, parity=compare(run.notebook.metrics, run.pipeline.metrics, tolerance))
    state = State.SUCCEEDED if error is None and _has_succeeded(run) else State.FAILED
    keeper.run = replace(run, seconds=seconds).end(state, error)
    write_run(keeper.run)
    write_report(keeper.run)


def _has_succeeded(run: Run) -> bool:
    parts = [part for part in (run.notebook, run.pipeline) if part]
    ran = bool(parts) and all(part.state is State.SUCCEEDED for part in parts)
    return ran and all(one.equal for one in run.parity.values())
