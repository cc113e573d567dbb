"""The lab on distributed training: its program, its guide, its image, its notebook."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import httpx
import lab_processes
import pytest
import yaml
from commands import SECONDS
from conftest import start
from guides import fastkf_commands, read_text
from waiting import wait_until_gone

from fastkf.course import data, places
from fastkf.notebook.model import read
from fastkf.train.manifest import check_tfjob

LAB = places.PROJECT / "labs" / "distributed_training"
NOTEBOOK = places.NOTEBOOKS / "05_distributed_training.ipynb"
DIGITS = places.DATA / "mnist_5k" / "mnist_5k.csv.gz"
STEPS = 120


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What train.py does without TF_CONFIG, in one process, for which TensorFlow is imported."""
    folder = tmp_path_factory.mktemp("alone")
    data.fetch(["mnist_5k"], progress=print)
    words = [f"--data={DIGITS}", f"--output={folder}", "--test-size=1000", "--threads=1"]
    (folder / "alone.py").write_text(f"import sys\nsys.path.insert(0, {str(LAB)!r})\n{ALONE}")
    code, output = lab_processes.run("alone", words, read(NOTEBOOK).imports, folder, SECONDS)
    return SimpleNamespace(folder=folder, code=code, output=output)


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    """The job of the guide, by its command, whose worker 1 is killed at step 20."""
    folder = tmp_path_factory.mktemp("course")
    for name in ("labs", "data"):  # like the course's, for what commands write
        (folder / name).symlink_to(places.PROJECT / name)
    train, serve = fastkf_commands(LAB / "README.md")
    assert (train[0], serve[0]) == ("train", "serve")
    job = start(*train, cwd=folder)
    groups, killed, output = {}, None, ""
    for line in job.stdout:
        output += line
        if match := re.match(r"(worker-\d) \| started, process group (\d+)", line):
            groups[match[1]] = int(match[2])
        if killed is None and "worker-1 | step 20:" in line:
            killed = groups["worker-1"]
            os.killpg(killed, signal.SIGKILL)
    assert job.wait() == 0, output
    return SimpleNamespace(folder=folder, killed=killed, output=output, serve=serve)


def test_the_commands_of_the_guide(disturbed):
    import pandas as pd

    assert "test accuracy 0.9" in disturbed.output
    history = pd.read_csv(disturbed.folder / "runs" / "digits" / "history.csv")
    assert len(history) == STEPS
    words = disturbed.serve[: disturbed.serve.index("--port")]
    server = start(*words, cwd=disturbed.folder)
    try:
        url = find_url(server)
        check_answers(url)
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate()


def find_url(server):
    for line in server.stdout:
        if match := re.search(r"http://127\.0\.0\.1:\d+", line):
            return match[0]
    raise AssertionError(f"the server ended with {server.wait()}")


def check_answers(url):
    """The served model reads digits, at the addresses of TensorFlow Serving."""
    import numpy as np
    import pandas as pd

    status = httpx.get(f"{url}/v1/models/mnist").json()
    assert status["model_version_status"][0]["version"] == "1"
    table = pd.read_csv(DIGITS, header=None).sample(frac=1, random_state=42)[:50]
    images = table.iloc[:, :-1].to_numpy().reshape(-1, 28, 28, 1) / 255
    for address in ("mnist:predict", "mnist/versions/1:predict"):
        answer = httpx.post(
            f"{url}/v1/models/{address}", json={"instances": images.tolist()}, timeout=60
        )
        digits = np.argmax(answer.json()["predictions"], axis=1)
        assert np.mean(digits == table.iloc[:, -1]) > 0.8
    columns = httpx.post(f"{url}/v1/models/mnist:predict", json={"inputs": images.tolist()})
    assert np.shape(columns.json()["outputs"]) == (50, 10)


def test_a_killed_worker_goes_on_from_the_last_checkpoint(disturbed, alone):
    """And nothing of it shows in the losses: they are those of a single worker, step by step."""
    import pandas as pd

    assert "worker-1 | ended with exit code 137; it will be started again" in disturbed.output
    assert wait_until_gone([disturbed.killed]) == set()
    [run] = (disturbed.folder / "runs" / "mnist").iterdir()
    record = json.loads((run / "run.json").read_text())
    assert all(one["restarts"] >= 1 for one in record["replicas"])
    for name in ("worker-0", "worker-1"):
        log = (run / "logs" / f"{name}.log").read_text()
        steps = [int(step) for step in re.findall(r"goes on from step (\d+)", log)]
        assert steps
        assert 20 <= steps[-1] < STEPS
    assert alone.code == 1, alone.output  # of what comes after the training
    single = pd.read_csv(alone.folder / "history.csv")
    history = pd.read_csv(disturbed.folder / "runs" / "digits" / "history.csv")
    assert len(history) == len(single) == STEPS
    assert (history["loss"] - single["loss"]).abs().max() < 1e-5


ALONE = """
import tempfile
import train

train.main()

class Strategy:
    def run(self, function):
        return function()
    def reduce(self, how, value, axis):
        return (float(value) + 40) / 2  # the other worker is at step 40

checkpoint = train.tf.train.Checkpoint(step=train.tf.Variable(0, dtype="int64"))
train.restore(Strategy(), checkpoint, tempfile.gettempdir() + "/nothing-here")
"""


def test_workers_that_do_not_share_their_folder_are_told_so(alone):
    assert alone.code == 1
    assert f"exported {alone.folder}/export/mnist/1" in alone.output
    assert "the workers find different checkpoints there; they must share it" in alone.output


WRITE = """
import sys
import program
program.write_program(sys.argv[1])
"""


def test_the_notebook_writes_the_program(tmp_path):
    cells = read(NOTEBOOK).cells_with_role("functions")
    text = "\n\n\n".join(cell.source for cell in cells)
    # Of the imports, what the writing needs: TensorFlow would take seconds.
    (tmp_path / "program.py").write_text(f"import inspect\nfrom pathlib import Path\n\n{text}")
    written = tmp_path / "train.py"
    subprocess.run([sys.executable, "-c", WRITE, written], cwd=tmp_path, check=True)
    assert written.read_text() == (LAB / "train.py").read_text()


def test_the_jobs_of_the_notebook_are_the_labs():
    blocks = re.findall(r"```yaml\n(.*?)```", read_text(NOTEBOOK), re.S)
    excerpts = {one["kind"]: one for one in map(yaml.safe_load, blocks)}
    assert set(excerpts) == {"TrainJob", "TFJob"}
    assert check_tfjob(excerpts["TFJob"]) == []
    for kind, excerpt in excerpts.items():
        assert is_part(excerpt, yaml.safe_load((LAB / f"{kind.lower()}.yaml").read_text()))


def is_part(part, whole):
    if isinstance(part, dict):
        return all(name in whole and is_part(one, whole[name]) for name, one in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(is_part, part, whole))
    return part == whole


def test_the_image_has_the_versions_of_the_lock():
    lock = places.LOCK.read_text().splitlines()
    wanted = [line for line in (LAB / "requirements.txt").read_text().splitlines() if "==" in line]
    assert len(wanted) == 4
    assert [line for line in wanted if not any(one.startswith(f"{line} ") for one in lock)] == []


def test_hadolint_has_nothing_to_say():
    hadolint = Path(sys.executable).with_name("hadolint")
    result = subprocess.run(
        [hadolint, "--no-color", LAB / "Dockerfile"], capture_output=True, text=True
    )
    assert result.stdout + result.stderr == ""
