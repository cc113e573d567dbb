"""What the lists of runs, pipelines and experiments show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from fastkf.runs.model import Run
from fastkf.server import database as db
from fastkf.server.columns import contains
from fastkf.server.pages.run_page import summarise
from fastkf.server.pages.versions import describe_tags

ROWS = 25
MOST_METRIC_COLUMNS = 4
STATES = {
    "waiting": ("PENDING",),
    "running": ("RUNNING", "CANCELING"),
    "succeeded": ("SUCCEEDED",),
    "failed": ("FAILED",),
    "canceled": ("CANCELED",),
}

ReadRun = Callable[[str], Run | None]


@dataclass(frozen=True)
class RunFilter:
    """Which runs the address of a list is for; what makes no sense in it is left out."""

    name: str = ""
    state: str = ""
    archived: bool = False
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "RunFilter":
        page, state = query.get("page", ""), query.get("state", "")
        return cls(
            name=query.get("name", "").strip()[:200],
            state=state if state in STATES else "",
            archived=query.get("archived") == "1",
            page=max(1, int(page[:9])) if page.isascii() and page.isdigit() else 1,
        )

    @property
    def is_filter(self) -> bool:
        return bool(self.name or self.state or self.archived)

    def address(self, page: int) -> str:
        """The query of another page of the same list."""
        query = {"name": self.name, "state": self.state, "archived": "1" if self.archived else ""}
        query["page"] = str(page) if page > 1 else ""
        return urlencode({key: value for key, value in query.items() if value})


def list_runs(
    session: Session, read_run: ReadRun, wanted: RunFilter, within: Select | None = None
) -> dict:
    """One page of the runs, the newest first, with their metrics.

    Args:
        within: a query that selects the runs to choose among; all of them when None.
    """
    query = select(db.Run) if within is None else within
    query = query.where(
        db.Run.storage_state == ("ARCHIVED" if wanted.archived else "AVAILABLE"),
    )
    if wanted.state:
        query = query.where(db.Run.state.in_(STATES[wanted.state]))
    if wanted.name:
        query = query.where(contains(db.Run.display_name, wanted.name))
    counted = query.with_only_columns(func.count(), maintain_column_froms=True)
    total = session.scalar(counted) or 0
    pages = max(1, -(-total // ROWS))
    page = min(wanted.page, pages)
    order = query.order_by(db.Run.created_at.desc(), db.Run.id.desc())
    rows = session.scalars(order.limit(ROWS).offset((page - 1) * ROWS)).all()
    runs = [summarise(run, read_run(run.id)) for run in rows]
    name_experiments(session, runs)
    names = list(dict.fromkeys(name for run in runs for name in run["metrics"]))
    return {
        "runs": runs,
        "total": total,
        "first": (page - 1) * ROWS + 1,
        "page": page,
        "pages": pages,
        "filter": wanted,
        "states": list(STATES),
        "live": any(run["live"] for run in runs),
        "metric_names": names if len(names) <= MOST_METRIC_COLUMNS else None,
        "several_pipelines": len({run["pipeline"] for run in runs}) > 1,
    }


def list_pipelines(session: Session, name: str) -> list[dict]:
    """The pipelines, the newest first, with their latest version and their latest run."""
    query = select(db.Pipeline).order_by(db.Pipeline.created_at.desc())
    if name:
        query = query.where(contains(db.Pipeline.display_name, name))
    pipelines = []
    for row in session.scalars(query):
        versions = list_versions(session, row.id)
        last = session.scalars(
            runs_of_pipeline(row).order_by(db.Run.created_at.desc()).limit(1)
        ).first()
        pipelines.append(
            {
                "id": row.id,
                "name": row.display_name or row.name,
                "description": row.description,
                "tags": describe_tags(row.tags),
                "created": row.created_at,
                "versions": len(versions),
                "version": versions[0] if versions else None,
                "last": last and summarise(last, None),
            }
        )
    return pipelines


def list_versions(session: Session, pipeline_id: str) -> list[db.PipelineVersion]:
    """The versions of a pipeline, the newest first."""
    query = select(db.PipelineVersion).where(db.PipelineVersion.pipeline_id == pipeline_id)
    return list(session.scalars(query.order_by(db.PipelineVersion.created_at.desc())))


def runs_of_pipeline(pipeline: db.Pipeline) -> Select:
    """Its runs, also those whose package came with the request, as Kale's panel sends it."""
    by_name = db.Run.pipeline_name.in_([pipeline.name, pipeline.display_name])
    return select(db.Run).where(
        or_(db.Run.pipeline_id == pipeline.id, db.Run.pipeline_id.is_(None) & by_name)
    )


def is_pipeline_of(run: db.Run) -> ColumnElement[bool]:
    """Whether a pipeline is the run's: by its name, where the package came with the run."""
    if run.pipeline_id:
        return db.Pipeline.id == run.pipeline_id
    return db.Pipeline.name == run.pipeline_name


def list_experiments(session: Session) -> list[dict]:
    """The experiments, the one with the latest run first, with how many runs went how."""
    counts: dict[str, dict[str, int]] = {}
    query = (
        select(db.Run.experiment_id, db.Run.state, func.count())
        .where(db.Run.storage_state == "AVAILABLE")
        .group_by(db.Run.experiment_id, db.Run.state)
    )
    for experiment, state, count in session.execute(query):
        counts.setdefault(experiment, {})[state] = count
    rows = session.scalars(select(db.Experiment)).all()
    experiments = [
        {
            "id": row.id,
            "name": row.display_name,
            "description": row.description,
            "created": row.created_at,
            "last": row.last_run_created_at,
            "archived": row.storage_state == "ARCHIVED",
            "runs": sum(counts.get(row.id, {}).values()),
            "succeeded": counts.get(row.id, {}).get("SUCCEEDED", 0),
            "failed": counts.get(row.id, {}).get("FAILED", 0),
            "going": sum(counts.get(row.id, {}).get(state, 0) for state in db.GOING),
        }
        for row in rows
    ]
    return sorted(experiments, key=lambda one: one["last"] or one["created"], reverse=True)


def name_experiments(session: Session, runs: list[dict]) -> None:
    """Gives each of the runs the name of its experiment."""
    ids = {run["experiment_id"] for run in runs}
    query = select(db.Experiment.id, db.Experiment.display_name).where(db.Experiment.id.in_(ids))
    names = dict(session.execute(query).all())
    for run in runs:
        run["experiment"] = names.get(run["experiment_id"])
