"""The page of a run that goes on, and runs side by side."""

import http.client
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from made_runs import START, step

from fastkf.runs.model import State, Step
from fastkf.server import database as db
from fastkf.server.executions import Execution
from fastkf.server.pages.progress import measure


@pytest.fixture
def page(served_place):
    def call(path: str) -> BeautifulSoup:
        connection = http.client.HTTPConnection(urlsplit(served_place.server.url).netloc)
        try:
            connection.request("GET", path, headers=served_place.server.authorization)
            return BeautifulSoup(connection.getresponse().read(), "html.parser")
        finally:
            connection.close()

    return call


def text_of(tag) -> str:
    return " ".join(tag.get_text(" ", strip=True).split())


@pytest.mark.parametrize(
    ("earlier", "elapsed", "said"),
    [
        ([], 10, ""),
        ([100], 10, "about 1 min 30 s left, as the last run"),
        ([40, 100, 60], 10, "about 50 s left, as the last 3 runs"),
        ([12], 30, "longer than usual: as the last run took 12 s"),
    ],
)
def test_the_time_left_is_as_the_earlier_runs_of_the_pipeline_took(place, earlier, elapsed, said):
    for seconds in earlier:
        run = place.add_run()
        begun = datetime.now(UTC)
        place.change(run, started_at=begun, finished_at=begun + timedelta(seconds=seconds))
    place.change(place.add_run("of another"), pipeline_name="another")
    place.change(place.add_run("failed", "FAILED"), finished_at=START + timedelta(days=1))
    run = place.add_run("now", "RUNNING")
    executions = [
        Execution("a", Step("a", "a", state=State.SUCCEEDED)),
        Execution("b", Step("b", "b", state=State.RUNNING)),
    ]
    with place.database.read() as session:
        row = session.get(db.Run, run)
        found = measure(session, row, executions, row.started_at + timedelta(seconds=elapsed))
    assert (found.done, found.total, found.left) == (1, 2, said)


def test_progress_is_on_the_page_and_in_its_title_while_the_run_goes_on(page, place):
    steps = [step("load"), step("train", "running", ["load"])]
    run = place.add_run("mine", "RUNNING", steps=steps)
    shown = page(f"/fragments/runs/details/{run}")
    bar = shown.find("progress")
    assert (bar["value"], bar["max"]) == ("1", "2")
    assert shown.div["data-title"] == "▶ Running: mine, 1 of 2"
    place.change(run, state="SUCCEEDED")
    assert page(f"/fragments/runs/details/{run}").find("progress") is None


def score(shift: float) -> dict:
    points = [
        {"confidenceThreshold": 1 - x, "recall": x, "falsePositiveRate": x * shift}
        for x in (0, 0.5, 1)
    ]
    matrix = {
        "annotationSpecs": [{"displayName": "cat"}, {"displayName": "dog"}],
        "rows": [{"row": [9, 1]}, {"row": [2, 8]}],
    }
    metadata = {"confidenceMetrics": points, "confusionMatrix": matrix}
    made = {"type": "system.ClassificationMetrics", "uri": "artifacts/r/cm", "metadata": metadata}
    note = {"type": "system.Markdown", "uri": "artifacts/r/note", "metadata": {}}
    return step("test", outputs={"artifacts": {"cm": made, "note": note}})


def test_curves_matrices_and_pages_of_runs_stand_side_by_side(page, place):
    runs = [place.add_run(f"run {n}", steps=[score(shift)]) for n, shift in enumerate((0.5, 1.0))]
    runs.append(place.add_run("without", steps=[step("test")]))
    shown = page(f"/fragments/compare?runlist={','.join(runs)}")
    beside = shown.select_one("[data-part=classifications] .beside")
    columns = beside.find_all("div", recursive=False)
    assert [text_of(one.a) for one in columns] == ["run 0", "run 1", "without"]
    assert [len(one.select("svg, .confusion")) for one in columns] == [2, 2, 0]
    assert len(shown.select("[data-part=frames] iframe")) == 2
    ids = [one["id"] for one in shown.find_all(id=True)]
    assert len(ids) == len(set(ids))
