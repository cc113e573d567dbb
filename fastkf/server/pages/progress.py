"""How far a run is, and how long it will take as the earlier ones of its pipeline did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from fastkf.runs.text import count, format_seconds
from fastkf.server import database as db
from fastkf.server.executions import Execution

MOST_LOOKED_AT = 500  # runs: the newest, by an index
MOST_COUNTED = 5  # of the same pipeline, that have succeeded
ROUND = 5  # seconds: who reads it needs no better, and the page changes less


@dataclass(frozen=True)
class Progress:
    """How far a run is that goes on.

    Attributes:
        done, total: steps; a loop's iterations each.
        left: what is said of the time left; "" where no earlier run tells.
    """

    done: int
    total: int
    left: str


def measure(
    session: Session, run: db.Run, executions: Sequence[Execution], now: datetime
) -> Progress | None:
    """The progress of a run; None of one that has not begun, or has ended."""
    if not run.is_going or run.started_at is None:
        return None
    steps = [one.step for one in executions if not one.is_group]
    done = sum(step.state.has_ended for step in steps)
    took = _list_durations(session, run)
    if not took:
        return Progress(done, len(steps), "")
    left = median(took) - (now - run.started_at).total_seconds()
    source = f"as the last {count(len(took), 'run')}" if len(took) > 1 else "as the last run"
    if left <= 0:
        said = f"longer than usual: {source} took {format_seconds(median(took))}"
    else:
        rounded = max(ROUND, round(left / ROUND) * ROUND)
        said = f"about {format_seconds(rounded)} left, {source}"
    return Progress(done, len(steps), said)


def _list_durations(session: Session, run: db.Run) -> list[float]:
    """The seconds of the latest runs of the pipeline that have succeeded."""
    newest = select(db.Run).order_by(db.Run.created_at.desc()).limit(MOST_LOOKED_AT).subquery()
    one = aliased(db.Run, newest)
    query = (
        select(one.started_at, one.finished_at)
        .where(one.pipeline_name == run.pipeline_name, one.state == "SUCCEEDED", one.id != run.id)
        .where(one.started_at.is_not(None), one.finished_at.is_not(None))
        .order_by(one.created_at.desc())
        .limit(MOST_COUNTED)
    )
    rows = session.execute(query).all()
    return [(ended - began).total_seconds() for began, ended in rows if began and ended]
