"""The script that tries the labs on a cluster, with stand-ins for the programs that it calls.

They show what it asks for, what it makes of the answers, and that it removes what it has made; not
that a real cluster answers so.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastkf.course import places
from fastkf.notebook.check import check
from fastkf.notebook.model import read

SCRIPT = places.PROJECT / "labs" / "try_cluster.sh"
TOOLS = Path(__file__).parents[1] / "helpers" / "cluster_tools"
CRDS = "experiments.kubeflow.org inferenceservices.serving.kserve.io trainjobs.trainer.kubeflow.org"
PARTS = ["doctor", "first", "titanic", "failing", "image", "storage", "katib", "kserve", "train"]

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


class Cluster:
    """What the stand-ins answer, and what they were asked."""

    def __init__(self, folder: Path):
        self.folder = folder
        answers = {"doctor": "✓ Kubeflow: answers\n! Step image: not known\n", "titanic": "10"}
        answers |= {"crds": "\n".join(CRDS.split()) + "\n", "prediction": '{"predictions":[1]}'}
        for name, text in {**answers, "there": "", "calls": ""}.items():
            self.answer(name, text)
        self.environment = {
            "PATH": f"{TOOLS}:/usr/bin:/bin",
            "STATE": str(folder),
            "PYTHON": sys.executable,
            "TMPDIR": str(folder),
            "HOME": str(folder),
            "IMAGE_SECONDS": "1",
        }

    def answer(self, name: str, text: str = "") -> None:
        (self.folder / name).write_text(text)

    def start(self, *words: str) -> subprocess.Popen:
        command = [shutil.which("bash"), str(SCRIPT), *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, env=self.environment, text=True, **pipes)

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    @property
    def calls(self) -> str:
        return (self.folder / "calls").read_text()

    def called(self, verb: str) -> list[str]:
        """The manifests that kubectl was given with a verb."""
        return re.findall(rf"^kubectl -n kubeflow {verb} -f (\S+)", self.calls, re.M)


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


def test_each_part_says_in_one_line_how_it_went(cluster):
    code, output = cluster.run()
    assert code == 0, output
    lines = output.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", part] for part in PARTS]
    assert "10 steps, all succeeded" in lines[2]
    assert "12 trials, 3 of them stopped early" in lines[6]
    assert '{"predictions":[1]}' in lines[7]


def test_what_was_made_is_removed_the_last_first(cluster):
    assert cluster.run("storage", "kserve", "train")[0] == 0
    made = cluster.called("apply")
    names = ["secret", "s3", "titanic", "volumes", "training-runtime", "trainjob"]
    assert [Path(one).stem for one in made] == names
    order = [made[0], *reversed(made[1:3]), *reversed(made[3:])]
    assert cluster.called("delete") == order
    assert cluster.calls.count("emptied mlpipeline/try-cluster") == 2
    deleted = re.findall(r"^curl .*-X DELETE \S+/v2beta1/(\S+)", cluster.calls, re.M)
    assert deleted == [
        "runs/0a1b2c3d-0000-4000-8000-00000000000a",
        "pipelines/0a/versions/0b",
        "pipelines/0a",
    ]
    assert list(cluster.folder.glob("tmp.*")) == []
    assert [one for one in made if not Path(one).exists()] == [made[2]]  # written, and gone


def test_keys_get_into_secrets_and_not_onto_command_lines(cluster):
    cluster.run("storage")
    assert "patch secret object-store" in cluster.calls
    assert "bWluaW8=" not in cluster.calls


def test_a_part_whose_service_is_not_there_is_left_out(cluster):
    cluster.answer("crds")
    code, output = cluster.run("katib", "kserve", "train")
    assert code == 0
    reasons = [line.split(maxsplit=3)[3] for line in output.splitlines()]
    services = zip(["Katib", "KServe", "Trainer v2"], CRDS.split(), strict=True)
    assert reasons == [f"the cluster has no {name} (CRD {crd})" for name, crd in services]
    assert cluster.called("apply") == []


def test_what_was_there_before_is_not_touched(cluster):
    cluster.answer("there", "secret.yaml secret/object-store\n")
    code, output = cluster.run("storage")
    assert (code, cluster.called("apply"), cluster.called("delete")) == (0, [], [])
    assert output.startswith("left out  storage  already there, in kubeflow: secret/object-store")


@pytest.mark.parametrize(
    ("part", "name", "text", "said"),
    [
        ("doctor", "doctor", "✓ Kubeflow\n✗ Artifact store: down\n", "✗ Artifact store: down"),
        ("titanic", "titanic", "7", "7 steps are listed and 7 succeeded, of 10"),
        ("failing", "silent", "", "the exception is not shown: ✗ step ratio: no log"),
        ("image", "silent", "", "no word of the image within a minute"),
        ("katib", "stands-still", "", "the search has not ended: Experiment is running"),
        ("kserve", "prediction", '{"error":"shape"}', 'the service answers: {"error":"shape"}'),
    ],
)
def test_a_part_that_fails_says_why_and_where_its_log_is(cluster, part, name, text, said):
    cluster.answer(name, text)
    code, output = cluster.run(part)
    assert code == 1, output
    assert output.startswith(f"failed    {part:<8} {said}; log: ")
    assert Path(output.split("log: ")[1].strip()).exists()
    assert len(cluster.called("apply")) == len(cluster.called("delete"))


@pytest.mark.parametrize("name", ["failing", "image"])
def test_its_notebooks_are_ones_that_kale_takes(cluster, name):
    cluster.run(name)
    notebook = read(cluster.folder / f"try-cluster-{name}.ipynb")
    assert list(check(notebook)) == []
    assert list(notebook.steps) == ["load", "ratio"]
    assert notebook.pipeline_name == f"try-cluster-{name}"


def test_an_interrupted_one_removes_what_it_has_made(cluster):
    cluster.answer("silent")
    cluster.environment["IMAGE_SECONDS"] = "60"
    process = cluster.start("image")
    deadline = time.monotonic() + 30
    while "get pods" not in cluster.calls and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert "-X DELETE" in cluster.calls


@pytest.mark.parametrize("words", [["titan"], ["--hots", "x"], ["--host"]])
def test_wrong_use_is_said(cluster, words):
    code, output = cluster.run(*words)
    assert (code, words[0] in output, cluster.calls) == (2, True, "")


def test_without_kubectl_nothing_is_tried(cluster, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for name in ("fastkf", "curl", "python3"):
        (few / name).symlink_to(TOOLS / name)
    for name in ("bash", "dirname", "env"):
        (few / name).symlink_to(shutil.which(name))
    cluster.environment["PATH"] = str(few)
    code, output = cluster.run("first")
    assert (code, "kubectl is not there" in output) == (2, True), output


def test_its_help_names_each_part(cluster):
    code, output = cluster.run("--help")
    assert code == 0
    assert re.findall(r"^  ([a-z]+)  ", output, re.M) == PARTS


def test_shellcheck_has_nothing_to_say():
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed (Debian: apt-get install shellcheck)")
    scripts = [SCRIPT, *TOOLS.iterdir()]
    result = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout
