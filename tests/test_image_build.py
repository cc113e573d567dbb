"""The images of the components, built for real with Debian's buildah, and one run in its image.

No base image can be pulled in these tests: a Debian root file system, made by mmdebstrap, takes
its place. Its pip gets the pinned packages from a server of the tests' own.
"""

import http.server
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from conftest import fastkf
from test_custom_images import COMPONENTS, LAB, read_requirements

from fastkf import processes

PREFIX = "localhost/fast-kubeflow"
BASE = "localhost/debian-python:1"
PACKAGES = "python3,python3-pip,libstdc++6"
NOT_NEEDED = ["/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*"]
# Where Debian's Python differs from that of the image python:*-slim: pip may install into it.
AS_THE_SLIM_IMAGE = 'rm -rf "$1"/usr/lib/python3*/EXTERNALLY-MANAGED "$1"/var/lib/apt/lists'


def find_obstacle() -> str | None:
    for tool in ("buildah", "mmdebstrap"):
        if not shutil.which(tool):
            return f"{tool} is not installed (Debian: apt-get install buildah mmdebstrap)"
    if os.getuid() != 0:
        return "building in chroots needs root here"
    return None


OBSTACLE = find_obstacle()
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder with a store of images of its own; the environment that leads buildah there."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/run"\n'
    )
    environment = {
        **os.environ,
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "BUILDAH_ISOLATION": "chroot",
        "BUILDAH_LAYERS": "false",
    }
    for name in ("REGISTRY", "TAG"):
        environment.pop(name, None)
    write_storage(folder, "overlay")
    if subprocess.run(
        ["buildah", "from", "scratch"], env=environment, capture_output=True
    ).returncode:
        write_storage(folder, "vfs")  # copies every layer, works everywhere
    yield folder, environment
    subprocess.run(["buildah", "rm", "--all"], env=environment, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def write_storage(folder: Path, driver: str) -> None:
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "{driver}"\n'
        f'graphroot = "{folder}/{driver}"\nrunroot = "{folder}/run-{driver}"\n'
    )


def call(workshop, *command) -> str:
    result = subprocess.run(
        [str(word) for word in command], env=workshop[1], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


@pytest.fixture(scope="module")
def base(workshop):
    """The base image: Debian with Python, whose pip takes packages from here."""
    folder, _ = workshop
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    excluded = [f"--dpkgopt=path-exclude={path}" for path in NOT_NEEDED]
    options = ["--quiet", "--variant=essential", f"--include={PACKAGES}", *excluded]
    root = folder / "root.tar"
    call(workshop, "mmdebstrap", *options, f"--customize-hook={AS_THE_SLIM_IMAGE}", release, root)
    wheels = folder / "wheels"
    wheels.mkdir()
    handler = partial(QuietHandler, directory=str(wheels))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (folder / "pip.conf").write_text(
            f"[global]\nno-index = true\nfind-links = http://127.0.0.1:{server.server_port}/\n"
            "disable-pip-version-check = true\n[install]\ncompile = false\n"
        )
        (folder / "Dockerfile").write_text(
            "FROM scratch\nADD root.tar /\nCOPY pip.conf /etc/pip.conf\n"
        )
        call(workshop, "buildah", "build", "-q", "-t", BASE, folder)
        root.unlink()
        fetch_wheels(python_version(workshop), wheels)
        yield BASE
        server.shutdown()


def python_version(workshop) -> str:
    container = call(workshop, "buildah", "from", BASE)
    version = call(workshop, "buildah", "run", container, "--", "python3", "--version")
    call(workshop, "buildah", "rm", container)
    return version.split()[1]


def fetch_wheels(version: str, folder: Path) -> None:
    """Gets the pinned packages for a version of Python, as pip is configured here."""
    pins = [
        f"{pin.name}{pin.specifier}"
        for pin in read_requirements(LAB / "constraints.txt")
        if pin.marker is None or pin.marker.evaluate({"python_full_version": version})
    ]
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder]
    short = ".".join(version.split(".")[:2])
    command = [sys.executable, "-m", "pip", "download", *options, "--python-version", short]
    result = subprocess.run([*command, *pins], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def image(workshop, base):
    """The image of decision_tree, built by build.sh on the bare base."""
    build(workshop, "decision_tree", base)
    return f"{PREFIX}/decision_tree:1.0"


@pytest.fixture(scope="module")
def base_with_packages(workshop, image):
    """The base image with the packages in it, so that the other images build quickly."""
    folder = workshop[0] / "with-packages"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f"FROM {image}\nUSER 0:0\nWORKDIR /\nRUN rm -r /app\nENV PYTHONPATH=\n"
    )
    call(workshop, "buildah", "build", "-q", "-t", f"{BASE}-packages", folder)
    return f"{BASE}-packages"


