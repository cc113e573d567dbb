"""Files that are brought by name."""

import os

import pytest

from fastkf.base import brought
from fastkf.base.brought import find_named, list_files
from fastkf.base.errors import UsageError


@pytest.fixture
def home(tmp_path):
    for name in ("book/words.txt", "book/more/a.txt", "book/more/b/c.txt", "outside.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    (tmp_path / "book" / "more" / "__pycache__").mkdir()
    (tmp_path / "book" / "more" / "__pycache__" / "a.pyc").touch()
    return tmp_path / "book"


def test_files_and_folders_are_listed_each_once(home):
    listed = list_files(home, ["more", "words.txt", "./more/a.txt"])
    assert listed == ("more/a.txt", "more/b/c.txt", "words.txt")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../outside.txt", "not in the folder"),
        ("/etc/passwd", "not in the folder"),
        ("more/../../outside.txt", "not in the folder"),
        (".", "all of the folder"),
        ("none.txt", "no such file"),
        ("link.txt", "a link"),
        ("linked/a.txt", "a link"),
        ("holder", "a link"),
        ("pipe", "neither a file nor a folder"),
    ],
)
def test_what_cannot_be_brought_is_refused(home, path, said):
    (home / "link.txt").symlink_to("words.txt")
    (home / "linked").symlink_to("more")
    (home / "holder").mkdir()
    (home / "holder" / "out").symlink_to("../../outside.txt")
    os.mkfifo(home / "pipe")
    with pytest.raises(UsageError, match=said):
        list_files(home, [path])


@pytest.mark.parametrize("limit", ["MOST_FILES", "MOST_BYTES"])
def test_there_are_limits(home, monkeypatch, limit):
    monkeypatch.setattr(brought, limit, 1)
    with pytest.raises(UsageError, match="more than"):
        list_files(home, ["more"])


def test_a_command_names_files_from_its_own_folder_or_from_that_of_the_notebook(home, monkeypatch):
    monkeypatch.chdir(home.parent)
    assert find_named(home, ["book/words.txt", "words.txt", "book/more/"]) == (
        "words.txt",
        "words.txt",
        "more",
    )
    monkeypatch.chdir(home)
    assert find_named(home, ["words.txt", str(home / "more" / "a.txt")])[1] == "more/a.txt"
    for name in ("../outside.txt", "none.txt", "."):
        with pytest.raises(UsageError, match="--bring"):
            find_named(home, [name])
