"""Volumes, Secrets as files and empty folders: what a step sees at which path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kfp import compiler, dsl, kubernetes

from fastkf.base import mounts
from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.mounts import Mount, can_mount
from fastkf.engine import volumes
from fastkf.engine.volumes import Volumes, check_mounts, list_mounts
from fastkf.package.given import CONFIG_MAP, SECRET, Given, read_given
from fastkf.package.model import Package

needs_mounts = pytest.mark.skipif(not can_mount(), reason="nobody may mount anything here")


def claim(name: str, path: str, inside: str = "") -> tuple[dict, dict]:
    volume = {"name": name, "persistentVolumeClaim": {"claimName": name}}
    return volume, {"name": name, "mountPath": path, "subPath": inside}


def secret(name: str, path: str, optional: bool = False) -> tuple[dict, dict]:
    volume = {"name": name, "secret": {"secretName": name, "optional": optional}}
    return volume, {"name": name, "mountPath": path}


def look(mounted: list[Mount], program: str, kept=()) -> str:
    words = [mounts.dump(mounted), json.dumps(list(kept)), "sh", "-c", program]
    command = [sys.executable, "-I", "-m", mounts.__name__, *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr


@needs_mounts
@pytest.mark.parametrize("path", ["/fastkf-a/b", "/usr/fastkf-a/b", "{here}/new/b", "{here}"])
def test_a_folder_is_seen_at_any_path_and_by_nobody_else(tmp_path, path):
    here, source = tmp_path / "here", tmp_path / "source"
    for one in (here, source):
        one.mkdir()
    (source / "text").write_text("in it")
    (here / "own").write_text("beside it")
    path = path.format(here=here)
    program = f"cat {path}/text; echo new > {path}/more; cat {here}/own; ls -d /usr/bin /tmp"
    said = look([Mount(str(source), path)], program)
    beside = "No such file" if path == str(here) else "beside it"
    assert "in it" in said
    assert beside in said
    assert "/tmp\n/usr/bin" in said
    assert (source / "more").read_text() == "new\n"
    assert os.listdir(here) == ["own"]
    assert path == str(here) or not os.path.lexists(path)


VANISHING = """
import os, sys
from fastkf.base.mounts import Mount, enter
listdir, lstat = os.listdir, os.lstat
os.listdir = lambda place: [*listdir(place), "gone"]
if sys.argv[2] == "later":
    os.lstat = lambda name, **more: lstat("own" if name == "gone" else name, **more)
