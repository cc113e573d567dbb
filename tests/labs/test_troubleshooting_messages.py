"""The messages on notebooks and runs that the guide to troubleshooting quotes, each provoked."""

import os
import re
import socket

import pytest
import yaml
from build import write_notebook
from conftest import fastkf
from experiments import make_experiment, write_experiment
from guides import read_text

from fastkf.base.ports import PortError, bind
from fastkf.course import places

GUIDE = places.PROJECT / "labs" / "troubleshooting.md"
PARAMETERS = ["pipeline-parameters", "parameters"]

# The message, and the cells of which `fastkf check` says it.
CHECKED = {
    "invalid-step-name: a step name begins with a letter and has only a-z, 0-9 and _": [
        ("step:load-data", "x = 1")
    ],
    "tag-order: Kale reads the tag parameters first, does not know it, and stops": [
        (["parameters", "pipeline-parameters"], "a = 1"),
        ("step:load", "x = a"),
    ],
    "unknown-tag: Kale does not know the tag nbval-ignore-output": [
        (["step:load", "nbval-ignore-output"], "x = 1")
    ],
    "magic: !pip install ... is for Jupyter only": [("step:load", "!pip install ...\nx = 1")],
    "import-in-step: no step will have seaborn": [("step:load", "import seaborn\nx = 1")],
    "line-separator: line 2 holds LINE SEPARATOR (U+2028)": [
        ("step:load", "x = 1\n# a\u2028y = 2\n")
    ],
    "environment-variable (warning): step load reads the environment variable API_TOKEN": [
        ("imports", "import os"),
        ("step:load", 'x = len(os.environ["API_TOKEN"])'),
    ],
    "missing-prev: step b uses x, which step a makes": [("step:a", "x = 1"), ("step:b", "y = x")],
    "parameter-not-literal": [(PARAMETERS, "a = -1"), ("step:load", "x = a")],
    "parameter-quote": [(PARAMETERS, 'a = "it\'s"'), ("step:load", "x = a")],
    "but takes the name of an image": [(["step:a", "image:a'b"], "x = 1")],
    "a metrics cell has only lines print(name)": [
        ("step:load", "x = 1"),
        ("pipeline-metrics", "print(round(x, 2))"),
    ],
}
# The message, and the cells whose run says it.
RUN = {
    "live-object: g is a generator, which cannot go to another step": [
        ("step:a", "g = (n for n in range(3))"),
        (["step:b", "prev:a"], "x = list(g)"),
    ],
    "cannot be passed to another step": [
        ("imports", "import sqlite3"),
        ("functions", "def connect():\n    return sqlite3.connect(':memory:')"),
        ("step:a", "g = connect()"),
        (["step:b", "prev:a"], "x = g.total_changes"),
    ],
    "the metric accuracy is a numpy.float32, which Kale cannot write down": [
        ("imports", "import numpy as np"),
        ("step:a", "accuracy = np.float32(0.9)"),
        ("pipeline-metrics", "print(accuracy)"),
    ],
}


def quotes(message: str) -> bool:
    return message in read_text(GUIDE)


def words(output: str) -> str:
    return re.sub(r"\s+", " ", output).replace("`", "")


@pytest.mark.parametrize(("message", "cells"), CHECKED.items(), ids=lambda one: str(one)[:20])
def test_what_the_guide_quotes_of_a_check_is_said(message, cells, tmp_path):
    said = fastkf("check", write_notebook(tmp_path / "own.ipynb", cells)).output
    assert message in words(said)
    assert quotes(message)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("message", "cells"), RUN.items(), ids=["generator", "connection", "number"]
)
def test_what_the_guide_quotes_of_a_run_is_said(message, cells, tmp_path):
    notebook = write_notebook(tmp_path / "own.ipynb", cells)
    assert message in words(fastkf("run", notebook, folder=tmp_path / "run").output)
    assert quotes(message)


def test_what_the_guide_quotes_of_old_files_is_said(tmp_path):
    cells = [("step:load", "x = 1")]
    old = write_notebook(tmp_path / "old.ipynb", cells, kale={"docker_image": "a/b:1"})
    copy = write_notebook(tmp_path / "copy.ipynb", [("injected-parameters", "a = 1"), *cells])
    for notebook, message in (
        (old, "old-kale: docker_image is a setting of Kale before 2.0"),
        (copy, "papermill-output: papermill wrote this file when it ran a notebook"),
    ):
        assert message in words(fastkf("check", notebook).output)
        assert quotes(message)


def test_what_the_guide_quotes_of_wrong_words_is_said(tmp_path):
    said = fastkf("run", "02_titanic", "-p", "folds=3", folder=tmp_path / "run").output
    assert "no parameter folds; its parameters: data_dir, " in words(said)
    said = fastkf("run", "02_titanic", "-p", "cv_folds=x", folder=tmp_path / "run").output
    assert "parameter cv_folds takes int, not 'x'" in words(said)
    experiment = write_experiment(tmp_path / "a", "")
    said = fastkf("run", experiment, folder=tmp_path / "run").output
    message = "not a pipeline package of KFP v2 but a manifest of kind Experiment"
    assert message in words(said)
    assert quotes(message)
    assert quotes("no parameter folds; its parameters: data_dir, ")


@pytest.mark.parametrize(
    ("message", "path", "value"),
    [
        ("no algorithm 'tpee'; did you mean tpe?", ("algorithm", "algorithmName"), "tpee"),
        (
            "there is no such field; did you mean restartPolicy?",
            ("trialTemplate", "trialSpec", "spec", "template", "spec", "restartpolicy"),
            "Never",
        ),
    ],
    ids=["algorithm", "field"],
)
def test_what_the_guide_quotes_of_manifests_is_said(message, path, value, tmp_path):
    experiment = make_experiment()
    spot = experiment["spec"]
    for word in path[:-1]:
        spot = spot[word]
    spot[path[-1]] = value
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    said = fastkf("tune", tmp_path / "experiment.yaml", folder=tmp_path / "run").output
    assert message in words(said)
    assert quotes(message)


def test_what_the_guide_quotes_of_a_taken_port_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortError) as caught:
            bind("127.0.0.1", port)
    said = f"{caught.value}".replace(f":{port}:", ":8080:")
    message = "127.0.0.1:8080: cannot listen there (Address already in use)"
    assert message in said
    assert quotes(message)


def test_what_the_guide_quotes_of_a_model_is_said(tmp_path):
    (tmp_path / "model.joblib").write_bytes(b"no model")
    said = words(fastkf("serve", tmp_path, env={**os.environ, "COLUMNS": "300"}).output)
    assert "model.joblib: does not load" in said
    assert quotes("model.joblib: does not load")
