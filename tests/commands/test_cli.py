"""The command as a user meets it: help, usage errors, one message for each mistake."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from build import notebook_metadata, write_notebook
from conftest import LABS, fastkf, start
from typer.testing import CliRunner

from fastkf.base.errors import FastkfError
from fastkf.cli import app, completion
from fastkf.cli.commands import COMMANDS as COMMAND_TABLE

COMMANDS = ["list", "run", "compile", "submit", "check", "draw", "data", "doctor"]


@pytest.fixture
def notebook(tmp_path):
    return write_notebook(
        tmp_path / "own.ipynb",
        [
            ("markdown", "# My own notebook"),
            (["pipeline-parameters", "parameters"], "count = 3\nfast = True"),
            ("step:load", "total = float(count)"),
            ("pipeline-metrics", "print(total)"),
        ],
        pipeline_name="own",
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    result = CliRunner().invoke(app, [command, "--help"], prog_name="fastkf")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"fastkf {command}" in result.output


def test_help_lists_each_command_by_its_own_first_sentence():
    group = typer.main.get_command(app)
    told = {name: command.get_short_help_str(200) for name, command in group.commands.items()}
    assert told == {name: entry.help for name, entry in COMMAND_TABLE.items()}
    shown = " ".join(fastkf("--help").output.split())
    for heading in ("Learn:", "Build your own:", "Run on this machine:", "Run on a cluster:"):
        assert heading in shown
    assert [name for name, help in told.items() if f" {name} {help}" not in shown] == []


@pytest.mark.parametrize("group", ["storage", "project"])
def test_help_of_a_group_tells_its_commands_whole(group):
    shown = fastkf(group, "--help").output
    assert "..." not in shown.partition("Commands:")[2]
    command = (
        typer.main.get_command(app).commands[group].commands["new" if group == "project" else "env"]
    )
    first = command.help.partition("\n\n")[0]
    assert " ".join(first.split()) in " ".join(shown.split())


def test_help_imports_none_of_the_commands():
    code = "import sys; from fastkf.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    words = [sys.executable, "-c", code, "--help"]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert "fastkf.cli.commands" in loaded
    heavy = {"fastkf.cli.command", "rich", "numpy", "yaml", "fastkf.notebook"}
    assert heavy & set(loaded) == set()


def test_alone_it_names_five_things_to_do(tmp_path):
    result = fastkf(cwd=tmp_path)
    todo = [line.split("  ")[1] for line in result.output.splitlines() if "  fastkf " in line]
    assert len(todo) == 5
    group = typer.main.get_command(app)
    assert all(words.split()[1] in group.commands for words in todo)


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands(shell):
    typed = {"COMP_WORDS": "fastkf mig", "COMP_CWORD": "1"}  # as each shell's script says it
    typed |= {"_TYPER_COMPLETE_ARGS": "fastkf mig", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    result = subprocess.run(
        [Path(sys.executable).with_name("fastkf")],
        env={**os.environ, "_FASTKF_COMPLETE": f"complete_{shell}", **typed},
        capture_output=True,
        text=True,
    )
    assert "migrate" in result.stdout
    assert "compile" not in result.stdout


def complete(words: str, cwd) -> list[str]:
    typed = {"COMP_WORDS": f"fastkf {words}", "COMP_CWORD": str(len(words.split()))}
    result = subprocess.run(
        [Path(sys.executable).with_name("fastkf")],
        env={**os.environ, "_FASTKF_COMPLETE": "complete_bash", **typed},
        capture_output=True,
        text=True,
        cwd=cwd,
    )
    return result.stdout.split()


@pytest.mark.slow
def test_a_shell_completes_names(tmp_path, monkeypatch):
    assert complete("check 01", tmp_path) == ["01_first_pipeline", "01b_custom_images"]
    assert complete("run my", tmp_path) == []  # so the shell offers files
    monkeypatch.setattr(completion.places, "RUNS", tmp_path)
    assert completion.offer_runs("") == []
    (tmp_path / "a_run").mkdir()
    assert completion.offer_runs("a") == ["a_run"]
    assert completion.offer_rules("missing-p") == ["missing-prev"]
    assert completion.offer_data("tit") == ["titanic"]


def test_completion_says_nothing_of_a_fault(monkeypatch):
    def fail():
        raise FastkfError("course.toml cannot be read", "mend it")

    monkeypatch.setattr(completion, "read_labs", fail)
    assert completion.offer_labs("") == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dance"],
        ["run"],
        ["run", "no_such_lab"],
        ["run", "no_such_notebook.ipynb"],
        ["check", "."],
        ["run", "02_titanic", "-p", "cv_folds"],
        ["run", "02_titanic", "-p", "colour=red"],
        ["run", "02_titanic", "-p", "cv_folds=many"],
        ["run", "02_titanic", "--only", "half"],
        ["run", "02_titanic", "--tolerance", "accuracies=0.1"],
        ["compile"],
        ["data", "no_such_data"],
    ],
    ids=" ".join,
)
def test_wrong_use_exits_2_without_traceback(words, tmp_path):
    result = fastkf(*words, cwd=tmp_path)
    assert result.code == 2
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_run_refuses_a_folder_with_something_in_it(notebook, tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    result = fastkf("run", notebook, folder=tmp_path)
    assert result.code == 2
    assert "not empty" in result.output
    assert (tmp_path / "kept.txt").read_text() == "mine"


def test_list_shows_each_lab():
    result = fastkf("list")
    assert result.code == 0
    for path in LABS:
        assert path.stem in result.output


@pytest.mark.slow
def test_own_notebook_runs_with_parameters(notebook, run):
    result = run(notebook, "-p", "count=5", "-p", "fast=false", fresh=True)
    assert result.code == 0, result.output
    record = result.record
    assert record["parameters"] == {"count": 5, "fast": False}
    assert record["parity"] == {"total": {"notebook": 5.0, "pipeline": 5.0, "equal": True}}
    assert set(record) == {
        *("version", "name", "title", "status", "started", "seconds", "parameters"),
        *("notebook", "pipeline", "parity", "compared"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("part", ["notebook", "pipeline"])
def test_only_one_part_runs(notebook, run, part):
    result = run(notebook, "--only", part)
    other = {"notebook": "pipeline", "pipeline": "notebook"}[part]
    assert result.code == 0, result.output
    assert result.record[part]["metrics"] == {"total": 3.0}
    assert result.record[other] is None
    assert result.record["parity"] == {}


@pytest.mark.slow
def test_runs_without_output_get_a_folder_each(notebook, tmp_path):
    for _ in range(2):
        assert fastkf("run", notebook, "--only", "notebook", cwd=tmp_path).code == 0
    assert len(list((tmp_path / "runs" / "own").iterdir())) == 2


@pytest.mark.slow
def test_metrics_that_differ_fail_the_run(tmp_path, run):
    path = write_notebook(
        tmp_path / "differing.ipynb",
        [
            ("imports", "import os"),
            ("step:load", "in_step = float('FASTKF_STEP_FOLDER' in os.environ)"),
            ("pipeline-metrics", "print(in_step)"),
        ],
    )
    result = run(path)
    assert result.code == 1
    assert result.record["status"] == "failed"
    assert result.record["parity"]["in_step"] == {
        "notebook": 0.0,
        "pipeline": 1.0,
        "equal": False,
    }
    assert "metric in_step" in result.output


@pytest.mark.slow
def test_a_notebook_that_fails_is_kept_and_explained(tmp_path, run):
    path = write_notebook(
        tmp_path / "failing.ipynb",
        [
            ("imports", "import math"),
            ("step:load", "number = 3\nratio = number / 0"),
        ],
    )
    result = run(path)
    assert result.code == 1
    assert "ZeroDivisionError: division by zero (cell 2, line 2: ratio = number / 0)" in (
        result.output
    )
    assert "Traceback" not in result.output
    assert result.record["pipeline"] is None
    assert "ZeroDivisionError" in (result.folder / "notebook.ipynb").read_text()


@pytest.mark.slow
def test_a_missing_data_file_is_the_learners_own_exception(tmp_path, run):
    path = write_notebook(
        tmp_path / "reading.ipynb",
        [
            ("imports", "import pandas as pd"),
            (["pipeline-parameters", "parameters"], 'data_dir = "nowhere"'),
            ("step:load", 'rows = len(pd.read_csv(f"{data_dir}/table.csv"))'),
        ],
    )
    result = run(path, "--only", "pipeline")
    assert result.code == 1
    assert "No such file or directory: 'nowhere/table.csv' (cell 3, line 1" in result.output


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.ipynb", '{"cells": [', "not a readable notebook"),
        ("picture.ipynb", "\x89PNG", "not a readable notebook"),
        ("other.ipynb", '{"a": 1}', "not a notebook"),
        ("old.ipynb", '{"nbformat": 3, "worksheets": []}', "not a notebook of format 4"),
        (
            "empty.ipynb",
            '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}',
            "no code",
        ),
        ("blank.ipynb", "", "not a readable notebook"),
    ],
)
@pytest.mark.parametrize("command", ["run", "compile", "check"])
def test_what_is_not_a_notebook_is_one_message(tmp_path, command, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    result = fastkf(command, path, cwd=tmp_path)
    assert result.code == 1
    assert result.output.startswith(f"fastkf: {path}: ")
    assert message in result.output
    assert "Traceback" not in result.output
    assert path.read_text() == content


def test_findings_are_printed_as_text_and_json(tmp_path):
    path = write_notebook(tmp_path / "bad.ipynb", [("step:load", "x = 1"), ("wrong", "y = 2")])
    text = fastkf("check", path)
    assert text.code == 1
    assert text.output.startswith(f"{path}: cell 2: unknown-tag: ")
    result = fastkf("check", path, "--format", "json")
    finding = json.loads(result.output)[0]
    assert (finding["path"], finding["cell"], finding["rule"]) == (str(path), 2, "unknown-tag")


@pytest.mark.slow
def test_check_without_names_checks_every_lab():
    result = fastkf("check")
    assert result.code == 0, result.output
    assert f"{len(LABS)} notebooks, no findings" in result.output


@pytest.mark.slow
def test_an_interrupted_notebook_is_one_message(tmp_path):
    cells = [("imports", "import time"), ("step:load", "open('started', 'w')\ntime.sleep(60)")]
    path = write_notebook(tmp_path / "slow.ipynb", cells)
    process = start("run", path, "--output", tmp_path / "run")
    while not (tmp_path / "started").exists():
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert process.returncode == 1
    assert "Traceback" not in output
    assert record["error"].startswith("interrupted")
    assert record["notebook"]["status"] == "failed"


def test_a_file_that_cannot_be_written_is_one_message(notebook, tmp_path):
    (tmp_path / "taken").write_text("mine")
    result = fastkf("compile", notebook, "-o", tmp_path / "taken" / "package.yaml")
    assert result.code == 2
    assert result.output.startswith(f"fastkf: {tmp_path / 'taken'}")
    assert "Traceback" not in result.output


@pytest.mark.parametrize("block", ["x", {"needs": "titanic"}, {"tolerance": "much"}])
def test_a_damaged_block_of_the_course_is_one_finding(tmp_path, run, block):
    metadata = {**notebook_metadata(), "fastkf": block}
    path = write_notebook(tmp_path / "own.ipynb", [("step:load", "x = 1")], metadata=metadata)
    for result in (fastkf("check", path), run(path)):
        assert result.code == 1
        assert result.output.count("course-metadata") == 1
        assert "Traceback" not in result.output


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_who_has_enough_is_no_error(options):
    reader, writer = os.pipe()
    os.close(reader)  # as `| head -1` does
    command = [sys.executable, "-m", "fastkf.cli", "list", *options]
    with open(writer, "wb") as output:
        ended = subprocess.run(command, stdout=output, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_what_is_no_file_is_told_and_passed_over_in_a_folder(tmp_path):
    write_notebook(tmp_path / "good.ipynb", [("step:load", "x = 1")])
    (tmp_path / "loop.ipynb").symlink_to("loop.ipynb")
    os.mkfifo(tmp_path / "pipe.ipynb")
    assert fastkf("check", tmp_path).code == 0
    for name, said in (("loop.ipynb", "leads nowhere"), ("pipe.ipynb", "a device or a pipe")):
        result = fastkf("check", tmp_path / name)
        assert result.code == 2
        assert said in result.output
