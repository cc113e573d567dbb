"""What happens to a run: it is created, it starts, it ends. The database first, then run.json."""

import uuid
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from fastkf.base.clock import format_utc
from fastkf.package.arguments import complete_arguments
from fastkf.package.model import Package
from fastkf.runs import record as records
from fastkf.runs.record import new_record, write_record
from fastkf.server import database as db
from fastkf.server.settings import Settings

STATUS_OF = {"SUCCEEDED": "succeeded", "FAILED": "failed", "CANCELED": "canceled"}


def new_id() -> str:
    return str(uuid.uuid4())


def task_id(run_id: str, task: str) -> str:
    """How the API names a task of a run."""
    return f"{run_id}.{task}"


def set_state(run: db.Run, state: str, error: str | None = None) -> None:
    """Moves the run to a state and keeps it in the history."""
    moment = db.now()
    entry = {"update_time": format_utc(moment)}
    entry |= {"state": state} | ({"error": error} if error else {})
    run.state, run.error = state, error
    run.state_history = [*run.state_history, entry]
    if state in STATUS_OF:
        run.finished_at = moment


def make_folder(settings: Settings, run: db.Run, package: Package) -> None:
    """The folder of a run: its package, where its steps run, and beside that what is shared."""
    folder = settings.run_folder(run.id)
    (folder / "work").mkdir(parents=True)
    for name, shared in settings.shared.items():
        (folder / name).symlink_to(shared.path, target_is_directory=True)
    (folder / "pipeline.yaml").write_text(package.as_yaml(), encoding="utf-8")
    parameters = complete_arguments(package, run.parameters)
    record = new_record(package.name, package.description or package.name, parameters)
    write_record(folder, {**record, "status": "pending"})


def find_missing(settings: Settings, parameters: Mapping[str, object]) -> str | None:
    """Why a run cannot go: a parameter names what is not in a shared folder; else None."""
    for parameter, value in parameters.items():
        for name, shared in settings.shared.items():
            if not isinstance(value, str) or not value.startswith(f"../{name}/"):
                continue
            if not (shared.path / value.removeprefix(f"../{name}/")).exists():
                where = f"there is no such folder or file in {shared.path}"
                return f"{parameter} = {value}: {where}; {shared.remedy}"
    return None


def prepare_retry(settings: Settings, run: db.Run, package: Package) -> None:
    """Makes run.json ready for another attempt, which leaves out the steps that have succeeded.

    Where there are pipelines inside the pipeline, loops or conditions, all steps run again.
    """
    record = read_record(settings, run.id) or {}
    steps = (record.get("pipeline") or {}).get("steps", [])
    done = [one for one in steps if one["status"] == "succeeded" and "outputs" in one]
    kept = done if package.is_flat else []
    again = {"status": "pending", "started": None, "seconds": 0.0, "error": None}
    waiting = [
        {"name": step["name"], "task": step["task"], "after": step["after"], **again}
        for step in steps
        if step not in kept
    ]
    record |= {"status": "pending", "pipeline": {"status": "pending", "steps": [*kept, *waiting]}}
    record.pop("error", None)
    write_record(settings.run_folder(run.id), record)


def read_record(settings: Settings, run_id: str) -> dict | None:
    """The content of a run's run.json, None when there is none that can be read."""
    try:
        return records.read_record(settings.run_folder(run_id))
    except (OSError, ValueError):
        return None


def end_record(settings: Settings, run: db.Run) -> None:
    """Has run.json say what the database says, where the run's own process could not."""
    record = read_record(settings, run.id)
    status = STATUS_OF[run.state]
    if record is None or record["status"] == status:
        return
    for step in (record.get("pipeline") or {}).get("steps", []):
        if step["status"] in ("pending", "running"):
            step["status"] = "failed" if step["status"] == "running" else "skipped"
    if record.get("pipeline"):
        record["pipeline"]["status"] = "failed"
    record |= {"status": status, "error": run.error}
    write_record(settings.run_folder(run.id), record)


def fail_interrupted(session: Session) -> list[db.Run]:
    """The runs that were going when the server ended, now failed with the reason."""
    query = select(db.Run).where(db.Run.state.in_(["RUNNING", "CANCELING"]))
    interrupted = list(session.scalars(query))
    for run in interrupted:
        if run.state == "CANCELING":
            set_state(run, "CANCELED", "terminated; the server ended before the run had")
        else:
            set_state(
                run, "FAILED", "the server ended while the run was going, so the run ended too"
            )
    return interrupted
