"""Labs 03 to 05 train to the same weights, bit by bit, however TensorFlow is told to compute.

Processors differ in their instructions, in whether TensorFlow uses oneDNN's operations on them, and
in their number. The two settings below differ in all three, and without what the labs set
themselves they give other weights after a few steps.
"""

import os
import re
import subprocess
import sys

import pytest
from lab_server import read_heavy

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
# Both labs set the same before they import TensorFlow, which takes six seconds: so it is imported
# once, as a lab imports it, and each lab's steps run in a fork of that.
RUN_STEPS = """
import os
import sys

imports, *programs = sys.argv[1:]
sys.modules["jax"] = None  # TensorFlow imports it where it is found, and no step needs it
exec(compile(open(imports).read(), imports, "exec"), {})
for program in programs:
    if os.fork() == 0:
        exec(compile(open(program).read(), program, "exec"), {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    assert os.wait()[1] == 0, program
"""
FEW = "train_images, train_labels = train_images[:500], train_labels[:500]"
STEPS = [
    ("03_mnist_cnn", "load prepare train_cnn", {"epochs": 1, "validation_size": 0.2}, "cnn"),
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
    for step in steps.split():
        sources += [cell.source for cell in notebook.steps[step] if "plt.show" not in cell.source]
        sources += [FEW] if step == "load" else []
    path.write_text("\n\n".join([*sources, PRINT_WEIGHTS.format(model)]))
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Lab to a hash of its weights, for each setting."""
    folder = tmp_path_factory.mktemp("steps")
    imports = [read(places.NOTEBOOKS / f"{lab}.ipynb").imports for lab, *_ in STEPS]
    assert [read_heavy(one)[0] for one in imports] == [read_heavy(imports[0])[0]] * len(STEPS)
    (folder / "imports.py").write_text(imports[0])
    (folder / "run.py").write_text(RUN_STEPS)
    programs = [write_steps(folder / f"{one[0]}.py", *one) for one in STEPS]
    printed = [
        run_as_on(setting, folder / "run.py", folder / "imports.py", *programs)
        for setting in SETTINGS
    ]
    found = [re.findall(r"^weights (\w{64})$", one, re.M) for one in printed]
    return {
        lab: list(hashes) for (lab, *_), hashes in zip(STEPS, zip(*found, strict=True), strict=True)
    }


@pytest.mark.parametrize("lab", [lab for lab, *_ in STEPS])
def test_a_lab_trains_to_the_same_weights(weights, lab):
    first, second = weights[lab]
    assert first == second


def test_a_worker_of_lab_05_has_the_same_losses(tmp_path, data):
    import pandas as pd

    digits = pd.read_csv(data["mnist_5k"] / "mnist_5k.csv.gz", header=None, nrows=1000)
    digits.to_csv(tmp_path / "digits.csv", header=False, index=False)
    few = (f"--data={tmp_path}/digits.csv", "--batch-size=20")
    losses = []
    for number, setting in enumerate(SETTINGS):
        folder = tmp_path / str(number)
        run_as_on(setting, PROGRAM, *few, f"--output={folder}", "--epochs=1", "--threads=1")
        losses.append(pd.read_csv(folder / "history.csv")["loss"].tolist())
    assert len(losses[0]) == 50
    assert losses[0] == losses[1]
