"""Fixtures of the components' tests: python -m pytest labs/custom_images"""

import json

import joblib
import pytest
from sklearn.datasets import load_breast_cancer


@pytest.fixture
def table(tmp_path):
    """The path of a table to learn from: 200 rows, 30 measurements and `malignant`."""
    frame = load_breast_cancer(as_frame=True).frame.sample(n=200, random_state=1)
    frame["malignant"] = 1 - frame.pop("target")
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def train(table, tmp_path):
    """`train(main, *options)`: calls a training program; returns its model and its metrics."""

    def call(main, *options, name="model"):
        model, metrics = tmp_path / "out" / name, tmp_path / "out" / f"{name}.json"
        paths = ["--input", table, "--output", model, "--metrics", metrics]
        main([str(word) for word in [*paths, *options]])
        return joblib.load(model), json.loads(metrics.read_text())

    return call


@pytest.fixture
def refuses(train, capsys):
    """`refuses(main, *options)`: what a training program says to options it cannot take."""

    def call(main, *options):
        with pytest.raises(SystemExit) as end:
            train(main, *options)
        assert end.value.code == 2
        return capsys.readouterr().err

    return call
