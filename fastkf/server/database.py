"""What a server remembers: experiments, pipelines and their versions, runs (SQLite)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    Select,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, deferred, mapped_column
from sqlalchemy.schema import CreateIndex

from fastkf.base.errors import FastkfError
from fastkf.server.columns import Data, Name, Time, Words, fold
from fastkf.server.lost import OpenFile

# The states in which a run goes on, of those that the API knows (V2beta1RuntimeState).
GOING = ("PENDING", "RUNNING", "CANCELING")
LAYOUT = 2  # of the tables; a file of an earlier one is brought to it
SECONDS_TO_WAIT = 30
CONNECTIONS = 60
TOTALS, VERSION = "totals", "version"  # what a session for reading has in its `info`
MOST_TOTALS = 256


class Base(DeclarativeBase):
    type_annotation_map = {str: Words, datetime: Time, dict: Data(dict), list: Data(list)}


class Experiment(Base):
    """A group of runs."""

    __tablename__ = "experiments"

    id: Mapped[str] = mapped_column(primary_key=True)
    display_name: Mapped[str] = mapped_column(Name, unique=True)
    description: Mapped[str] = mapped_column(default="")
    namespace: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    last_run_created_at: Mapped[datetime | None]
    storage_state: Mapped[str] = mapped_column(default="AVAILABLE")


class Pipeline(Base):
    """A name for packages; each upload under it is a version."""

    __tablename__ = "pipelines"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Name, unique=True)
    display_name: Mapped[str] = mapped_column(Name)
    description: Mapped[str] = mapped_column(default="")
    namespace: Mapped[str] = mapped_column(default="")
    tags: Mapped[dict] = mapped_column(default=dict)
    created_at: Mapped[datetime]


class PipelineVersion(Base):
    """One uploaded package. `spec` is what the API answers as `pipeline_spec`."""

    __tablename__ = "pipeline_versions"
    __table_args__ = (UniqueConstraint("pipeline_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    pipeline_id: Mapped[str] = mapped_column(ForeignKey("pipelines.id"), index=True)
    name: Mapped[str] = mapped_column(Name)
    display_name: Mapped[str] = mapped_column(Name)
    description: Mapped[str] = mapped_column(default="")
    code_source_url: Mapped[str] = mapped_column(default="")
    tags: Mapped[dict] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    spec: Mapped[dict] = deferred(mapped_column(Data(dict)))


class Run(Base):
    """A run and its state; what its steps do is in run.json of the run's folder.

    Attributes:
        state: PENDING, RUNNING, CANCELING, SUCCEEDED, FAILED or CANCELED (V2beta1RuntimeState);
            the API tells CANCELED as FAILED.
        state_history: dictionaries with update_time, state and, where there is one, error.
        pipeline_id, pipeline_version_id: None for a run of a package that came with the request.
        parameters: the runtime parameters that the request gave.
        error: why it failed, in the learner's words.
    """

    __tablename__ = "runs"
    # Each has all that a list's total is counted by, so that no row is read for it.
    __table_args__ = (
        Index("runs_by_creation", "created_at", "id", "storage_state"),
        Index("runs_of_experiment", "experiment_id", "created_at", "id", "storage_state"),
        Index("runs_by_name", "display_name", "id"),
        Index("runs_by_schedule", "scheduled_at", "id"),
        Index("runs_by_end", text("coalesce(finished_at, 0)"), "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    experiment_id: Mapped[str]
    recurring_run_id: Mapped[str | None] = mapped_column(index=True)
    display_name: Mapped[str] = mapped_column(Name)
    description: Mapped[str] = mapped_column(default="")
    service_account: Mapped[str] = mapped_column(default="")
    pipeline_name: Mapped[str]
    pipeline_id: Mapped[str | None]
    pipeline_version_id: Mapped[str | None] = mapped_column(index=True)
    parameters: Mapped[dict] = mapped_column(default=dict)
    pipeline_root: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(index=True)
    storage_state: Mapped[str] = mapped_column(default="AVAILABLE")
    state_history: Mapped[list] = mapped_column(default=list)
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    scheduled_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    spec: Mapped[dict | None] = deferred(mapped_column(Data(dict)))

    @property
    def is_going(self) -> bool:
        return self.state in GOING


class RecurringRun(Base):
    """A run that is made again and again.

    Attributes:
        trigger: as the API has it: cron_schedule or periodic_schedule, with start_time, end_time.
        is_enabled: whether it makes runs.
        no_catchup: whether the times that have passed unused are left out.
        last_at: the scheduled time of its last run.
        since: before the first run, the time from which the schedule counts.
        count: how many runs it has made.
        error: why the last one could not be made.
    """

    __tablename__ = "recurring_runs"
    __table_args__ = (Index("recurring_runs_in_order", "created_at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    experiment_id: Mapped[str] = mapped_column(index=True)
    display_name: Mapped[str] = mapped_column(Name)
    description: Mapped[str] = mapped_column(default="")
    service_account: Mapped[str] = mapped_column(default="")
    pipeline_name: Mapped[str]
    pipeline_id: Mapped[str | None]
    pipeline_version_id: Mapped[str | None]
    parameters: Mapped[dict] = mapped_column(default=dict)
    pipeline_root: Mapped[str] = mapped_column(default="")
    trigger: Mapped[dict] = mapped_column(default=dict)
    max_concurrency: Mapped[int] = mapped_column(default=1)
    no_catchup: Mapped[bool] = mapped_column(default=False)
    is_enabled: Mapped[bool] = mapped_column(default=True)
    last_at: Mapped[datetime | None]
    since: Mapped[datetime]
    count: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    spec: Mapped[dict | None] = deferred(mapped_column(Data(dict)))

    @property
    def status(self) -> str:
        return "ENABLED" if self.is_enabled else "DISABLED"


class Totals:
    """How many rows questions have found, which takes longer to count than to show a page.

    An answer is good for the version of the database that it was found in, and no other.
    """

    def __init__(self) -> None:
        self._known: dict[Any, tuple[int, int]] = {}

    def find(self, session: Session, question: Select[int]) -> int:
        version, compiled = session.info.get(VERSION), question.compile(session.get_bind())
        key = (str(compiled), repr(compiled.params))
        known = self._known.get(key)
        if known is not None and known[0] == version:
            return known[1]
        total = session.scalar(question) or 0
        if version is not None:
            if len(self._known) >= MOST_TOTALS:
                self._known.clear()
            self._known[key] = (version, total)
        return total


class Database:
    """The sessions of one server. Only one process writes a file (see `server.lock`).

    Raises:
        FastkfError: the file is no database of this version.
    """

    def __init__(self, path: Path):
        self._engine = create_engine(
            f"sqlite:///{path}",
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=SECONDS_TO_WAIT,
            connect_args={"check_same_thread": False, "timeout": SECONDS_TO_WAIT},
        )
        event.listen(self._engine, "connect", _set_up_connection)
        event.listen(self._engine, "begin", _begin)
        self._writing = threading.Lock()
        self._version, self._totals = 0, Totals()
        try:
            self._prepare(path)
        except DatabaseError as error:
            raise FastkfError(
                f"{path}: cannot be used as the server's database ({error.orig})",
                "start the server with another --folder, or move this file away",
            ) from error
        self._file = OpenFile(path)

    def _prepare(self, path: Path) -> None:
        """Makes the tables of a new file; one without tables is new.

        In one transaction with the number of their layout: a first start that is killed leaves a
        file that is new, or one that is ready.
        """
        with self._engine.execution_options(is_writing=True).begin() as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar()
            if found == 0 and not inspect(connection).get_table_names():
                connection.exec_driver_sql(f"PRAGMA user_version = {LAYOUT}")
                found = LAYOUT
            if found == 1:
                connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN recurring_run_id VARCHAR")
                connection.exec_driver_sql("DROP INDEX IF EXISTS runs_in_order")
                connection.exec_driver_sql("DROP INDEX IF EXISTS ix_runs_experiment_id")
                connection.exec_driver_sql(f"PRAGMA user_version = {LAYOUT}")
                found = LAYOUT
            if found == LAYOUT:
                Base.metadata.create_all(connection)
                for index in Base.metadata.tables[Run.__tablename__].indexes:
                    connection.execute(CreateIndex(index, if_not_exists=True))
        if found != LAYOUT:
            raise FastkfError(
                f"{path}: made by another version of fastkf (layout {found}, here {LAYOUT})",
                "start the server with another --folder, or move this one away",
            )

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database, or a later one than `info` says."""
        info = {TOTALS: self._totals, VERSION: self._version}
        with Session(self._engine, expire_on_commit=False, info=info) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at the end, one at a time.

        Raises:
            LostDatabaseError: what it writes would be lost.
        """
        engine = self._engine.execution_options(is_writing=True)
        with self._writing:
            self._file.check()
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
            self._version += 1

    def close(self) -> None:
        self._engine.dispose()


def _set_up_connection(connection, record) -> None:
    connection.isolation_level = None  # transactions begin in _begin
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    connection.create_function(fold.__name__, 1, fold, deterministic=True)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
