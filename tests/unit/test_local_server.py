"""How a server on this machine is found, and that nothing else is taken for it."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from faulty import Proxy, answer, drop
from notes import prove, write_note
from waiting import is_alive, wait_for

from fastkf.base import local_server, proof
from fastkf.base.errors import FastkfError
from fastkf.base.files import NotPrivateError
from fastkf.base.identity import ProcessIdentity, start_time
from fastkf.base.local_server import ForeignServerError, NoServerError

NOBODY = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to another user")


@pytest.fixture
def port():
    """Something that listens on a port, and remembers what it was sent."""
    with Proxy() as proxy:
        yield proxy


@pytest.fixture
def sleeper():
    """A process of this user's own."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def change_note(folder, **changes):
    note = folder / local_server.FILE
    content = json.loads(note.read_text()) | changes
    note.write_text(json.dumps(content))
    return content


def tokens_sent(proxy) -> set:
    return {request.headers.get("authorization") for request in proxy.seen} - {None}


def test_a_server_is_found_for_as_long_as_it_says_where_it_is(tmp_path, port):
    assert local_server.find(tmp_path) is None
    server = write_note(tmp_path, port.url)
    port.hinder(proof.PATH, prove(server))
    assert local_server.read(tmp_path) == local_server.find(tmp_path) == server
    local_server.remove(tmp_path)
    assert local_server.read(tmp_path) is None
    assert local_server.find(tmp_path) is None


def test_a_folder_that_is_not_there_has_no_server(tmp_path):
    assert local_server.read(tmp_path / "none") is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"url": "u"}',
        '{"url": "u", "token_file": 1}',
        '{"url": "u", "token_file": "t", "pid": "x", "started": 1, "secret": "s"}',
        '{"url": "u", "token_file": "t", "pid": 1, "started": null, "secret": "s"}',
        "[" * 5000,
    ],
)
def test_a_damaged_note_is_told(tmp_path, content):
    (tmp_path / "server.json").write_text(content)
    (tmp_path / "server.json").chmod(0o600)
    with pytest.raises(FastkfError) as raised:
        local_server.read(tmp_path)
    assert str(tmp_path / "server.json") in raised.value.problem
    assert "delete it" in raised.value.remedy


def test_the_folder_can_be_named(monkeypatch):
    monkeypatch.setenv("FASTKF_SERVER", "/named")
    assert local_server.default_folder() == Path("/named")
    monkeypatch.delenv("FASTKF_SERVER")
    assert local_server.default_folder().parts[-2:] == ("fast-kubeflow", "server")


@pytest.mark.security
def test_the_token_goes_to_a_server_that_has_proven_to_be_the_one(tmp_path, port):
    server = write_note(tmp_path, port.url)
    port.hinder(proof.PATH, prove(server))
    token = server.token_file.read_text().strip()
    headers = local_server.authorize(tmp_path, port.url)
    assert headers == {"authorization": f"Bearer {token}"}
    [asked] = port.seen
    assert server.secret not in asked.path + str(asked.headers)
    assert token not in asked.path + str(asked.headers)


@pytest.mark.security
@pytest.mark.parametrize("kind", ["silent", "other", "no proof", "wrong secret", "replay", "page"])
def test_a_foreign_program_on_the_port_gets_no_token(tmp_path, port, kind):
    server = write_note(tmp_path, port.url)
    seen = proof.compute(server.secret, "0" * 64, "127.0.0.1", int(port.url.rpartition(":")[2]))
    does = {
        "silent": drop,
        "other": answer(200, b"\x00\xff" * 10_000),
        "no proof": answer(401, "who are you?"),
        "wrong secret": prove(replace(server, secret="1" * 64)),
        "replay": answer(200, seen),
        "page": answer(200, "<html>yes, it is me</html>"),
    }
    port.hinder(".", does[kind])
    with pytest.raises(ForeignServerError, match="another program answers there"):
        local_server.authorize(tmp_path, port.url)
    with pytest.raises(ForeignServerError):
        local_server.find(tmp_path)
    assert port.seen
    assert tokens_sent(port) == set()


@pytest.mark.security
def test_a_proof_that_is_fetched_elsewhere_counts_for_nothing(tmp_path, port):
    """A program between the client and the server, which passes everything on."""
    server = write_note(tmp_path, port.url)
    port.hinder(proof.PATH, prove(server))
    with Proxy(port.url) as between:
        write_note(tmp_path, between.url)
        change_note(tmp_path, secret=server.secret)
        with pytest.raises(ForeignServerError, match="another program answers there"):
            local_server.authorize(tmp_path, between.url)
        assert port.seen


@pytest.mark.security
def test_the_note_of_a_process_that_is_gone_is_worth_nothing(tmp_path, port, sleeper):
    server = write_note(tmp_path, port.url)
    port.hinder(proof.PATH, prove(server))  # whoever listens there now may have read it
    started = start_time(sleeper.pid)
    change_note(tmp_path, pid=sleeper.pid, started=started)
    assert local_server.find(tmp_path)
    port.seen.clear()
    sleeper.kill()
    wait_for(lambda: not is_alive(sleeper.pid))  # a zombie, which still has the id
    sleeper.wait()
    for pid in (sleeper.pid, os.getpid(), 1, 0, -1, 2**40):
        change_note(tmp_path, pid=pid, started=started)
        assert local_server.find(tmp_path) is None, pid
        with pytest.raises(NoServerError, match="does not run"):
            local_server.authorize(tmp_path, port.url)
    assert port.seen == []


