"""A pipeline's graph as one self-contained SVG: the same steps give the same bytes."""

import hashlib
from collections.abc import Iterable, Mapping
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from fastkf.runs.drawing.layers import Edges
from fastkf.runs.drawing.layout import ARROW, Box, Picture, Point, box_size, lay_out, shorten
from fastkf.runs.model import State
from fastkf.runs.text import format_seconds

LARGE = 1200  # units; wider pictures can no longer be read where they are made to fit a page
STATUSES = (State.SUCCEEDED, State.FAILED, State.SKIPPED, State.RUNNING, State.PENDING)

GLYPHS: dict[str, str] = {
    State.SUCCEEDED: "M-3.6 .2l2.5 2.6 4.7-5.2",
    State.FAILED: "M-2.8-2.8l5.6 5.6M-2.8 2.8l5.6-5.6",
    State.SKIPPED: "M-3.4 0h6.8",
    State.RUNNING: "M-1.8-3.2l4.6 3.2-4.6 3.2z",
    State.PENDING: "M0-3.2v3.4h2.8",
}

STYLE = """
.fastkf-graph rect{fill:#eef3fd;stroke:#7f9bd6;stroke-width:1.25}
.fastkf-graph text{fill:#172033;font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,
"DejaVu Sans Mono",monospace}
.fastkf-graph .state{fill:#4c5667;font:11px system-ui,-apple-system,"Segoe UI",Roboto,
"DejaVu Sans",sans-serif}
.fastkf-graph .line{fill:none;stroke:#8390a5;stroke-width:1.5}
.fastkf-graph .head{fill:#8390a5}
.fastkf-graph circle{fill:#667085}
.fastkf-graph .glyph{fill:none;stroke:#fff;stroke-width:1.7;stroke-linecap:round;
stroke-linejoin:round}
.fastkf-graph .succeeded rect{fill:#eaf7ee;stroke:#58ad70}
.fastkf-graph .succeeded circle{fill:#1f8540}
.fastkf-graph .failed rect{fill:#fdeceb;stroke:#d9534f;stroke-width:2}
.fastkf-graph .failed circle{fill:#c62828}
.fastkf-graph .running rect{fill:#e8f1fe;stroke:#3d7fe0}
.fastkf-graph .running circle{fill:#1f66d0}
.fastkf-graph .skipped rect,.fastkf-graph .pending rect{fill:#f4f5f7;stroke:#98a2b3;
stroke-dasharray:4 3}
@media (prefers-color-scheme:dark){
.fastkf-graph rect{fill:#1a2540;stroke:#5b7bc0}
.fastkf-graph text{fill:#e6ecf8}
.fastkf-graph .state{fill:#a9b4c6}
.fastkf-graph .succeeded rect{fill:#12291b;stroke:#3f8f57}
.fastkf-graph .failed rect{fill:#371718;stroke:#e5605b}
.fastkf-graph .running rect{fill:#14264a;stroke:#5a95ec}
.fastkf-graph .skipped rect,.fastkf-graph .pending rect{fill:#1c2129;stroke:#667085}
}
""".replace("\n", "")


def draw_pipeline(
    dependencies: Edges,
    *,
    statuses: Mapping[str, str] | None = None,
    seconds: Mapping[str, float] | None = None,
    names: Mapping[str, str] | None = None,
    words: Mapping[str, str] | None = None,
    title: str | None = None,
    links: Mapping[str, str] | None = None,
    current: str | None = None,
    style: bool = True,
) -> str:
    """Draws the steps of a pipeline and what each waits for, in places that stay the same.

    Args:
        dependencies: step to the steps it waits for; the order of the keys is the tie-breaker.
        statuses: step to one of `STATUSES`; colours the boxes.
        seconds: step to how long it took, shown where there is a status.
        names: step to what it is called, where that is another name.
        words: step to what is said of it in place of its status.
        title: the name of the picture, for screen readers and as a tooltip.
        links: step to the address that its box leads to.
        current: the step among the links that the page shows.
        style: whether `STYLE` is in the picture; a page that has it already goes without.

    Returns: the SVG element, as it can stand in a page.

    Raises:
        ValueError: the dependencies form a cycle.
    """
    notes = {**_state_notes(dependencies, statuses or {}, seconds or {}), **(words or {})}
    names = {step: (names or {}).get(step, step) for step in dependencies}
    sizes = {step: box_size(name, notes.get(step), bool(notes)) for step, name in names.items()}
    picture = lay_out(dependencies, sizes=sizes)
    body = [draw_edge(edge, points, picture.across) for edge, points in picture.edges.items()]
    for step, box in picture.boxes.items():
        drawn = draw_box(box, (statuses or {}).get(step), notes.get(step), names[step], step)
        body.append(link_to(drawn, (links or {}).get(step), step == current))
    said = (title or "Pipeline", describe(dependencies, notes), "\n".join(body))
    return wrap(picture, *said, interactive=bool(links), style=style)


