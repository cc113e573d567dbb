"""What every command does around its own work: exit codes, one line of error, missing extras."""

import json
import signal
import sys
from importlib import metadata

import pytest
import typer
from build import write_notebook
from packaging.requirements import Requirement

from fastkf import cli
from fastkf.base.diagnosis import Check
from fastkf.base.errors import FastkfError, UsageError
from fastkf.cli import extras, options
from fastkf.cli.command import command
from fastkf.course import data, doctor, places
from fastkf.run import package
from fastkf.runs.model import NotebookResult, Run, State
from fastkf.runs.progress import Progress


@pytest.fixture
def call(monkeypatch, capsys):
    """Runs `fastkf WORDS...` in this process; returns the exit code, the output and the errors."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*words, main=cli.main):
        monkeypatch.setattr(sys, "argv", ["fastkf", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


@pytest.fixture
def one(call):
    """Runs one command of its own, which does what a function does."""

    def run(function, *words):
        app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
        app.command()(command(name="one")(function))
        return call(*words, main=app)

    return run


def fail(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("result", "code"), [(None, 0), (True, 0), (False, 1)], ids=["nothing", "true", "false"]
)
def test_what_a_command_returns_is_its_exit_code(one, result, code):
    assert one(lambda: result) == (code, "", "")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            FastkfError("the file is damaged", "make it anew"),
            1,
            "the file is damaged; make it anew",
        ),
        (UsageError("no such word"), 2, "no such word"),
        (
            PermissionError(13, "Permission denied", "a.txt"),
            1,
            "a.txt: Permission denied; use a file and a folder that are yours "
            "(ls -ld shows whose they are)",
        ),
        (FileNotFoundError(2, "No such file", "a.txt"), 1, "a.txt: No such file"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_a_command_raises_is_one_line(one, monkeypatch, error, code, told):
    monkeypatch.delenv("FASTKF_DEBUG", raising=False)
    assert one(fail(error)) == (code, "", f"fastkf: {told}\n")


def test_debug_shows_the_traceback_too(one, monkeypatch):
    monkeypatch.setenv("FASTKF_DEBUG", "1")
    code, _, told = one(fail(FastkfError("damaged")))
    assert code == 1
    assert told.startswith("Traceback")
    assert told.endswith("fastkf: damaged\n")


def test_a_fault_of_the_program_is_a_traceback(call, monkeypatch):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command()(fail(ZeroDivisionError())))
    monkeypatch.setattr(sys, "argv", ["fastkf"])
    with pytest.raises(ZeroDivisionError):
        app()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_ends_on_a_signal_as_on_an_interrupt(one, monkeypatch, number):
    seen = {}
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_DFL)  # not as under nohup
    monkeypatch.setattr(signal, "signal", seen.__setitem__)
    one(lambda: None)
    assert seen[number] is seen[signal.SIGINT]
    with pytest.raises(KeyboardInterrupt):
        seen[signal.SIGINT](signal.SIGINT, None)


def test_the_terminal_is_no_option(one):
    def work(*, display: object) -> None:
        display.say("here [1]")

    assert one(work) == (0, "here [1]\n", "")


@pytest.mark.parametrize(
    ("words", "typed", "extra"),
    [
        (["submit", "x"], "submit", "submit"),
        (["train", "x"], "train", "train"),
        (["tune", "x"], "tune", "tune"),
        (["serve", "x"], "serve", "serve"),
        (["server"], "server", "server"),
        (["lab"], "lab", "lab"),
        (["test"], "test", "test"),
        (["run", "x.yaml", "--docker"], "run --docker", "docker"),
        (["doctor", "--cluster"], "doctor --cluster", "submit"),
        *[
            (["storage", *words], f"storage {words[0]}", "storage")
            for words in (["start"], ["stop"], ["status"], ["env"], ["copy", "a", "b"], ["list"])
        ],
    ],
)
def test_a_missing_extra_is_one_line(call, monkeypatch, words, typed, extra):
    monkeypatch.setattr(extras, "find_missing", lambda name: [name])
    told = f"fastkf {typed} needs: pip install 'fastkf[{extra}]'\n"
    assert call(*words) == (2, "", told)


def test_a_saved_model_needs_tensorflow(call, monkeypatch, tmp_path):
    (tmp_path / "digits" / "1").mkdir(parents=True)
    (tmp_path / "digits" / "1" / "saved_model.pb").touch()
    monkeypatch.setattr(extras, "find_missing", lambda name: [name] if name == "serve-tf" else [])
    told = "fastkf serve needs: pip install 'fastkf[serve-tf]'\n"
    assert call("serve", tmp_path / "digits") == (2, "", told)


def test_every_extra_of_the_project_is_installed_here():
    names = metadata.metadata("fastkf").get_all("Provides-Extra")
    assert {"server", "submit", "tune", "serve", "lab", "storage", "train", "test"} <= set(names)
    assert [extras.find_missing(name) for name in names] == [[]] * len(names)


def test_a_package_of_an_extra_inside_an_extra_is_missed(monkeypatch):
    wanted = ["fastkf[inner]; extra == 'outer'", "not-here-1; extra == 'inner'", "not-here-2"]
    monkeypatch.setattr(metadata, "requires", lambda _: wanted)
    assert extras.find_missing("outer") == ["not-here-1"]
    assert extras.find_missing("other") == []


def test_the_packages_of_an_extra_are_those_of_the_project():
    wanted = {Requirement(text).name for text in metadata.requires("fastkf")}
    assert set(extras.list_packages("tune")) <= wanted
    assert "optuna" in extras.list_packages("tune")


@pytest.fixture
def no_course(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "COURSE", None)
    monkeypatch.setattr(places, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)


def test_the_version_names_the_course(call):
    version = metadata.version("fastkf")
    assert call("--version") == (0, f"fastkf {version} (course: {places.COURSE})\n", "")


def test_the_version_outside_of_a_course(call, no_course):
    assert call("--version")[1].endswith("(no course here)\n")


def test_the_list_outside_of_a_course(call, no_course):
    code, out, err = call("list")
    assert (code, err) == (0, "")
    assert "no course here" in out


@pytest.mark.parametrize(
    "words",
    [
        ["check"],
        ["draw"],
        ["test"],
        ["compile", "02_titanic"],
        ["project", "new", "mine"],
    ],
)
def test_nothing_to_work_on_is_wrong_use(call, no_course, words):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert "there is no course here" in err


def test_a_missing_notebook_is_told_with_the_labs_where_there_are_any(call):
    code, _, told = call("compile", "no_such.ipynb")
    assert (code, told.split("; ")) == (
        2,
        ["fastkf: no_such.ipynb: no such file", "`fastkf list` shows the labs\n"],
    )


def test_a_missing_notebook_outside_of_a_course(call, no_course, tmp_path):
    assert call("compile", "no_such.ipynb")[::2] == (2, "fastkf: no_such.ipynb: no such file\n")
    (tmp_path / "old.ipynb").symlink_to("gone.ipynb")
    told = "fastkf: old.ipynb: a link that leads nowhere\n"
    assert call("check", "old.ipynb")[::2] == (2, told)


def test_data_outside_of_a_course(no_course, tmp_path):
    with pytest.raises(UsageError, match="there is no course here"):
        data.fetch(["titanic"], sources=tmp_path / "sources.toml")
    assert data.fetch([], sources=tmp_path / "sources.toml") == {}


def test_a_course_is_found_around_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sources.toml").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert places.find_course({}) == tmp_path
    assert places.find_course({"FASTKF_COURSE": "/else"}) == places.Path("/else")


def test_the_repository_is_a_course(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert places.find_course({}) == places.CHECKOUT
    monkeypatch.setattr(places, "CHECKOUT", tmp_path)
    assert places.find_course({}) is None


def test_with_json_standard_output_is_for_the_data_alone(one):
    def work(as_json: options.AsJson = False, *, display: Progress):
        display.say("working")
        print("[]")

    assert one(work) == (0, "working\n[]\n", "")
    assert one(work, "--json") == (0, "[]\n", "working\n")


def test_check_as_json(call, tmp_path):
    path = write_notebook(tmp_path / "bad.ipynb", [("step:load", "x = 1"), ("wrong", "y = 2")])
    code, said, _ = call("check", path, "--json")
    assert (code, json.loads(said)[0]["rule"]) == (1, "unknown-tag")
    code, _, told = call("check", path, "--json", "--format", "sarif")
    assert (code, "leave one of them out" in told) == (2, True)


def test_doctor_as_json(call, monkeypatch):
    found = [Check("Python", True, "3.12"), Check("Data", False, "none", "fetch them")]
    monkeypatch.setattr(doctor, "diagnose", lambda: found)
    code, said, told = call("doctor", "--json")
    content = json.loads(said)
    assert (code, content["labs"]) == (1, [])
    assert content["checks"][1] == {
        "name": "Data",
        "ok": False,
        "detail": "none",
        "remedy": "fetch them",
    }
    assert "fetch them" in told


def test_run_as_json(call, monkeypatch, tmp_path):
    metrics = NotebookResult(State.SUCCEEDED, 1.0, {"accuracy": float("nan")})
    outcome = Run(tmp_path, "lab", "A lab", state=State.SUCCEEDED, notebook=metrics)
    monkeypatch.setattr(package, "run_package", lambda *_: outcome)
    code, said, _ = call("run", "lab.yaml", "--json")
    content = json.loads(said)
    assert (code, content["folder"], content["name"]) == (0, str(tmp_path), "lab")
    assert content["notebook"]["metrics"] == {"accuracy": "NaN"}
