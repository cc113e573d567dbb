"""What must not get into the local server: foreign callers, bad uploads, bad questions."""

import contextlib
import gzip
import io
import json
import os
import socket
import stat
import sys
import tarfile
import threading
import time
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import psutil
import pytest
import yaml
from servers import API, Server, chain, sleeping

from fastkf.package.errors import PackageError
from fastkf.package.model import Package
from fastkf.server.settings import MEGABYTE

PACKAGE = chain("return 1", name="small")
YAML = yaml.safe_dump(PACKAGE).encode()
NOBODY = 65534


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    folder.chmod(0o755)
    with Server(folder, "--parallel-runs", 1) as server:
        yield server


NO_TOKEN = {"Authorization": None}


# Who may ask


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1234"}, 200),
        ({"Host": "[::1]"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example:8080"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "[evil"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://[bad"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
    ],
)
def test_hosts_and_origins(server, headers, status):
    assert server.call("GET", "/healthz", headers=headers)[0] == status


def test_a_page_of_the_servers_own_may_submit(server):
    body = {"display_name": "from the page"}
    headers = {"Origin": server.url}
    assert server.call("POST", "/experiments", body, headers)[0] == 200
    proxied = {"Origin": "https://hub.example", "X-Forwarded-Host": "hub.example"}
    assert server.call("POST", "/experiments", {"display_name": "proxied"}, proxied)[0] == 200


def test_a_form_of_a_foreign_page_is_no_request(server):
    plain = {"Content-Type": "text/plain"}
    status, answer = server.call("POST", "/experiments", b'{"display_name": "x"}', plain)
    assert status == 400
    assert "application/json" in answer["message"]


as_root_on_linux = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="only root can be another user in a test"
)


def as_nobody(function):
    """What the function returns in a child process of another user; text."""
    "".encode("idna")  # that module, for addresses, may be where the other user cannot read
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writable, str(function()).encode())
        except BaseException as error:  # noqa: BLE001 - the parent tells it
            os.write(writable, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writable)
    with open(readable) as result:
        text = result.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.security
@as_root_on_linux
def test_another_user_needs_the_token(server):
    """The request comes over the loopback device, as the user's own do."""

    def ask(**headers) -> str:
        return as_nobody(lambda: server.call("GET", "/healthz", headers=NO_TOKEN | headers))

    assert ask().startswith("(401, ")
    assert str(server.folder / "token") in ask()
    assert ask(Authorization="Bearer wrong").startswith("(401, ")
    # A header that a proxy would set says nothing about who asks.
    assert ask(**{"X-Forwarded-For": "127.0.0.1"}).startswith("(401, ")
    assert ask(Authorization=f"Bearer {server.token}").startswith("(200, ")


@as_root_on_linux
def test_another_user_who_hangs_up_gets_nothing_done(server):
    host, port = server.url.removeprefix("http://").split(":")
    body = b'{"display_name": "hung up"}'
    head = f"POST {API}/experiments HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"

    def hang_up():
        for _ in range(50):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(head.encode() + body)
        return "done"

    assert as_nobody(hang_up) == "done"
    time.sleep(0.5)
    names = [one["display_name"] for one in server.call("GET", "/experiments")[1]["experiments"]]
    assert "hung up" not in names


@pytest.mark.security
def test_the_token_is_asked_for_on_every_address(tmp_path):
    with Server(tmp_path, "--host", "0.0.0.0") as server:
        token = server.token
        other = address_of_this_machine()
        server.url = server.url.replace("127.0.0.1", other)
        status, answer = server.call("GET", "/healthz", headers=NO_TOKEN)
        assert (status, answer["code"]) == (401, 16)
        assert server.call("GET", "/runs", headers={"Authorization": "Bearer wrong"})[0] == 401
        assert server.client(existing_token=token).list_runs().runs is None
        # A browser: the address with the token gives a cookie and the address without it.
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(f"{server.url}{API}/healthz?token={token}") as response:
            assert response.url == f"{server.url}{API}/healthz"
        with opener.open(f"{server.url}{API}/experiments") as response:
            assert response.status == 200


def address_of_this_machine() -> str:
    """An address that is not a loopback one, or the test has nothing to ask from."""
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family == socket.AF_INET and not one.address.startswith("127."):
                return one.address
    pytest.skip("this machine has no network address but the loopback one")


