"""Boxes, arrows and text of the drawn figures: the same calls give the same bytes.

A figure is upright and narrow, and its text is 13 units high, so that it can be read on a phone.
Text that does not fit its box, or the figure, is an error.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import matplotlib as mpl
from PIL import ImageFont

WIDTH = 360
SHOWN_AT = 1.2  # of its units, where there is room
SIZE, LINE = 13, 17
PADDING, MARGIN = 5, 5
HEAD = 8  # the head of an arrow
MONO = 0.602  # the width of a letter, of its height

Point = tuple[float, float]
Scale = Callable[[Any], Any]

# Kind of box: what fills it and what surrounds it, by day and by night.
COLOURS = {
    "plain": ("#eef3fd", "#7f9bd6", "#1a2540", "#5b7bc0"),
    "good": ("#eaf7ee", "#58ad70", "#12291b", "#3f8f57"),
    "warm": ("#fdf1e3", "#d1803c", "#35230f", "#c87a38"),
    "violet": ("#f2edfa", "#8a6fb0", "#271d3a", "#9079bd"),
    "bad": ("#fdeceb", "#d9534f", "#371718", "#e5605b"),
    "grey": ("#f4f5f7", "#98a2b3", "#1c2129", "#667085"),
    "open": ("none", "#98a2b3", "none", "#667085"),
}
SANS = 'system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif'
CODE = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'


def _style() -> str:
    """Each rule by day; then those that are different by night."""
    day = [
        f"text{{fill:#172033;font:{SIZE}px {SANS}}}",
        f".code{{font-family:{CODE}}}",
        ".strong{font-weight:600}",
        ".soft{fill:#4c5667}",
        ".paper{fill:#fff;stroke:#d5dbe6}",
        ".line,.curve{fill:none;stroke:#76839a;stroke-width:1.5}",
        ".head{fill:#76839a}",
        ".curve{stroke:#3d6fd0;stroke-width:2.5}",
        ".dashed,.open{stroke-dasharray:4 3}",
        ".band{fill:#3d6fd0;fill-opacity:.18}",
        ".dot{fill:#172033}",
        ".mark{fill:#d1803c}",
    ]
    night = [
        "text{fill:#e6ecf8}",
        ".soft{fill:#a9b4c6}",
        ".paper{fill:#10151f;stroke:#2b3446}",
        ".line{stroke:#8f9bb0}",
        ".head{fill:#8f9bb0}",
        ".curve{stroke:#7fa5f0}",
        ".dot{fill:#e6ecf8}",
        ".band{fill:#7fa5f0}",
    ]
    for kind, (fill, stroke, fill_by_night, stroke_by_night) in COLOURS.items():
        day.append(f".{kind}{{fill:{fill};stroke:{stroke};stroke-width:1.25}}")
        night.append(f".{kind}{{fill:{fill_by_night};stroke:{stroke_by_night}}}")
    rules = ["".join(f".fastkf-figure {rule}" for rule in some) for some in (day, night)]
    return f"{rules[0]}@media (prefers-color-scheme:dark){{{rules[1]}}}".replace(
        ",.", ",.fastkf-figure ."
    )


class Figure:
    """A figure that is being drawn.

    Args:
        name: of its file, without `concept_` and `.svg`.
        title, description: what a screen reader says of it.
        height: in units; the width is `WIDTH`.
    """

    def __init__(self, name: str, title: str, description: str, height: float) -> None:
        self.name, self.title, self.description, self.height = name, title, description, height
        self._parts: list[str] = []

    def box(
        self,
        place: tuple[float, float, float, float],
        *lines: str,
        kind: str = "plain",
        style: str = "",
        top: bool = False,
        round: float = 7,
    ) -> None:
        """A box with lines of text in its middle.

        Args:
            place: left, top, width, height.
            style: of the text: `code`, `strong`, `soft`.
            top: whether the text stands at the upper edge, as the heading of what is in the box.
        """
        left, upper, width, height = place
        self._inside(left, upper)
        self._inside(left + width, upper + height)
        self._parts.append(
            f'<rect class="{kind}" x="{number(left)}" y="{number(upper)}" '
            f'width="{number(width)}" height="{number(height)}" rx="{number(round)}"/>'
        )
        if len(lines) * LINE > height + 4:
            raise ValueError(f"{self.name}: {len(lines)} lines are too many for their box: {lines}")
        first = upper + 18 if top else upper + (height - len(lines) * LINE) / 2 + SIZE
        for count, line in enumerate(lines):
            if measure(line, style) > width - 2 * PADDING:
                raise ValueError(f"{self.name}: wider than its box: {line}")
            self.text((left + width / 2, first + count * LINE), line, style=style, anchor="middle")

    def text(self, place: Point, words: str, *, style: str = "", anchor: str = "start") -> None:
        """A line of text; `place` is its foot, at the left, the middle or the right (`end`)."""
        x, y = place
        width = measure(words, style)
        left = x - {"start": 0, "middle": width / 2, "end": width}[anchor]
        self._inside(left, y - SIZE + 2, words)
        self._inside(left + width, y + 3, words)
        kinds = f' class="{style}"' if style else ""
        where = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self._parts.append(
            f'<text{kinds} x="{number(x)}" y="{number(y)}"{where}>{escape(words)}</text>'
        )

    def arrow(self, *points: Point, dashed: bool = False) -> None:
        """A line with a head at its last point; with two points that are not level, a curve."""
        (x, y), (tip_x, tip_y) = points[-2:]
        self._inside(tip_x, tip_y)
        across = y == tip_y
        sign = (1 if tip_x > x else -1) if across else (1 if tip_y > y else -1)
        end = (tip_x - HEAD * sign, tip_y) if across else (tip_x, tip_y - HEAD * sign)
        self.line(*points[:-1], end, dashed=dashed)
        back = f"l{-HEAD * sign} -4.5v9z" if across else f"l-4.5 {-HEAD * sign}h9z"
        self._parts.append(f'<path class="head" d="M{number(tip_x)} {number(tip_y)}{back}"/>')

    def line(self, *points: Point, dashed: bool = False) -> None:
        """A line through the points; between two that are not level, a curve from top to bottom."""
        for point in points:
            self._inside(*point)
        path = f"M{number(points[0][0])} {number(points[0][1])}"
        if len(points) == 2 and points[0][0] != points[1][0] and points[0][1] != points[1][1]:
            (x1, y1), (x2, y2) = points
            middle = (y1 + y2) / 2
            path += "C" + " ".join(map(number, (x1, middle, x2, middle, x2, y2)))
        else:
            path += "".join(f"L{number(x)} {number(y)}" for x, y in points[1:])
        self._parts.append(f'<path class="line{" dashed" if dashed else ""}" d="{path}"/>')

    def path(self, points: Iterable[Point], kind: str = "curve") -> None:
        """A curve through many points, or with the kind `band` the area within them."""
        drawn = "L".join(f"{number(x)} {number(y)}" for x, y in points)
        self._parts.append(f'<path class="{kind}" d="M{drawn}{"z" if kind == "band" else ""}"/>')

    def dot(self, place: Point, radius: float = 4, kind: str = "dot") -> None:
        x, y = place
        self._parts.append(
            f'<circle class="{kind}" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"/>'
        )

    def sign(self, place: Point, words: str) -> None:
        """An operation, such as ×, in a ring."""
        self.dot(place, 11, "plain")
        self.text((place[0], place[1] + 4.5), words, style="strong", anchor="middle")

    def cells(
        self,
        place: Point,
        rows: Sequence[Sequence[object]],
        size: tuple[float, float],
        kinds: Sequence[Sequence[str]] | None = None,
    ) -> None:
        """A table of numbers or signs, each in a box of its own."""
        for row, some in enumerate(rows):
            for column, value in enumerate(some):
                left, upper = place[0] + column * size[0], place[1] + row * size[1]
                kind = kinds[row][column] if kinds else "plain"
                self.box((left, upper, *size), str(value), kind=kind, round=0)

    def svg(self) -> str:
        ids = f"fastkf-concept-{self.name.replace('_', '-')}"
        height = number(self.height)
        shown = f'width="{number(WIDTH * SHOWN_AT)}" height="{number(self.height * SHOWN_AT)}"'
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fastkf-figure" role="img" '
            f'aria-labelledby="{ids}-title {ids}-desc" viewBox="0 0 {WIDTH} {height}" {shown}>\n'
            f'<title id="{ids}-title">{escape(self.title)}</title>\n'
            f'<desc id="{ids}-desc">{escape(self.description)}</desc>\n'
            f"<style>{_style()}</style>\n"
            f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" '
            f'height="{number(self.height - 1)}" rx="9"/>\n'
        )
        return head + "\n".join(self._parts) + "\n</svg>\n"

    def _inside(self, x: float, y: float, what: str = "a box or a line") -> None:
        if not (MARGIN <= x <= WIDTH - MARGIN and MARGIN <= y <= self.height - MARGIN):
            raise ValueError(f"{self.name}: out of the figure, at {x:g}, {y:g}: {what}")


def measure(words: str, style: str = "") -> float:
    """The width of a line in DejaVu Sans, the widest of the fonts that `SANS` names."""
    if "code" in style:
        return len(words) * SIZE * MONO
    return _font("DejaVuSans-Bold.ttf" if "strong" in style else "DejaVuSans.ttf").getlength(words)


@cache
def _font(file: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / file), SIZE)


def scale(low: float, high: float, start: float, end: float) -> Scale:
    """A function from values, or arrays of them, to places on an axis."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def number(value: float) -> str:
    return f"{round(float(value), 1) + 0:g}"
