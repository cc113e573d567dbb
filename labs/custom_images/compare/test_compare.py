import json

import joblib
import pytest
from compare import main
from shared import InputError, read_table
from sklearn.dummy import DummyClassifier
from sklearn.naive_bayes import GaussianNB


@pytest.fixture
def compare(table, tmp_path):
    """`compare(**accuracies)`: compares fitted models; returns the folder of the outputs."""
    features, labels = read_table(table)
    models = {"guess": DummyClassifier(), "bayes": GaussianNB()}

    def call(**accuracies):
        candidates = []
        for name, accuracy in accuracies.items():
            model, metrics = tmp_path / f"{name}.joblib", tmp_path / f"{name}.json"
            joblib.dump(models[name].fit(features, labels), model)
            metrics.write_text(json.dumps(accuracy))
            candidates += ["--candidate", name, str(model), str(metrics)]
        outputs = [f"--{name}={tmp_path}/out/{name}" for name in OUTPUTS]
        main(["--input", str(table), *candidates, *outputs])
        return tmp_path / "out"

    return call


OUTPUTS = ["output", "metrics", "report", "best"]


def test_the_best_in_cross_validation_is_tested(compare):
    folder = compare(guess={"cv_accuracy": 0.6}, bayes={"cv_accuracy": 0.9})
    assert (folder / "best").read_text() == "bayes"
    assert isinstance(joblib.load(folder / "output"), GaussianNB)
    metrics = json.loads((folder / "metrics").read_text())
    assert set(metrics) == {"test_accuracy", "test_recall"}
    assert metrics["test_accuracy"] > 0.9
    page = (folder / "report").read_text()
    assert page.index("<td>bayes</td>") < page.index("<td>guess</td>")


def test_the_choice_is_not_made_on_the_test_table(compare):
    folder = compare(guess={"cv_accuracy": 0.9}, bayes={"cv_accuracy": 0.6})
    assert (folder / "best").read_text() == "guess"
    assert json.loads((folder / "metrics").read_text())["test_recall"] == 0


def test_what_are_no_metrics_is_named(compare):
    with pytest.raises(InputError, match="bayes.json: not the metrics of a training program"):
        compare(guess={"cv_accuracy": 0.9}, bayes={"accuracy": 0.6})


def test_what_is_no_model_is_named(compare, tmp_path, table):
    folder = compare(bayes={"cv_accuracy": 0.9})
    (tmp_path / "bayes.joblib").write_text("no model")
    candidate = ["bayes", str(tmp_path / "bayes.joblib"), str(tmp_path / "bayes.json")]
    outputs = [f"--{name}={folder}/{name}" for name in OUTPUTS]
    with pytest.raises(InputError, match="bayes.joblib: not a model"):
        main(["--input", str(table), "--candidate", *candidate, *outputs])
