"""The images of the components, built for real with Debian's buildah, and one run in its image.

No base image can be pulled in these tests: a Debian root file system, made by mmdebstrap, takes
its place. Its pip gets the pinned packages from a server of the tests' own.
"""

import json
import re
import shutil
import subprocess
import time

import images
import pytest
import yaml
from conftest import fastkf
from test_custom_images import COMPONENTS, LAB, read_requirements

from fastkf.base import processes
from fastkf.base.ports import free_ports

PREFIX = "localhost/fast-kubeflow"
IMPORTED = "pandas, sklearn.datasets, sklearn.ensemble, sklearn.linear_model, sklearn.svm"
OBSTACLE = images.find_obstacle()
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, debian_root):
    with images.open_workshop(tmp_path_factory.mktemp("images"), debian_root) as workshop:
        version = images.python_version(workshop)
        images.fetch_wheels(version, pins_for(version), workshop.wheels)
        yield workshop


def pins_for(version: str) -> list[str]:
    return [
        f"{pin.name}{pin.specifier}"
        for pin in read_requirements(LAB / "constraints.txt")
        if pin.marker is None or pin.marker.evaluate({"python_full_version": version})
    ]


@pytest.fixture(scope="module")
def image(workshop):
    """The image of decision_tree, built by build.sh on the bare base."""
    build(workshop, "decision_tree", images.BASE, "--tag", "bare")
    return f"{PREFIX}/decision_tree:bare"


@pytest.fixture(scope="module")
def base_with_packages(workshop, image):
    """The base image with the packages in it, so that the other images build and start quickly.

    What the programs import is compiled, as it is where pip installs the packages by itself.
    """
    folder = workshop.folder / "with-packages"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f"FROM {image}\nUSER 0:0\nWORKDIR /\n"
        f"RUN rm -r /app && PYTHONDONTWRITEBYTECODE= python3 -c 'import {IMPORTED}'\n"
        "ENV PYTHONPATH=\n"
    )
    workshop.build("-q", "-t", f"{images.BASE}-packages", folder)
    return f"{images.BASE}-packages"


def build(workshop, component: str, base: str, *options) -> str:
    script = [LAB / "build.sh", "--with", "buildah", "--base-image", base]
    return workshop.call(*script, *options, component)


@pytest.fixture(scope="module")
def images_of_all(workshop, base_with_packages):
    """What build.sh printed, by component: the images are there until the last test."""
    return {component: build(workshop, component, base_with_packages) for component in COMPONENTS}


def test_every_component_builds(workshop, images_of_all):
    for component, output in images_of_all.items():
        assert "Requirement already satisfied: scikit-learn==" in output
        built = f"{PREFIX}/{component}:1.0"
        settings = workshop.inspect(built)["config"]
        assert settings["User"] == "10001:10001"
        assert settings["Entrypoint"] == ["python3", f"{component}.py"]
        assert settings["WorkingDir"] == f"/app/{component}"
        assert component in workshop.run(built, "python3", f"{component}.py", "--help")


def test_a_component_runs_in_its_image_to_the_metrics_of_the_process(workshop, images_of_all):
    image = f"{PREFIX}/decision_tree:1.0"
    package = write_beginning(workshop.folder / "beginning.yaml")
    run = fastkf("run", package, "--components", LAB, folder=workshop.folder / "pipeline")
    step = next(s for s in run.record["pipeline"]["steps"] if s["name"] == "decision-tree")
    artifacts = {
        name: run.folder / artifact["uri"]
        for name, artifact in step["outputs"]["artifacts"].items()
    }
    by_process = {name: path.read_bytes() for name, path in artifacts.items()}
    for path in artifacts.values():
        path.unlink()
    message = artifacts["metrics"].with_name("executor_output.json")
    message.unlink()
    message.parent.chmod(0o777)  # for the user of the image
    for parent in [*message.parents][: len(message.relative_to(workshop.folder).parts)]:
        parent.chmod(parent.stat().st_mode | 0o005)

    output = workshop.run(image, *step["command"], volume=run.folder / "artifacts")
    assert output.startswith("426 rows, accuracy in cross-validation 0.9272")
    assert artifacts["metrics"].read_bytes() == by_process["metrics"]
    assert {path.stat().st_uid for path in artifacts.values()} == {10001}
    told = json.loads(message.read_text())["artifacts"]["metrics"]["artifacts"][0]
    assert told["metadata"] == json.loads(by_process["metrics"])


def write_beginning(path):
    """The lab's package up to the decision tree, which nothing else needs here."""
    package = yaml.safe_load((LAB / "pipeline.yaml").read_text())
    for part in (package["root"], package["root"]["dag"]):
        part.pop("outputDefinitions", None)
        part.pop("outputs", None)
    for task in ("compare", "logistic-regression"):
        del package["root"]["dag"]["tasks"][task]
    path.write_text(yaml.safe_dump(package))
    return path


def test_the_image_has_the_pinned_packages_and_nothing_of_the_tests(workshop, image):
    freeze = workshop.run(image, "python3", "-m", "pip", "freeze").splitlines()
    pins = {str(pin) for pin in read_requirements(LAB / "decision_tree" / "requirements.txt")}
    assert pins <= set(freeze)
    files = workshop.run(image, "find", "/app", "-type", "f").splitlines()
    assert sorted(files) == [
        "/app/decision_tree/constraints.txt",
        "/app/decision_tree/decision_tree.py",
        "/app/decision_tree/requirements.txt",
        "/app/shared.py",
    ]


@pytest.fixture
def small_base(workshop):
    """A base with a shell and a python3 that says yes: where an image goes, its size is nothing."""
    root = workshop.folder / "small" / "root"
    needed = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True).stdout
    for path in ("/bin/sh", *re.findall(r"/\S+", needed)):
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path[1:])
    (root / "bin" / "python3").write_text("#!/bin/sh\n")
    (root / "bin" / "python3").chmod(0o755)
    (root.parent / "Dockerfile").write_text("FROM scratch\nCOPY root /\n")
    workshop.build("-q", "-t", "localhost/small:1", root.parent)
    return "localhost/small:1"


def test_an_image_is_pushed_to_a_registry(workshop, small_base):
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed (Debian: apt-get install docker-registry)")
    folder = workshop.folder
    (port,) = free_ports(1)
    (folder / "registry.yml").write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with (folder / "registry.log").open("w") as log:
        server = processes.start(["docker-registry", "serve", folder / "registry.yml"], log)
    try:
        registry = f"localhost:{port}/me"
        wait_for_port(port)
        build(workshop, "decision_tree", small_base, "--registry", registry, "--tag", "2", "--push")
        workshop.call("buildah", "rmi", f"{registry}/decision_tree:2")
        workshop.call("buildah", "pull", "--tls-verify=false", f"{registry}/decision_tree:2")
        user = workshop.inspect(f"{registry}/decision_tree:2")["config"]["User"]
    finally:
        processes.end([server])
    assert user == "10001:10001"


def wait_for_port(port: int, seconds: float = 30) -> None:
    import socket

    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
