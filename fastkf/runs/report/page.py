"""A run as one HTML page: the graph, step times, metrics, plots, logs.

The page needs no network and no JavaScript. Everything that comes from notebooks and logs is
untrusted: it is escaped, the steps' own HTML stands in sandboxed frames, and the page's content
security policy, which the frames inherit, allows nothing from elsewhere.
"""

import base64
import functools
import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from fastkf.base.files import write_text
from fastkf.base.plain_data import show_text
from fastkf.runs.drawing.svg import GLYPHS, STATUSES, draw_pipeline
from fastkf.runs.model import PipelineResult, Run, State
from fastkf.runs.problems import list_problems
from fastkf.runs.report import contents
from fastkf.runs.report.classification import list_classifications
from fastkf.runs.report.rows import list_rows, make_timeline
from fastkf.runs.text import format_seconds, format_time, show_row, show_values

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Card:
    """A card under the headline: what ran, how it ended, how long it took."""

    label: str
    status: State
    value: str
    note: str


@dataclass(frozen=True)
class MetricRow:
    """A metric; `equal` is None where there is nothing to compare it with."""

    name: str
    notebook: str
    pipeline: str
    equal: bool | None


def write_report(run: Run) -> Path:
    """Writes report.html into the run's folder, from the run and the files there; its path."""
    path = run.folder / "report.html"
    # Errors and names of steps are whatever was raised and found.
    write_text(path, show_text(render_report(run)))
    return path


def render_report(run: Run) -> str:
    """The page as text; files that are missing from the folder are left out."""
    rows = list_rows(run.steps, run.pipeline.started if run.pipeline else None)
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    plots, more_plots = contents.read_plots(run.folder / "notebook.ipynb")
    return (
        make_environment()
        .get_template("report.html.jinja")
        .render(
            run=run,
            started=run.started and format_time(run.started),
            parts=_list_cards(run),
            problems=list_problems(run),
            metrics=_list_metrics(run),
            both=bool(run.notebook and run.pipeline),
            parameters=show_values(run.parameters),
            graph=_draw_graph(run),
            steps=rows,
            timeline=make_timeline(rows),
            classifications=list_classifications(run.steps),
            plots=plots,
            more_plots=more_plots,
            outputs=contents.read_outputs(run.folder, rows),
            logs=contents.read_logs(run.folder, rows),
            files=contents.list_files(run.folder),
            script=Markup(script),  # our own
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


@functools.cache
def make_environment(*folders: Path) -> jinja2.Environment:
    """What renders the templates of the report, and those of other folders before them.

    One for all pages: each would compile the templates anew.
    """
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


def _list_cards(run: Run) -> list[Card]:
    cards = []
    if run.notebook:
        took = format_seconds(run.notebook.seconds)
        cards.append(Card("As a notebook", run.notebook.state, took, "every cell, in order"))
    if run.pipeline:
        took = format_seconds(run.pipeline.seconds)
        cards.append(Card("As a pipeline", run.pipeline.state, took, _count_steps(run.pipeline)))
    if run.parity:
        equal, total = sum(one.equal for one in run.parity.values()), len(run.parity)
        state = State.SUCCEEDED if equal == total else State.FAILED
        note = "notebook and pipeline compared"
        cards.append(Card("Metrics", state, f"{equal} of {total} equal", note))
    return cards


def _count_steps(pipeline: PipelineResult) -> str:
    counts = Counter(step.state for step in pipeline.steps)
    total = counts.total()
    if not total:
        return "no steps ran"
    if counts[State.SUCCEEDED] == total:
        return f"{total} step" if total == 1 else f"{total} steps"
    return ", ".join(f"{counts[state]} {state}" for state in STATUSES if counts[state])


def _list_metrics(run: Run) -> list[MetricRow]:
    notebook = run.notebook.metrics if run.notebook else {}
    pipeline = run.pipeline.metrics if run.pipeline else {}
    rows = []
    for name in {**notebook, **pipeline}:
        values = [notebook.get(name), pipeline.get(name)]
        shown = show_row(values)
        compared = run.parity.get(name)
        rows.append(MetricRow(name, shown[0], shown[1], compared.equal if compared else None))
    return rows


def _draw_graph(run: Run) -> Markup | None:
    if not run.steps:
        return None
    return Markup(
        draw_pipeline(
            {step.name: list(step.after) for step in run.steps},
            statuses={step.name: step.state for step in run.steps},
            seconds={step.name: step.seconds for step in run.steps},
            names={step.name: step.label for step in run.steps},
            words={step.name: step.word for step in run.steps if step.cached_from},
            title=f"Pipeline {run.name}",
        )
    )
