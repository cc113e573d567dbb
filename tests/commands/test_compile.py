"""The compiled package: its DAG, its parameters, its pinned packages, its bytes."""

import json
import os

import pytest
import yaml
from build import write_notebook
from conftest import LABS, fastkf

from fastkf.base.errors import FastkfError, UsageError
from fastkf.course.lock import read_lock
from fastkf.course.regression import checks
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import read
from fastkf.package.pins import Pins

DIAMOND = [
    ("imports", "import numpy as np"),
    (["pipeline-parameters", "parameters"], "start = 1\nLIMIT = 2.5\nname = 'one'"),
    ("step:load", "number = start + 1"),
    (["step:double", "prev:load"], "doubled = number * 2"),
    (["step:square", "prev:load"], "squared = number**2"),
    (["step:add", "prev:double", "prev:square"], "total = float(np.add(doubled, squared))"),
    ("pipeline-metrics", "print(total)"),
]


@pytest.fixture
def diamond(tmp_path):
    return write_notebook(tmp_path / "diamond.ipynb", DIAMOND, pipeline_name="diamond")


def load(path):
    """The pipeline spec, without the platform part that follows it."""
    return next(yaml.safe_load_all(path.read_text()))


def edges(spec):
    tasks = spec["root"]["dag"]["tasks"]
    return {name: sorted(task.get("dependentTasks", [])) for name, task in tasks.items()}


def commands(spec):
    executors = spec["deploymentSpec"]["executors"].values()
    return [" ".join(executor["container"]["command"]) for executor in executors]


def test_dag_has_the_edges_of_the_data(diamond, tmp_path):
    spec = load(compile_notebook(read(diamond), tmp_path / "diamond.yaml"))
    assert spec["pipelineInfo"]["name"] == "diamond"
    assert edges(spec) == {
        "load-step": [],
        "double-step": ["load-step"],
        "square-step": ["load-step"],
        "add-step": ["double-step", "square-step"],
    }


def test_parameters_become_typed_inputs(diamond, tmp_path):
    spec = load(compile_notebook(read(diamond), tmp_path / "diamond.yaml"))
    inputs = spec["root"]["inputDefinitions"]["parameters"]
    typed = {name: (one["parameterType"], one["defaultValue"]) for name, one in inputs.items()}
    assert typed == {
        "start": ("NUMBER_INTEGER", 1),
        "limit": ("NUMBER_DOUBLE", 2.5),
        "name": ("STRING", "one"),
    }


def test_every_step_installs_the_locked_versions(diamond, tmp_path):
    spec = load(compile_notebook(read(diamond), tmp_path / "diamond.yaml"))
    lock = read_lock().versions
    for command in commands(spec):
        for package in ("kfp", "kubeflow-kale", "numpy"):
            assert f"'{package}=={lock[package]}'" in command
        assert "://" not in command.split("_KFP_RUNTIME")[0]


def test_index_of_the_cluster_can_be_named(diamond, tmp_path, monkeypatch):
    monkeypatch.setenv("KALE_PIP_INDEX_URLS", "https://packages.example/index")
    spec = load(compile_notebook(read(diamond), tmp_path / "diamond.yaml"))
    assert all("--index-url https://packages.example" in command for command in commands(spec))


def test_image_of_the_steps_can_be_named(diamond, tmp_path):
    package = compile_notebook(read(diamond), tmp_path / "d.yaml", image="course/steps:1")
    executors = load(package)["deploymentSpec"]["executors"].values()
    assert {executor["container"]["image"] for executor in executors} == {"course/steps:1"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["diamond", "02_titanic"])
def test_no_seed_of_hashes_changes_the_bytes(name, diamond, tmp_path):
    """Nor another process, which has another order of sets with it."""
    notebook = diamond if name == "diamond" else name
    packages = []
    for seed in ("1", "2"):
        package = tmp_path / f"{seed}.yaml"
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        assert fastkf("compile", notebook, "-o", package, env=environment).code == 0
        packages.append(package.read_bytes())
    assert packages[0] == packages[1]


@pytest.mark.slow
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_dependencies_read_from_a_lab_are_those_compiled(path):
    """These stand in the golden file, to which the lab's check `package` compiles."""
    lab = read(path)
    tasks = json.loads(checks.golden_path(lab).read_text())["tasks"]
    compiled = {
        name.removesuffix("-step").replace("-", "_"): [
            other.removesuffix("-step").replace("-", "_") for other in after
        ]
        for name, after in tasks.items()
    }
    assert {step: sorted(after) for step, after in lab.dependencies.items()} == compiled


