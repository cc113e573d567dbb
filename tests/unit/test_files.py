"""Files that are written whole, found inside a folder only, and shown as the user sees them."""

import os
import stat
import tracemalloc
from collections import deque

import platformdirs
import pytest

from fastkf.base.errors import UsageError, first_line
from fastkf.base.files import (
    open_inside,
    read_end,
    read_lines,
    shown_path,
    user_folder,
    write_bytes,
    write_text,
)
from fastkf.base.outputs import write_named


def test_a_file_is_written_whole_with_the_mode_that_was_asked_for(tmp_path):
    path = tmp_path / "keys.json"
    write_text(path, "größer\n", mode=0o600)
    assert path.read_text(encoding="utf-8") == "größer\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    plain = tmp_path / "plain"
    plain.touch()
    expected = plain.stat().st_mode
    write_bytes(plain, b"new")
    assert plain.read_bytes() == b"new"
    assert plain.stat().st_mode == expected
    assert sorted(one.name for one in tmp_path.iterdir()) == ["keys.json", "plain"]


def test_a_file_that_the_user_names_is_the_one_that_a_link_leads_to(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept/file")
    for content in (b"old", b"new"):
        write_named(tmp_path / "link", content)
        assert (tmp_path / "kept" / "file").read_bytes() == content
        assert (tmp_path / "link").is_symlink()
        (tmp_path / "kept" / "file").chmod(0o640)  # which stays
    assert stat.S_IMODE((tmp_path / "kept" / "file").stat().st_mode) == 0o640


def test_what_the_user_names_and_is_no_file_takes_the_bytes_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_named(pipe, b"new")
    assert os.read(reader, 10) == b"new"
    os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("place", ["missing/file", "file/below", "", "circle"])
def test_a_place_that_the_user_names_and_cannot_be_is_wrong_use(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(UsageError, match=f"{tmp_path / place}: "):
        write_named(tmp_path / place, b"new")
    assert not list(tmp_path.glob(".*"))


def test_a_write_that_fails_names_the_file_and_not_its_draft(tmp_path):
    for path in (tmp_path / "missing" / "run.json", tmp_path):
        with pytest.raises(OSError, match=path.name) as raised:
            write_text(path, "new")
        assert str(raised.value).endswith(f"'{path}'")


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    path.write_text("old")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_longest_file_name_can_be_written(tmp_path):
    write_text(tmp_path / ("x" * 255), "whole")
    assert (tmp_path / ("x" * 255)).read_text() == "whole"


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "a/../../secret",
        "/etc/passwd",
        "a\0b",
        "..",
        "",
        "no-such-file",
        "x" * 5000,
        "out",
        "out_folder/secret",
        "circle",
    ],
)
def test_nothing_outside_a_folder_is_found_in_it(tmp_path, name):
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "secret").write_text("token")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "out_folder").symlink_to(tmp_path)
    (folder / "circle").symlink_to(folder / "circle")
    assert open_inside(folder, name) is None


def test_a_path_is_shown_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "runs" / "one") == "runs/one"
    assert shown_path(tmp_path.parent) == str(tmp_path.parent)


def test_data_stay_where_they_were_put_at_first(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / name)
    assert user_folder("storage") == tmp_path / "fast-kubeflow" / "storage"
    (tmp_path / "fastkf" / "storage").mkdir(parents=True)
    assert user_folder("storage") == tmp_path / "fastkf" / "storage"
    assert user_folder("server") == tmp_path / "fast-kubeflow" / "server"
    (tmp_path / "fast-kubeflow" / "storage").mkdir(parents=True)
    assert user_folder("storage") == tmp_path / "fast-kubeflow" / "storage"


def test_the_first_line_of_an_error_says_something():
    assert first_line(ValueError("\n  no such column\nTraceback")) == "no such column"
    assert first_line(KeyError()) == "KeyError"
    assert first_line("") == ""


LONG = [b"one line" * 2_000_000, b"10%\r" * 200_000, b"1\n" * 200_000, b"\xff" * 16_000_000]


@pytest.mark.security
@pytest.mark.parametrize("content", LONG, ids=["one line", "bars", "short lines", "no text"])
def test_a_long_file_is_read_in_little_memory(tmp_path, content):
    path = tmp_path / "output.log"
    path.write_bytes(content + b"\nthe end")
    tracemalloc.start()
    try:
        last = deque(read_lines(path), maxlen=1)
        assert last.pop() == "the end"
        assert read_end(path).endswith("\nthe end")
        assert tracemalloc.get_traced_memory()[1] < 6e6
    finally:
        tracemalloc.stop()


@pytest.mark.security
@pytest.mark.parametrize("text", ["", "a", "a\n", "a\r\nb", "a\rb\n\nc", "ä\n\u2028b\n"])
def test_the_lines_of_a_file_are_those_of_its_text(tmp_path, text):
    path = tmp_path / "file"
    path.write_bytes(text.encode())
    assert list(read_lines(path)) == text.splitlines()
    assert read_end(path) == text
    assert read_end(tmp_path / "none") == ""