def test_what_the_server_keeps_is_private(server):
    """Also in a folder that others could read before."""
    server.wait(server.run(PACKAGE))
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in server.folder.rglob("*")}
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    assert modes["token"] == modes["server.db"] == modes["run.json"] == modes["step-1.log"] == 0o600
    assert modes["runs"] == modes["logs"] == 0o700


# What is uploaded


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_yaml", ".yaml"), content)
    return file.getvalue()


def tarred(name: str, content: bytes, **changes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        for key, value in changes.items():
            setattr(member, key, value)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        YAML,
        zipped(pipeline_yaml=YAML),
        zipped(pipeline_yaml=YAML, other_yaml=b"a: 1"),
        zipped(notes=b"text", folder__mine_yaml=YAML),
        tarred("pipeline.yaml", YAML),
        tarred("../../outside.yaml", YAML),
        YAML + b"---\nplatforms:\n  kubernetes: {}\n",
    ],
    ids=["yaml", "zip", "zip-two", "zip-folder", "tar", "tar-path", "platform"],
)
def test_what_is_a_package(content):
    package = Package.from_upload(content)
    assert (package.name, list(package.spec["components"])) == ("small", ["comp-1"])


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
TWO_YAML = zipped(one_yaml=YAML, two_yaml=YAML)


# Made when a test asks for them: it takes a second to pack 200 MB.
def bomb_zip() -> bytes:
    return zipped(pipeline_yaml=b"#" * 200 * MEGABYTE)


