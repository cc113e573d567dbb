"""What `fastkf doctor` finds: each check shown to be fine, and shown to find what is wrong."""

import http.server
import json
import os
import shutil
import threading
import time
import tomllib
from collections import namedtuple
from dataclasses import replace

import pytest
from faulty import Proxy, answer
from notes import prove, write_note
from packaging.specifiers import SpecifierSet

from fastkf.base import endpoint, local_server
from fastkf.base.diagnosis import Check
from fastkf.course import data, doctor, places

pytestmark = pytest.mark.slow

Usage = namedtuple("Usage", "total used free")
SLEEP = shutil.which("sleep")


def put_command(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """An empty folder that alone is on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    os.symlink("/bin/sh", folder / "sh")
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No endpoint named anywhere."""
    monkeypatch.delenv(endpoint.ENDPOINT_VARIABLE, raising=False)
    monkeypatch.setenv(endpoint.KALE_CONFIG_VARIABLE, str(tmp_path / "kale.json"))
    monkeypatch.setattr(endpoint, "POD_NAMESPACE", tmp_path / "namespace")
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path / "server"))


@pytest.fixture
def serve(monkeypatch, nowhere):
    """Starts a server that answers each request so, and names it as the endpoint."""
    servers = []

    def start(status, body, seconds=0.0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                time.sleep(seconds)
                self.send_response(status if self.path == endpoint.HEALTH else 404)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        monkeypatch.setenv(endpoint.ENDPOINT_VARIABLE, f"http://127.0.0.1:{server.server_port}/")
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def write_lock(tmp_path, *lines):
    lock = tmp_path / "requirements.txt"
    lock.write_text("".join(f"{line} \\\n    --hash=sha256:0\n    # via x\n" for line in lines))
    return lock


def test_supported_pythons_are_those_of_the_project():
    settings = tomllib.loads((places.PROJECT / "pyproject.toml").read_text())
    supported = SpecifierSet(settings["project"]["requires-python"])
    assert [minor for minor in range(30) if f"3.{minor}" in supported] == list(
        range(doctor.PYTHONS[0][1], doctor.PYTHONS[1][1] + 1)
    )


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 4), (3, 13, 9)])
def test_a_supported_python_is_fine(version):
    assert doctor.check_python(version).ok


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0)])
def test_another_python_is_not(version):
    check = doctor.check_python(version)
    assert check.ok is False
    assert "3.11 to 3.13" in check.remedy


def test_packages_as_locked_are_fine(tmp_path):
    installed = doctor.find_version("pytest")
    lock = write_lock(tmp_path, f"pytest=={installed}", "not-here==1 ; sys_platform == 'no'")
    assert doctor.check_packages(lock).ok
    assert doctor.check_packages(lock).detail == "all 1 as locked"


def test_missing_and_different_packages_are_named(tmp_path):
    lock = write_lock(tmp_path, "pytest==0.1", *(f"not-here-{n}==1" for n in range(9)))
    check = doctor.check_packages(lock)
    assert check.ok is False
    assert "9 missing: not-here-0 1" in check.detail
    assert "1 different: pytest" in check.detail
    assert "locked: 0.1" in check.detail
    assert "--require-hashes" in check.remedy or "make" in check.remedy


def test_the_projects_own_environment_is_made_again_with_make(monkeypatch):
    monkeypatch.setattr("sys.prefix", str(places.PROJECT / ".venv"))
    assert doctor.advise_install(places.LOCK).startswith("`make clean set-up`")


def test_an_unreadable_lock_is_a_finding(tmp_path):
    (tmp_path / "broken.txt").write_text("what ever this is\n")
    for name in ("broken.txt", "none.txt"):
        check = doctor.check_packages(tmp_path / name)
        assert check.ok is False
        assert name in check.detail
        assert check.remedy


def test_data_sets_are_fine_absent_or_damaged(tmp_path):
    source = data.read_sources()["titanic"]
    absent = doctor.check_data_set(source, tmp_path)
    assert absent.ok is None
    assert "fastkf data titanic" in absent.remedy

    (tmp_path / "titanic").mkdir()
    (tmp_path / "titanic" / "titanic.csv").write_text("name\n")
    damaged = doctor.check_data_set(source, tmp_path)
    assert damaged.ok is False
    assert str(tmp_path / "titanic") in damaged.remedy


