"""ROC curves and confusion matrices that steps have logged, drawn in the report."""

import pytest
from bs4 import BeautifulSoup

from fastkf.runs.model import Artifact, PipelineResult, Run, State, Step, Values
from fastkf.runs.report.classification import MOST_POINTS, list_classifications
from fastkf.runs.report.page import render_report

CURVE = [
    {"confidenceThreshold": 2.0, "recall": 0, "falsePositiveRate": 0},
    {"confidenceThreshold": 0.5, "recall": 0.8, "falsePositiveRate": 0.1},
    {"confidenceThreshold": 0.1, "recall": 1, "falsePositiveRate": 1},
]
MATRIX = {
    "annotationSpecs": [{"displayName": "ham"}, {"displayName": "<b>spam"}],
    "rows": [{"row": [90, 10]}, {"row": [3, 47]}],
}
METRICS = {"confidenceMetrics": CURVE, "confusionMatrix": MATRIX}


def step(metadata: dict, type: str = "system.ClassificationMetrics", *inner: Step) -> Step:
    made = Artifact(type, "artifacts/evaluate/metrics", metadata)
    return Step(
        "evaluate",
        "evaluate",
        state=State.SUCCEEDED,
        outputs=Values(artifacts={"metrics": made}),
        steps=inner,
    )


def test_a_curve_and_a_matrix():
    (found,) = list_classifications([step(METRICS)])
    assert (found.step, found.artifact, found.slice) == ("evaluate", "metrics", "")
    assert found.curve.points == ((0.0, 0.0), (0.1, 0.8), (1.0, 1.0))
    assert found.curve.area == pytest.approx(0.1 * 0.4 + 0.9 * 0.9)
    assert found.matrix.classes == ("ham", "<b>spam")
    assert found.matrix.rows == ((90, 10), (3, 47))
    assert [found.matrix.shade(value) for value in (90, 47, 3, 0)] == [9, 5, 0, 0]


def test_as_a_server_wraps_them():
    wrapped = {
        "confidenceMetrics": {"list": CURVE},
        "confusionMatrix": {"struct": {**MATRIX, "rows": {"list": MATRIX["rows"]}}},
    }
    assert list_classifications([step(wrapped)]) == list_classifications([step(METRICS)])


def test_slices_and_steps_inside_others():
    slices = [
        {"slice": "young", "sliceClassificationMetrics": METRICS},
        {"slice": "old", "sliceClassificationMetrics": {"confusionMatrix": MATRIX}},
    ]
    inner = step({"evaluationSlices": slices}, "system.SlicedClassificationMetrics")
    found = list_classifications([step(METRICS, "system.ClassificationMetrics", inner)])
    assert [(one.step, one.slice, bool(one.curve)) for one in found] == [
        ("evaluate", "", True),
        ("evaluate / evaluate", "young", True),
        ("evaluate / evaluate", "old", False),
    ]


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"confidenceMetrics": "high"},
        {"confidenceMetrics": []},
        {"confidenceMetrics": [{"recall": 1}]},
        {"confidenceMetrics": [{"recall": 1, "falsePositiveRate": 0.25}]},
        {"confidenceMetrics": [{"recall": "NaN", "falsePositiveRate": 0}]},
        {"confidenceMetrics": [{"recall": 7, "falsePositiveRate": 0}]},
        {"confidenceMetrics": [1, 2]},
        {"confusionMatrix": [[1, 2], [3, 4]]},
        {"confusionMatrix": {**MATRIX, "rows": [{"row": [1, 2]}]}},
        {"confusionMatrix": {**MATRIX, "rows": [{"row": [1]}, {"row": [2]}]}},
        {"confusionMatrix": {**MATRIX, "rows": [{"row": [1, -2]}, {"row": [2, 1]}]}},
        {"confusionMatrix": {**MATRIX, "rows": [{"row": [1, "inf"]}, {"row": [2, 1]}]}},
        {"confusionMatrix": {"annotationSpecs": [], "rows": []}},
        {"evaluationSlices": 3},
    ],
)
def test_what_has_no_such_form_is_left_out(metadata):
    assert list_classifications([step(metadata)]) == []
    assert list_classifications([step(metadata, "system.SlicedClassificationMetrics")]) == []


def test_a_long_curve_is_drawn_with_as_many_points_as_can_be_seen():
    curve = [{"recall": n / 10_000, "falsePositiveRate": n / 10_000} for n in range(10_001)]
    (found,) = list_classifications([step({"confidenceMetrics": curve})])
    points = found.curve.line.split()
    assert len(points) <= MOST_POINTS + 2
    assert (points[0], points[-1]) == ("0.00,100.00", "100.00,0.00")


def test_the_report_shows_them(tmp_path):
    pipeline = PipelineResult(State.SUCCEEDED, steps=(step(METRICS),))
    page = render_report(Run(tmp_path, "mail", "Mail", state=State.SUCCEEDED, pipeline=pipeline))
    soup = BeautifulSoup(page, "html.parser")
    section = soup.find("section", {"aria-labelledby": "classification-title"})
    assert "area under the curve 0.850" in section.svg.title.text
    cells = [cell.text for cell in section.find_all("td") if cell.text]
    assert cells == ["90", "10", "3", "47"]
    assert [one.text for one in section.find_all("th")][:2] == ["ham", "<b>spam"]
