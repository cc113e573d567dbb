"""The ROC curves and confusion matrices that the steps of a run have logged.

They stand in the metadata of artifacts of the types `system.ClassificationMetrics` and
`system.SlicedClassificationMetrics`, as KFP's `log_roc_curve` and `log_confusion_matrix` write
them: `confidenceMetrics`, a list of `confidenceThreshold`, `recall` (the rate of true positives)
and `falsePositiveRate`; `confusionMatrix`, with `annotationSpecs` (the classes) and `rows`, a row
for each true class. A server wraps them in `list` and `struct`.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fastkf.runs.model import Step

WHOLE, SLICED = "system.ClassificationMetrics", "system.SlicedClassificationMetrics"
MOST_POINTS = 1_000  # of a curve: more than a screen can show
MOST_CLASSES = 40
SHADES = 9

Point = tuple[float, float]


@dataclass(frozen=True)
class RocCurve:
    """Points (rate of false positives, rate of true positives), each in [0, 1], by the first.

    Attributes:
        area: under the curve, by the trapezoidal rule; 1 is a perfect ranking, 0.5 chance.
    """

    points: tuple[Point, ...]
    area: float

    @property
    def line(self) -> str:
        """The curve as points of an SVG of 100 by 100, whose y axis points down."""
        step = max(1, math.ceil(len(self.points) / MOST_POINTS))
        shown = (*self.points[::step], self.points[-1])
        return " ".join(f"{100 * x:.2f},{100 - 100 * y:.2f}" for x, y in shown)


@dataclass(frozen=True)
class ConfusionMatrix:
    """How often each true class (a row) was told as each class (a column)."""

    classes: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]

    def shade(self, value: float) -> int:
        """From 0 for nothing to 9 for the largest cell of the matrix."""
        largest = max(max(row) for row in self.rows)
        return round(SHADES * value / largest) if largest else 0


@dataclass(frozen=True)
class Classification:
    """What one artifact, or one slice of one, says of a classifier.

    Attributes:
        step: the step's name; of one inside others `outer / inner`.
        slice: the part of the data that it is about; "" where it is all of them.
    """

    step: str
    artifact: str
    slice: str
    curve: RocCurve | None
    matrix: ConfusionMatrix | None


def list_classifications(steps: Iterable[Step], above: str = "") -> list[Classification]:
    """Those that can be drawn, in the order of the steps; what has no such form is left out."""
    found: list[Classification] = []
    for step in steps:
        name = f"{above}{step.name}"
        for artifact, made in step.outputs.artifacts.items() if step.outputs else ():
            for part, metrics in _list_parts(made.type, made.metadata):
                curve = _read_curve(metrics.get("confidenceMetrics"))
                matrix = _read_matrix(metrics.get("confusionMatrix"))
                if curve or matrix:
                    found.append(Classification(name, artifact, part, curve, matrix))
        found += list_classifications(step.steps, f"{name} / ")
    return found


def _list_parts(type: str, metadata: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if type == WHOLE:
        yield "", metadata
    elif type == SLICED:
        slices = _unwrap(metadata.get("evaluationSlices"))
        for one in slices if isinstance(slices, list) else ():
            metrics = _unwrap(one.get("sliceClassificationMetrics")) if _is_table(one) else None
            if isinstance(metrics, dict):
                yield str(one.get("slice") or ""), metrics


def _read_curve(content: Any) -> RocCurve | None:
    readings = _unwrap(content)
    if not isinstance(readings, list):
        return None
    try:
        points = sorted((_rate(one["falsePositiveRate"]), _rate(one["recall"])) for one in readings)
    except (KeyError, TypeError, ValueError):
        return None
    if len(points) < 2:
        return None  # no curve, and under a single point there is no area
    area = sum((right - left) * (low + high) / 2 for (left, low), (right, high) in pairwise(points))
    return RocCurve(tuple(points), area)


def _read_matrix(content: Any) -> ConfusionMatrix | None:
    matrix = _unwrap(content)
    if not _is_table(matrix):
        return None
    try:
        classes = tuple(str(one["displayName"]) for one in _unwrap(matrix["annotationSpecs"]))
        rows = tuple(
            tuple(_count(value) for value in _unwrap(one["row"])) for one in _unwrap(matrix["rows"])
        )
    except (KeyError, TypeError, ValueError):
        return None
    is_square = len(rows) == len(classes) and {len(row) for row in rows} == {len(classes)}
    return ConfusionMatrix(classes, rows) if is_square and len(rows) <= MOST_CLASSES else None


def _unwrap(content: Any) -> Any:
    """A value without the `list` or `struct` around it that a server adds."""
    while isinstance(content, dict) and len(content) == 1 and content.keys() & {"list", "struct"}:
        (content,) = content.values()
    return content


def _is_table(content: Any) -> bool:
    return isinstance(content, dict)


def _rate(value: Any) -> float:
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"{value} is no rate")
    return number


def _count(value: Any) -> float:
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{value} is no count")
    return number
