import json
import subprocess
import sys
from pathlib import Path

import pytest
import shared
from shared import InputError, read_table, write_metrics


def test_a_table_is_read_as_measurements_and_labels(table):
    features, labels = read_table(table)
    assert features.shape == (200, 30)
    assert set(labels) == {0, 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("", "not a CSV file"),
        ("a,b\n1,2\n", "no column 'malignant'"),
        ("a,malignant\nx,1\n", r"every value must be a number; look at \['a'\]"),
        ("a,malignant\n,1\n2,0\n", "look at empty cells"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, content, message):
    path = tmp_path / "odd.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=f"odd.csv: .*{message}"):
        read_table(path)


def test_too_few_rows_to_learn_from_are_named(tmp_path):
    path = tmp_path / "small.csv"
    path.write_text("a,malignant\n" + "1,0\n" * 9 + "2,1\n" * 4)
    arguments = shared.training_parser("").parse_args(
        [f"--input={path}", f"--output={tmp_path}/m", f"--metrics={tmp_path}/n"]
    )
    with pytest.raises(InputError, match="fewer than 5 rows of a kind"):
        shared.train(None, arguments)


def test_metrics_are_told_to_kubeflow_pipelines_as_metadata_of_their_artifact(tmp_path):
    artifact = {"name": "metrics", "type": {"schemaTitle": "system.Metrics"}, "uri": "s3://b/m"}
    outputs = {
        "artifacts": {"metrics": {"artifacts": [artifact]}, "model": {"artifacts": [{"uri": "x"}]}},
        "outputFile": str(tmp_path / "kfp" / "output.json"),
    }
    write_metrics({"cv_accuracy": 0.9}, tmp_path / "metrics.json", {"outputs": outputs})
    told = json.loads((tmp_path / "kfp" / "output.json").read_text())["artifacts"]
    assert told["metrics"]["artifacts"] == [{**artifact, "metadata": {"cv_accuracy": 0.9}}]
    assert told["model"] == outputs["artifacts"]["model"]
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"cv_accuracy": 0.9}


def test_a_program_says_what_is_wrong_in_one_line(tmp_path):
    folder = Path(__file__).parent
    program = folder / "naive_bayes" / "naive_bayes.py"
    outputs = [f"--output={tmp_path}/model", f"--metrics={tmp_path}/metrics"]
    result = subprocess.run(
        [sys.executable, program, f"--input={tmp_path}/none.csv", *outputs],
        env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr == f"naive_bayes.py: {tmp_path}/none.csv: No such file or directory\n"
    assert list(tmp_path.iterdir()) == []
