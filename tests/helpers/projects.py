"""Writes a small project that has all twenty points, for tests that take one away."""

import csv
import json
from pathlib import Path

import yaml
from build import notebook_metadata, write_notebook

NOTEBOOK = "visits.ipynb"
CELLS = [
    ("markdown", "# Visits"),
    (
        "imports",
        "import pandas as pd\nfrom sklearn.linear_model import LogisticRegression\n"
        "from sklearn.metrics import roc_auc_score",
    ),
    (
        ["pipeline-parameters", "parameters"],
        'data_dir = "data"\nstrength = 0.5\nrandom_state = 3',
    ),
    ("step:load_rows", 'rows = pd.read_csv(f"{data_dir}/visits.csv")'),
    (
        ["step:set_aside", "prev:load_rows"],
        'features = ["hour", "kind"]\ntraining = rows[rows["month"] <= 4]\n'
        'validation = rows[rows["month"] == 5]\ntest_rows = rows[rows["month"] == 6]',
    ),
    (
        ["step:train", "prev:set_aside"],
        'model = LogisticRegression(C=strength).fit(training[features], training["late"])\n'
        "chance = model.predict_proba(validation[features])[:, 1]\n"
        'validation_auc = round(float(roc_auc_score(validation["late"], chance)), 4)',
    ),
    (
        ["step:test", "prev:train"],
        "chance = model.predict_proba(test_rows[features])[:, 1]\n"
        'test_auc = round(float(roc_auc_score(test_rows["late"], chance)), 4)\n'
        'baseline_test_auc = round(float(roc_auc_score(test_rows["late"], test_rows["hour"])), 4)',
    ),
    ("pipeline-metrics", "print(validation_auc)\nprint(test_auc)\nprint(baseline_test_auc)"),
]
METRICS = {"validation_auc": 0.7012, "test_auc": 0.6911, "baseline_test_auc": 0.6502}
HEADINGS = ("The question", "The data", "What leaks", "The service", "Drift", "Limits")


def write_words(about: str) -> str:
    return " ".join(f"word{number}of{about.split()[-1]}" for number in range(40))


README = "\n\n".join(
    [
        "# Visits",
        *(f"## {heading}\n\n{write_words(heading)}" for heading in HEADINGS),
        f"## The result\n\n0.70 in May, 69.11 % in June, baseline 0.650. {write_words('result')}",
    ]
)
SETTINGS = """
notebook = "visits.ipynb"
target = "late"
known_afterwards = ["delay"]
test_rows = ["test_rows"]
p95_milliseconds = 100
"""
PERCENTILES = ("50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%")


def make_project(folder: Path) -> Path:
    """A project of twenty points."""
    write_visits(folder, CELLS)
    (folder / "README.md").write_text(README)
    (folder / "project.toml").write_text(SETTINGS)
    for name in ("run", "tune"):
        (folder / "evidence" / name).mkdir(parents=True)
    write_run(folder)
    write_study(folder)
    write_rows(folder)
    write_service(folder)
    write_load(folder)
    write_json(folder, "recurring_run", make_recurring())
    write_json(folder, "drift", make_drift())
    return folder


def write_json(folder: Path, name: str, content: object) -> None:
    (folder / "evidence" / f"{name}.json").write_text(json.dumps(content))


def write_visits(folder: Path, cells: list) -> None:
    write_notebook(folder / NOTEBOOK, cells, pipeline_name="visits")


def write_run(folder: Path, cells: list = CELLS, metrics: dict | None = None, **changes) -> None:
    """The record of a run and the notebook that it executed."""
    metrics = metrics or METRICS
    steps = [tag[5:] for tags, _ in CELLS for tag in _tags(tags) if tag.startswith("step:")]
    way = {"status": "succeeded", "seconds": 5.0, "metrics": metrics}
    record = {
        "version": 1,
        "name": "visits",
        "status": "succeeded",
        "started": "2026-11-29T12:00:00+00:00",
        "parameters": {"data_dir": "data", "strength": 0.5, "random_state": 3},
        "notebook": way,
        "pipeline": {**way, "steps": [{"name": one, "status": "succeeded"} for one in steps]},
        **changes,
    }
    place = folder / "evidence" / "run"
    (place / "run.json").write_text(json.dumps(record))
    path = write_notebook(place / "notebook.ipynb", cells, pipeline_name="visits")
    content = json.loads(path.read_text())
    printed = "".join(f"{value}\n" for value in METRICS.values())
    content["cells"][-1]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": [printed]}
    ]
    path.write_text(json.dumps(content))


