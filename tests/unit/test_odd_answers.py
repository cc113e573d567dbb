"""A server that answers anything: `fastkf submit` says in one line that it is none."""

import io
import json
from pathlib import Path

import pytest
from faulty import Proxy, answer
from rich.console import Console
from test_odd_names import package

from fastkf.base.errors import FastkfError
from fastkf.cli.display import Display
from fastkf.cluster import submit
from fastkf.cluster.source import read_source
from fastkf.cluster.target import Endpoint

pytestmark = pytest.mark.security

HEALTH = {"tag_name": "2.14.0", "multi_user": False, "apiServerReady": True}
VERSION = {"pipeline_id": "p", "pipeline_version_id": "v", "display_name": "example"}
RUN = {
    "run_id": "r",
    "state": "SUCCEEDED",
    "created_at": "2026-11-29T00:00:00Z",
    "finished_at": "2026-11-29T00:01:00Z",
    "run_details": {"task_details": [{"display_name": "one", "state": "SUCCEEDED"}]},
}
LAST = "GET /apis/v2beta1/runs/r"
# What a server answers that does everything right.
RIGHT = {
    "GET /apis/v2beta1/healthz": HEALTH,
    r"GET /apis/v2beta1/pipelines\?": {},
    "POST /apis/v2beta1/pipelines/upload": {"pipeline_id": "p", "display_name": "example"},
    "GET /apis/v2beta1/pipelines/p/versions": {"pipeline_versions": [VERSION]},
    "GET /apis/v2beta1/experiments": {},
    "POST /apis/v2beta1/experiments": {"experiment_id": "e"},
    "POST /apis/v2beta1/runs": {"run_id": "r"},
    LAST: RUN,
}
ODD = [
    b"",
    b"[]",
    b"{}",
    b"null",
    b"5",
    b'"text"',
    b"{",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"pipelines": 5}',
    b'{"pipelines": "text"}',
    b'{"pipelines": [5]}',
    b'{"pipelines": [{}]}',
    b'{"pipeline_versions": {}}',
    b'{"pipeline_versions": [null]}',
    b'{"experiments": [[]]}',
    b'{"experiments": [{"experiment_id": 5}]}',
    b'{"experiment_id": {}, "pipeline_id": [], "pipeline_version_id": 1, "run_id": {}}',
    b'{"run_id": "r", "created_at": "yesterday"}',
    b'{"run_id": "r", "run_details": []}',
    b'{"run_id": "r", "run_details": {"task_details": [7]}}',
    b'{"run_id": "r", "state": 7}',
    b'{"multi_user": [], "tag_name": {}}',
    b"<html>hello</html>",
]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "example.yaml"
    path.write_bytes(package())
    return read_source(path, silent(), given={})


def silent() -> Display:
    return Display(Console(file=io.StringIO(), width=200))


def send(source, place: str, body: bytes, folder: Path):
    """Submits to a server that answers a request of one kind so, and all others as it should."""
    with Proxy() as proxy:
        proxy.hinder(place, answer(200, body, content_type="application/json"))
        for other, right in RIGHT.items():
            proxy.hinder(other, answer(200, json.dumps(right), content_type="application/json"))
        wait = place in ("never", LAST)  # what is asked before needs no waiting
        options = submit.Options(folder, output=folder, patience=0, wait=wait)
        return submit.submit(source, Endpoint(proxy.url), options, silent())


def test_the_server_of_these_tests_is_one(source, tmp_path):
    run = send(source, "never", b"", tmp_path / "run")
    assert run.has_succeeded


@pytest.mark.slow
@pytest.mark.parametrize("place", RIGHT)
def test_an_odd_answer_is_one_line(source, place, tmp_path, monkeypatch):
    monkeypatch.delenv("FASTKF_SERVER", raising=False)
    for number, body in enumerate(ODD):
        try:
            run = send(source, place, body, tmp_path / f"run {number}")
        except FastkfError as error:
            first = str(error).split("\n  follow it again: ")[0]
            assert "\n" not in first
            assert len(first) < 1500
        else:
            assert run is None or run.has_succeeded, body


@pytest.mark.parametrize("location", ["http://[", "", "//", "http://x:99999999/", "\x1b[2J"])
def test_an_odd_redirect_is_one_line(source, location, tmp_path):
    with Proxy() as proxy:
        proxy.hinder("healthz", answer(302, b"", location=location))
        options = submit.Options(tmp_path, output=tmp_path / "run")
        with pytest.raises(FastkfError, match="sends you elsewhere|no answer"):
            submit.submit(source, Endpoint(proxy.url), options, silent())
