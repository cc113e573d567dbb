"""Names from elsewhere: of files, folders, steps and pipelines, with any character in them."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from build import write_notebook

from fastkf import cli
from fastkf.base import files
from fastkf.base.errors import FastkfError, UsageError
from fastkf.cli import process
from fastkf.cli.display import Display
from fastkf.engine.step_folder import Provisions
from fastkf.engine.tasks.python import PythonTasks
from fastkf.engine.warm.parent import python_for_steps
from fastkf.package.errors import PackageError
from fastkf.package.model import Package
from fastkf.runs.folder import make_run_folder

pytestmark = pytest.mark.security

NO_TEXT = os.fsdecode(b"caf\xe9")
LEADING_OUT = [
    "../out",
    "a/../../out",
    "/out",
    "a/b",
    "..",
    ".",
    "a\nb",
    "a\0b",
    "a\\b",
    "\x1b[2J",
    "a:b",
]


def package(task="one", output="value", kind="parameters", name="example") -> bytes:
    """A package of one container, with these names in it."""
    definitions = {
        "parameters": {output: {"parameterType": "STRING"}},
        "artifacts": {output: {"artifactType": {"schemaTitle": "system.Dataset"}}},
    }
    container = {"image": "example/one", "command": ["true"]}
    spec = {
        "pipelineInfo": {"name": name},
        "root": {"dag": {"tasks": {task: {"componentRef": {"name": "comp"}}}}},
        "components": {
            "comp": {"executorLabel": "exec", "outputDefinitions": {kind: definitions[kind]}}
        },
        "deploymentSpec": {"executors": {"exec": {"container": container}}},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.0",
    }
    return yaml.safe_dump(spec).encode()


def test_the_package_of_these_tests_is_one():
    assert Package.from_upload(package()).steps == {"one": ()}


@pytest.mark.parametrize("name", LEADING_OUT)
@pytest.mark.parametrize("field", ["task", "output", "artifact"])
def test_a_package_with_a_name_that_leads_elsewhere_is_refused(field, name):
    words = {"artifact": {"output": name, "kind": "artifacts"}}.get(field, {field: name})
    with pytest.raises(PackageError, match="a name that no file can have|NUL"):
        Package.from_upload(package(**words))


@pytest.mark.parametrize("name", [*LEADING_OUT, "x" * 1000, "é" * 500, "", NO_TEXT])
def test_the_folder_of_a_run_is_in_its_place(name, tmp_path):
    home = tmp_path / "runs"
    folder = make_run_folder(name, None, home)
    assert folder.parents[1].resolve() == home.resolve()
    assert [one.name for one in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize("name", ["titanic", "My pipeline (v2).1", "été", ".hidden"])
def test_an_ordinary_name_stays(name):
    assert files.folder_name(name) == name


def test_a_run_in_a_folder_whose_name_is_no_text_is_refused(tmp_path):
    for output in (tmp_path / NO_TEXT, tmp_path / NO_TEXT / "run"):
        with pytest.raises(UsageError, match="caf.: a name that is no text|caf./run: a name that"):
            make_run_folder("x", output, tmp_path)
    with pytest.raises(UsageError, match="a name that is no text in UTF-8; rename it"):
        make_run_folder("x", None, tmp_path / NO_TEXT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["check", f"{NO_TEXT}.ipynb"],
        ["compile", f"{NO_TEXT}.ipynb"],
        ["compile", "a.ipynb", "-o", f"{NO_TEXT}.yaml"],
        ["compile", "a.ipynb", "--image", NO_TEXT],
        ["run", f"{NO_TEXT}.ipynb"],
        ["run", f"{NO_TEXT}.yaml"],
        ["run", "a.ipynb", "--output", NO_TEXT],
        ["run", "a.ipynb", "-p", f"text={NO_TEXT}"],
        ["migrate", f"{NO_TEXT}.ipynb"],
        ["draw", f"{NO_TEXT}.ipynb"],
        ["test", NO_TEXT],
        ["submit", f"{NO_TEXT}.ipynb"],
        ["submit", "a.ipynb", "--token-file", NO_TEXT],
        ["submit", "a.ipynb", "--host", NO_TEXT],
        ["train", f"{NO_TEXT}.yaml"],
        ["tune", f"{NO_TEXT}.yaml"],
        ["serve", NO_TEXT],
        ["data", NO_TEXT],
    ],
)
def test_a_command_says_that_a_name_is_no_text(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fastkf", *words])
    write_notebook(tmp_path / "a.ipynb", [("step:load", "x = 1")])
    if words[1].startswith(NO_TEXT):
        (tmp_path / words[1]).touch()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fastkf: ")
    is_value = not {"--image", "-p", "--host"}.isdisjoint(words)
    says = "no text in UTF-8" if is_value else "a name that is no text in UTF-8; rename it"
    assert line.endswith(f": {says}")


def test_what_a_stream_cannot_hold_is_written_all_the_same():
    raw = io.BytesIO()
    process.register()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors=process.ANY_TEXT)
    stream.write(f"✓ done … {NO_TEXT} é 漢 \ud800")
    stream.flush()
    assert raw.getvalue() == b"+ done ... caf\xe9 ? ? ?"


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_gets_every_line(encoding, tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", [("markdown", "# é 漢"), ("step:load", "x = '漢'")])
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    words = [sys.executable, "-m", "fastkf.cli", "check", path]
    ended = subprocess.run(words, env=environment, capture_output=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout == b"+ 1 notebook, no findings\n"


def test_no_text_from_elsewhere_steers_the_terminal(capsys):
    evil = "name \x1b]0;title\x07\x1b[2J\x9b31m\x08end"
    display = Display()
    display.say(evil)
    display.done(evil, 1.0)
    display.warn(evil)
    display.conclude(evil, True, evil)
    display.show_table((evil,), [(evil,)], title="x")
    written = capsys.readouterr().out
    assert "end" in written
    assert not set(written) & set(map(chr, [*range(10), *range(11, 32), *range(127, 160)]))


@pytest.mark.parametrize(
    "name", ["a b", "it's", '"', "a; touch MARK", "$(touch MARK)", "a\nb", "%"]
)
def test_steps_get_their_python_in_a_folder_of_any_name(name, tmp_path, monkeypatch):
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    with python_for_steps(folder, warm=False) as python:
        code = "import sys; print(sys.argv[1:])"
        ended = subprocess.run(
            [python.stub, "-c", code, "a b", "';"], capture_output=True, text=True
        )
    assert (ended.stdout, ended.stderr) == ("['a b', \"';\"]\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a:b", NO_TEXT])
def test_a_folder_where_steps_would_not_find_their_python_is_refused(name, tmp_path, monkeypatch):
    """With a colon PATH would end within the name, and steps take a python3 that installs."""
    temporary = tmp_path / name
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    says = "holds a ':', which PATH cannot hold; set TMPDIR to another|a name that is no text"
    with pytest.raises(FastkfError, match=says), PythonTasks(Provisions(Path()), warm=False):
        pass
    assert list(temporary.iterdir()) == []
