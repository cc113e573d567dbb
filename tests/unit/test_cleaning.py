"""`fastkf clean` and `fastkf open`: the runs that are there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fastkf.base import clock
from fastkf.cli import app
from fastkf.runs.folder import list_run_folders
from fastkf.runs.model import Run, State
from fastkf.runs.record import write_run

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    return tmp_path / "runs"


def add(home: Path, name: str, days: int, **changes) -> Path:
    """A run that started so many days ago."""
    started = NOW - timedelta(days=days)
    folder = home / name / clock.format_name(started)
    folder.mkdir(parents=True)
    run = Run(folder, name, name, started=started, state=State.SUCCEEDED)
    write_run(replace(run, **changes))
    return folder


def fastkf(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.output


def left(home: Path) -> list[int]:
    """How many days ago the runs started that are left."""
    started = [datetime.strptime(one.name, "%Y-%m-%d_%H-%M-%S") for one in list_run_folders(home)]
    return sorted(round((NOW.replace(tzinfo=None) - one) / timedelta(days=1)) for one in started)


def test_of_each_name_the_last_runs_stay(home):
    for days in (1, 5, 40, 90):
        add(home, "02_titanic", days)
    add(home, "iris", 200)
    assert fastkf("clean", "--last", "7", "--yes")[0] == 0
    assert left(home) == [1, 5, 40, 90, 200]
    assert fastkf("clean", "--older-than", "30", "--yes")[0] == 0
    assert left(home) == [1, 5, 200]
    assert fastkf("clean", "--yes")[0] == 0
    assert left(home) == [1, 200]
    assert fastkf("clean", "iris", "--last", "0", "--yes")[0] == 0
    assert left(home) == [1]
    assert not (home / "iris").exists()


def test_what_is_kept_runs_or_is_no_run_stays(home):
    (add(home, "lab", 50) / "keep").touch()
    add(home, "lab", 40, state=State.RUNNING)
    (home / "models" / "mnist").mkdir(parents=True)
    (home / "models" / "mnist" / "weights").touch()
    (home / "elsewhere").symlink_to(home / "lab")
    assert fastkf("clean", "--last", "0", "--yes")[0] == 0
    assert left(home) == [40, 50]
    assert (home / "models" / "mnist" / "weights").exists()


def test_a_damaged_record_can_go_too(home):
    (add(home, "lab", 50) / "run.json").write_text("{")
    add(home, "lab", 1)
    assert fastkf("clean", "--yes")[0] == 0
    assert left(home) == [1]


def test_nothing_goes_without_a_yes(home):
    add(home, "lab", 50)
    add(home, "lab", 1)
    code, output = fastkf("clean")
    assert (code, "--yes" in output) == (2, True)
    assert left(home) == [1, 50]


def test_a_name_of_which_no_run_is_there_is_told(home):
    add(home, "lab", 1)
    code, output = fastkf("clean", "lap", "lab")
    assert code == 0
    assert output.splitlines() == [
        "! no run of lap is in runs/",
        "Nothing to remove; runs that are there: 1",
    ]


def test_the_newest_report_is_opened(home, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    assert fastkf("open")[0] == 2  # there is no run
    old, new = add(home, "a", 2), add(home, "b", 1)
    assert fastkf("open")[0] == 1  # there is no report
    for folder in (old, new):
        (folder / "report.html").touch()
    assert fastkf("open")[0] == 0
    assert fastkf("open", "a")[0] == 0
    assert opened == [(new / "report.html").as_uri(), (old / "report.html").as_uri()]


@pytest.mark.parametrize("days", ["nan", "inf", "-1", "1e9", "soon"])
@pytest.mark.parametrize("command", [["clean"], ["cache"], ["cache", "--clear"]])
def test_days_that_are_none_are_wrong_use(days, command, home):
    add(home, "iris", 200)
    code, told = fastkf(*command, "--older-than", days, "--yes")
    assert code == 2
    assert f"{days} is no number from 0 to 36500" in told
    assert left(home) == [200]
