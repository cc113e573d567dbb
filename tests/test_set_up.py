"""From a bare Python to a ready environment: make, tools/, conda's file, and what CI runs.

Nothing here uses the network: an index of a few small packages is served on this machine. The
real lock is installed by whoever runs these tests, with `make test`.
"""

import base64
import fcntl
import functools
import hashlib
import http.server
import importlib.util
import io
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
import tomllib
import zipfile
from collections import namedtuple
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).resolve().parent.parent
TOOLS = PROJECT / "tools"
SUPPORTED = ["3.11", "3.12", "3.13"]
Usage = namedtuple("Usage", "total used free")


def load_set_up():
    spec = importlib.util.spec_from_file_location("set_up", TOOLS / "set_up.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


set_up = load_set_up()


def write_script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(command, folder, **environment):
    """Runs a command with nothing but PATH and what is given; returns its status and output."""
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ended.returncode, ended.stdout


# The lock.


def test_the_lock_is_read_whole():
    locked = set_up.read_lock(PROJECT / "requirements.txt")
    text = (PROJECT / "requirements.txt").read_text()
    assert len(re.findall(r"--hash=sha256:", text)) == sum(
        requirement.count("--hash=sha256:") for requirement in locked.values()
    )
    assert re.match(r"uv==[\d.]+ \\\n    --hash", locked["uv"])
    assert "#" not in "".join(locked.values())


def test_versions_for_different_pythons_stay_together(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        "# made\nsix==1 ; python_version < '3.12' \\\n    --hash=sha256:a\n    # via x\n"
        "six==2 ; python_version >= '3.12' \\\n    --hash=sha256:b\nB_c.d==1\n"
    )
    locked = set_up.read_lock(lock)
    assert list(locked) == ["six", "b_c.d"]
    assert locked["six"].count("--hash") == 2


def test_the_lock_names_no_index():
    text = (PROJECT / "requirements.txt").read_text()
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", text)


def test_the_lock_holds_what_pyproject_asks_for():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    locked = set_up.read_lock(PROJECT / "requirements.txt")
    asked = settings["project"]["dependencies"] + settings["dependency-groups"]["dev"]
    for requirement in map(Requirement, asked):
        pins = re.findall(r"==([^ ]+)", locked[requirement.name].split("--hash")[0])
        assert pins and all(pin in requirement.specifier for pin in pins), requirement


# pip's configuration, told to uv.


def translate(listed, environ=(), **options):
    return set_up.translate_pip_settings(
        set_up.parse_pip_settings(listed), dict(environ), **options
    )


def test_the_more_particular_setting_of_pip_wins():
    listed = (
        ":env:.index-url='http://env/simple'\n"
        "global.index-url='http://global/simple'\n"
        "global.timeout='9'\n"
        "install.index-url='http://install/simple'\n"
        "install.timeout='8'\n"
        "download.timeout='7'\n"
        "WARNING: nothing of ours\n"
    )
    settings = set_up.parse_pip_settings(listed)
    assert settings == {"index-url": "http://env/simple", "timeout": "8"}


def test_what_pip_says_of_its_configuration_is_understood(tmp_path):
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = http://u:p%40s@h/simple\nextra-index-url =\n  http://a  http://b\n"
        "  http://c\n[install]\ntrusted-host = it's\nno-index = yes\n"
    )
    _, listed = run(
        [sys.executable, "-m", "pip", "config", "list"],
        tmp_path,
        PIP_CONFIG_FILE=str(config),
        HOME=str(tmp_path),
    )
    settings = set_up.parse_pip_settings(listed)
    assert settings["index-url"] == "http://u:p%40s@h/simple"
    assert settings["extra-index-url"].split() == ["http://a", "http://b", "http://c"]
    assert settings["trusted-host"] == "it's"
    assert set_up.is_true(settings["no-index"])


