"""Labs 03 to 05 train to the same weights, bit by bit, however TensorFlow is told to compute.

Processors differ in their instructions, in whether TensorFlow uses oneDNN's operations on them, and
in their number. The two settings below differ in all three, and without what the labs set
themselves they give other weights after a few steps.
"""

import os
import subprocess
import sys

import pytest

from fastkf.course import places
from fastkf.course.data import fetch
from fastkf.notebook.model import read

SETTINGS = [
    {
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "TF_NUM_INTRAOP_THREADS": "2",
    },
    {
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "TF_NUM_INTRAOP_THREADS": "1",
    },
]
PRINT_WEIGHTS = """
import hashlib
weights = b"".join(array.tobytes() for array in {}.get_weights())
print("weights", hashlib.sha256(weights).hexdigest())
"""
STEPS = [
    ("03_mnist_cnn", "load prepare train_cnn", {"epochs": 1, "validation_size": 0.9}, "cnn"),
    (
        "04_nlp_lstm",
        "load_data prepare train_lstm",
        {"epochs": 1, "share": 0.05, "words": 20},
        "lstm_network",
    ),
]
PROGRAM = places.PROJECT / "labs" / "distributed_training" / "train.py"


@pytest.fixture(scope="module", autouse=True)
def data():
    return fetch(["mnist_5k", "reuters_r8"])


def run_as_on(setting, program, *arguments):
    """What a program prints that runs in a process of its own, with the variables of a setting."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", program, *arguments],
        cwd=places.NOTEBOOKS,
        env={**os.environ, **setting, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def write_steps(path, lab, steps, parameters, model):
    """Writes a program of some steps of a lab that prints a hash of a model's weights."""
    notebook = read(places.NOTEBOOKS / f"{lab}.ipynb")
    roles = ("imports", "functions", "pipeline-parameters")
    sources = [cell.source for role in roles for cell in notebook.cells_with_role(role)]
    sources += [f"{name} = {value!r}" for name, value in parameters.items()]
    sources += [cell.source for step in steps for cell in notebook.steps[step]]
    path.write_text("\n\n".join([*sources, PRINT_WEIGHTS.format(model)]))
    return path


@pytest.mark.parametrize(("lab", "steps", "parameters", "model"), STEPS)
def test_a_lab_trains_to_the_same_weights(tmp_path, lab, steps, parameters, model):
    program = write_steps(tmp_path / "steps.py", lab, steps.split(), parameters, model)
    printed = [run_as_on(setting, program) for setting in SETTINGS]
    weights = [output.split("weights ")[-1] for output in printed]
    assert len(weights[0].strip()) == 64
    assert weights[0] == weights[1]


def test_a_worker_of_lab_05_has_the_same_losses(tmp_path, data):
    import pandas as pd

    digits = data["mnist_5k"] / "mnist_5k.csv.gz"
    losses = []
    for number, setting in enumerate(SETTINGS):
        folder = tmp_path / str(number)
        options = (f"--data={digits}", f"--output={folder}", "--epochs=1", "--threads=1")
        run_as_on(setting, PROGRAM, *options)
        losses.append(pd.read_csv(folder / "history.csv")["loss"].tolist())
    assert len(losses[0]) == 50
    assert losses[0] == losses[1]
