"""What the page that compares runs shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fastkf.runs.model import Run
from fastkf.runs.report.classification import Classification, list_classifications
from fastkf.runs.text import show_row
from fastkf.server import database as db
from fastkf.server.executions import list_executions
from fastkf.server.pages.executed import Item, list_items
from fastkf.server.pages.lists import ReadRun, name_experiments
from fastkf.server.pages.previews import FRAMES
from fastkf.server.pages.run_page import summarise

MOST_COMPARED = 10
MOST_FRAMES = 12  # rows of pages and pictures


def compare(session: Session, read_run: ReadRun, ids: list[str]) -> dict:
    """Runs side by side: their parameters and metrics, which differ, curves, matrices and pages."""
    asked = list(dict.fromkeys(ids))[:MOST_COMPARED]
    rows = {run.id: run for run in session.scalars(select(db.Run).where(db.Run.id.in_(asked)))}
    kept = {id: read_run(id) for id in asked if id in rows}
    runs = [summarise(rows[id], kept[id]) for id in kept]
    name_experiments(session, runs)
    return {
        "runs": runs,
        "missing": [id for id in asked if id not in rows],
        "left_out": max(0, len(set(ids)) - MOST_COMPARED),
        "metrics": _side_by_side(runs, "metrics"),
        "parameters": _side_by_side(runs, "parameters"),
        "classifications": _align([_classify(kept[id]) for id in kept]),
        "frames": _align([_list_frames(rows[id], kept[id]) for id in kept])[:MOST_FRAMES],
        "live": any(run["live"] for run in runs),
    }


def _side_by_side(runs: list[dict], part: str) -> list[dict]:
    names = dict.fromkeys(name for run in runs for name in run[part])
    rows = []
    for name in names:
        values = [run[part].get(name) for run in runs]
        differs = any(value != values[0] for value in values)
        rows.append({"name": name, "values": show_row(values), "differs": differs})
    return rows


def _classify(run: Run | None) -> dict[str, Classification]:
    found = list_classifications(run.steps) if run else []
    return {" ".join(filter(None, (one.step, one.artifact, one.slice))): one for one in found}


def _list_frames(row: db.Run, run: Run | None) -> dict[str, Item]:
    """The pages that the steps of a run have made (HTML and Markdown)."""
    items = list_items(row.id, list_executions(row, run))
    return {f"{one.step} {one.output}": one for one in items if one.made.type in FRAMES}


def _align(columns: Sequence[Mapping[str, Any]]) -> list[dict]:
    """Name to what each run has of it, in one row."""
    names = dict.fromkeys(name for column in columns for name in column)
    return [{"name": name, "values": [column.get(name) for column in columns]} for name in names]