def test_each_setting_has_its_variable(tmp_path):
    (tmp_path / "wheels").mkdir()
    listed = "\n".join(
        f"global.{name}={value!r}"
        for name, value in {
            "index-url": "http://one/simple",
            "extra-index-url": "\nfile:///two  http://three\n",
            "find-links": f"{tmp_path}/wheels {tmp_path}/gone file://{tmp_path}/gone http://f/",
            "trusted-host": "one\nthree:80",
            "cert": "/ca.pem",
            "client-cert": "/me.pem",
            "proxy": "http://proxy:1",
            "timeout": "60",
            "no-cache-dir": "true",
            "keyring-provider": "subprocess",
        }.items()
    )
    told = translate(listed)
    assert told == {
        "UV_DEFAULT_INDEX": "http://one/simple",
        "UV_INDEX": "file:///two http://three",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": f"{tmp_path}/wheels,http://f/",
        "UV_INSECURE_HOST": "one three:80",
        "SSL_CERT_FILE": "/ca.pem",
        "SSL_CLIENT_CERT": "/me.pem",
        "HTTP_PROXY": "http://proxy:1",
        "HTTPS_PROXY": "http://proxy:1",
        "UV_HTTP_TIMEOUT": "60",
        "UV_NO_CACHE": "1",
        "UV_KEYRING_PROVIDER": "subprocess",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_VERIFY_HASHES": None,
    }


def test_without_configuration_uv_is_told_no_index():
    assert not {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"} & set(translate(""))


def test_what_the_user_has_set_for_uv_stays():
    listed = "global.cert='/a'\nglobal.timeout='5'\nglobal.proxy='http://p'"
    environ = {"SSL_CERT_FILE": "/b", "UV_HTTP_TIMEOUT": "6", "https_proxy": "http://q"}
    assert not {*environ, "HTTPS_PROXY", "HTTP_PROXY"} & set(translate(listed, environ))
    told = translate("global.index-url='http://one'", keep_index=True)
    assert not {"UV_DEFAULT_INDEX", "UV_INDEX_STRATEGY"} & set(told)


def test_it_is_seen_when_the_user_has_told_uv_of_an_index(tmp_path):
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path)}
    config = tmp_path / "uv" / "uv.toml"
    config.parent.mkdir()
    assert not set_up.configures_index(environ)
    for text in ("native-tls = true", "[[[", "[pip]\nstrict = true"):
        config.write_text(text)
        assert not set_up.configures_index(environ)
    for text in ('index-url = "http://x"', '[pip]\nfind-links = ["x"]', '[[index]]\nurl = "x"'):
        config.write_text(text)
        assert set_up.configures_index(environ)
    assert set_up.configures_index({"UV_INDEX": "http://x"})


# What went wrong, in one message.


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device: 'x'", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE", "not the one pinned"),
        ("  x Failed to download\n  hash mismatch for `six==1.17.0`", "not the one pinned"),
        ("The virtual environment was not created: ensurepip is not available.", "apt install"),
        ("[Errno 13] Permission denied: '/x/.venv'", "cannot be written"),
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken\n"
            "ERROR: No matching distribution found for uv==1",
            "cannot be reached",
        ),
        ("ERROR: HTTP error 403 while getting http://x", "cannot be reached"),
        ("ERROR: No matching distribution found for six==1.17.0", "no six==1.17.0 for this"),
        ("error: something new\nmore of it", "It said: error: something new"),
        ("", "It said: nothing"),
    ],
)
def test_failures_are_explained(printed, told):
    assert told in set_up.explain(printed)
    assert "`make` again" in set_up.explain(printed)


def test_too_little_disk_is_told_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(9e9, 8e9, 1e9))
    with pytest.raises(set_up.SetUpError, match="1.0 GB free"):
        set_up.check_space(tmp_path)


# What is done, and what is not done again. The parts are replaced by notes of their names.


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "requirements.txt").write_text("six==1 \\\n    --hash=sha256:0\n")
    (folder / "pyproject.toml").write_text("[project]\n")
    return folder


