"""The command `fastkf server`, its guide, and how light the server is."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import psutil
import pytest
from commands import launch
from conftest import fastkf
from faulty import Proxy, answer
from guides import fastkf_commands, shell_blocks
from servers import Server, chain, write

from fastkf.base import local_server
from fastkf.course import places
from fastkf.server.settings import MEGABYTE

GUIDE = places.PROJECT / "labs" / "local_pipelines_server.md"
HEAVY = {
    "kfp",
    "kale",
    "tensorflow",
    "keras",
    "numpy",
    "pandas",
    "sklearn",
    "nbformat",
    "papermill",
}
URL = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One in an interpreter of its own, as a user's: its size is measured."""
    with Server(tmp_path_factory.mktemp("server"), fresh=True) as server:
        yield server


def test_a_second_server_on_the_same_folder_is_refused(server):
    result = fastkf("server", "--folder", server.folder, "--port", 0)
    assert result.code == 1
    assert f"another fastkf server works in this folder ({server.url})" in result.output


def test_a_port_that_is_taken_is_one_message(server, tmp_path):
    port = server.url.rpartition(":")[2]
    result = fastkf("server", "--folder", tmp_path, "--port", port)
    assert result.code == 2
    assert f"127.0.0.1:{port}: cannot listen there (Address already in use)" in result.output
    assert "Traceback" not in result.output


def test_a_file_that_is_no_database_is_one_message(tmp_path):
    content = b"no database" * 1000
    (tmp_path / "server.db").write_bytes(content)
    result = fastkf("server", "--folder", tmp_path, "--port", 0)
    assert result.code == 1
    assert str(tmp_path / "server.db") in result.output
    assert "Traceback" not in result.output
    assert (tmp_path / "server.db").read_bytes() == content


def test_a_database_of_another_version_is_left_alone(tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "server.db") as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    result = fastkf("server", "--folder", tmp_path, "--port", 0)
    assert result.code == 1
    assert "another version of fastkf" in result.output


def test_programs_find_the_server_by_its_note(server):
    note = json.loads((server.folder / "server.json").read_text())
    assert note["url"] == server.url
    assert note["pid"] == server.process.pid
    assert os.path.exists(note["token_file"])
    assert local_server.find(server.folder).url == server.url


@pytest.mark.security
def test_a_terminal_is_shown_the_link_for_a_browser(tmp_path):
    master, slave = pty.openpty()
    with open(slave, "w") as terminal, open(master, errors="replace") as screen:
        process = launch(["server", "--folder", tmp_path, "--port", 0], stdout=terminal)
        try:
            link = screen.readline().split()[-1]
            token = (tmp_path / "token").read_text().strip()
            assert link.endswith(f"/?token={token}")
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with opener.open(link) as page:
                assert page.url == link.partition("?")[0]
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.security
def test_the_token_is_in_its_file_alone(tmp_path):
    """Not in what the server writes to a log, nor in an answer, an error, or another file."""
    server = Server(tmp_path)
    try:
        for path in (f"/?token={server.token}", f"/none?token={server.token}&a=b"):
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with (
                contextlib.suppress(urllib.error.HTTPError),
                opener.open(server.url + path) as page,
            ):
                assert server.token not in page.url + page.read().decode()
        assert server.call("POST", f"/experiments?token={server.token}", b"{")[0] == 400
    finally:
        server.stop()
    assert server.token not in server.output
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if server.token.encode() in path.read_bytes()] == [
        tmp_path / "token"
    ]


@pytest.mark.security
def test_who_listens_where_a_killed_server_was_gets_no_token(tmp_path):
    """The note, the token and the clients' settings are all left as they were."""
    server = Server(tmp_path / "data")
    server.process.kill()
    server.process.communicate(timeout=60)
    assert (tmp_path / "data" / "server.json").exists()
    package = write(chain("return 1"), tmp_path / "chain.yaml")
    kale = tmp_path / "kale.json"
    place = {"file_path": str(tmp_path / "data" / "token")}
    content = {"host": server.url, "auth_type": "existing_bearer_token", "auth_config": place}
    kale.write_text(json.dumps(content))
    named = {"FASTKF_SERVER": str(tmp_path / "data"), "KF_PIPELINES_ENDPOINT": server.url}
    by_kale = {"KALE_CONFIG_PATH": str(kale)}
    with Proxy(port=int(server.url.rpartition(":")[2])) as other:
        health = json.dumps({"tag_name": "fastkf-0.1.0", "multi_user": False})
        other.hinder("healthz", answer(200, health))
        for words, variables in [
            (["submit", package, "--no-wait"], named),
            (["submit", package, "--no-wait"], by_kale),
            (["submit", "--terminate", "x", "--token-file", place["file_path"]], named),
        ]:
            fastkf(*words, env={**os.environ, **variables}, cwd=tmp_path)
        told = json.dumps([(one.path, one.headers, str(one.body)) for one in other.seen])
    assert other.seen
    assert server.token not in told
    assert "authorization" not in told.lower()


