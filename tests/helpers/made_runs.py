"""Puts runs, with folders and all, into the data folder of a local server, without running them."""

import contextlib
import json
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from servers import Server, chain

from fastkf.server import database as db
from fastkf.server.settings import Settings

START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class Place:
    """The data folder of a server, which may be serving it."""

    def __init__(self, folder: Path):
        self.settings = Settings(folder=folder)
        self.database = db.Database(self.settings.database)
        for name in ("runs", "pipelines"):
            (folder / name).mkdir(exist_ok=True)
        self.count = 0

    def add_experiment(self, name: str) -> str:
        moment = self._next_moment()
        row = db.Experiment(id=new_id(), display_name=name, created_at=moment)
        return self._add(row)

    def add_pipeline(self, name: str, *specs: dict) -> tuple[str, list[str]]:
        """A pipeline with a version for each package; their ids."""
        pipeline = self._add(
            db.Pipeline(id=new_id(), name=name, display_name=name, created_at=self._next_moment())
        )
        versions = []
        for number, spec in enumerate(specs, start=1):
            version = db.PipelineVersion(
                id=new_id(),
                pipeline_id=pipeline,
                name=f"{name} v{number}",
                display_name=f"{name} v{number}",
                created_at=self._next_moment(),
                spec=spec,
            )
            versions.append(self._add(version))
            self.settings.version_file(versions[-1]).write_text(json.dumps(spec))
        return pipeline, versions

    def add_run(
        self,
        name: str = "a run",
        state: str = "SUCCEEDED",
        steps: list[dict] | None = None,
        metrics: dict | None = None,
        parameters: dict | None = None,
        spec: dict | None = None,
        **fields,
    ) -> str:
        """A run whose record has these steps (see `step`); its id."""
        moment = self._next_moment()
        ended = state not in ("PENDING", "RUNNING", "CANCELING")
        spec = spec or chain("return 1", "return 2", name="chain")
        row = db.Run(
            **{
                "id": new_id(),
                "experiment_id": "none",
                "display_name": name,
                "pipeline_name": spec["pipelineInfo"]["name"],
                "state": state,
                "created_at": moment,
                "scheduled_at": moment,
                "started_at": None if state == "PENDING" else moment,
                "finished_at": moment + timedelta(seconds=12) if ended else None,
                **fields,
            }
        )
        record = {
            "name": row.pipeline_name,
            "status": state.lower(),
            "parameters": parameters or {},
            "pipeline": {"steps": steps or [], "metrics": metrics or {}},
        }
        self.write(row.id, "run.json", json.dumps(record))
        self.write(row.id, "pipeline.yaml", json.dumps(spec))
        return self._add(row)

    def write(self, run_id: str, name: str, content: str | bytes) -> Path:
        """A file in the run's folder."""
        path = self.settings.run_folder(run_id) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def change(self, run_id: str, steps: list[dict] | None = None, **fields) -> None:
        """Another state of a run."""
        if steps is not None:
            path = self.settings.run_folder(run_id) / "run.json"
            record = json.loads(path.read_text())
            record["pipeline"]["steps"] = steps
            self.write(run_id, ".new.json", json.dumps(record)).replace(path)
        with self.database.write() as session:
            for name, value in fields.items():
                setattr(session.get(db.Run, run_id), name, value)

    def clear(self) -> None:
        with self.database.write() as session:
            for kind in (db.Run, db.PipelineVersion, db.Pipeline, db.Experiment):
                session.query(kind).delete()
        for folder in (self.settings.folder / "runs").iterdir():
            shutil.rmtree(folder)

    def _add(self, row) -> str:
        with self.database.write() as session:
            session.add(row)
        return row.id

    def _next_moment(self) -> datetime:
        self.count += 1
        return START + timedelta(minutes=self.count)


@contextlib.contextmanager
def serve_place(folder: Path, *options) -> Iterator[Place]:
    """A place with a server that serves it, as its attribute `server`."""
    with Server(folder, *options) as server:
        place = Place(folder)
        place.server = server
        with contextlib.closing(place.database):
            yield place


def new_id() -> str:
    return str(uuid.uuid4())


def step(name: str, status="succeeded", after=(), started=0.0, seconds=1.0, **fields) -> dict:
    """A step as run.json keeps it."""
    waits = status in ("pending", "skipped")
    begins = START + timedelta(seconds=started)
    return {
        "name": name,
        "task": f"{name}-task",
        "status": status,
        "started": None if waits else started,
        "seconds": 0.0 if waits or status == "running" else seconds,
        "started_at": None if waits else begins.isoformat(),
        "after": list(after),
        "error": None,
        **fields,
    }