def test_nothing_is_left_beside_the_notebook(diamond, tmp_path):
    compile_notebook(read(diamond), tmp_path / "out" / "diamond.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diamond.ipynb", "out"]


def test_what_kale_rejects_is_one_message(tmp_path):
    path = write_notebook(tmp_path / "bad.ipynb", [("step:load", "x = 1"), ("wrong", "y = 2")])
    with pytest.raises(FastkfError, match="Unrecognized tag: wrong.*fastkf check"):
        compile_notebook(read(path), tmp_path / "bad.yaml")


def test_what_is_wrong_with_the_target_is_not_blamed_on_the_notebook(diamond, tmp_path):
    (tmp_path / "taken.yaml").mkdir()
    for target in ("taken.yaml", "diamond.ipynb/below.yaml"):
        with pytest.raises(UsageError, match=f"{target}: cannot be written"):
            compile_notebook(read(diamond), tmp_path / target)
    with pytest.raises(UsageError, match=r"diamond.txt: a package's name ends in .yaml"):
        compile_notebook(read(diamond), tmp_path / "diamond.txt")


def test_a_notebook_that_is_referred_to_is_compiled_as_it_is_now(tmp_path):
    def compile_with(value: int) -> dict:
        cells = [("step:load", f"x = {value}")]
        write_notebook(tmp_path / "part.ipynb", cells, pipeline_name="part")
        return load(compile_notebook(read(whole), tmp_path / "whole.yaml"))

    cells = [("notebook:part", "# part.ipynb"), ("step:show", "print(x)")]
    whole = write_notebook(tmp_path / "whole.ipynb", cells)
    content = json.loads(whole.read_text())
    content["cells"][0]["metadata"]["notebook_path"] = "part.ipynb"
    whole.write_text(json.dumps(content))
    assert any("x = 1\n" in command for command in commands(compile_with(1)))
    assert any("x = 2\n" in command for command in commands(compile_with(2)))


def test_command_prints_the_path_of_the_package(diamond, tmp_path):
    command = fastkf("compile", diamond, cwd=tmp_path)
    assert command.code == 0
    assert command.output == "diamond.yaml\n"
    assert load(tmp_path / "diamond.yaml")["pipelineInfo"]["name"] == "diamond"


def test_a_link_that_the_user_names_stays_one(diamond, tmp_path):
    (tmp_path / "kept").mkdir()
    link = tmp_path / "named.yaml"
    link.symlink_to("kept/package.yaml")
    assert fastkf("compile", diamond, "-o", link, cwd=tmp_path).code == 0
    assert link.is_symlink()
    assert load(tmp_path / "kept" / "package.yaml")["pipelineInfo"]["name"] == "diamond"


def test_a_link_that_the_notebook_names_leads_to_nothing_elsewhere(diamond, tmp_path):
    """Its pipeline's name is the author's, as is all that a folder from elsewhere holds."""
    (tmp_path / "here").mkdir()
    own = tmp_path / "own.yaml"
    own.write_text("the user's")
    (tmp_path / "here" / "diamond.yaml").symlink_to(own)
    command = fastkf("compile", diamond, cwd=tmp_path / "here")
    assert command.code == 2
    assert "diamond.yaml: leads by a link to" in command.output
    assert own.read_text() == "the user's"
    assert (tmp_path / "here" / "diamond.yaml").is_symlink()


def test_no_picture_is_drawn_through_a_link_that_leads_elsewhere(diamond, tmp_path):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    elsewhere.mkdir()
    here.mkdir()
    notebook = diamond.rename(here / "diamond.ipynb")
    (here / "images").symlink_to(elsewhere)
    command = fastkf("draw", notebook)
    assert command.code == 2
    assert "leads by a link to" in command.output
    assert list(elsewhere.iterdir()) == []
    (here / "images").unlink()
    (here / "pictures").mkdir()
    (here / "images").symlink_to("pictures")
    assert fastkf("draw", notebook).code == 0
    assert (here / "pictures" / "diamond.svg").exists()


def test_pins_come_from_the_lock_then_from_what_is_installed():
    assert read_lock().pin("kfp>=2.0.0") == f"kfp=={read_lock().versions['kfp']}"
    assert Pins().pin("no-such-package-anywhere") == "no-such-package-anywhere"