@pytest.fixture
def done(project, monkeypatch):
    """The names of the parts of the set-up, as they are done."""
    notes = []

    def make_environment(project):
        notes.append("make")
        (project / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
        (project / ".venv" / "bin" / "python").touch()

    monkeypatch.setattr(set_up, "check_space", lambda project: None)
    monkeypatch.setattr(set_up, "make_environment", make_environment)
    monkeypatch.setattr(set_up, "install", lambda project: notes.append("install") or "uv")
    monkeypatch.setattr(set_up, "install_project", lambda *_: notes.append("project"))
    monkeypatch.setattr(set_up, "import_once", lambda *_: notes.append("import"))
    return notes


ALL = ["make", "install", "project", "import"]


def test_a_ready_environment_is_not_set_up_again(project, done):
    set_up.set_up(project)
    set_up.set_up(project)
    assert done == ALL


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_a_changed_lock_or_setting_brings_it_up_to_date(project, done, name):
    set_up.set_up(project)
    (project / name).write_text("# changed\n")
    set_up.set_up(project)
    assert done == ALL + ALL[1:]


def test_it_is_made_again_for_another_python(project, done, monkeypatch):
    set_up.set_up(project)
    monkeypatch.setattr(set_up, "python_version", lambda: "3.99.0")
    set_up.set_up(project)
    assert done == ALL + ALL


def test_it_is_made_again_in_another_folder(project, done):
    set_up.set_up(project)
    set_up.set_up(project.rename(project.with_name("moved")))
    assert done == ALL + ALL


def test_it_is_made_again_when_its_python_is_gone(project, done):
    set_up.set_up(project)
    (project / ".venv" / "bin" / "python").unlink()
    set_up.set_up(project)
    assert done == ALL + ALL


@pytest.mark.parametrize("change", [False, True])
def test_an_interrupted_set_up_is_done_again_from_the_start(project, done, monkeypatch, change):
    if change:
        set_up.set_up(project)
        (project / "requirements.txt").write_text("# changed\n")
    with monkeypatch.context() as during:

        def stop(*_):
            raise KeyboardInterrupt

        during.setattr(set_up, "install_project", stop)
        with pytest.raises(KeyboardInterrupt):
            set_up.set_up(project)
    done.clear()
    set_up.set_up(project)
    assert done == ALL


# Which installer.


@pytest.fixture
def installers(project, monkeypatch):
    """Lets a test say what each installer answers, and notes what they were asked."""
    (project / "requirements.txt").write_text("uv==1\nsetuptools==1\nsix==1\n")
    answers, asked = {}, []

    def install_with_pip(project, requirements):
        names = [requirement.split("==")[0] for requirement in requirements]
        asked.append(("pip", *names))
        return answers.get(names[0])

    def install_with_uv(project, *options):
        asked.append(("uv",))
        return answers.get("all")

    monkeypatch.setattr(set_up, "make_environment", lambda project: asked.append(("make",)))
    monkeypatch.setattr(set_up, "install_with_pip", install_with_pip)
    monkeypatch.setattr(set_up, "install_with_uv", install_with_uv)
    return answers, asked


def test_pip_installs_uv_and_uv_the_rest(project, installers):
    _, asked = installers
    assert set_up.install(project) == "uv"
    assert asked == [("pip", "uv", "setuptools"), ("uv",)]


@pytest.mark.parametrize("problem", ["error: unknown option", "error: Connection refused"])
def test_where_uv_fails_pip_installs_all_afresh(project, installers, problem):
    answers, asked = installers
    answers["all"] = problem
    answers.pop("uv", None)
    assert set_up.install(project) == "pip"
    assert asked[2:] == [("make",), ("pip", "setuptools"), ("pip", "uv", "setuptools", "six")]


def test_where_there_is_no_uv_pip_installs_all_else(project, installers):
    answers, asked = installers
    answers["uv"] = "ERROR: No matching distribution found for uv==1"
    assert set_up.install(project) == "pip"
    assert asked[1:] == [("pip", "setuptools"), ("pip", "setuptools", "six")]


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        ("uv", "WARNING: Retrying (Retry(total=4))\nERROR: No matching distribution found for uv"),
        ("uv", "THESE PACKAGES DO NOT MATCH THE HASHES"),
        ("all", "Hash mismatch for `six==1`"),
        ("all", "No space left on device"),
    ],
)
def test_what_pip_would_meet_too_is_told_at_once(project, installers, first, problem):
    answers, asked = installers
    answers[first] = problem
    with pytest.raises(set_up.SetUpError):
        set_up.install(project)
    assert ("make",) not in asked and asked[-1] in (("uv",), ("pip", "uv", "setuptools"))


# Running commands.


def test_long_work_says_that_it_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(set_up, "HEARTBEAT_SECONDS", 0.2)
    status, printed = set_up.run(
        ["sh", "-c", "echo one; sleep 0.7; echo two"], tmp_path, lambda printed: printed.strip()
    )
    assert (status, printed) == (0, "one\ntwo\n")
    assert "set-up: ... one, 0 s" in capsys.readouterr().out


