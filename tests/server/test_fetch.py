"""Packages that the server fetches by their address, and those that it does not."""

import http.server
import json
import socket
import threading

import pytest
from asked import Asked
from servers import chain

from fastkf.package.upload import LARGEST_PACKAGE
from fastkf.server.errors import ApiError
from fastkf.server.fetch import fetch_package, read_origin

pytestmark = pytest.mark.security
PACKAGE = chain("return 1", name="fetched")


class Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/package.yaml?raw=1")
        elif self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://localhost:1/package.yaml")
        elif self.path == "/round":
            self.send_response(302)
            self.send_header("Location", "/round")
        else:
            self.send_response(200 if self.path != "/gone" else 404)
        self.end_headers()
        if self.path == "/large":
            self.wfile.write(b"a" * (LARGEST_PACKAGE + 1))
        elif self.path.startswith("/package.yaml"):
            self.wfile.write(json.dumps(PACKAGE).encode())

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def origin():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/package.yaml", "/moved"])
def test_a_package_of_a_named_origin_is_fetched(origin, path):
    assert json.loads(fetch_package(origin + path, {origin})) == PACKAGE


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/gone", "answered 404"),
        ("/large", "larger than 4 MB"),
        ("/elsewhere", "is not fetched"),
        ("/round", "more than 5 redirects"),
    ],
)
def test_what_is_not_there_too_large_or_leads_away_is_refused(origin, path, said):
    with pytest.raises(ApiError, match=said):
        fetch_package(origin + path, {origin})


@pytest.mark.parametrize(
    "url",
    [
        "http://github.com/a.yaml",
        "https://github.com:8443/a.yaml",
        "https://example.org/a.yaml",
        "https://github.com.example.org/a.yaml",
        "https://user@github.com/a.yaml",
        "https://github.com@127.0.0.1/a.yaml",
        "https://127.0.0.1/a.yaml",
        "https://[::1]/a.yaml",
        "file:///etc/passwd",
        "ftp://github.com/a.yaml",
        "https://[broken/a.yaml",
        "https://github.com:99999/a.yaml",
        "a.yaml",
    ],
)
def test_other_places_are_not_asked(url):
    with pytest.raises(ApiError, match="is not fetched"):
        fetch_package(url, ())


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.100.100.200", "::1", "fd00::1",
     "::ffff:10.0.0.1", "0.0.0.0", "224.0.0.1"],
)  # fmt: skip
def test_a_known_host_with_a_private_address_is_not_asked(monkeypatch, address):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **options: found)
    with pytest.raises(ApiError, match="an address of a private network"):
        fetch_package("https://github.com/a.yaml", ())


def test_an_origin_has_one_spelling():
    assert read_origin("HTTPS://Git.Example.org./a/b") == "https://git.example.org:443"
    assert read_origin("https://[::1]:8443") == "https://[::1]:8443"
    assert read_origin("git.example.org") is None


def test_pipelines_and_versions_are_made_of_what_is_fetched(tmp_path, origin):
    with Asked(tmp_path / "server", package_origins=frozenset([origin])) as asked:
        version = {"package_url": {"pipeline_url": f"{origin}/package.yaml"}}
        body = {"pipeline": {"display_name": "p"}, "pipeline_version": version}
        status, pipeline = asked.ask("POST", "/pipelines/create", body)
        assert status == 200
        path = f"/pipelines/{pipeline['pipeline_id']}/versions"
        status, made = asked.ask("POST", path, {"display_name": "second", **version})
        assert (status, made["pipeline_spec"]["pipelineInfo"]) == (200, {"name": "fetched"})
        assert asked.ask("POST", path, {"display_name": "third"})[0] == 400
