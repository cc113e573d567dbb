"""The record of a run (run.json) in the words and numbers that pages show."""

import json
import re
from datetime import datetime
from pathlib import Path

from fastkf.base.errors import FastkfError

TERMINAL_CODES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # window titles, links
    r"|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f]"
)
THINNEST_BAR = 0.8  # per cent


def clean_text(text: str) -> str:
    """Text as a terminal would leave it: no colour codes, only the last state of progress bars."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return TERMINAL_CODES.sub("", "\n".join(lines))


def read_record(path: Path) -> dict:
    """The content of run.json.

    Raises:
        FastkfError: there is no such file, or it is no record.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FastkfError(f"{path}: no such file; name the folder of a run, as in runs/") from None
    except (ValueError, OSError) as error:
        raise FastkfError(f"{path}: not a readable record of a run ({error})") from error
    if not isinstance(run, dict):
        raise FastkfError(f"{path}: not the record of a run")
    return run


def get_table(run: dict, *keys: str) -> dict:
    """The table under the keys, one in the other; empty when one is missing or null."""
    for key in keys:
        run = run.get(key) or {}
    return run


def steps_in_order(run: dict) -> list[dict]:
    """The steps as they started; those that never did come last."""
    steps = [
        {
            "name": str(step["name"]),
            "status": step.get("status") or "pending",
            "started": step.get("started"),
            "seconds": step.get("seconds") or 0,
            "error": step.get("error"),
        }
        for step in get_table(run, "pipeline").get("steps") or []
    ]
    return sorted(steps, key=lambda step: (step["started"] is None, step["started"] or 0))


def list_problems(run: dict, steps: list[dict]) -> list[dict]:
    """What went wrong, the first cause first, each thing said once.

    Returns:
        Tables of `where`, `text` and, for a step that failed, its name as `step`.
    """
    found = [
        {"where": "Run", "text": run.get("error")},
        {"where": "Notebook", "text": get_table(run, "notebook").get("error")},
    ]
    for step in steps:
        if step["status"] == "failed":
            text = step["error"] or "The step failed; its log says more."
            found.append({"where": f"Step {step['name']}", "text": text, "step": step["name"]})
    found.append({"where": "Pipeline", "text": get_table(run, "pipeline").get("error")})
    found += [{"where": "Metrics", "text": text} for text in _differences(run)]
    problems: list[dict] = []
    for problem in found:
        text = _error_text(problem["text"])
        if text and not any(text in known["text"] for known in problems):
            problems.append({"step": None, **problem, "text": text})
    if not problems and run.get("status") == "failed":
        text = "The run failed; the logs say more."
        problems.append({"where": "Run", "text": text, "step": None})
    return problems


def _error_text(error) -> str:
    if isinstance(error, dict):
        error = ": ".join(str(error[key]) for key in ("name", "message") if error.get(key))
    return clean_text(str(error or "")).strip()


def _differences(run: dict) -> list[str]:
    return [
        f"{name} is {row.get('notebook')} in the notebook, {row.get('pipeline')} in the pipeline.\n"
        "Look for a missing seed, or a variable that a step changes after another has received it."
        for name, row in get_table(run, "parity").items()
        if not row.get("equal")
    ]


def show_value(value) -> str:
    """A value as tables show it: at most six digits of a number."""
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def make_timeline(steps: list[dict]) -> dict | None:
    """Each step's bar in per cent of the time from the first start to the last end."""
    ran = [step for step in steps if step["started"] is not None]
    first = min((step["started"] for step in ran), default=0)
    last = max((step["started"] + step["seconds"] for step in ran), default=0)
    if last <= first:
        return None
    tick = _tick(last - first)
    share = 100 / (last - first)
    return {
        "bars": {
            step["name"]: {
                "left": round((step["started"] - first) * share, 2),
                "width": max(round(step["seconds"] * share, 2), THINNEST_BAR),
            }
            for step in ran
        },
        "ticks": [
            {"left": round(number * tick * share, 2), "label": f"{number * tick:g} s"}
            for number in range(int((last - first) / tick) + 1)
        ],
        "seconds": last - first,
        "work": sum(step["seconds"] for step in ran),
    }


def _tick(seconds: float, ticks: int = 5) -> float:
    """The round number of seconds that divides the time into about five."""
    power = 0.001
    while power * 10 * ticks < seconds:
        power *= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * ticks >= seconds)


def format_time(iso: str | None) -> str | None:
    """A time (ISO 8601) as people write it; what is no time stays as it is."""
    try:
        moment = datetime.fromisoformat(str(iso))
    except ValueError:
        return iso
    zone = f" {moment.tzname()}" if moment.tzinfo else ""
    return f"{moment.day} {moment:%B %Y, %H:%M}{zone}"