def test_progress_is_shown_but_not_the_closing_list(tmp_path, capfdbinary):
    script = r"""printf 'Resolved 2\n Downloading x\n' >&2; sleep 0.1
    printf ' \033[32m+\033[39m six==1\n + a==1\n - b==2\n ~ c==3\nDone' >&2; exit 3"""
    status, printed = set_up.run_shown(["sh", "-c", script], tmp_path)
    assert capfdbinary.readouterr().err == b"Resolved 2\n Downloading x\nDone"
    assert status == 3 and "six==1" in printed


def test_variables_are_set_and_taken_away(tmp_path, monkeypatch):
    monkeypatch.setenv("GONE", "1")
    command = ["sh", "-c", 'echo "$HERE ${GONE-gone}"']
    assert set_up.run(command, tmp_path, str, HERE="here", GONE=None)[1] == "here gone\n"


STOPPED = """
import sys
sys.path.insert(0, {tools!r})
import set_up
set_up.PROJECT = set_up.Path({project!r})
set_up.set_up = lambda project: set_up.run(["sleep", "987.5"], project, str)
print("started", flush=True)
sys.exit(set_up.main([]))
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_set_up_leaves_nothing_running(project, number, status):
    script = STOPPED.format(tools=str(TOOLS), project=str(project))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        child = wait_for_child(process.pid)
        process.send_signal(number)
        assert process.wait(timeout=10) == status
    assert not Path(f"/proc/{child}/cmdline").exists()


def wait_for_child(pid):
    for _ in range(500):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children and b"sleep" in Path(f"/proc/{children[0]}/cmdline").read_bytes():
            time.sleep(0.2)  # until the one that started it knows
            return children[0]
        time.sleep(0.01)
    raise AssertionError("no command was started")


def test_two_set_ups_of_one_folder_wait_for_each_other(project, capsys):
    with open(project / "requirements.txt", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ended = threading.Event()

        def work():
            with set_up.one_at_a_time(project):
                ended.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert not ended.wait(0.2)
        assert "waiting" in capsys.readouterr().out
        fcntl.flock(file, fcntl.LOCK_UN)
        thread.join(timeout=5)
    assert ended.is_set()


def test_a_package_that_does_not_start_is_told(project, monkeypatch):
    monkeypatch.setattr(set_up, "find_python", lambda project: Path(sys.executable))
    set_up.import_once(project, [("json", "csv"), ("tomllib",)])
    with pytest.raises(set_up.SetUpError, match="No module named 'not_here'"):
        set_up.import_once(project, [("json",), ("csv", "not_here")])


def test_what_set_up_imports_is_locked():
    owners = metadata.packages_distributions()
    locked = set_up.read_lock(PROJECT / "requirements.txt")
    for name in {name.split(".")[0] for names in set_up.IMPORTS for name in names}:
        assert {owner.lower() for owner in owners[name]} & set(locked), name


# The whole, with the real pip and the real uv, from an index that only pip's configuration names.


@dataclass
class Index:
    """A package index on this machine, with its packages as requirements with hashes."""

    address: str
    requirements: dict[str, str]

    def lock(self, *names):
        return "".join(self.requirements[name] for name in names)


def add_file(folder, package, filename, content):
    """Puts a file where an index has it, and returns it as a requirement."""
    place = folder / "simple" / package
    place.mkdir(parents=True)
    (place / filename).write_bytes(content)
    (place / "index.html").write_text(f'<a href="{filename}">{filename}</a>')
    version = filename.split("-")[1].removesuffix(".tar.gz")
    return f"{package}=={version} \\\n    --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"


def make_wheel(name, version, files, tag="py3-none-any"):
    """A wheel, from names of files to their contents; what is in /scripts/ is to be run."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        **files,
    }
    rows = []
    for file, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
        rows.append(f"{file},sha256={digest.decode()},{len(content)}\n")
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, content in files.items():
            entry = zipfile.ZipInfo(file)
            entry.external_attr = (0o100755 if "/scripts/" in file else 0o100644) << 16
            archive.writestr(entry, content)
    return wheel.getvalue()


