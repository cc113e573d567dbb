"""What a server remembers: experiments, pipelines and their versions, runs (SQLite)."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, deferred, mapped_column

from fastkf.base.errors import FastkfError

# The states in which a run goes on, of those that the API knows (V2beta1RuntimeState).
GOING = ("PENDING", "RUNNING", "CANCELING")
LAYOUT = 1  # of the tables; another number is another version's file
SECONDS_TO_WAIT = 30
CONNECTIONS = 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Time(TypeDecorator):
    """A moment, kept as microseconds since 1970 so that it sorts and compares as a number."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect) -> int | None:
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect) -> datetime | None:
        if value is None:
            return None
        try:
            return EPOCH + timedelta(microseconds=value)
        except (OverflowError, TypeError):  # another program's: one row must not break a list
            return EPOCH


class Data(TypeDecorator):
    """A dictionary or a list, kept as JSON; what cannot be read any more is an empty one."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[dict] | type[list]):
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: dict | list | None, dialect) -> str | None:
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect) -> dict | list | None:
        if value is None:
            return None
        try:
            read = json.loads(value)
        except (ValueError, TypeError, RecursionError):
            read = None
        return read if isinstance(read, self.kind) else self.kind()


class Words(TypeDecorator):
    """A text; what is of another type, which SQLite takes too, is shown as one."""

    impl = String
    cache_ok = True

    def process_result_value(self, value, dialect) -> str | None:
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value if value is None else str(value)


Name = Words(collation="NOCASE")


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
        state: PENDING, RUNNING, CANCELING, SUCCEEDED, FAILED or CANCELED (V2beta1RuntimeState).
        state_history: dictionaries with update_time, state and, where there is one, error.
        pipeline_id, pipeline_version_id: None for a run of a package that came with the request.
        parameters: the runtime parameters that the request gave.
        error: why it failed, in the learner's words.
    """

    __tablename__ = "runs"
    __table_args__ = (Index("runs_in_order", "created_at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    experiment_id: Mapped[str] = mapped_column(index=True)
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
        try:
            self._prepare(path)
        except DatabaseError as error:
            raise FastkfError(
                f"{path}: cannot be used as the server's database ({error.orig}); start the server "
                "with another --folder, or move this file away"
            ) from error

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
            if found == LAYOUT:
                Base.metadata.create_all(connection)
        if found != LAYOUT:
            raise FastkfError(
                f"{path}: made by another version of fastkf (layout {found}, here {LAYOUT}); start "
                "the server with another --folder, or move this one away"
            )

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database."""
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at the end, one at a time."""
        engine = self._engine.execution_options(is_writing=True)
        with self._writing, Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        self._engine.dispose()


def _set_up_connection(connection, record) -> None:
    connection.isolation_level = None  # transactions begin in _begin
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
