"""Runs in folders, and with values, of any name: nothing of them is run, and all of it works."""

import os

import pytest
import yaml
from build import write_notebook
from conftest import fastkf

pytestmark = [pytest.mark.security, pytest.mark.slow]

ODD = 'it\'s a; touch MARK; "$(touch MARK)" `touch MARK` {{x}} %s &'
CELLS = [
    ("imports", "import tempfile"),
    (["pipeline-parameters", "parameters"], "text = 'a'\ndata_dir = '.'"),
    ("step:load", "first = len(text)\nprint(tempfile.mkdtemp())"),
    (["step:add", "prev:load"], "total = first + len(data_dir)"),
    ("pipeline-metrics", "print(total)"),
]


def test_a_run_takes_any_folder_and_any_value(tmp_path):
    temporary, course = tmp_path / ODD, tmp_path / "home" / ODD
    temporary.mkdir()
    path = write_notebook(course / f"{ODD}.ipynb", CELLS)
    value = ODD.replace("'", "")
    run = fastkf(
        "run",
        path,
        "-p",
        f"text={value}",
        "-p",
        f"data_dir={value}",
        folder=course / f"{ODD} run",
        env={**os.environ, "TMPDIR": str(temporary)},
        cwd=course,
    )
    assert run.code == 0, run.output
    assert run.record["pipeline"]["metrics"] == {"total": 2.0 * len(value)}
    assert run.record["notebook"]["metrics"] == {"total": 2.0 * len(value)}
    assert [one for one in tmp_path.rglob("*") if one.name.startswith("MARK")] == []


@pytest.mark.parametrize("name", ["../../out", "/out", "$(touch MARK)", "a'; touch MARK"])
def test_a_package_of_any_name_runs_in_its_place(name, tmp_path):
    container = {"image": "example/one", "command": ["sh", "-c", 'echo "$0"', "$(touch MARK)"]}
    spec = {
        "pipelineInfo": {"name": name},
        "root": {"dag": {"tasks": {"one": {"componentRef": {"name": "comp"}}}}},
        "components": {"comp": {"executorLabel": "exec"}},
        "deploymentSpec": {"executors": {"exec": {"container": container}}},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.0",
    }
    place = tmp_path / "a" / "b" / "place"
    (place / "one").mkdir(parents=True)
    (place / "package.yaml").write_text(yaml.safe_dump(spec))
    run = fastkf("run", place / "package.yaml", cwd=place)
    assert run.code == 0, run.output
    (log,) = tmp_path.rglob("one.log")
    assert log.read_text() == "$(touch MARK)\n"
    assert log.is_relative_to(place)
    assert [one for one in tmp_path.rglob("*") if one.name == "MARK"] == []
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