def pack_installed(name):
    """The wheel of a package that is installed here: its file name and its content."""
    distribution = metadata.distribution(name)
    version = distribution.version
    tag = re.search(r"^Tag: (.*)$", distribution.read_text("WHEEL"), re.M)[1]
    files = {}
    for file in distribution.files:
        if file.suffix == ".pyc" or file.name in ("RECORD", "INSTALLER", "REQUESTED"):
            continue
        script = f"{name}-{version}.data/scripts/{file.name}"
        place = script if file.parts[0] == ".." else str(file)
        files[place] = distribution.locate_file(file).read_bytes()
    return f"{name}-{version}-{tag}.whl", make_wheel(name, version, files, tag)


def make_source(name, version):
    """A package as source alone, built by setuptools."""
    archive = io.BytesIO()
    files = {
        "setup.py": f"from setuptools import setup\nsetup(name={name!r}, version={version!r}, "
        f"py_modules=[{name!r}])",
        f"{name}.py": "import alpha",
        "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n",
    }
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{file}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    requirements = {
        name: add_file(folder, name, *pack_installed(name)) for name in ("uv", "setuptools")
    }
    alpha = make_wheel("alpha", "1.0", {"alpha.py": b"VALUE = 1\n"})
    requirements["alpha"] = add_file(folder, "alpha", "alpha-1.0-py3-none-any.whl", alpha)
    beta = make_source("beta", "2.0")
    requirements["beta"] = add_file(folder, "beta", "beta-2.0.tar.gz", beta)
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Index(f"http://127.0.0.1:{server.server_port}/simple/", requirements)
    server.shutdown()
    server.server_close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory):
    """Where an empty environment is, to be copied: making one takes long."""
    folder = tmp_path_factory.mktemp("empty")
    set_up.make_environment(folder)
    return folder / ".venv"


SET_UP = """
import functools, os, shutil, sys
sys.path.insert(0, "tools")
import set_up
if empty := os.environ.get("EMPTY"):
    def make_environment(project):
        shutil.rmtree(project / ".venv", ignore_errors=True)
        shutil.copytree(empty, project / ".venv", symlinks=True)
    set_up.make_environment = make_environment
set_up.set_up = functools.partial(set_up.set_up, imports=[["alpha"], ["beta", "fastkf"]])
sys.exit(set_up.main(sys.argv[1:]))
"""


@pytest.fixture
def clone(tmp_path, index):
    """A small project with its own lock, and a home where pip knows of the index."""
    folder = tmp_path / "a clone"
    (folder / "tools").mkdir(parents=True)
    (folder / "fastkf").mkdir()
    shutil.copy(TOOLS / "set_up.py", folder / "tools")
    (folder / "fastkf" / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "fastkf"\nversion = "0.1"\n'
        'dependencies = ["alpha"]\nscripts = { fastkf = "fastkf:main" }\n'
        '[dependency-groups]\ndev = ["beta"]\n'
        '[tool.setuptools]\npackages = ["fastkf"]\n'
        '[tool.uv]\nconstraint-dependencies = ["alpha<2"]\n'
    )
    (folder / "requirements.txt").write_text(index.lock("alpha", "beta", "setuptools", "uv"))
    (tmp_path / "home").mkdir()
    (tmp_path / "pip.conf").write_text(
        f"[global]\nindex-url = {index.address}\nextra-index-url = file:///nowhere/simple\n"
        "find-links = /nowhere\nretries = 0\ntimeout = 5\n"
    )
    return folder


