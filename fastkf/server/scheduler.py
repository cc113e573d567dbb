"""Makes the runs of recurring runs when they are due, as Kubeflow's controller of them does."""

import logging
import secrets
import threading
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, undefer

from fastkf.base import clock
from fastkf.base.errors import FastkfError, first_line, shorten
from fastkf.package.model import Package
from fastkf.server import database as db
from fastkf.server.creation import NewRun, Source, add_run, find_source
from fastkf.server.errors import ApiError
from fastkf.server.queue import RunQueue
from fastkf.server.schedule import Every, Once, Schedule, ScheduleError, read_schedule
from fastkf.server.settings import Settings

SECONDS_BETWEEN = 1.0  # looks: the clock may be set, and a laptop may wake up
LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # as Kubernetes' names end
MOST_AT_ONCE = 100  # runs of one look: what a month of sleep has left is caught up bit by bit


class Scheduler:
    """A thread that looks which recurring runs are due, and makes their runs."""

    def __init__(self, settings: Settings, database: db.Database, queue: RunQueue):
        self._settings, self._database, self._queue = settings, database, queue
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN):
            try:
                self.make_due_runs(clock.now())
            except (SQLAlchemyError, OSError) as error:  # a full disk, say: what is due stays due
                logging.error("recurring runs: %s", first_line(getattr(error, "orig", error)))

    def make_due_runs(self, now: datetime) -> int:
        """Makes the runs that are due; how many."""
        enabled = select(db.RecurringRun.id).where(db.RecurringRun.is_enabled)
        with self._database.read() as session:
            ids = list(session.scalars(enabled))
        made = sum(self._make_runs(id, now) for id in ids)
        if made:
            self._queue.wake()
        return made

    def _make_runs(self, id: str, now: datetime) -> int:
        with self._database.read() as session:
            row = session.get(db.RecurringRun, id)
            if row is None or next_time(row, now) is None:
                return 0
        made = 0
        while made < MOST_AT_ONCE:
            with self._database.write() as session:
                row = session.get(db.RecurringRun, id, options=[undefer(db.RecurringRun.spec)])
                moment = next_time(row, now) if row else None
                if row is None or moment is None or not _has_place(session, row):
                    return made
                self._make_run(session, row, moment)
                made += 1
        return made

    def _make_run(self, session: Session, row: db.RecurringRun, moment: datetime) -> None:
        """One run; what hinders it is noted, and the next is tried at its time."""
        row.last_at, row.updated_at, row.error = moment, clock.now(), None
        try:
            experiment = session.get(db.Experiment, row.experiment_id)
            if experiment is None:
                raise FastkfError("its experiment is not there any more")
            add_run(session, self._settings, _find_source(session, row), experiment, _name(row))
            row.count += 1
        except (ApiError, FastkfError) as error:
            row.error = shorten(str(error))
            logging.error("recurring run %s: %s", row.display_name, row.error)


def next_time(row: db.RecurringRun, now: datetime) -> datetime | None:
    """The scheduled time that is due now, None while there is none.

    With no_catchup it is the latest one that has passed, and of an interval this moment, from which
    it counts anew; else the first.
    """
    moment = foresee_time(row)
    if moment is None or moment > now:
        return None
    end = read_limits(row.trigger)[1] or now
    return _latest(read_schedule(row.trigger), moment, end, now) if row.no_catchup else moment


def foresee_time(row: db.RecurringRun) -> datetime | None:
    """The next scheduled time, which may have passed; None where there is none."""
    if not row.is_enabled:
        return None
    try:
        schedule, limits = read_schedule(row.trigger), read_limits(row.trigger)
    except ScheduleError:  # another program's: it was read when it was created
        return None
    moment = _first_after(schedule, limits, row)
    return None if moment is None or (limits[1] and moment > limits[1]) else moment


def read_limits(trigger: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    """The start and the end of a trigger."""
    part = trigger.get("cron_schedule") or trigger.get("periodic_schedule") or {}
    start, end = part.get("start_time"), part.get("end_time")
    return (
        datetime.fromisoformat(start) if start else None,
        datetime.fromisoformat(end) if end else None,
    )


def _first_after(
    schedule: Schedule, limits: tuple[datetime | None, datetime | None], row: db.RecurringRun
) -> datetime | None:
    """A schedule whose start has passed already is behind from there on, as on a Kubeflow."""
    if isinstance(schedule, Once):
        return None if row.last_at else row.since
    return schedule.after(row.last_at or limits[0] or row.since)


def _latest(schedule: Schedule, moment: datetime, end: datetime, now: datetime) -> datetime:
    last = min(end, now)
    if isinstance(schedule, Every) and not schedule.is_cron:
        following = schedule.after(moment)
        return now.replace(microsecond=0) if following and following <= now else moment
    if isinstance(schedule, Every):
        missed = (last - moment).total_seconds() // schedule.seconds
        return moment + timedelta(seconds=missed * schedule.seconds)
    # By halves: the seconds of a month, one by one, take a minute, in which nothing is written.
    fewest, most = 0, int((last - moment).total_seconds())
    while fewest < most:
        half = (fewest + most) // 2
        later = schedule.after(moment + timedelta(seconds=half))
        if later is not None and later <= last:
            fewest = half + 1
        else:
            most = half
    return moment + timedelta(seconds=fewest)


def _has_place(session: Session, row: db.RecurringRun) -> bool:
    of_it = select(func.count()).where(db.Run.recurring_run_id == row.id)
    going = session.scalar(of_it.where(db.Run.state.in_(db.GOING))) or 0
    return going < max(1, row.max_concurrency)


def _find_source(session: Session, row: db.RecurringRun) -> Source:
    if row.spec is not None:
        return Source(Package.from_spec(row.spec))
    return find_source(session, row.pipeline_id, row.pipeline_version_id)


def _name(row: db.RecurringRun) -> NewRun:
    """Its runs are called NAME, five letters, number, as on a Kubeflow."""
    letters = "".join(secrets.choice(LETTERS) for _ in range(5))
    return NewRun(
        display_name=f"{row.display_name}{letters}-{row.count + 1}",
        description=row.description,
        service_account=row.service_account,
        parameters=row.parameters,
        pipeline_root=row.pipeline_root,
        recurring_run_id=row.id,
        scheduled_at=row.last_at,
    )