def test_a_verified_data_set_is_fine(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "inspect", lambda source, root: data.READY)
    checks = doctor.check_data(root=tmp_path)
    assert {check.name for check in checks} >= {"Data titanic"}
    assert all(check.ok for check in checks)


@pytest.mark.parametrize(("free", "ok"), [(5e9, True), (0.2e9, False)])
def test_disk(monkeypatch, tmp_path, free, ok):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(9e9, 0, free))
    check = doctor.check_disk(tmp_path)
    assert check.ok is ok
    assert bool(check.remedy) is not ok


def test_docker_that_answers(commands):
    put_command(commands, "docker", 'test "$1" = version && echo 28.2.2')
    assert doctor.check_docker() == doctor.Check("Docker", True, "engine 28.2.2")


def test_docker_without_an_engine(commands):
    put_command(commands, "docker", 'echo "Cannot connect to the daemon" >&2; exit 1')
    check = doctor.check_docker()
    assert check.ok is None
    assert "Cannot connect" in check.detail
    assert "Start Docker" in check.remedy


def test_no_docker(commands):
    check = doctor.check_docker()
    assert (check.ok, check.detail) == (None, "not installed")


KUBECTL = """case "$*" in
"config current-context") {context};;
get*) {ready};;
esac"""


@pytest.mark.parametrize(
    ("context", "ready", "ok", "told"),
    [
        ("echo kind", "echo ok", True, "cluster kind answers"),
        ("echo kind", "echo refused >&2; exit 1", None, "kind does not answer (refused)"),
        ("exit 1", "exit 1", None, "no cluster is chosen"),
    ],
)
def test_kubectl(commands, context, ready, ok, told):
    put_command(commands, "kubectl", KUBECTL.format(context=context, ready=ready))
    check = doctor.check_kubectl()
    assert check.ok is ok
    assert told in check.detail
    assert ok or check.remedy


def test_no_kubectl(commands):
    assert doctor.check_kubectl().detail == "not installed"


def test_a_command_that_hangs_is_left(commands):
    put_command(commands, "docker", f"exec {SLEEP} 3600")  # longer than a test may take
    assert doctor.ask(["docker"], seconds=0.2) == (1, "no answer in 0.2 seconds")


def test_a_command_that_cannot_be_started(commands):
    (commands / "docker").write_bytes(b"\0")
    (commands / "docker").chmod(0o755)
    assert doctor.check_docker().ok is None


def test_no_endpoint(nowhere):
    check = doctor.check_endpoint()
    assert check.ok is None
    assert endpoint.ENDPOINT_VARIABLE in check.remedy


@pytest.mark.parametrize("name", ["tag_name", "apiServerTagName"])
def test_an_endpoint_that_answers(serve, name):
    serve(200, json.dumps({name: "2.17.0", "multi_user": False}))
    check = doctor.check_endpoint()
    assert check.ok
    assert "2.17.0" in check.detail


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, "<html>Log in</html>", "login page"),
        (200, "[1]", "login page"),
        (401, "", "answers 401"),
        (500, "", "answers 500"),
    ],
)
def test_an_endpoint_that_answers_something_else(serve, status, body, told):
    serve(status, body)
    check = doctor.check_endpoint()
    assert check.ok is None
    assert told in check.detail
    assert endpoint.ENDPOINT_VARIABLE in check.remedy


def test_an_endpoint_that_does_not_answer(serve):
    server = serve(200, "{}")
    server.shutdown()
    server.server_close()
    check = doctor.check_endpoint()
    assert check.ok is None
    assert "does not answer" in check.detail


def test_an_endpoint_that_is_slow_to_answer(serve):
    serve(200, "{}", seconds=1)
    assert "does not answer" in doctor.check_endpoint(seconds=0.1).detail


@pytest.mark.parametrize("address", ["http://[::1", "http://a b", "not an address", "http://"])
def test_an_endpoint_that_is_no_address(nowhere, monkeypatch, address):
    monkeypatch.setenv(endpoint.ENDPOINT_VARIABLE, address)
    check = doctor.check_endpoint(seconds=0.5)
    assert check.ok is None
    assert check.remedy