def build(workshop, component: str, base: str, *options) -> str:
    script = [LAB / "build.sh", "--with", "buildah", "--base-image", base]
    return call(workshop, *script, *options, component)


def inspect(workshop, image: str) -> dict:
    return json.loads(call(workshop, "buildah", "inspect", "--type", "image", image))["OCIv1"]


def test_every_component_builds(workshop, base_with_packages):
    for component in COMPONENTS:
        if component != "decision_tree":
            output = build(workshop, component, base_with_packages)
            assert "Requirement already satisfied: scikit-learn==" in output
        built = f"{PREFIX}/{component}:1.0"
        settings = inspect(workshop, built)["config"]
        assert settings["User"] == "10001:10001"
        assert settings["Entrypoint"] == ["python3", f"{component}.py"]
        assert settings["WorkingDir"] == f"/app/{component}"
        assert component in run_in(workshop, built, "python3", f"{component}.py", "--help")
        if component != "decision_tree":
            call(workshop, "buildah", "rmi", built)


def run_in(workshop, image: str, *command, volume: Path | None = None) -> str:
    container = call(workshop, "buildah", "from", "--pull-never", image)
    mount = ["--volume", f"{volume}:{volume}:rw"] if volume else []
    try:
        return call(workshop, "buildah", "run", *mount, container, "--", *command)
    finally:
        call(workshop, "buildah", "rm", container)


def test_a_component_runs_in_its_image_to_the_metrics_of_the_process(workshop, image, tmp_path):
    run = fastkf("run", LAB / "pipeline.yaml", folder=workshop[0] / "pipeline")
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
    for parent in [*message.parents][: len(message.relative_to(workshop[0]).parts)]:
        parent.chmod(parent.stat().st_mode | 0o005)

    output = run_in(workshop, image, *step["command"], volume=run.folder / "artifacts")
    assert output.startswith("426 rows, accuracy in cross-validation 0.9272")
    assert artifacts["metrics"].read_bytes() == by_process["metrics"]
    assert {path.stat().st_uid for path in artifacts.values()} == {10001}
    told = json.loads(message.read_text())["artifacts"]["metrics"]["artifacts"][0]
    assert told["metadata"] == json.loads(by_process["metrics"])


def test_the_image_has_the_pinned_packages_and_nothing_of_the_tests(workshop, image):
    freeze = run_in(workshop, image, "python3", "-m", "pip", "freeze").splitlines()
    pins = {str(pin) for pin in read_requirements(LAB / "decision_tree" / "requirements.txt")}
    assert pins <= set(freeze)
    files = run_in(workshop, image, "find", "/app", "-type", "f").splitlines()
    assert sorted(files) == [
        "/app/decision_tree/constraints.txt",
        "/app/decision_tree/decision_tree.py",
        "/app/decision_tree/requirements.txt",
        "/app/shared.py",
    ]


def test_an_image_is_pushed_to_a_registry(workshop, image):
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed (Debian: apt-get install docker-registry)")
    folder, _ = workshop
    (port,) = processes.free_ports(1)
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
        build(workshop, "decision_tree", image, "--registry", registry, "--tag", "2", "--push")
        call(workshop, "buildah", "rmi", f"{registry}/decision_tree:2")
        call(workshop, "buildah", "pull", "--tls-verify=false", f"{registry}/decision_tree:2")
        user = inspect(workshop, f"{registry}/decision_tree:2")["config"]["User"]
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
