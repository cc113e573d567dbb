"""A run as one HTML page: the graph, step times, metrics, plots, logs.

The page needs no network and no JavaScript. Everything that comes from notebooks and logs is
untrusted: it is escaped, the steps' own HTML stands in sandboxed frames, and the page's content
security policy, which the frames inherit, allows nothing from elsewhere.
"""

import base64
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from fastkf.runs.drawing.layout import GLYPHS, STATUSES, draw_pipeline, format_seconds
from fastkf.runs.report.view import (
    clean_text,
    format_time,
    get_table,
    list_problems,
    make_timeline,
    read_record,
    show_value,
    steps_in_order,
)

TEMPLATES = Path(__file__).parent / "templates"
LOG_LINES = 400
LOG_LETTERS = 60_000
LARGEST_OUTPUT = 1_000_000
LARGEST_PLOTS = 3_000_000
NO_OUTPUT = "This step did not produce any HTML output."


def write_report(run_folder: Path) -> Path:
    """Writes run_folder/report.html from run.json and the files beside it, and returns its path.

    Raises:
        FastkfError: there is no readable run.json.
    """
    run_folder = Path(run_folder)
    path = run_folder / "report.html"
    path.write_text(render_report(run_folder), encoding="utf-8")
    return path


def render_report(run_folder: Path) -> str:
    """The page as text; files that are missing from the folder are left out.

    Raises:
        FastkfError: there is no readable run.json.
    """
    run = read_record(run_folder / "run.json")
    steps = steps_in_order(run)
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    plots, more_plots = _read_plots(run_folder / "notebook.ipynb")
    return (
        make_environment()
        .get_template("report.html.jinja")
        .render(
            name=str(run.get("name") or run_folder.name),
            title=str(run.get("title") or run.get("name") or run_folder.name),
            status=run.get("status"),
            started=format_time(run.get("started")),
            started_iso=run.get("started"),
            seconds=run.get("seconds"),
            parts=_parts(run),
            note=run.get("note"),
            problems=list_problems(run, steps),
            metrics=_metric_rows(run),
            both=bool(run.get("notebook") and run.get("pipeline")),
            parameters={
                name: show_value(value) for name, value in get_table(run, "parameters").items()
            },
            graph=_draw_graph(run, steps),
            steps=steps,
            timeline=make_timeline(steps),
            plots=plots,
            more_plots=more_plots,
            outputs=_read_outputs(run_folder, steps),
            logs=_read_logs(run_folder, steps),
            files=_files(run_folder),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def make_environment(*folders: Path) -> jinja2.Environment:
    """What renders the templates of the report, and those of other folders before them."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "breakable": _breakable,
        "seconds": format_seconds,
        "thousands": "{:,}".format,
    }
    environment.globals |= {"glyphs": GLYPHS}
    return environment


def _breakable(name: str) -> Markup:
    """A name that may be broken after its underscores."""
    return escape(name).replace("_", Markup("_<wbr>"))


def _parts(run: dict) -> list[dict]:
    """The cards under the headline: what ran, how it ended, how long it took."""
    cards = []
    for part in ("notebook", "pipeline"):
        result = run.get(part)
        if result:
            cards.append(
                {
                    "label": f"As a {part}",
                    "status": result.get("status"),
                    "value": format_seconds(result.get("seconds") or 0),
                    "note": _step_count(result) if part == "pipeline" else "every cell, in order",
                }
            )
    parity = get_table(run, "parity")
    if parity:
        equal = sum(bool(row.get("equal")) for row in parity.values())
        cards.append(
            {
                "label": "Metrics",
                "status": "succeeded" if equal == len(parity) else "failed",
                "value": f"{equal} of {len(parity)} equal",
                "note": "notebook and pipeline compared",
            }
        )
    return cards


def _step_count(pipeline: dict) -> str:
    statuses = Counter(step.get("status") for step in pipeline.get("steps") or [])
    total = statuses.total()
    if not total:
        return "no steps ran"
    if statuses["succeeded"] == total:
        return f"{total} step{'s' * (total > 1)}"
    return ", ".join(f"{statuses[s]} {s}" for s in STATUSES if statuses[s])


def _metric_rows(run: dict) -> list[dict]:
    notebook, pipeline = (
        get_table(run, "notebook", "metrics"),
        get_table(run, "pipeline", "metrics"),
    )
    rows = []
    for name in {**notebook, **pipeline}:
        values = [notebook.get(name), pipeline.get(name)]
        shown = [show_value(value) for value in values]
        if shown[0] == shown[1] and values[0] != values[1]:
            shown = [str(value) for value in values]
        equal = get_table(run, "parity", name).get("equal")
        rows.append({"name": name, "notebook": shown[0], "pipeline": shown[1], "equal": equal})
    return rows


def _shown(values: dict) -> dict[str, str]:
    return {name: show_value(value) for name, value in values.items()}


def _draw_graph(run: dict, steps: list[dict]) -> Markup | None:
    if not steps:
        return None
    dependencies = {
        str(step["name"]): list(step.get("after") or []) for step in run["pipeline"]["steps"]
    }
    return Markup(
        draw_pipeline(
            dependencies,
            statuses={step["name"]: step["status"] for step in steps},
            seconds={step["name"]: step["seconds"] for step in steps},
            title=f"Pipeline {run.get('name', '')}",
        )
    )


def _read_plots(path: Path) -> tuple[list[dict], int]:
    """The images of a notebook with the headings above them, and how many were left out."""
    plots, left_out, size, heading = [], 0, 0, ""
    for number, cell in enumerate(_read_cells(path), start=1):
        if cell.get("cell_type") == "markdown":
            heading = _last_heading("".join(cell.get("source", ""))) or heading
        for image in _images(cell):
            size += len(image)
            left_out += size > LARGEST_PLOTS
            if size <= LARGEST_PLOTS:
                plots.append({"heading": heading, "cell": number, "image": image})
    return _caption(plots), left_out


def _read_cells(path: Path) -> list[dict]:
    try:
        return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _last_heading(markdown: str) -> str:
    prose = re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.M | re.S)
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*#*$", prose, re.M)
    if not headings:
        return ""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)|<[^>]+>", r"\1", headings[-1])
    return re.sub(r"[*`]", "", text).strip()


def _images(cell: dict) -> list[str]:
    images = []
    for output in cell.get("outputs") or []:
        image = "".join((output.get("data") or {}).get("image/png", ""))
        image = re.sub(r"\s", "", image)
        if re.fullmatch(r"[A-Za-z0-9+/]+=*", image):
            images.append(image)
    return images


def _caption(plots: list[dict]) -> list[dict]:
    """Numbers the plots that share a heading."""
    totals, seen = Counter(plot["heading"] for plot in plots), Counter()
    for plot in plots:
        heading = plot["heading"]
        seen[heading] += 1
        count = f" ({seen[heading]} of {totals[heading]})" if totals[heading] > 1 else ""
        plot["caption"] = f"{heading or 'Plot'}{count}"
    return plots


def _read_outputs(run_folder: Path, steps: list[dict]) -> list[dict]:
    outputs = []
    for number, step in enumerate(steps, start=1):
        html = _read(run_folder / "outputs", f"{step['name']}.html")
        if html is None or NO_OUTPUT in html:
            continue
        outputs.append(
            {
                "id": f"output-{number}",
                "name": step["name"],
                "status": step["status"],
                "html": html if len(html) <= LARGEST_OUTPUT else None,
                "path": f"outputs/{quote(step['name'])}.html",
            }
        )
    return outputs


def _read_logs(run_folder: Path, steps: list[dict]) -> list[dict]:
    """The ends of the logs: the steps' in their order, then what else is in logs/."""
    folder = run_folder / "logs"
    statuses = {step["name"]: step["status"] for step in steps}
    others = sorted(path.stem for path in folder.glob("*.log") if path.stem not in statuses)
    logs = []
    for number, name in enumerate([*statuses, *others], start=1):
        text = _read(folder, f"{name}.log")
        if text is None or not text.strip():
            continue
        lines = text.rstrip().split("\n")
        shown = clean_text("\n".join(lines[-LOG_LINES:]))[-LOG_LETTERS:]
        logs.append(
            {
                "id": f"log-{number}",
                "name": name,
                "status": statuses.get(name),
                "lines": len(lines),
                "whole": len(lines) <= LOG_LINES and len(shown) < LOG_LETTERS,
                "text": shown,
                "path": f"logs/{quote(name)}.log",
            }
        )
    return logs


def _read(folder: Path, name: str) -> str | None:
    """The text of a file directly in the folder; None when there is none."""
    path = folder / name
    if path.parent != folder or not path.is_file():
        return None
    return path.read_bytes().decode("utf-8", errors="replace")


def _files(run_folder: Path) -> list[dict]:
    about = {
        "notebook.ipynb": "the executed notebook",
        "pipeline.yaml": "the compiled pipeline",
        "run.json": "this run as data",
        "logs": "what each step wrote",
        "outputs": "what each step showed",
    }
    return [
        {"path": f"{name}/" if (run_folder / name).is_dir() else name, "about": text}
        for name, text in about.items()
        if (run_folder / name).exists()
    ]
