"""Where the steps of a pipeline stand in its picture, and where its edges run.

Steps stand in layers (the longest path from a start), left to right, or top to bottom where there
are many. An edge that a longer path implies is left out: the step waits for that path anyway.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from fastkf.runs.drawing.layers import Edges, assign_layers, is_across, reduce_edges

# A node is a step, or a waypoint where an edge passes a layer.
Node = Hashable
Point = tuple[float, float]
Size = tuple[float, float]
Columns = list[list[Node]]
Routes = dict[tuple[str, str], list[Node]]
Neighbours = Mapping[Node, list[Node]]
Positions = Mapping[Node, float]

MARGIN = 8
LAYER_GAPS = (40, 110)
BOX_GAP = 16
ARROW = 8
NAME_LETTER = 7.9
STATE_LETTER = 6.4
LONGEST_NAME = 34
LONG_NOTE = "failed, 5 min 30 s"
NO_SIZE = (0.0, 0.0)


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
    edges: dict[tuple[str, str], list[Point]]


@dataclass(frozen=True)
class Grid:
    """Each node's span along the flow (its layer's) and its place beside it."""

    across: bool
    spans: Mapping[Node, tuple[float, float]]
    places: Positions

    def point(self, along: float, node: Node) -> Point:
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

    def path(self, nodes: list[Node]) -> list[Point]:
        """From the end of the first node, straight through the waypoints, to the last's start."""
        return [self.point(along, node) for node in nodes for along in self.spans[node]][1:-1]


def lay_out(
    dependencies: Edges,
    *,
    sizes: Mapping[str, Size] | None = None,
    across: bool | None = None,
) -> Picture:
    """Finds a place for every step and edge.

    Args:
        sizes: of the boxes; otherwise as the names need.
        across: whether the graph lies; otherwise it does while it has few layers.
    """
    named = tuple((step, tuple(after)) for step, after in dependencies.items())
    sizes = sizes or {step: box_size(step, None, False) for step in dependencies}
    return _lay_out(named, tuple(sizes.items()), across)


@lru_cache(maxsize=64)  # a page that follows a run draws the same graph each second
def _lay_out(
    named: tuple[tuple[str, tuple[str, ...]], ...],
    sizes: tuple[tuple[str, Size], ...],
    across: bool | None,
) -> Picture:
    edges = reduce_edges({step: list(after) for step, after in named})
    layers = assign_layers(edges)
    columns, routes = _columns_and_routes(edges, layers)
    before, behind = _neighbours(routes)
    columns = _untangle(columns, before, behind)
    lies = is_across(layers) if across is None else across
    return _place(columns, routes, before, behind, dict(sizes), across=lies)


def _columns_and_routes(edges: Edges, layers: dict[str, int]) -> tuple[Columns, Routes]:
    """The layers' nodes, with waypoints where an edge passes a layer, and each edge's nodes."""
    columns: Columns = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for step, layer in layers.items():
        columns[layer].append(step)
    routes: Routes = {}
    for step, after in edges.items():
        for name in after:
            passed = range(layers[name] + 1, layers[step])
            waypoints: list[Node] = [(name, step, layer) for layer in passed]
            for layer, waypoint in zip(passed, waypoints, strict=True):
                columns[layer].append(waypoint)
            routes[name, step] = [name, *waypoints, step]
    return columns, routes


def _neighbours(routes: Routes) -> tuple[Neighbours, Neighbours]:
    before: dict[Node, list[Node]] = {}
    behind: dict[Node, list[Node]] = {}
    for nodes in routes.values():
        for left, right in pairwise(nodes):
            behind.setdefault(left, []).append(right)
            before.setdefault(right, []).append(left)
    return before, behind


def _untangle(columns: Columns, before: Neighbours, behind: Neighbours, sweeps: int = 6) -> Columns:
    """Barycentre sweeps to and fro; the order with the fewest crossings wins."""
    best = current = columns
    for sweep in range(sweeps):
        forward = sweep % 2 == 0
        current = _sweep(current if forward else current[::-1], before if forward else behind)
        current = current if forward else current[::-1]
        if _crossings(current, before) < _crossings(best, before):
            best = current
    return best


def _sweep(columns: Columns, neighbours: Neighbours) -> Columns:
    swept: Columns = columns[:1]
    for column in columns[1:]:
        rank = {node: float(position) for position, node in enumerate(swept[-1])}
        means = {
            node: _mean(node, neighbours, rank, position) for position, node in enumerate(column)
        }
        swept.append(sorted(column, key=means.__getitem__))
    return swept


