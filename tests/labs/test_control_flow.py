"""The lab on control flow: its package is what the compiler makes, and runs as the text says."""

import importlib.util
import json
from types import SimpleNamespace

import pytest
from conftest import fastkf
from lab_processes import run

from fastkf.course import places
from fastkf.course.data import fetch

pytestmark = pytest.mark.slow

LAB = places.PROJECT / "labs" / "control_flow"


def test_the_committed_package_is_what_the_compiler_makes(tmp_path):
    made = tmp_path / "pipeline.yaml"
    code, told = run("pipeline", [str(made)], "", LAB, seconds=300)
    assert code == 0, told
    assert made.read_text() == (LAB / "pipeline.yaml").read_text(), (
        "compile it again: python labs/control_flow/pipeline.py labs/control_flow/pipeline.yaml"
    )


def test_few_flights_get_the_baseline_and_enough_of_them_a_model(tmp_path):
    folder = fetch(["flights"], progress=lambda line: None)["flights"]
    options = ["-p", f"data_dir={folder}", "-p", 'airports=["JFK", "LGA"]', "-p", "month=2"]
    done = fastkf(
        "run", LAB / "pipeline.yaml", *options, "-p", "least_flights=7500", folder=tmp_path / "run"
    )
    assert done.code == 0, done.output
    steps = {
        one["name"]: one
        for step in json.loads((tmp_path / "run" / "run.json").read_text())["pipeline"]["steps"]
        for one in step.get("steps") or [step]
    }
    states = {name: step["status"] for name, step in steps.items()}
    assert [states[f"{name}.0"] for name in ("train", "always-on-time")] == ["succeeded", "skipped"]
    assert [states[f"{name}.1"] for name in ("train", "always-on-time")] == ["skipped", "succeeded"]
    baseline = steps["test-model.1"]["outputs"]["parameters"]["Output"]
    assert (baseline["kind"], baseline["auc"]) == ("baseline", 0.5)
    assert steps["test-model.0"]["outputs"]["parameters"]["Output"]["auc"] > 0.6
    assert steps["compare-airports"]["outputs"]["parameters"]["Output"] == "JFK"


@pytest.fixture(scope="module")
def components():
    found = importlib.util.spec_from_file_location("control_flow_parts", LAB / "components.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def learn(components, kind, flights, folder):
    """The artifact of a model that knows the days before the 24th."""
    model = SimpleNamespace(path=str(folder / f"{kind}.joblib"), metadata={})
    if kind == "baseline":
        components.always_on_time.python_func(flights, first_test_day=24, model=model)
    else:
        components.train.python_func(flights, kind=kind, first_test_day=24, model=model)
    return model


@pytest.mark.parametrize("kind", ["baseline", "logistic"])
def test_the_days_of_the_test_say_nothing_of_the_model_and_of_what_it_calls_late(
    components, kind, tmp_path
):
    import joblib
    import numpy as np
    import pandas as pd

    drawn = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "day": np.repeat(range(1, 31), 100),
            "hour": drawn.integers(6, 22, size=3000),
            "carrier": "UA",
            "dest": "BOS",
            **dict.fromkeys(["distance", "temp", "wind_speed", "precip", "visib"], 1.0),
        }
    )
    table["late"] = (drawn.random(3000) < table["hour"] / 60).astype(int)
    tested = table["day"] >= 24
    called, known = [], []
    for name in ("as they were", "turned round"):
        flights = SimpleNamespace(path=str(tmp_path / name), metadata={"airport": "LGA"})
        table.to_parquet(flights.path)
        model = learn(components, kind, flights, tmp_path)
        known.append((model.metadata, joblib.load(model.path).predict_proba(table)[0, 1]))
        logged = SimpleNamespace(
            log_roc_curve=lambda *points: None,
            log_confusion_matrix=lambda classes, rows: called.append(np.sum(rows, axis=0)),
            log_metric=lambda name, value: None,
        )
        components.test_model.python_func(flights, model, 24, metrics=logged, curve=logged)
        table.loc[tested, "late"] = 1 - table.loc[tested, "late"]
    assert known[0] == known[1]
    assert called[0].tolist() == called[1].tolist()
    share = table.loc[~tested, "late"].mean()
    if kind == "baseline":
        assert known[0][1] == pytest.approx(share)
        assert called[0].tolist() == [700, 0]
    else:
        assert called[0][1] / 700 == pytest.approx(share, abs=0.1)