@pytest.mark.security
def test_an_id_that_another_process_has_now_is_not_the_server(sleeper):
    own = ProcessIdentity.of(sleeper.pid)
    assert own.is_own()
    assert not replace(own, started=own.started - 1).is_own()
    sleeper.kill()
    wait_for(lambda: not is_alive(sleeper.pid))  # a zombie
    assert not own.is_own()
    sleeper.wait()
    assert not own.is_own()


@pytest.mark.security
def test_a_process_of_another_user_is_not_the_server():
    for process in psutil.process_iter():
        if process.uids().real != os.getuid():
            assert not ProcessIdentity.of(process.pid).is_own()
            return
    if os.getuid() != 0:
        pytest.skip("no process of another user is seen here")
    process = subprocess.Popen(["sleep", "60"], user=NOBODY)
    try:
        assert not ProcessIdentity.of(process.pid).is_own()
    finally:
        process.kill()
        process.wait()


@pytest.mark.security
def test_the_start_of_a_process_does_not_move_with_the_clock(monkeypatch):
    before = start_time(os.getpid())
    if sys.platform == "linux":
        monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 1.0)
        monkeypatch.setattr("psutil._pslinux.BOOT_TIME", 1.0)
    assert start_time(os.getpid()) == before


@pytest.mark.security
@pytest.mark.parametrize("mode", [0o644, 0o620, 0o606, 0o666])
def test_a_note_that_others_can_read_or_change_is_refused(tmp_path, mode):
    write_note(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "server.json").chmod(mode)
    with pytest.raises(NotPrivateError, match="server.json: is open to other users"):
        local_server.find(tmp_path)


@pytest.mark.security
@as_root
@pytest.mark.parametrize("name", ["server.json", "token"])
def test_a_file_of_another_user_is_refused(tmp_path, port, name):
    server = write_note(tmp_path, port.url)
    port.hinder(proof.PATH, prove(server))
    os.chown(tmp_path / name, NOBODY, NOBODY)
    with pytest.raises(NotPrivateError, match=f"{name}: is another user's"):
        local_server.authorize(tmp_path, port.url)
    assert tokens_sent(port) == set()


@pytest.mark.security
def test_what_is_no_plain_file_is_refused_at_once(tmp_path):
    (tmp_path / "elsewhere").write_text("{}")
    (tmp_path / "server.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotPrivateError):
        local_server.find(tmp_path)
    (tmp_path / "server.json").unlink()
    os.mkfifo(tmp_path / "server.json", 0o600)
    with pytest.raises(NotPrivateError):
        local_server.find(tmp_path)
    (tmp_path / "server.json").unlink()
    (tmp_path / "server.json").mkdir(0o700)
    with pytest.raises(NotPrivateError):
        local_server.find(tmp_path)


@pytest.mark.security
def test_nobody_listens_and_nobody_is_believed(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = "http://{}:{}".format(*free.getsockname())
        write_note(tmp_path, url)
        assert local_server.find(tmp_path) is None
        with pytest.raises(NoServerError, match="no answer"):
            local_server.authorize(tmp_path, url)


@pytest.mark.security
def test_localhost_is_written_as_the_server_does(tmp_path, port, monkeypatch):
    """It may lead to ::1, where another user's program can listen on the same port."""
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path))
    write_note(tmp_path, port.url)
    named = port.url.replace("127.0.0.1", "localhost")
    assert local_server.as_written(named) == local_server.as_written(port.url + "/") == port.url
    assert local_server.find_folder(named) == tmp_path
    for other in ("http://localhost:1", "https://kubeflow.example.org", "http://[", "http://a:b"):
        assert local_server.as_written(other) == other
        assert local_server.find_folder(other) is None


@pytest.mark.parametrize("damage", ["text", "mode"])
def test_a_damaged_note_stops_nobody_who_asks_another_machine(tmp_path, port, monkeypatch, damage):
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path))
    write_note(tmp_path, port.url)
    note = tmp_path / local_server.FILE
    note.write_text("{") if damage == "text" else note.chmod(0o644)
    for other in ("https://kubeflow.example.org", "http://10.0.0.1:8080", "http://[", "http://a:b"):
        assert local_server.as_written(other) == other
        assert local_server.find_folder(other) is None
    for own in ("http://localhost:1", "http://127.0.0.2", "http://[::1]:8080", port.url):
        for ask in (local_server.as_written, local_server.find_folder):
            with pytest.raises(FastkfError, match="server.json"):
                ask(own)


@pytest.mark.security
def test_a_token_is_made_once_for_its_user_alone(tmp_path):
    from fastkf.base.tokens import make_token

    file = tmp_path / "token"
    umask = os.umask(0)
    try:
        token = make_token(file)
    finally:
        os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(token) >= 32
    assert make_token(file) == token
    file.chmod(0o640)  # whoever read it meanwhile has one that is worth nothing
    assert make_token(file) != token
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(b"\xff\xfe no token")
    with pytest.raises(FastkfError, match="token: holds no token"):
        make_token(file)
    assert list(tmp_path.iterdir()) == [file]