def bomb_gzip() -> bytes:
    return gzip.compress(b"\0" * 200 * MEGABYTE, compresslevel=1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "first document is not a mapping"),
        (b"hello", "first document is not a mapping"),
        (b"[1, 2]", "first document is not a mapping"),
        (b"a: 1\n b: 2", "bad YAML"),
        (b"\xff\xfe\x00", "neither text"),
        (b"\x00\x01", "bad YAML"),
        (b"a: !!python/object/apply:os.system ['touch /tmp/never']", "bad YAML"),
        (b"kind: Deployment\napiVersion: apps/v1", "a manifest of kind Deployment"),
        (b"kind: Workflow\napiVersion: argoproj.io/v1alpha1", "KFP v1"),
        (b"pipelineInfo: {name: x}", "it has no schemaVersion"),
        (b"schemaVersion: 2.1.0\npipelineInfo: {name: x}", "root.dag has no tasks"),
        (b"schemaVersion: 2.1.0\npipelineInfo: {}", "pipelineInfo has no name"),
        (b"pipelineInfo: 3", "not a pipeline package of KFP v2"),
        (YAML.replace(b"dependentTasks", b"dependantTasks"), "dependantTasks"),
        (YAML.replace(b"name: comp-1", b"name: comp-2"), "task step-1 has no component"),
        (YAML.replace(b"executorLabel: exec-1", b"executorLabel: x"), "has no executor"),
        (YAML + b"---\n- list\n", "second document"),
        (LAUGHS.encode(), "aliases count as what they stand for"),
        (b"a: &a [*a]", "aliases count as what they stand for"),
        (b"[" * 500, "levels"),
        (b"a: " * 2000 + b"1", "bad YAML"),
        (b"- x\n" * 300_000, "more than 100000 values"),
        (b"#" * (4 * MEGABYTE + 1), "larger than 4 MB"),
        (b"<html>" * 10, "first document is not a mapping"),
        (zipped(a=b"text"), "no YAML file"),
        (TWO_YAML, "several YAML files"),
        (bomb_zip, "larger than 4 MB"),
        (zipped(pipeline_yaml=YAML)[:-30], ".zip cannot be read"),
        (bomb_gzip, "larger than 4 MB"),
        (gzip.compress(b"no archive"), ".tar.gz cannot be read"),
        (tarred("pipeline.yaml", YAML)[:-30], ".tar.gz cannot be read"),
        (tarred("pipeline.yaml", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "no YAML"),
        (zipped(**{f"m{n}": b"" for n in range(1001)}), "more than 1000 files"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "content",
)
def test_what_is_not_a_package(content, reason):
    content = content() if callable(content) else content
    with pytest.raises(PackageError, match=reason.replace("(", r"\(")):
        Package.from_upload(content)


def test_a_bad_upload_is_refused_and_leaves_nothing(server):
    before = files_below(server)
    status, answer = server.upload(LAUGHS.encode())
    assert (status, set(answer)) == (400, {"error_message", "error_details"})
    assert server.upload(YAML, query="name=%20")[0] == 400
    assert server.upload(YAML, query="name=x&tags=[")[0] == 400
    assert server.upload(YAML, query="name=" + "x" * 300)[0] == 400
    assert server.call("POST", "/pipelines/upload?name=x", b"text", {})[0] == 400
    form = {"Content-Type": "multipart/form-data; boundary=limit"}
    assert server.call("POST", "/pipelines/upload?name=x", b"--limit\r\nbroken", form)[0] == 400
    assert (
        server.call(
            "POST", "/pipelines/upload?name=x", b"", {"Content-Type": "multipart/form-data"}
        )[0]
        == 400
    )
    assert server.call("GET", "/pipelines")[1] == {}
    assert files_below(server) == before


def files_below(server) -> set[str]:
    found = {str(path) for path in server.folder.rglob("*")}
    return {path for path in found if "server.db" not in path}


def test_names_are_never_paths(server):
    for name in ("../../escaped.yaml", "/etc/passwd", "..%2f..", "a\x00b", "C:\\x", "x" * 128):
        status, answer = server.upload(YAML, "../../../evil.yaml", f"name={quote(name)}")
        assert status == 200
        assert answer["name"] == name
        by_name = server.call("GET", f"/pipelines/names/{quote(name, safe='')}")
        assert by_name[0] == 200 or "/" in name
        cascade = f"/pipelines/{answer['pipeline_id']}?cascade=true"
        assert server.call("DELETE", cascade) == (200, {})
    assert not list(server.folder.parent.glob("escaped*"))
    for path in ("..%2f..%2fserver.db", "%2e%2e", "..", "a%00b", "a.b.c", "x" * 5000):
        for where in ("runs", "pipelines", "experiments", "artifacts"):
            assert server.call("GET", f"/{where}/{path}")[0] in (404, 405, 400)


def test_a_huge_upload_is_cut_off(server):
    status, answer = server.upload(b"#" * 20 * MEGABYTE)
    assert status == 413
    assert "larger than 8 MB" in answer["message"]
    body = json.dumps({"display_name": "x" * 9 * MEGABYTE}).encode()
    assert server.call("POST", "/experiments", body)[0] == 413


def test_a_huge_upload_that_hides_its_size_is_cut_off(server):
    """In chunks, without Content-Length."""
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST {API}/pipelines/upload?name=x HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: Bearer {server.token}\r\n"
    head += (
        "Content-Type: multipart/form-data; boundary=limit\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    part = b'--limit\r\nContent-Disposition: form-data; name="uploadfile"; filename="a"\r\n\r\n'
    memory = psutil.Process(server.process.pid).memory_info().rss
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + chunk(part))
        answer = b""
        with contextlib.suppress(OSError):
            for _ in range(200):
                connection.sendall(chunk(b"#" * MEGABYTE))
        with contextlib.suppress(OSError):
            answer = connection.recv(1000)
    assert answer.startswith(b"HTTP/1.1 413") or answer == b""
    grown = psutil.Process(server.process.pid).memory_info().rss - memory
    assert grown < 60 * MEGABYTE
    assert server.call("GET", "/pipelines")[1] == {}


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


# What is asked


BAD_FILTERS = [
    "{",
    "[]",
    "3",
    '{"predicates": 3}',
    '{"predicates": [3]}',
    '{"predicates": [{}]}',
    '{"predicates": [{"key": "state"}]}',
    '{"predicates": [{"key": ["state"], "operation": 1, "stringValue": "x"}]}',
    '{"predicates": [{"key": "state; DROP TABLE runs", "operation": 1, "stringValue": "x"}]}',
    '{"predicates": [{"key": "state", "operation": 77, "stringValue": "x"}]}',
    '{"predicates": [{"key": "state", "operation": [1], "stringValue": "x"}]}',
    '{"predicates": [{"key": "state", "operation": "LIKE", "stringValue": "x"}]}',
    '{"predicates": [{"key": "state", "operation": 1}]}',
    '{"predicates": [{"key": "state", "operation": 1, "stringValue": 3}]}',
    '{"predicates": [{"key": "state", "operation": 1, "stringValue": null}]}',
    '{"predicates": [{"key": "state", "operation": 1, "intValue": "x"}]}',
    '{"predicates": [{"key": "state", "operation": 8, "stringValue": "x"}]}',
    '{"predicates": [{"key": "state", "operation": 1, "stringValues": {"values": ["x"]}}]}',
    '{"predicates": [{"key": "state", "operation": 8, "stringValues": ["x"]}]}',
    '{"predicates": [{"key": "created_at", "operation": 1, "stringValue": "x"}]}',
    '{"predicates": [{"key": "created_at", "operation": 1, "timestampValue": "yesterday"}]}',
    '{"predicates": [{"key": "created_at", "operation": 9, "timestampValue": "2026-01-01"}]}',
    "[" * 100_000,
    json.dumps({"predicates": [{"key": "state", "operation": 1, "stringValue": "x"}] * 21}),
]
BAD_QUERIES = [
    "page_size=-1",
    "page_size=x",
    "page_token=x",
    "page_token=" + quote("é"),
    "page_token=W10=",
    "page_token=WyIiLCAiIiwgMSwgMV0=",  # ["", "", 1, 1]
    "page_token=WyIiLCAiIiwgMTAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCwgIngiXQ==",
    "sort_by=nothing",
    "sort_by=created_at%20upwards",
    "sort_by=created_at%20desc%20asc",
    "sort_by=created_at;",
]


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_bad_questions(server, query):
    assert_refused(server.call("GET", f"/runs?{query}"))


def test_bad_filters(server):
    for text in BAD_FILTERS:
        if len(text) < 60_000:  # longer ones the HTTP library refuses
            assert_refused(server.call("GET", f"/runs?filter={quote(text)}"), text)


def assert_refused(result: tuple[int, dict], text: str = "") -> None:
    status, answer = result
    assert (status, answer["code"]) == (400, 3), text
    assert answer["message"], text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 200_000,
        b'{"display_name": NaN}',
        {"display_name": ["x"]},
        {"display_name": ""},
        {"display_name": "x"},
        {"display_name": "x", "pipeline_spec": 3},
        {"display_name": "x", "pipeline_spec": {"pipeline_spec": 3}},
        {"display_name": "x", "pipeline_spec": {"pipeline_spec": PACKAGE, "platform_spec": 3}},
        {"display_name": "x", "pipeline_spec": PACKAGE, "runtime_config": 3},
        {"display_name": "x", "pipeline_spec": PACKAGE, "runtime_config": {"parameters": 3}},
        {"display_name": "x", "pipeline_spec": PACKAGE, "runtime_config": {"pipeline_root": 3}},
        {"display_name": "x", "pipeline_spec": PACKAGE, "experiment_id": 3},
        {"display_name": "x", "pipeline_version_reference": 3},
        {"display_name": "x", "pipeline_spec": PACKAGE, "pipeline_version_reference": {}},
    ],
    ids=lambda body: str(body)[:60],
)
def test_bad_bodies(server, body):
    assert_refused(server.call("POST", "/runs", body))