def set_up_for_real(clone, *arguments, **environment):
    """Runs set_up.py with an empty home, where only that index can be reached."""
    home = clone.parent
    return run(
        [getattr(sys, "_base_executable", sys.executable), "-c", SET_UP, *arguments],
        clone,
        **{
            "HOME": str(home / "home"),
            "PIP_CONFIG_FILE": str(home / "pip.conf"),
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
    )


def find_compiled(clone, name):
    return list(clone.glob(f".venv/lib/python*/site-packages/__pycache__/{name}.*.pyc"))


def test_set_up_with_the_index_that_only_pip_knows(clone, tmp_path):
    status, printed = set_up_for_real(clone)
    assert status == 0, printed
    assert re.search(r"ready in \d+ s \(Python [\d.]+, uv\)$", printed.strip()), printed
    assert find_compiled(clone, "alpha") and find_compiled(clone, "beta")
    python = clone / ".venv" / "bin" / "python"
    status, listed = run([python, "-m", "pip", "list", "--format", "freeze"], tmp_path)
    assert {"alpha==1.0", "beta==2.0", "fastkf==0.1"} <= set(listed.split())
    where = "import fastkf; print(fastkf.__file__)"
    assert str(clone) in run([python, "-c", where], tmp_path)[1]
    assert (clone / ".venv" / "bin" / "fastkf").exists()

    assert set_up_for_real(clone) == (0, "")

    # The lock is made from the same index, by the same uv, and what is made is the same.
    lock = clone / "requirements.txt"
    lock.write_text("")
    status, printed = set_up_for_real(clone, "lock")
    assert status == 0, printed
    assert lock.read_text().startswith("# This file was autogenerated by uv")
    assert "make lock" in lock.read_text() and "http" not in lock.read_text()
    assert {"alpha==1.0", "beta==2.0"} <= set(lock.read_text().split())


def test_set_up_where_uv_does_not_run(clone, index, tmp_path, empty_environment):
    broken = make_wheel("uv", "9.9", {"uv-9.9.data/scripts/uv": b"#!/bin/sh\nexit 1\n"})
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "uv-9.9-py3-none-any.whl").write_bytes(broken)
    (clone / "requirements.txt").write_text(
        index.lock("alpha", "beta", "setuptools")
        + f"uv==9.9 --hash=sha256:{hashlib.sha256(broken).hexdigest()}\n"
    )
    environment = {"PIP_FIND_LINKS": str(tmp_path / "wheels"), "EMPTY": str(empty_environment)}
    status, printed = set_up_for_real(clone, **environment)
    assert status == 0, printed
    assert "installing with pip" in printed
    assert printed.strip().endswith(", pip)")
    assert find_compiled(clone, "alpha") and find_compiled(clone, "beta")


def test_a_file_with_another_hash_is_not_installed(clone, index, empty_environment):
    text = index.lock("alpha", "beta", "setuptools", "uv")
    pin = re.search(r"alpha==1.0 \\\n    --hash=sha256:(\w+)", text)[1]
    (clone / "requirements.txt").write_text(text.replace(pin, "0" * 64))
    status, printed = set_up_for_real(clone, EMPTY=str(empty_environment))
    assert status == 1
    assert "not the one pinned" in printed and "Traceback" not in printed
    assert "installing with pip" not in printed
    assert not list(clone.glob(".venv/lib/python*/site-packages/alpha.py"))
    assert not (clone / ".venv" / "ready").exists()


def test_an_index_that_cannot_be_reached_is_told(clone, tmp_path, empty_environment):
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = http://127.0.0.1:9/simple\nretries = 1\n"
    )
    status, printed = set_up_for_real(clone, EMPTY=str(empty_environment))
    assert status == 1
    assert "cannot be reached" in printed and "Traceback" not in printed


# The Makefile, with a set-up that only notes that it ran.

FAKE_SET_UP = """
import os, pathlib
print("SET UP")
bin = pathlib.Path(".venv/bin")
bin.mkdir(parents=True, exist_ok=True)
for name in ("python", "fastkf", "ruff"):
    (bin / name).write_text(f'#!/bin/sh\\necho "{name}: $*"\\n')
    (bin / name).chmod(0o755)
pathlib.Path(".venv/ready").write_text(os.getcwd())
"""


@pytest.fixture
def made(tmp_path):
    """A copy of what `make` needs, in a folder with a blank in its name."""
    folder = tmp_path / "a clone"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(PROJECT / "Makefile", folder)
    shutil.copy(TOOLS / "find_python.sh", folder / "tools")
    (folder / "tools" / "set_up.py").write_text(FAKE_SET_UP)
    for name in ("requirements.txt", "pyproject.toml"):
        (folder / name).touch()
    return folder


def make(folder, *arguments):
    python = Path(getattr(sys, "_base_executable", sys.executable))
    path = f"{python.parent}:{os.environ['PATH']}"
    return run(["make", "--no-print-directory", *arguments], folder, PATH=path)


