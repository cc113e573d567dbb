"""Environments for what is not here, and layers that keep a step's installs to itself."""

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest
from wheels import make_wheel

from fastkf.base.errors import FastkfError
from fastkf.engine.environments import CONTENTS, Environments
from fastkf.engine.layer import Layer
from fastkf.package.asked import Asked

pytestmark = pytest.mark.slow

SITE = Path(sysconfig.get_path("purelib"))


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "wheels"
    make_wheel(folder, "own_a", "1.0", ["own-b", "packaging"])
    make_wheel(folder, "own_b", "2.0")
    for version in ("0.1", metadata.version("packaging"), "1000"):
        make_wheel(folder, "packaging", version)
    return folder


def ask(wheels, *requirements):
    return Asked(requirements, ("--no-index", "--find-links", str(wheels)), requirements)


def run(layer, code):
    words = [layer.python, "-c", code]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
def test_what_is_asked_for_is_made_once_and_kept(tmp_path, wheels):
    made = Environments(folder=tmp_path / "kept")
    layer = made.provide(ask(wheels, "own-a"), tmp_path / "log", tmp_path)
    code = "import own_a, own_b, packaging; print(own_a.version, own_b.version, packaging.__file__)"
    *versions, packaging = run(layer, code)
    assert versions == ["1.0", "2.0"]
    assert packaging.startswith(str(SITE))  # the version that is here will do
    wheels.rename(tmp_path / "gone")
    again = Environments(offline=True, folder=tmp_path / "kept")
    assert again.provide(ask(wheels, "own-a"), tmp_path / "log", tmp_path).folder == layer.folder


@pytest.mark.slow
def test_another_version_than_the_one_here(tmp_path, wheels):
    asked = ask(wheels, "packaging==0.1")
    layer = Environments(folder=tmp_path / "kept").provide(asked, tmp_path / "log", tmp_path)
    code = "import packaging, kfp; print(packaging.__file__)"
    assert not Path(run(layer, code)[0]).is_relative_to(SITE)


def test_offline_all_that_is_missing_is_named_at_once(tmp_path, wheels):
    environments = Environments(offline=True, folder=tmp_path / "kept")
    with pytest.raises(FastkfError, match="own-a, own-b; leave out --offline"):
        environments.check([ask(wheels, "own-a"), ask(wheels, "own-b"), ask(wheels, "own-a")])


def test_without_uv_the_packages_and_the_way_out_are_named(tmp_path, wheels, monkeypatch):
    monkeypatch.setitem(sys.modules, "uv", None)  # as if it were not installed
    monkeypatch.setenv("PATH", str(tmp_path))
    made = Environments(folder=tmp_path / "kept")
    with pytest.raises(FastkfError, match=r"own-a: .* uv.* pip install 'fastkf\[packages\]'"):
        made.provide(ask(wheels, "own-a"), tmp_path / "log", tmp_path)


def test_what_cannot_be_installed_is_said(tmp_path, wheels):
    with pytest.raises(FastkfError, match="own-c: cannot be installed: .*own-c was not found"):
        Environments(folder=tmp_path).provide(ask(wheels, "own-c"), tmp_path / "log", tmp_path)
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".making")]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [CONTENTS, "own_b.py"])
def test_a_damaged_one_is_made_again(tmp_path, wheels, damage):
    made = Environments(folder=tmp_path / "kept")
    layer = made.provide(ask(wheels, "own-b"), tmp_path / "log", tmp_path)
    broken = layer.packages / damage if damage.endswith(".py") else layer.folder / damage
    broken.unlink()
    again = Environments(folder=tmp_path / "kept").provide(
        ask(wheels, "own-b"), tmp_path / "log", tmp_path
    )
    assert again.folder == layer.folder
    assert run(again, "import own_b; print(own_b.version)") == ["2.0"]
    assert json.loads((again.folder / CONTENTS).read_text())["packages"] == ["own-b==2.0"]


def take_records():
    """What says of the environment that runs these tests what is installed in it."""
    found = sorted(SITE.glob("*.dist-info/RECORD"))
    return [(one.parent.name, hashlib.sha256(one.read_bytes()).hexdigest()) for one in found]


INSTALL = ["install", "--quiet", "--no-index", "--disable-pip-version-check", "--find-links"]


@pytest.mark.slow
@pytest.mark.security
@pytest.mark.parametrize(
    "words",
    [
        ["pip", *INSTALL],
        ["python3", "-m", "pip", *INSTALL],
        [sys.executable, "-m", "pip", "--quiet", *INSTALL],
    ],
    ids=["pip", "module", "the real one"],
)
def test_an_install_changes_the_layer_alone(tmp_path, wheels, words):
    layer, before = Layer(tmp_path / "it's one"), take_records()
    layer.make()
    variables = layer.environment(os.environ, offline=False)
    words = [*words[: words.index(INSTALL[-1]) + 1], str(wheels), *words[len(words) :]]
    subprocess.run([*words, "own_a", "packaging==0.1", "--no-deps"], env=variables, check=True)
    assert take_records() == before
    assert run(layer, "import own_a; print(own_a.version)") == ["1.0"]
    code = "import importlib.metadata as found; print(found.version('packaging'))"
    assert run(layer, code) == ["0.1"]