enter([Mount(sys.argv[1], f"{sys.argv[1]}/new/b")], [])
print(sorted(listdir(sys.argv[1])))
"""


@needs_mounts
@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("kind", [Path.touch, Path.mkdir])
def test_what_others_take_away_meanwhile_is_no_hindrance(tmp_path, when, kind):
    """A folder such as /tmp, in which a new one is to be seen, is used by all."""
    kind(tmp_path / "own")
    command = [sys.executable, "-c", VANISHING, tmp_path, when]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("['new', 'own']\n", "")


@needs_mounts
@pytest.mark.security
def test_what_may_only_be_read_cannot_be_written(tmp_path):
    said = look([Mount(str(tmp_path), "/fastkf-s", read_only=True)], "touch /fastkf-s/x; echo on")
    assert "Read-only file system" in said
    assert "on\n" in said


@needs_mounts
def test_paths_that_are_kept_are_seen_in_spite_of_a_mount_above(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "above" / "kept").mkdir(parents=True)
    (tmp_path / "above" / "kept" / "text").write_text("still there")
    above = str(tmp_path / "above")
    mounted = [Mount(str(tmp_path / "empty"), above)]
    assert "still there" in look(mounted, f"cat {above}/kept/text", [f"{above}/kept"])


@needs_mounts
def test_a_path_that_is_kept_may_have_gone_meanwhile(tmp_path):
    (tmp_path / "empty").mkdir()
    mounted = [Mount(str(tmp_path / "empty"), str(tmp_path / "above"))]
    (tmp_path / "above").mkdir()
    assert look(mounted, "echo on", [str(tmp_path / "above" / "gone")]) == "on\n"


def test_a_volume_is_the_folder_that_is_named_or_one_of_the_run(tmp_path):
    given = read_given({}, {}, {"mine": str(tmp_path)})
    claims = Volumes(tmp_path / "volumes", given.volumes)
    asked = [claim("mine", "/a"), claim("other", "/b", "x/y")]
    assert list_mounts({}, asked, claims, given, tmp_path / "step") == [
        Mount(str(tmp_path), "/a"),
        Mount(str(tmp_path / "volumes" / "other" / "x" / "y"), "/b"),
    ]
    with pytest.raises(UsageError, match="--volume data: .*: no such folder"):
        read_given({}, {}, {"data": str(tmp_path / "none")})
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--volume data: .*: this is a file, and no folder"):
        read_given({}, {}, {"data": str(tmp_path / "file")})


def test_secrets_as_files(tmp_path):
    given = Given({SECRET: {"db": {"password": "it's", "user.name": "me"}}, CONFIG_MAP: {}})
    asked = [secret("db", "/etc/db"), secret("none", "/etc/none", optional=True)]
    first, second = list_mounts({}, asked, Volumes(tmp_path), given, tmp_path / "step")
    assert (first.target, first.read_only, second.target) == ("/etc/db", True, "/etc/none")
    files = {one.name: one.read_text() for one in Path(first.source).iterdir()}
    assert files == {"password": "it's", "user.name": "me"}
    assert list(Path(second.source).iterdir()) == []


@pytest.mark.security
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([claim("../x", "/a")], "no name of a volume"),
        ([claim(".", "/a")], "no name of a volume"),
        ([claim("x", "/a", "../../etc")], "no path in a volume"),
        ([claim("x", "/a", "/etc")], "no path in a volume"),
        ([claim("x", "/")], "no path for a volume"),
        ([claim("x", "")], "no path for a volume"),
        ([claim("x", "/a:ro")], "no path for a volume"),
        ([claim("x", "/a"), claim("y", "/a/.")], "two volumes are to be at /a"),
        ([secret("bad", "/a")], "no key of a Secret"),
    ],
)
def test_what_kubernetes_does_not_take_is_refused(tmp_path, asked, said):
    given = Given({SECRET: {"bad": {"../key": "x"}}})
    with pytest.raises(ValueError, match=said):
        list_mounts({}, asked, Volumes(tmp_path / "volumes"), given, tmp_path / "step")
    assert not (tmp_path / "step" / "files" / "key").exists()


@dsl.component(base_image="python:3.11")
def train():
    pass


def test_where_nothing_can_be_mounted_what_needs_it_is_named_before_the_run(tmp_path, monkeypatch):
    @dsl.pipeline
    def takes():
        task = train()
        kubernetes.mount_pvc(task, "data", "/fastkf-data")
        kubernetes.mount_pvc(task, "there", str(tmp_path))
        kubernetes.use_secret_as_volume(task, "db", "/fastkf-db")
        kubernetes.empty_dir_mount(task, "scratch", str(tmp_path / "scratch"))
        kubernetes.empty_dir_mount(task, "shared", "/tmp")

    compiler.Compiler().compile(takes, str(tmp_path / "takes.yaml"))
    package = Package.read(tmp_path / "takes.yaml")
    monkeypatch.setattr(volumes, "can_mount", lambda: False)
    with pytest.raises(FastkfError) as refused:
        check_mounts(package, read_given({}, {}, {"there": str(tmp_path)}))
    assert str(refused.value).startswith(
        "no program may mount a folder on this machine, and so steps cannot have what they look "
        "for: volume data of train at /fastkf-data; Secret db of train at /fastkf-db; an empty "
        f"folder of train at {tmp_path}/scratch; run it with --docker"
    )
    monkeypatch.setattr(volumes, "can_mount", lambda: True)
    check_mounts(package, Given())