def test_make_alone_tells_what_there_is(made):
    status, printed = make(made)
    assert (status, printed) == make(made, "help")
    told = set(re.findall(r"^  make ([a-z-]+)", printed, re.M))
    targets = set(re.findall(r"^([a-z-]+):", (made / "Makefile").read_text(), re.M))
    assert status == 0 and told == targets
    assert {"run", "test", "lint", "format", "lab", "bench", "lock", "clean"} <= told
    assert not (made / ".venv").exists()


def test_make_run_sets_up_once_and_runs_the_lab(made):
    status, printed = make(made, "run")
    assert status == 0
    assert printed.splitlines() == ["SET UP", "fastkf: run 02_titanic"]
    _, printed = make(made, "run", "LAB=03_mnist", "ARGS=-p n=3")
    assert printed == "fastkf: run 03_mnist -p n=3\n"


def test_make_test_and_lint(made):
    make(made, "set-up")
    assert make(made, "test")[1].startswith("python: -m pytest ")
    assert make(made, "lint")[1] == "ruff: check\nruff: format --check\n"


def make_newer(path):
    later = time.time() + 60
    os.utime(path, (later, later))


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "tools/set_up.py"])
def test_make_looks_again_when_something_is_newer(made, name):
    make(made, "set-up")
    make_newer(made / name)
    assert "SET UP" in make(made, "set-up")[1]


def test_make_sets_up_again_what_is_not_whole(made):
    make(made, "set-up")
    assert "SET UP" not in make(made, "set-up")[1]
    (made / ".venv" / "ready").unlink()
    assert "SET UP" in make(made, "set-up")[1]
    (made / ".venv" / "bin" / "python").unlink()
    assert "SET UP" in make(made, "set-up")[1]
    moved = made.rename(made.with_name("moved"))
    assert "SET UP" in make(moved, "set-up")[1]
    assert "SET UP" in make(moved, "clean", "set-up")[1]


def test_make_looks_again_when_a_python_is_named(made):
    make(made, "set-up")
    assert "SET UP" in make(made, "set-up", f"PYTHON={sys.executable}")[1]
    status, printed = make(made, "run", "PYTHON=/nowhere/python")
    assert status != 0
    assert "/nowhere/python is not a command" in printed and "fastkf" not in printed


def test_a_set_up_that_fails_stops_make(made):
    (made / "tools" / "set_up.py").write_text("raise SystemExit(1)")
    status, printed = make(made, "run")
    assert status != 0 and "fastkf" not in printed


def test_make_clean_keeps_what_is_the_users(made):
    make(made, "set-up")
    for name in ("runs/02/run.json", "data/titanic/titanic.csv", "fastkf/__pycache__/x.pyc"):
        (made / name).parent.mkdir(parents=True)
        (made / name).touch()
    make(made, "clean")
    kept = {path.name for path in made.rglob("*") if path.is_file()}
    assert {"run.json", "titanic.csv"} <= kept
    assert not kept & {"x.pyc", "ready"}


# The Python to set up with.