@pytest.mark.security
def test_the_own_server_is_asked_with_its_token_and_only_when_it_has_proven_to_be_it(
    nowhere, monkeypatch, tmp_path
):
    healthy = answer(200, json.dumps({"tag_name": "fastkf-1", "multi_user": False}))
    with Proxy() as proxy:
        monkeypatch.setenv(endpoint.ENDPOINT_VARIABLE, proxy.url)
        monkeypatch.setenv("FASTKF_SERVER", str(tmp_path))
        proxy.hinder("healthz", healthy)
        server = write_note(tmp_path, proxy.url)
        proven = proxy.hinder("/fastkf/proof", prove(server))
        assert doctor.check_endpoint().ok
        token = server.token_file.read_text().strip()
        assert proxy.seen[-1].headers["authorization"] == f"Bearer {token}"

        proxy.seen.clear()
        proven.do = answer(200, "it is me")
        check = doctor.check_endpoint()
        assert (check.ok, "another program answers there" in check.detail) == (False, True)
        server_gone = replace(server, started=0.0)
        local_server.write(tmp_path, server_gone)
        check = doctor.check_endpoint()
        assert (check.ok, "has not proven to be yours" in check.detail) == (None, True)
        assert not [one for one in proxy.seen if "authorization" in one.headers]


def test_the_endpoint_is_found_where_kfp_and_kale_look(nowhere, tmp_path, monkeypatch):
    config = tmp_path / "kale.json"
    environ = {endpoint.KALE_CONFIG_VARIABLE: str(config)}
    assert endpoint.find_endpoint(environ) == (None, "")

    monkeypatch.setattr(endpoint, "POD_NAMESPACE", tmp_path)
    assert endpoint.find_endpoint(environ)[0] == endpoint.POD_ENDPOINT

    config.write_text('{"host": "http://localhost:8080/"}')
    assert endpoint.find_endpoint(environ) == ("http://localhost:8080", str(config))

    environ[endpoint.ENDPOINT_VARIABLE] = "kubeflow.example.org"
    assert endpoint.find_endpoint(environ)[0] == "https://kubeflow.example.org"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 5}'])
def test_a_broken_kale_config_names_no_endpoint(nowhere, tmp_path, text):
    (tmp_path / "kale.json").write_text(text)
    assert endpoint.find_endpoint(os.environ) == (None, "")


def test_the_whole_diagnosis(commands, nowhere):
    checks = doctor.diagnose()
    names = [check.name.split()[0] for check in checks]
    assert list(dict.fromkeys(names)) == [
        *("Python", "Course", "Packages", "Data", "Disk"),
        *("Docker", "kubectl", "Kubeflow"),
    ]
    assert all(check.remedy for check in checks if not check.ok)


def test_a_check_that_breaks_or_hangs_is_a_finding(commands, nowhere, monkeypatch):
    monkeypatch.setattr(doctor, "PATIENCE", 0.7)
    monkeypatch.setattr(doctor, "check_docker", lambda: 1 / 0)
    monkeypatch.setattr(doctor, "check_kubectl", lambda: time.sleep(3))
    found = {check.name: check for check in doctor.diagnose()}
    assert "ZeroDivisionError" in found["Docker"].detail
    assert "too long" in found["kubectl"].detail
    assert found["Docker"].remedy
    assert found["kubectl"].remedy


def test_all_is_looked_at_at_once(commands, nowhere, monkeypatch):
    """Two checks wait for each other: one after the other, neither would end."""
    meeting = threading.Barrier(2)

    def meet() -> Check:
        meeting.wait(60)
        return Check("met", True, "")

    monkeypatch.setattr(doctor, "PATIENCE", 60)
    monkeypatch.setattr(doctor, "check_docker", meet)
    monkeypatch.setattr(doctor, "check_kubectl", meet)
    assert [check.name for check in doctor.diagnose()].count("met") == 2


def test_a_look_that_does_not_end_is_left(commands, nowhere, monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(doctor, "PATIENCE", 0.1)
    monkeypatch.setattr(doctor, "check_disk", ended.wait)
    found = {check.name: check for check in doctor.diagnose()}
    ended.set()
    assert found["Disk"].detail == "took too long to look at"
    assert found["Disk"].remedy