def _mean(node: Node, neighbours: Neighbours, position: Positions, own: float) -> float:
    near = [position[name] for name in neighbours.get(node, []) if name in position]
    return sum(near) / len(near) if near else own


def _crossings(columns: Columns, before: Neighbours) -> int:
    total = 0
    for left, right in pairwise(columns):
        rank = {node: position for position, node in enumerate(left)}
        ends = [
            rank[name]
            for node in right
            for name in sorted(before.get(node, []), key=rank.__getitem__)
        ]
        total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


def box_size(step: str, note: str | None, noted: bool) -> Size:
    letters = NAME_LETTER * len(shorten(step))
    if not noted:
        return max(round(letters + 28), 60), 34
    state = STATE_LETTER * max(len(note), len(LONG_NOTE)) if note else 0
    return round(max(letters, state) + (50 if note else 28)), 46


def shorten(step: str) -> str:
    """The step's name as its box has room for it."""
    return step if len(step) <= LONGEST_NAME else f"{step[: LONGEST_NAME - 1]}…"


def _place(
    columns: Columns,
    routes: Routes,
    before: Neighbours,
    behind: Neighbours,
    sizes: Mapping[str, Size],
    *,
    across: bool,
) -> Picture:
    """Gives every node its two coordinates: along the flow by layer, beside it by neighbours."""
    along, beside = (0, 1) if across else (1, 0)
    room: dict[Node, Size] = {
        node: sizes[node] if isinstance(node, str) else NO_SIZE
        for column in columns
        for node in column
    }
    breadth = {node: size[beside] for node, size in room.items()}
    places = _balance(columns, before, behind, breadth)
    first = min((places[node] - breadth[node] / 2 for node in places), default=0) - MARGIN
    last = max((places[node] + breadth[node] / 2 for node in places), default=0) + MARGIN
    depths = [max(room[node][along] for node in column) for column in columns]
    gaps = [_layer_gap(column, behind, places) for column in columns[:-1]]
    starts = list(accumulate(map(sum, zip(depths, gaps, strict=False)), initial=float(MARGIN)))
    length = starts[-1] + sum(depths[-1:]) + MARGIN
    spans = _span(columns, starts, depths)
    grid = Grid(across, spans, {node: place - first for node, place in places.items()})
    width, height = (length, last - first) if across else (last - first, length)
    return Picture(
        width,
        height,
        across=across,
        boxes={step: grid.box(step, *sizes[step]) for step in sizes},
        edges={edge: grid.path(nodes) for edge, nodes in routes.items()},
    )


def _span(
    columns: Columns, starts: Sequence[float], depths: Sequence[float]
) -> dict[Node, tuple[float, float]]:
    """Each node's span along the flow, which is its layer's."""
    return {
        node: (start, start + depth)
        for column, start, depth in zip(columns, starts, depths, strict=False)
        for node in column
    }


def _layer_gap(column: Sequence[Node], behind: Neighbours, position: Positions) -> float:
    """Room enough for the edge that climbs most to bend smoothly."""
    climbs = (abs(position[node] - position[b]) for node in column for b in behind.get(node, []))
    smallest, largest = LAYER_GAPS
    return min(smallest + max(climbs, default=0) / 4, largest)


def _balance(
    columns: Columns,
    before: Neighbours,
    behind: Neighbours,
    breadth: Positions,
    rounds: int = 12,
) -> dict[Node, float]:
    """Draws each node towards its neighbours, keeping the order and the gaps in its layer."""
    gaps = [
        [(breadth[a] + breadth[b]) / 2 + BOX_GAP for a, b in pairwise(column)] for column in columns
    ]
    position: dict[Node, float] = {}
    for column, space in zip(columns, gaps, strict=True):
        position.update(zip(column, _spread([0] * len(column), space), strict=True))
    both = {node: before.get(node, []) + behind.get(node, []) for node in position}
    for neighbours in [before, behind] * (rounds // 2) + [both]:
        for column, space in zip(columns, gaps, strict=True):
            wanted = [_mean(node, neighbours, position, position[node]) for node in column]
            position.update(zip(column, _spread(wanted, space), strict=True))
    return position


def _spread(wanted: Sequence[float], gaps: Sequence[float]) -> list[float]:
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
