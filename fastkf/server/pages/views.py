"""What each page finds for its template: from a session of the database and the runs' folders."""

from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from fastkf.base import clock
from fastkf.package.errors import PackageError
from fastkf.package.model import Package
from fastkf.runs.model import Run
from fastkf.runs.text import show_values
from fastkf.server import database as db
from fastkf.server.executions import list_executions
from fastkf.server.pages import lists
from fastkf.server.pages.compared import compare
from fastkf.server.pages.errors import NotFoundError
from fastkf.server.pages.graph import Look, draw_package
from fastkf.server.pages.package import list_fields, read_package
from fastkf.server.pages.progress import measure
from fastkf.server.pages.recurring import describe_recurring_run, list_recurring_runs
from fastkf.server.pages.run_page import make_address, read_folds, show_run, summarise
from fastkf.server.pages.versions import compare_versions, describe_tags, order, show_yaml
from fastkf.server.runs import read_run
from fastkf.server.settings import Settings


class Views:
    """The views of a server. They take the query of the address, and the ids in it."""

    def __init__(self, settings: Settings):
        self.settings = settings

    def runs(self, session: Session, query: dict) -> dict:
        return {"list": lists.list_runs(session, self._read, lists.RunFilter.read(query))}

    def run(self, session: Session, query: dict, id: str) -> dict:
        run = _find(session, db.Run, id, "run")
        kept = self._read(id)
        folder = self.settings.run_folder(id)
        shown = show_run(run, kept, self._package(run), folder, query)
        taken = shown["step"] and shown["step"].cached_from
        source = session.get(db.Run, taken) if taken else None
        executions = list_executions(run, kept)
        progress = measure(session, run, executions, clock.now())
        around = self._around(session, run)
        return {**shown, "source": source, "progress": progress, **around}

    def new_run(self, session: Session, query: dict) -> dict:
        """The form for another run with the package and the parameters of one that there was."""
        run = _find(session, db.Run, query.get("run", ""), "run")
        version = self._around(session, run)["version"]
        kept = self._read(run.id)
        form = {
            "pipeline_id": version and version.pipeline_id,
            "version_id": version and version.id,
            "package": None if version else f"files/runs/{run.id}/pipeline.json",
            "experiment_id": run.experiment_id,
            "name": run.display_name,
        }
        fields = self._form(session, self._package(run), kept.parameters if kept else {})
        return {"run": summarise(run, kept), "form": fields | form}

    def compare(self, session: Session, query: dict) -> dict:
        ids = [id for id in query.get("runlist", "").split(",") if id]
        return compare(session, self._read, ids)

    def pipelines(self, session: Session, query: dict) -> dict:
        name = query.get("name", "").strip()[:200]
        return {"pipelines": lists.list_pipelines(session, name), "name": name}

    def pipeline(self, session: Session, query: dict, id: str, version_id: str = "") -> dict:
        pipeline = _find(session, db.Pipeline, id, "pipeline")
        versions = lists.list_versions(session, id)
        version = versions[0] if versions and not version_id else None
        if version_id:
            version = _find_version(session, pipeline, version_id)
        package = _read_version(version) if version else None
        wanted, within = lists.RunFilter.read(query), lists.runs_of_pipeline(pipeline)
        home = f"#/pipelines/details/{id}" + (f"/version/{version_id}" if version_id else "")
        look = Look(partial(make_address, home), read_folds(query))
        form = {
            "pipeline_id": id,
            "version_id": version and version.id,
            "package": None,
            "experiment_id": None,
            "name": pipeline.display_name,
        }
        return {
            "pipeline": pipeline,
            "tags": describe_tags(pipeline.tags),
            "versions": [(one, describe_tags(one.tags)) for one in versions],
            "version": version,
            "version_tags": describe_tags(version.tags) if version else [],
            "latest": version is not None and version.id == versions[0].id,
            "graph": draw_package(package, pipeline.display_name, look),
            "parameters": list_fields(package),
            "form": self._form(session, package, {}) | form,
            "list": lists.list_runs(session, self._read, wanted, within),
        }

    def yaml(self, session: Session, query: dict, id: str, version_id: str) -> dict:
        pipeline = _find(session, db.Pipeline, id, "pipeline")
        version = _find_version(session, pipeline, version_id)
        return {"pipeline": pipeline, "version": version, **show_yaml(_read_version(version))}

    def versions(self, session: Session, query: dict, id: str) -> dict:
        """Two versions of a pipeline, what they have in common and what not."""
        pipeline = _find(session, db.Pipeline, id, "pipeline")
        ids = list(dict.fromkeys(filter(None, query.get("versions", "").split(","))))[:2]
        found = [_find_version(session, pipeline, one) for one in ids]
        packages = [_read_version(one) for one in found]
        shown = {"pipeline": pipeline, "old": None, "new": None}
        if len(found) < 2 or None in packages:
            return shown
        old, new = order(*found)
        both = [package for one in (old, new) if (package := _read_version(one))]
        return {**shown, "old": old, "new": new, **compare_versions(*both)}

    def experiments(self, session: Session, query: dict) -> dict:
        return {"experiments": lists.list_experiments(session)}

    def experiment(self, session: Session, query: dict, id: str) -> dict:
        experiment = _find(session, db.Experiment, id, "experiment")
        within = select(db.Run).where(db.Run.experiment_id == id)
        wanted = lists.RunFilter.read(query)
        return {
            "experiment": experiment,
            "list": lists.list_runs(session, self._read, wanted, within),
        }

    def recurring_runs(self, session: Session, query: dict) -> dict:
        return {"recurring_runs": list_recurring_runs(session)}

    def recurring_run(self, session: Session, query: dict, id: str) -> dict:
        row = _find(session, db.RecurringRun, id, "recurring run")
        within = select(db.Run).where(db.Run.recurring_run_id == id)
        wanted = lists.RunFilter.read(query)
        return {
            "one": describe_recurring_run(row),
            "row": row,
            "experiment": session.get(db.Experiment, row.experiment_id),
            "pipeline": session.get(db.Pipeline, row.pipeline_id) if row.pipeline_id else None,
            "parameters": show_values(row.parameters),
            "list": lists.list_runs(session, self._read, wanted, within),
        }

    def _read(self, id: str) -> Run | None:
        return read_run(self.settings, id)

    def _package(self, run: db.Run) -> Package | None:
        return read_package(self.settings.run_folder(run.id) / "pipeline.yaml")

    def _around(self, session: Session, run: db.Run) -> dict:
        """The names of what the run belongs to, where that is still there."""
        experiment = session.get(db.Experiment, run.experiment_id)
        query = select(db.Pipeline).where(lists.is_pipeline_of(run))
        pipeline = session.scalars(query).first()
        id = run.pipeline_version_id
        version = session.get(db.PipelineVersion, id) if id else None
        return {"experiment": experiment, "pipeline": pipeline, "version": version}

    def _form(self, session: Session, package: Package | None, given: dict) -> dict:
        query = select(db.Experiment).where(db.Experiment.storage_state == "AVAILABLE")
        experiments = session.scalars(query.order_by(db.Experiment.display_name)).all()
        return {"parameters": list_fields(package, given), "experiments": experiments}


def _read_version(version: db.PipelineVersion) -> Package | None:
    """The package of a version; None where the database has another thing."""
    try:
        return Package.from_spec(version.spec)
    except PackageError:
        return None


def _find_version(session: Session, pipeline: db.Pipeline, id: str) -> db.PipelineVersion:
    version = session.get(db.PipelineVersion, id)
    if version is None or version.pipeline_id != pipeline.id:
        raise NotFoundError(f"version {id} of the pipeline {pipeline.display_name}")
    return version


def _find(session: Session, kind: type, id: str, name: str):
    row = session.get(kind, id)
    if row is None:
        raise NotFoundError(f"{name} {id}")
    return row
