"""What the page of one run shows: from its row, its record (run.json) and its folder."""

from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from fastkf.package.model import Package
from fastkf.runs.drawing.layout import draw_pipeline
from fastkf.runs.report.view import (
    get_table,
    list_problems,
    make_timeline,
    show_value,
    steps_in_order,
)
from fastkf.server import database as db
from fastkf.server.pages import files

LIVE = ("PENDING", "RUNNING", "CANCELING")
# The state of a run: the icon's, and the word.
SHOWN = {
    "PENDING": ("pending", "waiting"),
    "RUNNING": ("running", "running"),
    "CANCELING": ("running", "ending"),
    "SUCCEEDED": ("succeeded", "succeeded"),
    "FAILED": ("failed", "failed"),
    "CANCELED": ("skipped", "canceled"),
}


def summarise(run: db.Run, record: dict) -> dict:
    """What every list and page says of a run."""
    icon, word = SHOWN.get(run.state, ("pending", run.state.lower()))
    ended = run.state not in LIVE
    seconds = None
    if ended and run.started_at and run.finished_at:
        seconds = (run.finished_at - run.started_at).total_seconds()
    return {
        "id": run.id,
        "name": run.display_name,
        "icon": icon,
        "word": word,
        "live": not ended,
        "archived": run.storage_state == "ARCHIVED",
        "created": run.created_at,
        "started": run.started_at,
        "since": run.started_at if not ended else None,
        "seconds": seconds,
        "pipeline_id": run.pipeline_id,
        "version_id": run.pipeline_version_id,
        "pipeline": run.pipeline_name,
        "experiment_id": run.experiment_id,
        "parameters": get_table(record, "parameters") or run.parameters or {},
        "metrics": get_table(record, "pipeline", "metrics"),
    }


def show_run(
    run: db.Run, record: dict, package: Package | None, folder: Path, chosen: str | None
) -> dict:
    """All that the template of the page needs.

    Args:
        record: the content of run.json, {} when there is none.
        package: the run's; needed before the record has steps.
        folder: the run's folder.
        chosen: the step that the reader chose; otherwise it is the one that tells most.
    """
    summary = summarise(run, record)
    steps = _steps(run, record, package)
    step = _choose(steps, chosen, summary["live"])
    address = f"#/runs/details/{run.id}?step="
    return {
        "run": summary,
        "steps": steps,
        "step": step,
        "address": address,
        "attempt": _attempt(run),
        "graph": _draw(run, steps, step, address),
        "problems": _problems(run, record, steps),
        "timeline": make_timeline(steps) if not summary["live"] else None,
        "metrics": _shown(summary["metrics"]),
        "parameters": _shown(summary["parameters"]),
        "reports": files.list_reports(folder, steps),
        "artifacts": _name_steps(files.list_artifacts(folder), record),
        "logs": files.list_logs(folder),
        "said": _say(summary, steps),
        "find": _find_text(step),
    }


def _steps(run: db.Run, record: dict, package: Package | None) -> list[dict]:
    """The steps in the order of their start; before the record has any, the package's."""
    known = {str(step["name"]): step for step in get_table(record, "pipeline").get("steps") or []}
    live = run.state in LIVE
    if not known:
        status = "pending" if live else "skipped"
        known = {
            name: {"name": name, "status": status, "after": after}
            for name, after in (package.steps if package else {}).items()
        }
    steps = steps_in_order({"pipeline": {"steps": list(known.values())}})
    for step in steps:
        more = known[step["name"]]
        step["after"] = list(more.get("after") or [])
        step["started_at"] = _read_time(more.get("started_at"))
        if not live and step["status"] in ("pending", "running"):  # it ended with the server
            step["status"] = "failed" if step["status"] == "running" else "skipped"
        step["since"] = step["started_at"] if step["status"] == "running" else None
    return steps


def _choose(steps: list[dict], chosen: str | None, live: bool) -> dict | None:
    """The step whose log is shown: the reader's choice, what failed, what runs, what ran last."""
    for step in steps:
        if step["name"] == chosen:
            return step
    by_status = {step["status"]: step for step in reversed(steps)}
    if "failed" in by_status or "running" in by_status:
        return by_status.get("failed") or by_status["running"]
    ran = [step for step in steps if step["started"] is not None]
    return ran[-1] if ran else (steps[0] if steps and live else None)


def _draw(run: db.Run, steps: list[dict], current: dict | None, address: str) -> Markup | None:
    if not steps:
        return None
    try:
        picture = draw_pipeline(
            {step["name"]: step["after"] for step in sorted(steps, key=lambda one: one["name"])},
            statuses={step["name"]: step["status"] for step in steps},
            seconds={s["name"]: s["seconds"] for s in steps if s["status"] != "running"},
            title=f"Pipeline {run.pipeline_name}",
            links={step["name"]: address + files.quote(step["name"]) for step in steps},
            current=current and current["name"],
            style=False,
        )
    except ValueError:  # a package whose tasks wait for each other
        return None
    return Markup(picture)


def _problems(run: db.Run, record: dict, steps: list[dict]) -> list[dict]:
    """What went wrong: the learner's own exceptions first, then what is not in them already."""
    problems = list_problems({**record, "error": None, "status": None}, steps)
    for reason in (run.error, record.get("error")):
        text = (reason or "").strip()
        if text and not any(one["text"] in text or text in one["text"] for one in problems):
            problems.append({"where": "Run", "text": text, "step": None})
    if run.state == "FAILED" and not problems:
        text = "The run failed; the logs say more."
        problems.append({"where": "Run", "text": text, "step": None})
    return problems


def _name_steps(artifacts: list[dict], record: dict) -> list[dict]:
    steps = get_table(record, "pipeline").get("steps") or []
    names = {step.get("task"): step["name"] for step in steps}
    return [{**one, "step": names.get(one["task"], one["task"])} for one in artifacts]


def _shown(values: dict) -> dict[str, str]:
    return {str(name): show_value(value) for name, value in values.items()}


def _say(run: dict, steps: list[dict]) -> str:
    """One sentence for who cannot see the page; said again whenever it changes."""
    if not run["live"] or run["word"] != "running":
        return f"Run {run['name']}: {run['word']}."
    running = [step["name"] for step in steps if step["status"] == "running"]
    done = sum(step["status"] == "succeeded" for step in steps)
    now = f" Running: {', '.join(running)}." if running else ""
    return f"Run {run['name']}: {done} of {len(steps)} steps done.{now}"


def _find_text(step: dict | None) -> str:
    """The words of the step's exception, as its log has them."""
    first = (step and step["error"] or "").strip().split("\n")[0]
    return first.split(" (line ")[0].split(" (in the code ")[0]


def _attempt(run: db.Run) -> str:
    return run.started_at.strftime("%Y%m%d%H%M%S%f") if run.started_at else "0"


def _read_time(text) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
