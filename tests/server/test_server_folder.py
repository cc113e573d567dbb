"""The folder of a server: whole after whatever has ended the server before."""

import contextlib
import os
import shutil
import signal
import sqlite3
import stat
import uuid
from pathlib import Path

import pytest
from asked import Asked
from filelock import FileLock
from servers import chain
from sqlalchemy import event
from sqlalchemy.engine import Engine

from fastkf.base import clock, local_server
from fastkf.base.errors import FastkfError, UsageError
from fastkf.server import database as db
from fastkf.server import leftovers, main, runs
from fastkf.server.settings import Settings

pytestmark = pytest.mark.security


def start_killed(path: Path, statement: int) -> bool:
    """Opens the database in a process that is killed at that statement; whether it came so far."""
    process = os.fork()
    if process == 0:
        left = iter(range(statement, -1, -1))

        def kill(*_) -> None:
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", kill)
        event.listen(Engine, "commit", kill)
        try:
            db.Database(path)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def test_a_first_start_that_is_killed_leaves_a_folder_that_works(tmp_path):
    statement = 0
    while start_killed(tmp_path / f"{statement}.db", statement):
        database = db.Database(tmp_path / f"{statement}.db")
        with database.read() as session:
            assert session.query(db.Run).count() == 0
        database.close()
        statement += 4  # each would take long, and most look whether a table is there
    assert statement > 8  # the layout, tables, the end


def test_a_file_that_was_made_but_not_begun_is_new(tmp_path):
    (tmp_path / "server.db").touch()
    db.Database(tmp_path / "server.db").close()


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 7", "CREATE TABLE runs (id INTEGER)"])
def test_a_file_of_another_version_is_refused(tmp_path, statement):
    import sqlite3

    with sqlite3.connect(tmp_path / "server.db") as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(FastkfError, match="another version"):
        db.Database(tmp_path / "server.db")


@pytest.fixture
def settings(tmp_path) -> Settings:
    for name in ("runs", "pipelines"):
        (tmp_path / name).mkdir()
    return Settings(tmp_path)


@pytest.fixture
def database(settings):
    database = db.Database(settings.database)
    yield database
    database.close()


def add_run(database: db.Database, settings: Settings, state: str) -> db.Run:
    moment = clock.now()
    run = db.Run(id=str(uuid.uuid4()), experiment_id="one", display_name="run", state_history=[])
    run.pipeline_name, run.created_at, run.scheduled_at = "chain", moment, moment
    runs.set_state(run, state)
    settings.run_folder(run.id).mkdir()
    with database.write() as session:
        session.add(run)
    return run


def test_what_no_row_knows_of_is_removed_at_the_next_start(database, settings):
    kept = settings.run_folder(add_run(database, settings, "SUCCEEDED").id)
    lost = settings.run_folder(str(uuid.uuid4()))
    (lost / "work").mkdir(parents=True)
    (lost / "data").symlink_to(settings.folder)  # is not followed
    package = settings.version_file(str(uuid.uuid4()))
    package.touch()
    drafts = [place / ".0123456789abcdef.new" for place in (settings.folder, package.parent)]
    for draft in drafts:
        draft.touch()
    with database.read() as session:
        leftovers.remove(settings, session)
    assert kept.is_dir()
    assert not lost.exists()
    assert not package.exists()
    assert not any(draft.exists() for draft in drafts)
    assert settings.database.exists()


def test_what_a_user_has_put_beside_the_runs_stays(database, settings):
    own = settings.run_folder("titanic") / "2026-11-30_10-00-00"
    own.mkdir(parents=True)
    note = settings.version_file("any").with_name("notes.yaml")
    note.touch()
    with database.read() as session:
        leftovers.remove(settings, session)
    assert own.is_dir()
    assert note.exists()