def test_fifty_clients_at_once(server):
    """Each makes an experiment, a pipeline and a waiting run, reads, lists, archives, deletes."""
    start = threading.Barrier(50)
    before = server.call("GET", "/runs")[1].get("total_size", 0)

    def use(number: int) -> list[int]:
        start.wait()
        name = f"client {number}"
        experiment = server.call("POST", "/experiments", {"display_name": name})
        pipeline = server.upload(YAML, query=f"name={quote(name)}")
        identity = experiment[1].get("experiment_id")
        run = server.call(
            "POST",
            "/runs",
            {"display_name": name, "pipeline_spec": PACKAGE, "experiment_id": identity},
        )
        results = [experiment, pipeline, run]
        results.append(server.call("GET", f"/runs?experiment_id={identity}&page_size=5"))
        for method, path in [
            ("GET", f"/runs/{run[1].get('run_id')}"),
            ("POST", f"/runs/{run[1].get('run_id')}:archive"),
            ("DELETE", f"/runs/{run[1].get('run_id')}"),
            ("DELETE", f"/pipelines/{pipeline[1].get('pipeline_id')}?cascade=true"),
            ("DELETE", f"/experiments/{identity}"),
        ]:
            results.append(server.call(method, path))
        return [status for status, _ in results]

    with sleeping(server), ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(use, range(50)))
    assert statuses == [[200] * 9] * 50
    assert server.call("GET", "/pipelines")[1] == {}
    assert server.call("GET", "/runs?page_size=100")[1]["total_size"] == before + 1


def test_one_name_for_fifty_clients_is_given_once(server):
    def create(_):
        return server.call("POST", "/experiments", {"display_name": "wanted"})[0]

    with ThreadPoolExecutor(50) as pool:
        statuses = sorted(pool.map(create, range(50)))
    assert statuses == [200] + [409] * 49