def describe(dependencies: Edges, notes: Mapping[str, str] | None = None) -> str:
    """The picture in words, one sentence a step."""
    if not dependencies:
        return "No steps."
    sentences = []
    for step, after in dependencies.items():
        where = f"after {', '.join(after)}" if after else "at the start"
        note = f" ({notes[step]})" if notes and step in notes else ""
        sentences.append(f"{step} {where}{note}.")
    return " ".join(sentences)


def _state_notes(
    steps: Iterable[str], statuses: Mapping[str, str], seconds: Mapping[str, float]
) -> dict[str, str]:
    notes = {}
    for step in steps:
        status, took = statuses.get(step), seconds.get(step)
        if status == State.SUCCEEDED and took is not None:
            notes[step] = format_seconds(took)
        elif status in (State.FAILED, State.RUNNING) and took is not None:
            notes[step] = f"{status}, {format_seconds(took)}"
        elif status:
            notes[step] = status
    return notes


def draw_edge(edge: tuple[str, str], points: list[Point], across: bool) -> str:
    (x, y), steps = points[0], list[str]()
    tip_x, tip_y = points[-1]
    points = points[:-1] + [(tip_x - ARROW, tip_y) if across else (tip_x, tip_y - ARROW)]
    for start, end in pairwise(points):
        steps.append(_curve(start, end, across))
    head = f"l{-ARROW} -4.5v9z" if across else f"l-4.5 {-ARROW}h9z"
    return (
        f'<g class="edge" data-from={quoteattr(edge[0])} data-to={quoteattr(edge[1])}>'
        f'<path class="line" d="M{number(x)} {number(y)}{"".join(steps)}"/>'
        f'<path class="head" d="M{number(tip_x)} {number(tip_y)}{head}"/></g>'
    )


def _curve(start: Point, end: Point, across: bool) -> str:
    (x1, y1), (x2, y2) = start, end
    if round(x1, 1) == round(x2, 1) or round(y1, 1) == round(y2, 1):
        return f"L{number(x2)} {number(y2)}"
    bend = (
        ((x1 + x2) / 2, y1, (x1 + x2) / 2, y2) if across else (x1, (y1 + y2) / 2, x2, (y1 + y2) / 2)
    )
    return "C" + " ".join(map(number, (*bend, x2, y2)))


def draw_box(
    box: Box, status: str | None, note: str | None, name: str | None = None, id: str | None = None
) -> str:
    """A step's box.

    Args:
        name: what it says, where that is not what the layout calls it; id: what names the step.
    """
    step = name or box.step
    left, top = box.x - box.width / 2, box.y - box.height / 2
    kind = f"step {status}" if status in STATUSES else "step"
    label = f"{step}: {note}" if note else step
    rect = (
        f'<rect x="{number(left)}" y="{number(top)}" width="{number(box.width)}" '
        f'height="{number(box.height)}" rx="9"/>'
    )
    text = _draw_noted(box, step, status, note, left) if note else _draw_name(box, step)
    return (
        f'<g class="{kind}" data-step={quoteattr(id or box.step)}><title>{escape(label)}</title>'
        f"{rect}{text}</g>"
    )


def link_to(drawn: str, address: str | None, is_current: bool, id: str | None = None) -> str:
    if address is None:
        return drawn
    current = ' aria-current="true"' if is_current else ""
    name = f" id={quoteattr(id)}" if id else ""
    return f"<a href={quoteattr(address)}{name}{current}>{drawn}</a>"


def _draw_name(box: Box, step: str) -> str:
    return (
        f'<text x="{number(box.x)}" y="{number(box.y + 4.5)}" text-anchor="middle">'
        f"{escape(shorten(step))}</text>"
    )


def _draw_noted(box: Box, step: str, status: str | None, note: str, left: float) -> str:
    glyph = GLYPHS.get(status or "", GLYPHS[State.PENDING])
    x, words = number(left + (36 if status else 14)), escape(shorten(step))
    circle = (
        f'<g transform="translate({number(left + 20)} {number(box.y)})"><circle r="8"/>'
        f'<path class="glyph" d="{glyph}"/></g>'
    )
    return (
        f"{circle if status else ''}"
        f'<text x="{x}" y="{number(box.y - 3)}">{words}</text>'
        f'<text class="state" x="{x}" y="{number(box.y + 13)}">{escape(note)}</text>'
    )


def wrap(
    picture: Picture, title: str, description: str, body: str, *, interactive: bool, style: bool
) -> str:
    width, height = number(picture.width), number(picture.height)
    content = f"{title}{description}".encode(errors="surrogatepass")
    classes = "fastkf-graph large" if picture.width > LARGE else "fastkf-graph"
    ids = "fastkf-" + hashlib.sha256(content).hexdigest()[:8]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{classes}" '
        f'role="{"group" if interactive else "img"}" '
        f'aria-labelledby="{ids}-title {ids}-desc" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">\n'
        f'<title id="{ids}-title">{escape(title)}</title>\n'
        f'<desc id="{ids}-desc">{escape(description)}</desc>\n'
        + (f"<style>{STYLE}</style>\n" if style else "")
        + f"{body}\n</svg>\n"
    )


def number(number: float) -> str:
    return f"{round(number, 1) + 0:g}"
