"""How a server on this machine is found: the note in its folder."""

from pathlib import Path

import pytest

from fastkf.base import local_server
from fastkf.base.errors import FastkfError
from fastkf.base.local_server import LocalServer


def test_a_server_is_found_for_as_long_as_it_says_where_it_is(tmp_path):
    server = LocalServer("http://127.0.0.1:5", tmp_path / "token", pid=7)
    assert local_server.read(tmp_path) is None
    local_server.write(tmp_path, server)
    assert local_server.read(tmp_path) == server
    local_server.remove(tmp_path)
    assert local_server.read(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_has_no_server(tmp_path):
    assert local_server.read(tmp_path / "none") is None


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"url": "u"}', '{"url": "u", "token_file": 1}']
)
def test_a_damaged_note_is_told(tmp_path, content):
    (tmp_path / "server.json").write_text(content)
    with pytest.raises(FastkfError) as raised:
        local_server.read(tmp_path)
    assert str(tmp_path / "server.json") in raised.value.problem
    assert "delete it" in raised.value.remedy


def test_the_folder_can_be_named(monkeypatch):
    monkeypatch.setenv("FASTKF_SERVER", "/named")
    assert local_server.default_folder() == Path("/named")
    monkeypatch.delenv("FASTKF_SERVER")
    assert local_server.default_folder().parts[-2:] == ("fast-kubeflow", "server")