def _tags(tags: str | list[str]) -> list[str]:
    return [tags] if isinstance(tags, str) else tags


def write_study(
    folder: Path,
    metric: str = "validation_auc",
    notebook: str = NOTEBOOK,
    space: dict | None = None,
) -> None:
    spec = {
        "objective": {"type": "maximize", "objectiveMetricName": metric},
        "parameters": [{"name": "strength", "feasibleSpace": space or {"min": "0", "max": "2"}}],
    }
    about = {"name": "tune-visits", "annotations": {"fastkf/notebook": notebook}}
    documents = [
        {"kind": "ConfigMap", "metadata": notebook_metadata()},
        {"kind": "Experiment", "metadata": about, "spec": spec},
    ]
    place = folder / "evidence" / "tune"
    (place / "manifest.yaml").write_text(yaml.safe_dump_all(documents))
    trials = [
        [f"t-{n}", "Succeeded", 0.1 * n, round(0.7 - 0.01 * abs(n - 5), 4), 1.0]
        for n in range(1, 10)
    ]
    write_csv(place / "trials.csv", ["trial", "state", "strength", metric, "seconds"], trials)


def write_rows(folder: Path, **more) -> None:
    """Training rows; `more` are further columns, as functions of the row's number and outcome."""
    rows = [
        [
            number % 24,
            "ab"[number * 7 % 3 % 2],
            outcome,
            *(f(number, outcome) for f in more.values()),
        ]
        for number, outcome in ((n, int(n * 13 % 10 < 4)) for n in range(200))
    ]
    write_csv(folder / "evidence" / "training_rows.csv", ["hour", "kind", "late", *more], rows)


def write_csv(path: Path, heads: list[str], rows: list[list]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([heads, *rows])


def write_service(folder: Path, **changes) -> None:
    resources = {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}}
    place = "s3://mlpipeline/models/visits"
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": place, "resources": resources}
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "visits"},
        "spec": {"predictor": {"model": {**model, **changes}}},
    }
    (folder / "serve").mkdir(exist_ok=True)
    (folder / "serve" / "inference-service.yaml").write_text(yaml.safe_dump(service))
    write_json(folder, "request", {"instances": [{"hour": [3], "kind": ["a"]}]})
    write_json(folder, "answer", {"predictions": [0]})


def write_load(folder: Path, **changes) -> None:
    """Locust's table: one address, and all of them."""
    times = dict(zip(PERCENTILES, [9, 10, 11, 12, 15, 20, 30, 40, 50, 60, 70], strict=True))
    row = {
        "Type": "POST",
        "Name": "/v1/models/visits:predict",
        "Request Count": 500,
        "Failure Count": 0,
        "Average Response Time": 11.5,
        "Min Response Time": 5,
        "Max Response Time": 70,
        "Requests/s": 50.0,
        **times,
    }
    total = {**row, "Type": "", "Name": "Aggregated", **changes}
    path = folder / "evidence" / "load_stats.csv"
    write_csv(path, list(row), [list(row.values()), list(total.values())])


def make_recurring(**changes) -> dict:
    return {
        "recurring_run_id": "1",
        "display_name": "monthly",
        "pipeline_spec": {"pipelineInfo": {"name": "visits"}},
        "trigger": {"cron_schedule": {"cron": "0 0 3 1 * *"}},
        "mode": "ENABLE",
        "status": "ENABLED",
        **changes,
    }


def make_drift(**changes) -> dict:
    measured = {
        month: {
            "features": {
                "hour": {"psi": 0.01 * month, "ks": 0.02},
                "kind": {"psi": 0.03, "ks": 0.01 * month, **changes},
            },
            "auc": 0.6,
        }
        for month in (7, 8)
    }
    return {"periods": measured, "retrain": [8]}