@pytest.fixture
def pythons(tmp_path):
    """Puts commands on an else nearly empty PATH; each answers as the Python of a version does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "grep", "head"):
        os.symlink(shutil.which(name), folder / name)

    def put(name, answer):
        write_script(folder / name, answer)

    def find(*arguments):
        return run(["sh", TOOLS / "find_python.sh", *arguments], tmp_path, PATH=str(folder))

    return put, find


FINE, OLD = "echo 'fastkf: '", "echo 'fastkf: is Python 3.10.1'"
SHIM = "echo 'pyenv: command not found' >&2; exit 127"


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ({"python3.11": FINE, "python3.13": FINE, "python3": FINE}, "python3.13"),
        ({"python3.13": SHIM, "python3.12": FINE}, "python3.12"),
        ({"python3.13": OLD, "python3": FINE}, "python3"),
        ({"python": FINE}, "python"),
    ],
)
def test_the_newest_python_that_works_is_found(pythons, there, found):
    put, find = pythons
    for name, answer in there.items():
        put(name, answer)
    assert find() == (0, f"{found}\n")


def test_where_no_python_will_do_all_are_told(pythons):
    put, find = pythons
    put("python3.13", SHIM)
    put("python3", OLD)
    status, printed = find()
    assert status == 1
    for told in ("3.11, 3.12 or 3.13", "does not run (pyenv:", "is Python 3.10.1", "make PYTHON="):
        assert told in printed


def test_where_there_is_no_python_at_all_it_is_told(pythons):
    _, find = pythons
    status, printed = find()
    assert status == 1 and "3.11, 3.12 or 3.13" in printed


def test_a_python_that_is_named_must_do(pythons):
    put, find = pythons
    put("mine", FINE)
    put("old", OLD)
    assert find("mine") == (0, "mine\n")
    for name, told in (("old", "old is Python 3.10.1"), ("none", "none is not a command")):
        status, printed = find(name)
        assert status == 1 and told in printed


def test_real_pythons_are_judged(tmp_path):
    assert run(["sh", TOOLS / "find_python.sh", sys.executable], tmp_path) == (
        0,
        f"{sys.executable}\n",
    )
    # One without the modules that make virtual environments, as on Debian.
    (tmp_path / "ensurepip.py").write_text("raise ImportError")
    command = ["sh", TOOLS / "find_python.sh", sys.executable]
    status, printed = run(command, tmp_path, PYTHONPATH=str(tmp_path))
    assert status == 1 and "apt install python3." in printed


# conda, and what CI runs.


def test_conda_gets_a_supported_python_and_the_lock():
    described = yaml.safe_load((PROJECT / "environment.yml").read_text())
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    packages = [package for package in described["dependencies"] if isinstance(package, str)]
    python = next(package for package in packages if package.startswith("python="))
    supported = SpecifierSet(settings["project"]["requires-python"])
    assert python.removeprefix("python=") in supported
    assert "pip" in packages and described["channels"] == ["conda-forge"]


def test_pip_takes_what_conda_hands_it(tmp_path):
    described = yaml.safe_load((PROJECT / "environment.yml").read_text())
    lines = next(package for package in described["dependencies"] if isinstance(package, dict))
    (tmp_path / "conda.txt").write_text("\n".join(lines["pip"]))
    wheel = make_wheel("alpha", "1.0", {"alpha.py": b""})
    (tmp_path / "alpha-1.0-py3-none-any.whl").write_bytes(wheel)
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index"]
    command += ["--find-links", ".", "--requirement", "conda.txt"]
    pin = f"alpha==1.0 --hash=sha256:{hashlib.sha256(wheel).hexdigest()}\n"
    for lock, status, told in [(pin, 0, "Would install alpha"), ("alpha==1.0\n", 1, "hashes")]:
        (tmp_path / "requirements.txt").write_text(lock)
        ended, printed = run(command, tmp_path)
        assert ended == status and told in printed, printed


def test_the_workflow_makes_what_a_developer_makes():
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "test.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"}
    assert job["strategy"]["matrix"]["python"] == SUPPORTED
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert {"make lint", "make test"} <= set(commands)
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)


@pytest.fixture
def ci(tmp_path):
    """Runs .ci/run of a copy, with a `make` that answers as the test says."""
    folder = tmp_path / "clone"
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(PROJECT / ".ci" / "run", folder / ".ci")

    def run_ci(**statuses):
        cases = "".join(f"{name}) exit {status};;" for name, status in statuses.items())
        write_script(
            tmp_path / "bin" / "make", f'echo "make $1: 1 passed"; case $1 in {cases} esac'
        )
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        return run(["bash", ".ci/run"], folder, PATH=path, CI="true")

    return run_ci


def test_ci_closes_with_what_the_tests_say(ci):
    status, printed = ci()
    assert status == 0
    assert [line for line in printed.splitlines() if line.startswith("make")] == [
        f"make {target}: 1 passed" for target in ("set-up", "lint", "test")
    ]
    assert printed.endswith("make test: 1 passed\n")


@pytest.mark.parametrize("failed", ["lint", "test"])
def test_ci_fails_with_either_and_runs_both(ci, failed):
    status, printed = ci(**{failed: 2})
    assert status == 2
    assert printed.endswith("make test: 1 passed\n")


def test_ci_stops_without_an_environment(ci):
    status, printed = ci(**{"set-up": 2})
    assert status == 2 and "make test" not in printed


def test_scripts_can_be_run():
    assert (PROJECT / ".ci" / "run").stat().st_mode & stat.S_IXUSR
