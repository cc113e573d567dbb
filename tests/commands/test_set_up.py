"""The set-up: the lock, the index that only pip knows, hashes, Python versions, make, CI."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from fastkf.course.lock import read_lock
from fastkf.course.places import PROJECT

pytestmark = pytest.mark.slow

spec = importlib.util.spec_from_file_location("set_up", PROJECT / "tools" / "set_up.py")
set_up = importlib.util.module_from_spec(spec)
spec.loader.exec_module(set_up)


@pytest.fixture
def index(tmp_path):
    """A package index on this machine with one package, `tiny`; yields its address and hash."""
    folder = tmp_path / "index" / "tiny"
    folder.mkdir(parents=True)
    wheel, newer = write_wheel(folder, "1.0"), write_wheel(folder, "1.1")
    links = [f'<a href="{one.name}">{one.name}</a>' for one in (wheel, newer)]
    (folder / "index.html").write_text("".join(links))
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "index")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        yield f"http://127.0.0.1:{server.server_port}/", digest
        server.shutdown()


def write_wheel(folder: Path, version: str) -> Path:
    wheel = folder / f"tiny-{version}-py3-none-any.whl"
    information = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr(
            f"{information}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n"
        )
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    return wheel


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with an environment that has uv and the builder, as after the first installation."""
    folder = tmp_path / "project"
    folder.mkdir()
    settings = '[project]\nname = "small"\nversion = "1"\n'
    settings += '[tool.uv]\nconstraint-dependencies = ["tiny<2"]\n'
    (folder / "pyproject.toml").write_text(settings)
    monkeypatch.setattr(set_up, "pick", lambda lock, names: "")
    monkeypatch.setattr(set_up, "python", lambda project: sys.executable)
    return folder


def calls_of(monkeypatch, failing=()):
    """Records the commands of the set-up instead of running them; some may fail."""
    calls = []

    def run(command, remedy, settings=None):
        calls.append((command, settings or {}))
        if any(word in command for word in failing):
            raise set_up.SetUpError(remedy)

    monkeypatch.setattr(set_up, "run", run)
    return calls


