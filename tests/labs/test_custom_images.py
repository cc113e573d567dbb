"""The lab of custom images: its components, its packages, its build script, its guide."""

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import guides
import lab_processes
import pytest
import yaml
from commands import SECONDS
from conftest import fastkf
from packaging.requirements import Requirement

from fastkf.course import places
from fastkf.engine.notebook import read_metrics

LAB = places.PROJECT / "labs" / "custom_images"
COMPONENTS = sorted(path.parent.name for path in LAB.glob("*/Dockerfile"))
MODELS = ["decision_tree", "gradient_boosting", "logistic_regression", "naive_bayes"]
MODELS += ["support_vector_machine"]
SCRIPT = LAB / "build.sh"


def read_requirements(path: Path) -> list[Requirement]:
    lines = [line.strip() for line in path.read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def instructions(component: str) -> list[list[str]]:
    """The instructions of a component's Dockerfile as words."""
    text = (LAB / component / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def test_there_are_seven_components():
    assert sorted([*MODELS, "fetch_data", "compare"]) == COMPONENTS


def test_the_components_own_tests_pass():
    # Where it is forked, plugins are there already.
    words = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning", LAB]
    code, output = lab_processes.run("pytest", list(map(str, words)), "", places.PROJECT, SECONDS)
    assert code == 0, output
    for component in COMPONENTS:
        assert (LAB / component / f"test_{component}.py").exists()


@pytest.mark.parametrize("name", ["pipeline", "extended_pipeline"])
def test_the_committed_package_is_what_the_compiler_makes(name, tmp_path, monkeypatch):
    for variable in ("REGISTRY", "TAG"):
        monkeypatch.delenv(variable, raising=False)
    compile_pipeline(name, tmp_path / "package.yaml")
    assert (tmp_path / "package.yaml").read_text() == (LAB / f"{name}.yaml").read_text(), (
        f"compile it again: python labs/custom_images/{name}.py"
    )


def compile_pipeline(name: str, path: Path) -> None:
    """`python labs/custom_images/NAME.py PATH`, in a process that need not import KFP."""
    code, output = lab_processes.run(name, [str(path)], "", LAB, SECONDS)
    assert code == 0, output


def test_the_registry_and_the_tag_are_those_of_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "package.yaml"
    monkeypatch.setenv("REGISTRY", "registry.example.com/me")
    monkeypatch.setenv("TAG", "2")
    compile_pipeline("pipeline", path)
    executors = yaml.safe_load(path.read_text())["deploymentSpec"]["executors"].values()
    assert {one["container"]["image"] for one in executors} == {
        f"registry.example.com/me/{name}:2"
        for name in ("fetch_data", "decision_tree", "logistic_regression", "compare")
    }


@pytest.mark.parametrize("component", COMPONENTS)
def test_hadolint_has_nothing_to_say(component):
    hadolint = Path(sys.executable).with_name("hadolint")
    command = [hadolint, "--no-color", LAB / component / "Dockerfile"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_image_is_slim_ordered_for_caching_and_not_root(component):
    lines = instructions(component)
    assert lines[0][0] == "ARG"
    assert re.match(r"BASE_IMAGE=python:3\.\d+-slim", lines[0][1])
    assert lines[1] == ["FROM", "${BASE_IMAGE}"]
    copied = [source for line in lines if line[0] == "COPY" for source in line[1:-1]]
    assert all((LAB / source).is_file() for source in copied)
    assert copied[-1] == f"{component}/{component}.py"
    order = [line[0] for line in lines]
    assert order.index("RUN") < len(order) - 1 - order[::-1].index("COPY")
    assert lines[order.index("RUN") - 1] == [
        *("COPY", "constraints.txt", f"{component}/requirements.txt", "./")
    ]
    user = next(line[1] for line in lines if line[0] == "USER")
    assert all(int(number) > 0 for number in user.split(":"))
    assert "shared" not in (LAB / component / f"{component}.py").read_text() or (
        "shared.py" in copied
    )


def test_the_packages_of_the_images_are_those_of_the_lock():
    lock = read_lock()
    constraints = read_requirements(LAB / "constraints.txt")
    assert constraints
    for pin in constraints:
        assert str(pin) in lock, f"{pin}: the lock has another version"
    for component in COMPONENTS:
        for pin in read_requirements(LAB / component / "requirements.txt"):
            assert str(pin) in [str(one) for one in constraints]


def read_lock() -> set[str]:
    lines = re.findall(r"^(\w[^\\\n]*?)\s*\\?$", places.LOCK.read_text(), re.M)
    return {str(Requirement(line)) for line in lines if "==" in line}


def test_the_constraints_pin_every_package_that_the_images_install():
    pinned = {pin.name for pin in read_requirements(LAB / "constraints.txt")}
    needed, seen = {"joblib", "pandas", "scikit-learn"}, set()
    while needed:
        name = needed.pop()
        seen.add(name)
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed |= {requirement.name} - seen
    assert seen == pinned


def test_shellcheck_has_nothing_to_say():
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed (Debian: apt-get install shellcheck)")
    result = subprocess.run(["shellcheck", SCRIPT], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.fixture
def tools(tmp_path):
    """`tools(*options)`: calls build.sh with stand-ins that only write down how they are called."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("docker", "buildah", "kind"):
        (folder / name).write_text(
            f'#!/bin/sh\n[ "$1" = info ] || {{ printf "{name}"; printf " %s" "$@"; echo; }} '
            f">> '{tmp_path}/calls'\n"
        )
        (folder / name).chmod(0o755)

    def call(*options, **environment):
        (tmp_path / "calls").write_text("")
        clean = {k: v for k, v in os.environ.items() if k not in ("REGISTRY", "TAG")}
        result = subprocess.run(
            [SCRIPT, *options],
            env={**clean, "PATH": f"{folder}:{os.environ['PATH']}", **environment},
            capture_output=True,
            text=True,
        )
        return result, (tmp_path / "calls").read_text().splitlines()

    return call


def test_the_script_builds_every_component_with_docker(tools):
    result, calls = tools()
    assert result.returncode == 0, result.stderr
    assert calls == [
        f"docker build -f {name}/Dockerfile -t localhost/fast-kubeflow/{name}:1.0 ."
        for name in COMPONENTS
    ]


def test_the_script_pushes_to_the_registry_that_is_named(tools):
    options = ["--push", "--registry", "registry.example.com/me/", "--tag", "2", "compare/"]
    result, calls = tools("--base-image", "own/python:3", *options)
    image = "registry.example.com/me/compare:2"
    assert calls == [
        f"docker build --build-arg BASE_IMAGE=own/python:3 -f compare/Dockerfile -t {image} .",
        f"docker push {image}",
    ]
    assert "REGISTRY=registry.example.com/me TAG=2 python pipeline.py" in result.stdout


def test_the_script_loads_into_kind(tools):
    image = "localhost/fast-kubeflow/compare:1.0"
    _, calls = tools("--kind", "lab", "compare")
    assert re.fullmatch(rf"docker image save {image} -o .*/image.tar", calls[-2])
    assert re.fullmatch(r"kind load image-archive .*/image.tar --name lab", calls[-1])
    _, calls = tools("--with", "buildah", "--kind", "lab", "compare")
    assert re.fullmatch(rf"buildah push {image} docker-archive:(.*/image.tar):{image}", calls[-2])
    assert re.fullmatch(r"kind load image-archive .*/image.tar --name lab", calls[-1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["no_such"], "no component no_such here; there are: compare decision_tree"),
        (["../custom_images/compare"], "no component ../custom_images/compare here"),
        (["--with", "podman"], "--with docker or --with buildah, not podman"),
        (["--tag"], "--tag needs a value"),
        (["--colour"], "no option --colour"),
        (["--push"], "--push needs a registry"),
    ],
)
def test_the_script_refuses_what_it_cannot_do(tools, options, message):
    result, calls = tools(*options)
    assert result.returncode == 2
    assert message in result.stderr
    assert calls == []


def test_words_for_the_script_are_never_run(tools, tmp_path):
    evil = f"x;touch {tmp_path}/evil;$(touch {tmp_path}/evil)"
    tools("--tag", evil, "--base-image", evil, "compare")
    tools(evil, REGISTRY=evil)
    assert not (tmp_path / "evil").exists()


def test_the_commands_of_the_guide_run_to_the_metrics_of_the_notebook(tmp_path):
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    commands = [
        fastkf(*words, folder=tmp_path / str(number), cwd=places.PROJECT, env=environment)
        for number, words in enumerate(guides.fastkf_commands(LAB / "README.md"))
    ]
    first, changed, extended, docker = commands
    assert [one.code for one in commands] == [0, 0, 0, 1], [one.output for one in commands]
    assert "--docker needs Docker" in docker.output or "no Docker engine" in docker.output
    metrics = first.record["pipeline"]["metrics"]
    shown = re.findall(r"│ ([\w.-]+) +│ +([\d.]+) │", (LAB / "README.md").read_text())
    assert {name: float(value) for name, value in shown} == metrics
    assert read_metrics(places.NOTEBOOKS / "01b_custom_images.ipynb") == {
        "tree_accuracy": metrics["decision-tree.cv_accuracy"],
        "logistic_accuracy": metrics["logistic-regression.cv_accuracy"],
        "test_accuracy": metrics["compare.test_accuracy"],
        "test_recall": metrics["compare.test_recall"],
    }
    assert first.record["pipeline"]["outputs"] == {"best": "logistic_regression"}
    assert "logistic_regression is chosen" in (first.folder / "report.html").read_text()
    assert changed.record["parameters"]["max_depth"] == 2
    assert changed.record["pipeline"]["metrics"] != metrics
    assert metrics.items() <= extended.record["pipeline"]["metrics"].items()
    compare = extended.record["pipeline"]["steps"][-1]
    assert compare["after"] == [
        *("decision-tree", "fetch-data", "gradient-boosting"),
        *("logistic-regression", "naive-bayes", "support-vector-machine"),
    ]
