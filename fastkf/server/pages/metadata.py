"""The pages of artifacts and executions, which are read from the records of the newest runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from fastkf.runs.report.classification import list_classifications
from fastkf.server import database as db
from fastkf.server.executions import Execution, read_executions
from fastkf.server.newest import list_newest
from fastkf.server.pages.errors import NotFoundError
from fastkf.server.pages.executed import (
    Item,
    draw_lineage,
    list_items,
    show_sides,
)
from fastkf.server.pages.package import show_text
from fastkf.server.pages.previews import preview
from fastkf.server.settings import Settings

ROWS = 50  # of one page; a run is not divided
MOST_OF_RUN = 500
MOST_RUNS = 200  # whose records are read for one page
TYPES = (
    "Artifact",
    "Dataset",
    "Model",
    "Metrics",
    "ClassificationMetrics",
    "SlicedClassificationMetrics",
    "HTML",
    "Markdown",
)
STATES = ("pending", "running", "succeeded", "failed", "skipped", "canceled")


@dataclass(frozen=True)
class Filter:
    """Which rows the address of a list is for."""

    name: str
    kind: str
    first: str

    @classmethod
    def read(cls, query: dict, kinds: tuple[str, ...]) -> "Filter":
        kind = query.get("kind", "")
        name = query.get("name", "").strip()[:200].lower()
        return cls(name, kind if kind in kinds else "", query.get("from", ""))

    def fits(self, name: str, step: str, kind: str) -> bool:
        return (self.name in name.lower() or self.name in step.lower()) and self.kind in ("", kind)


class MetadataViews:
    """The views of artifacts and executions of a server."""

    def __init__(self, settings: Settings):
        self.settings = settings

    def artifacts(self, session: Session, query: dict) -> dict:
        wanted = Filter.read(query, TYPES)

        def choose(row: db.Run, executions: list[Execution]) -> Iterator[Item]:
            for item in list_items(row.id, executions):
                if wanted.fits(item.output, item.step, item.type):
                    yield item

        return {**self._list(session, wanted, choose), "kinds": TYPES}

    def artifact(self, session: Session, query: dict) -> dict:
        id = query.get("id", "")
        run, executions = self._read(session, id.partition(".")[0])
        item = next((one for one in list_items(run.id, executions) if one.id == id), None)
        if item is None:
            raise NotFoundError(f"artifact {id}")
        lineage = draw_lineage(run.id, executions, item)
        made_by = next(one.step for one in executions if one.node == item.node)
        drawn = [one for one in list_classifications([made_by]) if one.artifact == item.output]
        return {
            "run": run,
            "item": item,
            "metadata": {key: show_text(value)[:2000] for key, value in item.made.metadata.items()},
            "preview": preview(self.settings.run_folder(run.id), item.made),
            "classifications": drawn,
            "lineage": lineage and Markup(lineage),
        }

    def executions(self, session: Session, query: dict) -> dict:
        wanted = Filter.read(query, STATES)

        def choose(row: db.Run, executions: list[Execution]) -> Iterator[Execution]:
            for one in executions:
                if not one.is_group and wanted.fits(one.step.name, one.name, one.step.state):
                    yield one

        return {**self._list(session, wanted, choose), "kinds": STATES}

    def execution(self, session: Session, query: dict) -> dict:
        run, executions = self._read(session, query.get("run", ""))
        node = query.get("node", "")
        found = next((one for one in executions if one.node == node), None)
        if found is None:
            raise NotFoundError(f"execution {node}")
        folder = self.settings.run_folder(run.id)
        sides = show_sides(folder, run.id, executions, found.step)
        return {"run": run, "one": found, "step": found.step, **sides}

    def find_shown(self, session: Session, id: str, node: str, output: str) -> Item | None:
        """An artifact of a run, by the names of its execution and of the output."""
        _, executions = self._read(session, id)
        items = list_items(id, executions)
        return next((one for one in items if (one.node, one.output) == (node, output)), None)

    def _read(self, session: Session, id: str) -> tuple[db.Run, list[Execution]]:
        run = session.get(db.Run, id)
        if run is None:
            raise NotFoundError(f"run {id}")
        return run, read_executions(self.settings, run)

    def _list(
        self,
        session: Session,
        wanted: Filter,
        choose: Callable[[db.Run, list[Execution]], Iterator[Any]],
    ) -> dict:
        """The rows of the newest runs, and the run that the next page begins with."""
        first = session.get(db.Run, wanted.first) if wanted.first else None
        runs = list_newest(session, first, MOST_RUNS + 1)
        rows: list[tuple[db.Run, Any]] = []
        for run in runs[:MOST_RUNS]:
            if len(rows) >= ROWS:
                return {"rows": rows, "next": run.id, "filter": wanted}
            chosen = list(choose(run, read_executions(self.settings, run)))
            rows += [(run, one) for one in chosen[:MOST_OF_RUN]]
        more = runs[MOST_RUNS].id if len(runs) > MOST_RUNS else None
        return {"rows": rows, "next": more, "filter": wanted}