@pytest.mark.security
@pytest.mark.parametrize("words", [[], ["--host", "0.0.0.0", "--in-container"]])
def test_no_server_is_open_but_in_a_container_that_says_so(tmp_path, words):
    result = fastkf("server", "--folder", tmp_path, "--port", 0, "--no-token", *words)
    assert result.code == 2
    assert ("--in-container" in result.output) == (words == [])
    assert not (tmp_path / "server.json").exists()


@pytest.mark.security
def test_a_server_in_a_container_can_be_open_to_its_own_address(tmp_path):
    with Server(tmp_path, "--no-token", "--in-container") as server:
        no_token = {"Authorization": None}
        assert server.call("GET", "/healthz", headers=no_token)[0] == 200
        foreign = no_token | {"Origin": "http://evil.example"}
        assert server.call("GET", "/healthz", headers=foreign)[0] == 403


def test_the_idle_server_is_small(server):
    server.call("GET", "/runs")
    assert psutil.Process(server.process.pid).memory_info().rss < 200 * MEGABYTE
    assert not psutil.Process(server.process.pid).children()


def test_the_server_imports_no_runner(tmp_path):
    program = (
        "import sys; from pathlib import Path; from fastkf.server import app, main, settings;"
        "from fastkf.package.format import messages; messages();"
        "app.create_app(settings.Settings(Path(sys.argv[1]))); print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(result.stdout.split())


def test_the_commands_of_the_guide_start_a_server(tmp_path, monkeypatch):
    commands = [words for words in fastkf_commands(GUIDE) if words[0] == "server"]
    given = ["--secret", "db=db.env", "--config-map", "modes=modes/"]
    volume = ["--volume", "data=./my-data"]
    assert commands == [
        ["server"],
        ["server", "--port", "0"],
        ["server", *given],
        ["server", *volume],
    ]
    (tmp_path / "db.env").write_text("PASSWORD=secret\n")
    for folder in ("modes", "my-data"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    server = Server(tmp_path / "server", *commands[1][1:], *given, *volume)
    assert server.call("GET", "/healthz")[0] == 200
    assert server.stop(signal.SIGINT) == 0
    assert not (tmp_path / "server" / "server.json").exists()


def test_the_guide_from_package_to_result(server, tmp_path):
    (compiled,) = [words for words in fastkf_commands(GUIDE) if words[0] == "compile"]
    assert fastkf(*compiled, cwd=tmp_path).code == 0
    blocks = "\n".join(shell_blocks(GUIDE)).replace(URL, server.url)
    home = tmp_path / "home"
    (home / ".local/share/fast-kubeflow").mkdir(parents=True)
    (home / ".local/share/fast-kubeflow/server").symlink_to(server.folder)
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    settings = {"cwd": tmp_path, "env": {**os.environ, "HOME": str(home), "PATH": path}}
    [variable] = re.findall(r"^export .*", blocks, re.M)
    create, run, *_ = re.findall(r"^kfp .*", blocks, re.M)
    for line in (create, run):
        script = f"{variable}\n{line}"
        result = subprocess.run(["sh", "-c", script], **settings, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
    (first,) = server.call("GET", "/runs")[1]["runs"]
    assert (first["display_name"], first["runtime_config"]["parameters"]) == (
        "try-1",
        {"tree_depth": 4},
    )
    server.call("DELETE", f"/runs/{first['run_id']}")  # one whole run is enough
    program, state = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    program = program.replace(URL, server.url) + state + "print('at last', state)"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        **settings,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"^SUCCEEDED$", result.stdout, re.M), result.stdout
    assert "evaluate-step SUCCEEDED" in result.stdout
    assert "at last SUCCEEDED" in result.stdout
    (second,) = server.call("GET", "/runs")[1]["runs"]
    assert second["display_name"] == "try-2"
