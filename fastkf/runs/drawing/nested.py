"""A pipeline's graph with its groups, which are drawn around what is in them, as one SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from fastkf.runs.drawing.layout import (
    Box,
    Picture,
    Size,
    box_size,
    lay_out,
    shorten,
)
from fastkf.runs.drawing.svg import STATUSES, draw_box, draw_edge, link_to, number, wrap

PADDING, HEADER = 12, 34
LETTER = 7.2  # of a group's name and note


@dataclass(frozen=True)
class Node:
    """A step, or a group of them: a loop, an iteration, a condition, a pipeline, an exit handler.

    Attributes:
        name: no other's beside it.
        label: what its box says.
        after: the names of those beside it that it waits for.
        status: one of `STATUSES`, "" where it has none.
        note: a few words below the name.
        link: the address that its box, or the head of its frame, leads to.
        current: whether the page shows it.
        inside: what is drawn in its frame; nothing of a step, and of a group that is folded.
        is_group: whether it has, or would have, a frame.
        id: what names the step, or the group, in the whole picture.
    """

    name: str
    label: str
    after: tuple[str, ...] = ()
    status: str = ""
    note: str = ""
    link: str | None = None
    current: bool = False
    inside: tuple["Node", ...] = ()
    is_group: bool = False
    id: str = ""


def draw_nested(nodes: Sequence[Node], *, title: str, across: bool, style: bool = False) -> str:
    """Draws nodes, and in the frames of groups what is in them.

    Args:
        title: the name of the picture.
        across: whether the graph lies; otherwise it stands.

    Raises:
        ValueError: nodes wait for each other.
    """
    picture, body = _draw(nodes, across)
    words = (title, " ".join(_describe(nodes)))
    return wrap(picture, *words, "\n".join(body), interactive=True, style=style)


def _draw(nodes: Sequence[Node], across: bool) -> tuple[Picture, list[str]]:
    inner = {node.name: _draw(node.inside, across) for node in nodes if node.inside}
    noted = any(node.note for node in nodes)
    sizes: dict[str, Size] = {}
    for node in nodes:
        if node.name in inner:
            sizes[node.name] = _frame_size(node, inner[node.name][0])
        else:
            width, height = box_size(node.label, node.note or None, noted)
            sizes[node.name] = (width + (22 if node.is_group else 0), height)
    edges = {node.name: list(node.after) for node in nodes}
    picture = lay_out(edges, sizes=sizes, across=across)
    body = [draw_edge(edge, points, across) for edge, points in picture.edges.items()]
    for node in nodes:
        box = picture.boxes[node.name]
        if node.name in inner:
            body += _draw_frame(node, box, *inner[node.name])
        else:
            body.append(_draw_node(node, box))
    return picture, body


def _frame_size(node: Node, inner: Picture) -> Size:
    head = LETTER * len(_head(node)) + 64
    return max(inner.width + 2 * PADDING, head), inner.height + HEADER + PADDING


def _head(node: Node) -> str:
    return f"{shorten(node.label)} {node.note}".strip()


def _draw_frame(node: Node, box: Box, inner: Picture, body: list[str]) -> list[str]:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    x = left + (box.width - inner.width) / 2
    kind = f"group {node.status}" if node.status in STATUSES else "group"
    label = f"{node.label}: {node.note}" if node.note else node.label
    head = (
        f"<title>{escape(label)}</title>"
        f'<rect class="head-of" x="{number(left + 1)}" y="{number(top + 1)}" '
        f'width="{number(box.width - 2)}" height="{HEADER - 8}" rx="9"/>'
        f'<text class="fold" x="{number(left + 12)}" y="{number(top + 20)}">▾</text>'
        f'<text class="name" x="{number(left + 28)}" y="{number(top + 19)}">'
        f'{escape(shorten(node.label))} <tspan class="state">{escape(node.note)}</tspan></text>'
    )
    frame = (
        f'<rect class="frame" x="{number(left)}" y="{number(top)}" width="{number(box.width)}" '
        f'height="{number(box.height)}" rx="10"/>'
    )
    opened = f'<g class="{kind}" data-group={quoteattr(node.id)}>{frame}'
    return [
        opened + link_to(f"<g>{head}</g>", node.link, node.current, f"fold-{node.id}") + "</g>",
        f'<g transform="translate({number(x)} {number(top + HEADER - 2)})">',
        *body,
        "</g>",
    ]


def _draw_node(node: Node, box: Box) -> str:
    drawn = draw_box(box, node.status or None, node.note or None, node.label, node.id)
    if node.is_group:
        left, top = box.x - box.width / 2, box.y - box.height / 2
        behind = (
            f'<rect class="behind" x="{number(left + 5)}" y="{number(top - 5)}" '
            f'width="{number(box.width)}" height="{number(box.height)}" rx="9"/>'
        )
        right = number(left + box.width - 18)
        fold = f'<text class="fold" x="{right}" y="{number(box.y + 4)}">▸</text>'
        kind = f"group {node.status}" if node.status in STATUSES else "group"
        opened = f'<g class="{kind}" data-group={quoteattr(node.id)}>'
        drawn = f"{opened}{behind}{drawn}{fold}</g>"
    id = f"fold-{node.id}" if node.is_group else None
    return link_to(drawn, node.link, node.current, id)


def _describe(nodes: Sequence[Node]) -> Iterator[str]:
    """The picture in words, a sentence each."""
    if not nodes:
        yield "No steps."
    labels = {node.name: node.label for node in nodes}
    for node in nodes:
        before = ", ".join(labels[name] for name in node.after if name in labels)
        where = f"after {before}" if before else "at the start"
        yield f"{node.label} {where}{f' ({node.note})' if node.note else ''}."
        if node.inside:
            yield f"In {node.label}:"
            yield from _describe(node.inside)