def test_a_folder_with_other_files_is_not_taken(tmp_path):
    folder = tmp_path / "work"
    (folder / "runs" / "titanic").mkdir(parents=True)
    folder.chmod(0o755)
    with pytest.raises(UsageError, match="other files are in it; name a new --folder"):
        main.serve(Settings(folder), lambda *_: None)
    assert [path.name for path in folder.iterdir()] == ["runs"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_what_is_no_folder_is_said_to_be_none(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is no folder"):
        main.serve(Settings(tmp_path / place), lambda *_: None)


def test_a_folder_that_cannot_be_made_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="/proc/new: "):
        main.serve(Settings(Path("/proc/new")), lambda *_: None)


def test_what_a_running_server_has_is_left_where_it_is(settings, tmp_path):
    """Also when somebody has removed its database."""
    (tmp_path / "runs" / "going").mkdir()
    with (
        FileLock(tmp_path / local_server.LOCK),
        pytest.raises(FastkfError, match="another fastkf server works in this folder"),
    ):
        main.serve(settings, lambda *_: None)
    assert (tmp_path / "runs" / "going").is_dir()
    assert [path.name for path in tmp_path.glob("runs*")] == ["runs"]


def test_runs_without_their_database_are_kept_aside(settings):
    (settings.folder / "runs" / "earlier" / "work").mkdir(parents=True)
    leftovers.set_aside(settings)
    (kept,) = settings.folder.glob("runs-until-*")
    assert (kept / "earlier" / "work").is_dir()
    assert not (settings.folder / "runs").exists()
    assert (settings.folder / "pipelines").exists()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_what_would_be_lost_is_refused(tmp_path, is_replaced):
    """Somebody has removed the folder, or its database, under a server that runs."""
    with Asked(tmp_path / "server") as asked:
        asked.settings.database.unlink()
        if is_replaced:
            asked.settings.database.touch()
        status, answer = asked.ask("POST", "/experiments", {"display_name": "lost"})
        assert (status, answer["code"]) == (503, 14)
        assert "server.db was removed; start the server again" in answer["message"]
        assert asked.ask("GET", "/experiments")[0] == 200
    with Asked(tmp_path / "server") as asked:
        assert asked.ask("POST", "/experiments", {"display_name": "kept"})[0] == 200


def test_the_folder_of_packages_is_made_again(tmp_path):
    """Somebody has removed it: what the database has is still there to be had."""
    package = {"pipeline_spec": chain("return 1"), "name": "first"}
    with Asked(tmp_path / "server") as asked:
        id = asked.ask("POST", "/pipelines", {"display_name": "kept"})[1]["pipeline_id"]
        status, version = asked.ask("POST", f"/pipelines/{id}/versions", package)
        assert status == 200
        kept = f"/files/versions/{version['pipeline_version_id']}/pipeline.yaml"
        content = asked.client.get(kept).content
        shutil.rmtree(asked.settings.folder / "pipelines")
        assert asked.client.get(kept).content == content
        more = {**package, "name": "second"}
        assert asked.ask("POST", f"/pipelines/{id}/versions", more)[0] == 200
        assert len(list((asked.settings.folder / "pipelines").iterdir())) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    body = {"display_name": "run", "pipeline_spec": chain("return 1")}
    with Asked(tmp_path / "server") as asked:
        runs = asked.settings.folder / "runs"
        runs.rmdir()
        runs.touch()  # somebody's file, in its place
        status, answer = asked.ask("POST", "/runs", body)
        assert (status, answer["code"]) == (503, 14)
        assert f"nothing can be written: {runs}" in answer["message"]
        assert asked.ask("GET", "/runs") == (200, {})


OLD = (
    Path(__file__).parents[1] / "fixtures" / "server_layout_1.sql"
)  # as the release before wrote it


def test_a_folder_of_the_layout_before_is_opened(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    with contextlib.closing(sqlite3.connect(folder / "server.db")) as connection:
        connection.executescript(OLD.read_text())
    for _ in range(2):  # brought to this layout once, and opened then
        with Asked(folder) as asked:
            [run] = asked.ask("GET", "/runs?sort_by=name")[1]["runs"]
            assert (run["state"], run["error"]["message"]) == (
                "FAILED",
                "step step-1: ValueError: no",
            )
            assert asked.ask("GET", f"/runs/{run['run_id']}")[0] == 200
            [pipeline] = asked.ask("GET", "/pipelines")[1]["pipelines"]
            assert (pipeline["name"], pipeline["tags"]) == ("kept", {"team": "ml"})
            path = f"/pipelines/{pipeline['pipeline_id']}/versions"
            assert len(asked.ask("GET", path)[1]["pipeline_versions"]) == 1
            assert asked.ask("GET", "/recurringruns")[0] != 500
            with asked.app.state.database.read() as session:
                names = session.connection().exec_driver_sql("SELECT name FROM sqlite_master").all()
            assert {("runs_by_creation",), ("recurring_runs",)} <= set(names)
    assert ("runs_in_order",) not in names