def test_uv_is_told_of_the_index_that_only_pip_knows(project, index, tmp_path, monkeypatch):
    address, digest = index
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = {address}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    for variable in set_up.UV_VARIABLES.values():
        if variable != "SSL_CERT_FILE":
            monkeypatch.delenv(variable, raising=False)
    assert set_up.uv_settings(project)["UV_DEFAULT_INDEX"] == address
    (project / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    calls = calls_of(monkeypatch)
    set_up.install(project)
    command, settings = next(call for call in calls if "uv" in call[0])
    target = ["--target", str(tmp_path / "installed"), "--no-cache"]
    result = subprocess.run(
        [*command, *target],
        cwd=project,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "installed" / "tiny.py").exists()


def test_a_file_with_another_hash_is_not_installed(project, index, tmp_path, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", index[0])
    (project / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    calls = calls_of(monkeypatch)
    set_up.install(project)
    command, settings = next(call for call in calls if "uv" in call[0])
    target = ["--target", str(tmp_path / "installed"), "--no-cache"]
    result = subprocess.run(
        [*command, *target], env={**os.environ, **settings}, capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "mismatch" in result.stderr.lower()


def test_pip_installs_with_the_same_hashes_where_uv_cannot(project, monkeypatch, capsys):
    calls = calls_of(monkeypatch, failing=["uv"])
    set_up.install(project)
    with_pip = [command for command, _ in calls if "uv" not in command]
    assert ["--require-hashes", "-r", str(project / "requirements.txt")] == with_pip[1][-3:]
    assert "pip does" in capsys.readouterr().out


def test_what_the_user_has_set_for_uv_stays(project, tmp_path, monkeypatch):
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        "[global]\nindex-url = https://one.example/\nextra-index-url = https://two.example/\n"
        "    https://three.example/\nfind-links = /nowhere\n[install]\ntimeout = 60\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine.example/")
    settings = set_up.uv_settings(project)
    assert "UV_DEFAULT_INDEX" not in settings
    assert "https://two.example/ https://three.example/" in settings["UV_INDEX"]
    assert settings["UV_HTTP_TIMEOUT"] in ("60", os.environ.get("PIP_DEFAULT_TIMEOUT"))
    assert "/nowhere" not in settings.get("UV_FIND_LINKS", "")


def test_the_environment_wins_over_pips_files(project, tmp_path, monkeypatch):
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        "[global]\nindex-url = https://file.example/\n[download]\nindex-url = https://no.example/\n"
        "[install]\nfind-links = file:///nowhere\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    assert set_up.uv_settings(project)["UV_DEFAULT_INDEX"] == "https://file.example/"
    monkeypatch.setenv("PIP_INDEX_URL", "https://environment.example/")
    settings = set_up.uv_settings(project)
    assert settings["UV_DEFAULT_INDEX"] == "https://environment.example/"
    assert "nowhere" not in settings.get("UV_FIND_LINKS", "")


@pytest.mark.parametrize("wanted", ["1", "true", "0"])
def test_uv_asks_no_index_where_pip_asks_none(project, wanted, monkeypatch):
    """As with packages on a stick, and no network: they all lie in a folder."""
    for variable in set_up.UV_VARIABLES.values():
        if variable != "SSL_CERT_FILE":
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", wanted)
    settings = {**os.environ, **set_up.uv_settings(project), "UV_DEFAULT_INDEX": "http://[::1]:9/"}
    command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "no-such-package"]
    settings["UV_HTTP_RETRIES"] = "0"
    told = subprocess.run(command, env=settings, capture_output=True, text=True).stderr
    assert ("not found in the cache" in told) == (wanted != "0")
    assert ("http://[::1]:9" in told) == (wanted == "0")


def test_a_package_that_does_not_start_is_named(project):
    with pytest.raises(set_up.SetUpError, match="No module named 'no_such_module'"):
        set_up.import_once(project, ["no_such_module"])


def test_too_little_disk_is_one_message(project, monkeypatch, capsys):
    usage = shutil.disk_usage(project)._replace(free=10**9)
    monkeypatch.setattr(set_up.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(set_up, "PROJECT", project)
    assert set_up.main() == 1
    assert "needs 5 GB of disk" in capsys.readouterr().err
    assert not (project / ".venv").exists()


def test_the_environment_that_is_replaced_counts_as_room(project, monkeypatch):
    usage = shutil.disk_usage(project)._replace(free=10**9)
    monkeypatch.setattr(set_up.shutil, "disk_usage", lambda path: usage)
    (project / ".venv").mkdir()
    with (project / ".venv" / "package.so").open("wb") as file:
        file.truncate(5 * 10**9)
    set_up.check_disk(project)


def test_the_first_packages_are_taken_from_the_lock_with_hashes():
    picked = set_up.pick(PROJECT / "requirements.txt", ("uv", set_up.BUILDER))
    names = [line.split("==")[0] for line in picked.splitlines() if line[:1].isalpha()]
    assert names == [set_up.BUILDER, "uv"]
    assert picked.count("--hash=sha256:") > 2


def test_the_lock_holds_what_pyproject_asks_for_and_names_no_index():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    extras = settings["project"]["optional-dependencies"].values()
    wanted = [*settings["project"]["dependencies"], *settings["dependency-groups"]["dev"]]
    wanted += [requirement for extra in extras for requirement in extra]
    locked = read_lock().versions
    for requirement in map(Requirement, wanted):
        if requirement.name == "fastkf" or not (
            requirement.marker is None or requirement.marker.evaluate()
        ):
            continue
        assert requirement.specifier.contains(locked[requirement.name.lower()], prereleases=True)
    assert "://" not in (PROJECT / "requirements.txt").read_text()


@pytest.mark.parametrize(
    ("version", "usable"),
    [("3.10.4", False), ("3.11.7", True), ("3.13.0", True), ("3.14.1", False)],
)
def test_a_python_of_a_supported_version_is_found(tmp_path, version, usable):
    fake = tmp_path / "python3"
    shown = "" if usable else f"is Python {version}"
    fake.write_text(f"#!/bin/sh\necho 'fastkf: {shown}'\n")
    fake.chmod(0o755)
    result = subprocess.run(
        ["/bin/sh", str(PROJECT / "tools" / "find_python.sh")],
        env={"PATH": f"{tmp_path}:{core_commands(tmp_path)}"},
        capture_output=True,
        text=True,
    )
    assert (result.returncode == 0) == usable
    assert (result.stdout == "python3\n") if usable else (version in result.stderr)


def core_commands(folder: Path) -> Path:
    """A folder with the few commands the script needs, and no Python."""
    commands = folder / "commands"
    commands.mkdir()
    for name in ("grep", "head"):
        (commands / name).symlink_to(shutil.which(name))
    return commands


@pytest.fixture
def made(tmp_path):
    """A folder where `make set-up` only links a Python; `made(*words)` calls make there."""
    folder = tmp_path / "first"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(PROJECT / "Makefile", folder)
    for name in ("requirements.txt", "pyproject.toml"):
        (folder / name).write_text("")
    (folder / "tools" / "find_python.sh").write_text(f"echo {sys.executable}")
    (folder / "tools" / "set_up.py").write_text(
        "import pathlib, sys\npath = pathlib.Path('.venv/bin')\n"
        "path.mkdir(parents=True, exist_ok=True)\n"
        "(path / 'python').exists() or (path / 'python').symlink_to(sys.executable)\n"
        "print('set up')\n"
    )

    def make(*words, folder=folder):
        command = ["make", "-C", str(folder), "set-up", *words]
        return "set up" in subprocess.run(command, capture_output=True, text=True).stdout

    make.folder = folder
    return make


def test_make_sets_up_once(made):
    assert made()
    assert not made()


def test_make_sets_up_again_when_the_lock_is_newer(made):
    made()
    later = (made.folder / ".venv" / "ready").stat().st_mtime + 10
    os.utime(made.folder / "requirements.txt", (later, later))
    assert made()


def test_make_sets_up_again_in_another_folder(made):
    made()
    moved = made.folder.rename(made.folder.parent / "second")
    assert made(folder=moved)
    assert not made(folder=moved)


def test_make_sets_up_again_when_its_python_is_gone_or_another_is_named(made):
    made()
    (made.folder / ".venv" / "bin" / "python").unlink()
    assert made()
    assert made("PYTHON=python3.12")
    assert not made("PYTHON=python3.12")
    assert not made()


def test_make_stops_where_no_python_will_do(made):
    (made.folder / "tools" / "find_python.sh").write_text("exit 1")
    assert not made()
    assert not (made.folder / ".venv" / "ready").exists()


def test_make_lists_its_targets():
    result = subprocess.run(["make", "-C", str(PROJECT)], capture_output=True, text=True)
    for target in ("run", "test", "lab", "lint", "bench", "lock", "clean"):
        assert f"make {target} " in result.stdout
    wrong = subprocess.run(["make", "-C", str(PROJECT), "lap"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "no target lap; `make` alone lists them" in wrong.stderr


def test_conda_gets_a_supported_python_and_the_lock():
    environment = yaml.safe_load((PROJECT / "environment.yml").read_text())
    assert "python=3.12" in environment["dependencies"]
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert pip == ["--require-hashes", "--requirement requirements.txt"]


def test_uv_sync_installs_the_versions_of_the_lock(index, tmp_path):
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    groups = settings["tool"]["uv"]["default-groups"]
    wanted = [one for group in groups for one in settings["dependency-groups"][group]]
    assert wanted == ["fastkf-lock"]
    assert list(settings["tool"]["uv"]["sources"]) == wanted
    project = tmp_path / "small"
    shutil.copytree(PROJECT / "tools" / "lock", project / "tools" / "lock")
    (project / "requirements.txt").write_text(f"tiny==1.0 \\\n    --hash=sha256:{index[1]}\n")
    (project / "pyproject.toml").write_text(
        "[project]\nname = 'small'\nversion = '1'\nrequires-python = '>=3.11'\n"
        "dependencies = ['tiny']\n[dependency-groups]\nlock = ['fastkf-lock']\n"
        "[tool.uv]\ndefault-groups = ['lock']\n"
        "sources.fastkf-lock = { path = 'tools/lock', package = false }\n"
    )
    command = [sys.executable, "-m", "uv", "sync", "--python", sys.executable]
    environment = {**os.environ, "UV_DEFAULT_INDEX": index[0], "UV_NO_CACHE": "1"}
    result = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert "+ tiny==1.0\n" in result.stderr


def test_the_package_of_the_lock_needs_each_line_of_it(tmp_path):
    path = PROJECT / "tools" / "lock" / "backend.py"
    spec = importlib.util.spec_from_file_location("backend", path)
    backend = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(backend)
    folder = tmp_path / backend.prepare_metadata_for_build_wheel(str(tmp_path))
    needed = [
        Requirement(line.removeprefix("Requires-Dist: "))
        for line in (folder / "METADATA").read_text().splitlines()[3:]
    ]
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    assert len(needed) == sum("==" in line and line[0] not in " #" for line in lines)
    here = {one.name: one for one in needed if one.marker is None or one.marker.evaluate()}
    assert {name: str(one.specifier)[2:] for name, one in here.items()} == read_lock().versions


def test_the_workflow_makes_what_a_developer_makes():
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "test.yml").read_text())
    job = workflow["jobs"]["test"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands[-3:] == ["make set-up", "make lint", "make test"]
    assert all("apt-get install" in command for command in commands[:-3])
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert workflow["permissions"] == {"contents": "read"}
