"""A pipeline's graph as one self-contained SVG: the same steps give the same bytes.

Steps stand in layers (the longest path from a start), left to right, or top to bottom where that
would be too wide. An edge that a longer path implies is left out of the picture, as the step waits
for that path anyway; the description of the picture names every dependency.
"""

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import accumulate, pairwise
from xml.sax.saxutils import escape, quoteattr

STATUSES = ("succeeded", "failed", "skipped", "running", "pending")

Edges = dict[str, list[str]]
Columns = list[list[Hashable]]

WIDEST = 1000
MARGIN = 8
LAYER_GAPS = (40, 110)
BOX_GAP = 16
ARROW = 8
NAME_LETTER = 7.9
STATE_LETTER = 6.4
LONGEST_NAME = 34
LONG_NOTE = "failed, 5 min 30 s"

GLYPHS = {
    "succeeded": "M-3.6 .2l2.5 2.6 4.7-5.2",
    "failed": "M-2.8-2.8l5.6 5.6M-2.8 2.8l5.6-5.6",
    "skipped": "M-3.4 0h6.8",
    "running": "M-1.8-3.2l4.6 3.2-4.6 3.2z",
    "pending": "M0-3.2v3.4h2.8",
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


@dataclass(frozen=True)
class Box:
    """One step in the picture; `x` and `y` are its centre."""

    step: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Picture:
    """Where everything goes: the boxes by step, and the edges as the points they pass."""

    width: float
    height: float
    across: bool
    boxes: dict[str, Box]
    edges: dict[tuple[str, str], list[tuple[float, float]]]


@dataclass(frozen=True)
class Grid:
    """Each node's span along the flow (its layer's) and its place beside it."""

    across: bool
    spans: dict[Hashable, tuple[float, float]]
    places: dict[Hashable, float]

    def point(self, along: float, node: Hashable) -> tuple[float, float]:
        return (along, self.places[node]) if self.across else (self.places[node], along)

    def box(self, step: str, width: float, height: float) -> Box:
        """The step's box; those of one column are equally wide."""
        start, end = self.spans[step]
        return Box(
            step,
            *self.point((start + end) / 2, step),
            end - start if self.across else width,
            height,
        )

    def path(self, nodes: list[Hashable]) -> list[tuple[float, float]]:
        """From the end of the first node, straight through the waypoints, to the last's start."""
        return [self.point(along, node) for node in nodes for along in self.spans[node]][1:-1]


def draw_pipeline(
    dependencies: Edges,
    *,
    statuses: dict[str, str] | None = None,
    seconds: dict[str, float] | None = None,
    title: str | None = None,
    links: dict[str, str] | None = None,
    current: str | None = None,
    style: bool = True,
) -> str:
    """Draws the steps of a pipeline and what each waits for.

    The boxes keep their places while the states of the steps change.

    Args:
        dependencies: step to the steps it waits for; the order of the keys is the tie-breaker.
        statuses: step to one of `STATUSES`; colours the boxes.
        seconds: step to how long it took, shown where there is a status.
        title: the name of the picture, for screen readers and as a tooltip.
        links: step to the address that its box leads to.
        current: the step among the links that the page shows.
        style: whether `STYLE` is in the picture; a page that has it already goes without.

    Returns:
        The SVG element, without an XML declaration, so that it can stand in a page as it is.

    Raises:
        ValueError: the dependencies form a cycle.
    """
    notes = _state_notes(dependencies, statuses or {}, seconds or {})
    picture = lay_out(dependencies, notes)
    body = [_draw_edge(edge, points, picture.across) for edge, points in picture.edges.items()]
    for step, box in picture.boxes.items():
        drawn = _draw_box(box, (statuses or {}).get(step), notes.get(step))
        body.append(_link(drawn, (links or {}).get(step), step == current))
    words = (title or "Pipeline", describe(dependencies, notes))
    return _wrap(picture, *words, "\n".join(body), interactive=bool(links), style=style)


def describe(dependencies: Edges, notes: dict[str, str] | None = None) -> str:
    """The picture in words, one sentence a step."""
    if not dependencies:
        return "No steps."
    sentences = []
    for step, after in dependencies.items():
        where = f"after {', '.join(after)}" if after else "at the start"
        note = f" ({notes[step]})" if notes and step in notes else ""
        sentences.append(f"{step} {where}{note}.")
    return " ".join(sentences)


def format_seconds(seconds: float) -> str:
    """A duration as a person says it: 0.4 s, 41 s, 3 min 5 s, 1 h 12 min."""
    if round(seconds, 1) < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    large, small, units = *divmod(whole, 60), ("min", "s")
    if large >= 60:
        large, small, units = *divmod(large, 60), ("h", "min")
    return f"{large} {units[0]}" + (f" {small} {units[1]}" if small else "")


def reduce_edges(dependencies: Edges) -> Edges:
    """The dependencies without unknown steps and without those a longer path implies."""
    known = {
        step: [name for name in dict.fromkeys(after) if name in dependencies]
        for step, after in dependencies.items()
    }
    ancestors: dict[str, set[str]] = {}
    for step in TopologicalSorter(known).static_order():
        ancestors[step] = {a for name in known[step] for a in (name, *ancestors[name])}
    return {
        step: [a for a in after if not any(a in ancestors[b] for b in after)]
        for step, after in known.items()
    }


def assign_layers(edges: Edges) -> dict[str, int]:
    """Step to its layer: 0 at the start, otherwise one more than the last step it waits for."""
    layers: dict[str, int] = {}
    for step in TopologicalSorter(edges).static_order():
        layers[step] = max((layers[name] + 1 for name in edges[step]), default=0)
    return {step: layers[step] for step in edges}


def lay_out(dependencies: Edges, notes: dict[str, str] | None = None) -> Picture:
    """Finds a place for every step and edge."""
    edges = reduce_edges(dependencies)
    columns, routes = _columns_and_routes(edges, assign_layers(edges))
    before, behind = _neighbours(routes)
    columns = _untangle(columns, before, behind)
    sizes = {step: _box_size(step, (notes or {}).get(step), bool(notes)) for step in edges}
    across, down = (
        _place(columns, routes, before, behind, sizes, across=direction)
        for direction in (True, False)
    )
    return across if across.width <= max(WIDEST, down.width) else down


def _state_notes(steps: Edges, statuses: dict, seconds: dict) -> dict[str, str]:
    notes = {}
    for step in steps:
        status, took = statuses.get(step), seconds.get(step)
        if status == "succeeded" and took is not None:
            notes[step] = format_seconds(took)
        elif status:
            shown = took is not None and status in ("failed", "running")
            notes[step] = f"{status}, {format_seconds(took)}" if shown else status
    return notes


def _columns_and_routes(edges: Edges, layers: dict[str, int]) -> tuple[Columns, dict]:
    """The layers' nodes, with waypoints where an edge passes a layer, and each edge's nodes."""
    columns: Columns = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for step, layer in layers.items():
        columns[layer].append(step)
    routes = {}
    for step, after in edges.items():
        for name in after:
            passed = range(layers[name] + 1, layers[step])
            waypoints = [(name, step, layer) for layer in passed]
            for layer, waypoint in zip(passed, waypoints, strict=True):
                columns[layer].append(waypoint)
            routes[name, step] = [name, *waypoints, step]
    return columns, routes


def _neighbours(routes: dict) -> tuple[dict, dict]:
    before: dict = {}
    behind: dict = {}
    for nodes in routes.values():
        for left, right in pairwise(nodes):
            behind.setdefault(left, []).append(right)
            before.setdefault(right, []).append(left)
    return before, behind


def _untangle(columns: Columns, before: dict, behind: dict, sweeps: int = 6) -> Columns:
    """Barycentre sweeps to and fro; the order with the fewest crossings wins."""
    best = current = columns
    for sweep in range(sweeps):
        forward = sweep % 2 == 0
        current = _sweep(current if forward else current[::-1], before if forward else behind)
        current = current if forward else current[::-1]
        if _crossings(current, before) < _crossings(best, before):
            best = current
    return best


def _sweep(columns: Columns, neighbours: dict) -> Columns:
    swept: Columns = columns[:1]
    for column in columns[1:]:
        rank = {node: position for position, node in enumerate(swept[-1])}
        own = {node: position for position, node in enumerate(column)}
        swept.append(sorted(column, key=lambda node, r=rank, o=own: _mean(node, neighbours, r, o)))
    return swept


def _mean(node: Hashable, neighbours: dict, position: dict, own: dict) -> float:
    near = [position[name] for name in neighbours.get(node, []) if name in position]
    return sum(near) / len(near) if near else own[node]


def _crossings(columns: Columns, before: dict) -> int:
    total = 0
    for left, right in pairwise(columns):
        rank = {node: position for position, node in enumerate(left)}
        ends = [rank[name] for node in right for name in sorted(before.get(node, []), key=rank.get)]
        total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


def _box_size(step: str, note: str | None, noted: bool) -> tuple[float, float]:
    letters = NAME_LETTER * len(_short(step))
    if not noted:
        return max(round(letters + 28), 60), 34
    state = STATE_LETTER * max(len(note), len(LONG_NOTE)) if note else 0
    return round(max(letters, state) + (50 if note else 28)), 46


def _short(step: str) -> str:
    return step if len(step) <= LONGEST_NAME else f"{step[: LONGEST_NAME - 1]}…"


def _place(
    columns: Columns, routes: dict, before: dict, behind: dict, sizes: dict, *, across: bool
) -> Picture:
    """Gives every node its two coordinates: along the flow by layer, beside it by neighbours."""
    along, beside = (0, 1) if across else (1, 0)
    breadth = {node: sizes.get(node, (0, 0))[beside] for column in columns for node in column}
    depths = [max(sizes.get(node, (0, 0))[along] for node in column) for column in columns]
    places = _balance(columns, before, behind, breadth)
    first = min((places[node] - breadth[node] / 2 for node in places), default=0) - MARGIN
    last = max((places[node] + breadth[node] / 2 for node in places), default=0) + MARGIN
    gaps = [_layer_gap(column, behind, places) for column in columns[:-1]]
    starts = list(accumulate(map(sum, zip(depths, gaps, strict=False)), initial=MARGIN))
    length = starts[-1] + sum(depths[-1:]) + MARGIN
    grid = Grid(
        across=across,
        spans={
            node: (start, start + depth)
            for column, start, depth in zip(columns, starts, depths, strict=False)
            for node in column
        },
        places={node: place - first for node, place in places.items()},
    )
    return Picture(
        *((length, last - first) if across else (last - first, length)),
        across=across,
        boxes={step: grid.box(step, *sizes[step]) for step in sizes},
        edges={edge: grid.path(nodes) for edge, nodes in routes.items()},
    )


def _layer_gap(column: list[Hashable], behind: dict, position: dict) -> float:
    """Room enough for the edge that climbs most to bend smoothly."""
    climbs = (abs(position[node] - position[b]) for node in column for b in behind.get(node, []))
    smallest, largest = LAYER_GAPS
    return min(smallest + max(climbs, default=0) / 4, largest)


def _balance(
    columns: Columns, before: dict, behind: dict, breadth: dict, rounds: int = 12
) -> dict[Hashable, float]:
    """Draws each node towards its neighbours, keeping the order and the gaps in its layer."""
    gaps = [
        [(breadth[a] + breadth[b]) / 2 + BOX_GAP for a, b in pairwise(column)] for column in columns
    ]
    position: dict[Hashable, float] = {}
    for column, space in zip(columns, gaps, strict=True):
        position.update(zip(column, _spread([0] * len(column), space), strict=True))
    both = {node: before.get(node, []) + behind.get(node, []) for node in position}
    for neighbours in [before, behind] * (rounds // 2) + [both]:
        for column, space in zip(columns, gaps, strict=True):
            wanted = [_mean(node, neighbours, position, position) for node in column]
            position.update(zip(column, _spread(wanted, space), strict=True))
    return position


def _spread(wanted: list[float], gaps: list[float]) -> list[float]:
    """The positions nearest to the wanted ones that keep the gaps (pool adjacent violators)."""
    offsets = list(accumulate(gaps, initial=0))
    pools: list[list[float]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        pools.append([want - offset, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1] = [pools[-1][0] + total, pools[-1][1] + count]
    flat = [total / count for total, count in pools for _ in range(int(count))]
    return [place + offset for place, offset in zip(flat, offsets, strict=True)]


def _draw_edge(edge: tuple[str, str], points: list[tuple[float, float]], across: bool) -> str:
    (x, y), steps = points[0], []
    tip_x, tip_y = points[-1]
    points = points[:-1] + [(tip_x - ARROW, tip_y) if across else (tip_x, tip_y - ARROW)]
    for start, end in pairwise(points):
        steps.append(_curve(start, end, across))
    head = f"l{-ARROW} -4.5v9z" if across else f"l-4.5 {-ARROW}h9z"
    return (
        f'<g class="edge" data-from={quoteattr(edge[0])} data-to={quoteattr(edge[1])}>'
        f'<path class="line" d="M{_n(x)} {_n(y)}{"".join(steps)}"/>'
        f'<path class="head" d="M{_n(tip_x)} {_n(tip_y)}{head}"/></g>'
    )


def _curve(start: tuple[float, float], end: tuple[float, float], across: bool) -> str:
    (x1, y1), (x2, y2) = start, end
    if round(x1, 1) == round(x2, 1) or round(y1, 1) == round(y2, 1):
        return f"L{_n(x2)} {_n(y2)}"
    bend = (
        ((x1 + x2) / 2, y1, (x1 + x2) / 2, y2) if across else (x1, (y1 + y2) / 2, x2, (y1 + y2) / 2)
    )
    return "C" + " ".join(map(_n, (*bend, x2, y2)))


def _draw_box(box: Box, status: str | None, note: str | None) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    kind = f"step {status}" if status in STATUSES else "step"
    label = f"{box.step}: {note}" if note else box.step
    rect = (
        f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(box.width)}" height="{_n(box.height)}" '
        f'rx="9"/>'
    )
    text = _draw_noted(box, status, note, left) if note else _draw_name(box)
    return (
        f'<g class="{kind}" data-step={quoteattr(box.step)}><title>{escape(label)}</title>'
        f"{rect}{text}</g>"
    )


def _link(drawn: str, address: str | None, is_current: bool) -> str:
    if address is None:
        return drawn
    current = ' aria-current="true"' if is_current else ""
    return f"<a href={quoteattr(address)}{current}>{drawn}</a>"


def _draw_name(box: Box) -> str:
    return (
        f'<text x="{_n(box.x)}" y="{_n(box.y + 4.5)}" text-anchor="middle">'
        f"{escape(_short(box.step))}</text>"
    )


def _draw_noted(box: Box, status: str | None, note: str, left: float) -> str:
    glyph = GLYPHS.get(status or "", GLYPHS["pending"])
    return (
        f'<g transform="translate({_n(left + 20)} {_n(box.y)})"><circle r="8"/>'
        f'<path class="glyph" d="{glyph}"/></g>'
        f'<text x="{_n(left + 36)}" y="{_n(box.y - 3)}">{escape(_short(box.step))}</text>'
        f'<text class="state" x="{_n(left + 36)}" y="{_n(box.y + 13)}">{escape(note)}</text>'
    )


def _wrap(
    picture: Picture, title: str, description: str, body: str, *, interactive: bool, style: bool
) -> str:
    width, height = _n(picture.width), _n(picture.height)
    ids = "fastkf-" + hashlib.sha256(f"{title}{description}".encode()).hexdigest()[:8]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fastkf-graph" '
        f'role="{"group" if interactive else "img"}" '
        f'aria-labelledby="{ids}-title {ids}-desc" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">\n'
        f'<title id="{ids}-title">{escape(title)}</title>\n'
        f'<desc id="{ids}-desc">{escape(description)}</desc>\n'
        + (f"<style>{STYLE}</style>\n" if style else "")
        + f"{body}\n</svg>\n"
    )


def _n(number: float) -> str:
    return f"{round(number, 1) + 0:g}"
