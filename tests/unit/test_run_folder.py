"""The folder of a run: one run's alone, however many start at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fastkf.base import clock
from fastkf.base.errors import UsageError
from fastkf.course import places
from fastkf.course.regression.run import run_suite
from fastkf.runs.folder import discard_run_folder, make_run_folder

AT_ONCE = 8
MOMENT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def test_runs_that_start_at_once_get_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: MOMENT)
    for number in range(20):
        start = threading.Barrier(AT_ONCE)

        def make(_, start=start, name=f"lab_{number}") -> Path:
            start.wait()
            return make_run_folder(name, None, tmp_path)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            folders = list(pool.map(make, range(AT_ONCE)))
        assert len(set(folders)) == AT_ONCE
        assert all(one.is_dir() for one in folders)


def test_a_folder_that_was_asked_for_is_taken_when_it_is_empty(tmp_path):
    (tmp_path / "empty").mkdir()
    assert make_run_folder("lab", tmp_path / "empty", tmp_path) == tmp_path / "empty"
    assert make_run_folder("lab", tmp_path / "new" / "run", tmp_path) == tmp_path / "new" / "run"


@pytest.mark.security
@pytest.mark.parametrize("is_there", [True, False])
def test_of_runs_that_are_given_the_same_folder_one_gets_it(tmp_path, is_there):
    """Also of processes: what decides is the file system alone."""
    for number in range(20):
        output, start = tmp_path / str(number) / "run", threading.Barrier(AT_ONCE)
        if is_there:
            output.mkdir(parents=True)

        def make(_, start=start, output=output) -> Path | str:
            start.wait()
            try:
                return make_run_folder("lab", output, tmp_path)
            except UsageError as error:
                return str(error)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            made = list(pool.map(make, range(AT_ONCE)))
        assert made.count(output) == 1
        told = f"{output}: not empty; name a new folder with --output"
        assert made.count(told) == AT_ONCE - 1


@pytest.mark.parametrize("output", [True, False])
def test_a_folder_is_given_back(tmp_path, output):
    folder = make_run_folder("lab", tmp_path / "run" if output else None, tmp_path)
    discard_run_folder(folder)
    assert not folder.exists()


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UsageError, match="not empty; name a new folder with --output"):
        make_run_folder("lab", tmp_path, tmp_path)


@pytest.mark.parametrize("output", [True, False])
def test_a_file_in_the_way_is_named(tmp_path, output):
    (tmp_path / "lab").touch()
    with pytest.raises(UsageError, match=r"lab.*cannot be made the run's folder"):
        make_run_folder("lab", tmp_path / "lab" if output else None, tmp_path)


def test_suites_that_start_in_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    moment = clock.now()
    started = []
    monkeypatch.setattr(clock, "now", lambda: moment)
    monkeypatch.setattr(places, "RUNS", tmp_path)
    monkeypatch.setattr(pytest, "main", started.append)
    for _ in range(2):
        run_suite([], quick=True, changed=False, jobs=1, output=None)
    folders = [options[options.index("--kale-output") + 1] for options in started]
    assert len(set(folders)) == 2
    assert all(Path(folder).parent == tmp_path / "regression" for folder in folders)
