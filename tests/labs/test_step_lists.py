"""The packages of the step image: what the labs' steps install is there, out of the lock."""

import json
import runpy
import tomllib

import pytest
from conftest import LABS

from fastkf.course import places

IMAGE = places.PROJECT / "labs" / "kubeflow_notebooks"
TOOL = runpy.run_path(str(places.PROJECT / "tools" / "step_lists.py"))
LOCK = """\
# A lock.
apple==1.0 ; sys_platform == 'linux' \\
    --hash=sha256:01
    # via
    #   fastkf (pyproject.toml)
    #   pear
fig==2.0 \\
    --hash=sha256:02
    # via apple
nut==3.0
    # via
    #   fastkf (pyproject.toml:dev)
    #   plum
pear==4.0
    # via fastkf (pyproject.toml)
plum==5.0
    # via nut
tensorflow==6.0
    # via fastkf (pyproject.toml)
"""
SETTINGS = {
    "dependencies": ["pear>=4"],
    "optional-dependencies": {"steps": ["fastkf[deep]"], "deep": ["tensorflow"], "other": ["nut"]},
}


def test_the_lists_are_those_that_the_lock_makes():
    settings = tomllib.loads((places.PROJECT / "pyproject.toml").read_text())["project"]
    for name, text in TOOL["make_lists"](places.LOCK.read_text(), settings).items():
        assert (IMAGE / name).read_text() == text, "make lock"


def test_what_is_needed_is_taken_with_its_hashes_and_nothing_else():
    lists = TOOL["make_lists"](LOCK, SETTINGS)
    assert TOOL["split_lock"](lists["steps.txt"]).keys() == {"apple", "fig", "pear", "tensorflow"}
    assert "apple==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:01\n" in lists["steps.txt"]
    assert TOOL["split_lock"](lists["tensorflow.txt"]).keys() == {"tensorflow"}


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_the_image_has_what_the_steps_of_a_lab_install(lab):
    golden = json.loads((places.NOTEBOOKS / "golden" / f"{lab.stem}.json").read_text())
    installed = {package for step in golden["packages"].values() for package in step}
    lines = TOOL["split_lock"]((IMAGE / "steps.txt").read_text()).values()
    assert installed
    assert installed - {line.split()[0] for line in lines} == set()


def test_the_image_has_no_tools_of_developers_and_no_servers_for_pages():
    names = TOOL["split_lock"]((IMAGE / "steps.txt").read_text()).keys()
    assert (
        names & {"docker", "locust", "minio", "nbval", "playwright", "pytest", "seaborn"} == set()
    )


def test_tensorflow_has_a_layer_below_all_that_changes_more_often():
    dockerfile = (IMAGE / "Dockerfile").read_text()
    layers = ["install.sh tensorflow", "COPY labs/kubeflow_notebooks/steps.txt", "COPY fastkf"]
    assert sorted(layers, key=dockerfile.index) == layers


def test_a_package_with_a_version_for_each_python_keeps_both():
    lock = "fig==1.0 ; python_full_version < '3.12'\n\nfig==2.0\npear==1.0\n"
    packages = TOOL["split_lock"](lock)
    assert list(packages) == ["fig", "pear"]
    assert "fig==1.0" in packages["fig"]
    assert "fig==2.0" in packages["fig"]
