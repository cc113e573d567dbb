"""The folder that a step starts in."""

import os

import pytest

from fastkf.base.files import remove_folder
from fastkf.engine.step_folder import NOT_THERE, NOT_WRITABLE, Provisions, with_remedy
from fastkf.runs.model import Failure


@pytest.fixture
def home(tmp_path):
    """The folder of a notebook, with data in it and beside it."""
    for place in ("data/titanic", "course/notebooks/own"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "table.csv").write_text("1")
    return tmp_path / "course" / "notebooks"


def contents(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_step_finds_what_parameters_name_and_nothing_else(home, tmp_path):
    named = ("../../data/titanic", "own", "own/table.csv", "no_such", "../..", ".", "x" * 5000)
    folder = Provisions(home, named).make_folder(tmp_path / "step", writable=False)
    assert (folder / "../../data/titanic/table.csv").read_text() == "1"
    assert (folder / "own/table.csv").exists()
    assert contents(folder) == ["own"]


@pytest.mark.parametrize("text", ["/etc", "~/data", "s3://bucket/data", "two\nlines", ""])
def test_other_texts_name_nothing(home, tmp_path, text):
    assert contents(Provisions(home, (text,)).make_folder(tmp_path / "step", True)) == []


def test_two_steps_have_folders_of_their_own(home, tmp_path):
    first, second = (Provisions(home).make_folder(tmp_path / one, True) for one in ("a", "b"))
    (first / "made").touch()
    assert contents(second) == []


def test_a_folder_that_is_closed_can_be_removed_and_nothing_that_is_linked(home, tmp_path):
    folder = Provisions(home, ("own",)).make_folder(tmp_path / "step", writable=False)
    assert folder.stat().st_mode & 0o222 == folder.parent.stat().st_mode & 0o222 == 0
    remove_folder(tmp_path / "step")
    assert not (tmp_path / "step").exists()
    assert os.access(home / "own" / "table.csv", os.W_OK)


@pytest.mark.parametrize(
    ("failure", "writable", "remedy"),
    [
        (("PermissionError", "[Errno 13] Permission denied: 'made.csv'"), False, NOT_WRITABLE),
        (("PermissionError", "[Errno 13] Permission denied: 'made.csv'"), True, None),
        (("PermissionError", "[Errno 13] Permission denied: '/etc/made'"), False, None),
        (("FileNotFoundError", "[Errno 2] No such file or directory: 'a/b'"), False, NOT_THERE),
        (("FileNotFoundError", "[Errno 2] No such file or directory: 'a/b'"), True, NOT_THERE),
        (("FileNotFoundError", "[Errno 2] No such file or directory: '/tmp/b'"), False, None),
        (("OSError", "Cannot save file into a non-existent directory: 'out'"), False, NOT_THERE),
        (("OSError", "unable to create (name = 'a.h5', 'Permission denied')"), False, NOT_WRITABLE),
        (("OSError", "Can't load tokenizer for 'some-model'"), False, None),
        (("ValueError", "no such file: 'a'"), False, None),
    ],
)
def test_a_failure_over_a_relative_path_says_what_to_do(failure, writable, remedy):
    assert with_remedy(Failure(*failure), writable).remedy == remedy


def test_what_is_brought_is_there_as_it_was_when_the_run_began(home, tmp_path):
    (home / "words.txt").write_text("first")
    own = Provisions(home, ("own",), ("words.txt", "own/table.csv")).keep(tmp_path / "kept")
    (home / "words.txt").write_text("second")
    closed, is_open = (own.make_folder(tmp_path / name, name == "b") for name in "ab")
    (is_open / "words.txt").write_text("third")
    assert (closed / "words.txt").read_text() == "first"
    assert (closed / "words.txt").stat().st_mode & 0o222 == 0
    assert contents(closed) == ["own", "words.txt"]
    assert (home / "words.txt").read_text() == "second"
