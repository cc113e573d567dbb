"""The report of a run in a real browser."""

import json

import browser
import pytest

from fastkf.runs.record import read_run
from fastkf.runs.report.page import write_report

SEEN = "one => [one.scrollWidth - one.clientWidth, document.body.scrollWidth - innerWidth]"


def write_fork(folder, models: int, steps: int) -> str:
    """The address of a report whose pipeline is a trunk, a fork, and a row of further steps."""
    names = ["load_data", "prepare"]
    after = {"load_data": [], "prepare": ["load_data"]}
    fork = [f"train_model_{number}" for number in range(models)]
    after |= {name: ["prepare"] for name in fork}
    for number in range(steps):
        names.append(f"after_step_{number}")
        after[names[-1]] = [names[-2]] if number else fork
    done = {"status": "succeeded", "started": 0.0, "seconds": 1.0, "error": None}
    listed = [{"name": name, "after": above, **done} for name, above in after.items()]
    run = {
        "name": "wide",
        "status": "succeeded",
        "started": "2026-11-24T12:14:03+00:00",
        "seconds": 9.0,
        "pipeline": {"status": "succeeded", "seconds": 9.0, "steps": listed, "metrics": {}},
    }
    (folder / "run.json").write_text(json.dumps(run))
    return write_report(read_run(folder)).resolve().as_uri()


@pytest.mark.parametrize(
    ("width", "models", "steps", "whole"),
    [(1280, 5, 2, True), (1280, 12, 9, False), (390, 5, 2, False)],
)
def test_a_graph_that_a_wide_page_can_nearly_hold_is_seen_whole(
    chromium, tmp_path, width, models, steps, whole
):
    settings = {"viewport": {"width": width, "height": 800}}
    with browser.open_page(chromium, write_fork(tmp_path, models, steps), **settings) as page:
        hidden, beside = page.locator(".graph").evaluate(SEEN)
        assert (hidden == 0) is whole
        assert beside <= 0
