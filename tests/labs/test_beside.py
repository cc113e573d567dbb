"""Feast, Spark, MLflow, TensorBoard: the committed pipelines are those of the programs, and run."""

import ast
import importlib.util
import json
import os
import re
import shutil

import pytest
import yaml
from conftest import fastkf

from fastkf.course import places
from fastkf.course.data import fetch
from fastkf.package.model import Package
from fastkf.run.package import describe_place

LAB = places.PROJECT / "labs" / "beside"
TOOLS = ["feast", "mlflow", "spark", "tensorboard"]
PINNED = re.compile(r"[a-z-]+(==[\d.]+|>=[\d.]+,<[\d.]+)")

needs_network = pytest.mark.skipif(
    not os.environ.get("FASTKF_TEST_BESIDE"),
    reason="installs packages beside the lock: FASTKF_TEST_BESIDE=1 runs it",
)
needs_java = pytest.mark.skipif(not shutil.which("java"), reason="Spark runs in Java: not here")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_run_says_that_its_packages_lie_beside_those_of_the_course(tool):
    package = Package.read(LAB / f"use_{tool}.yaml")
    assert describe_place(package, docker=False).endswith("in an environment of their own.")


def load(tool):
    specification = importlib.util.spec_from_file_location(f"use_{tool}", LAB / f"use_{tool}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("tool", TOOLS)
def test_the_committed_pipeline_is_what_the_program_makes(tool, tmp_path):
    from kfp import compiler, dsl

    [pipeline] = [
        one
        for one in vars(load(tool)).values()
        if isinstance(one, dsl.graph_component.GraphComponent)
    ]
    compiler.Compiler().compile(pipeline, str(tmp_path / "made.yaml"))
    program = f"labs/beside/use_{tool}"
    committed = (places.PROJECT / f"{program}.yaml").read_text()
    assert (tmp_path / "made.yaml").read_text() == committed, (
        f"compile it again: python {program}.py {program}.yaml"
    )


@pytest.mark.parametrize("tool", TOOLS)
def test_each_package_has_a_version_which_its_page_names(tool):
    tree = ast.parse((LAB / f"use_{tool}.py").read_text())
    named = {
        one.value
        for one in ast.walk(tree)
        if isinstance(one, ast.Constant) and re.match(r"[a-z-]+[=><]=", str(one.value))
    }
    assert named
    assert all(PINNED.fullmatch(one) for one in named), named
    [version] = [re.search(r"==(.*)", one)[1] for one in named if re.match(rf"(py)?{tool}==", one)]
    assert version in (LAB / f"{tool}.md").read_text()


@pytest.mark.parametrize("there", [False, True], ids=["no java", "a java that only says so"])
def test_without_java_the_step_says_so(there, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    if there:
        (tmp_path / "java").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "java").chmod(0o755)
    with pytest.raises(RuntimeError, match="Java, which is not installed here"):
        load("spark").count_late.python_func(data_dir="", processors=2, late=None)


def run(tool, data, folder, *options):
    """Runs an example; answers the outputs of its steps, and its metrics."""
    place = fetch([data], progress=lambda line: None)[data]
    told = fastkf(
        "run", LAB / f"use_{tool}.yaml", "-p", f"data_dir={place}", *options, folder=folder
    )
    assert told.code == 0, told.output
    pipeline = json.loads((folder / "run.json").read_text())["pipeline"]
    outputs = {one["name"]: one.get("outputs", {}).get("parameters") for one in pipeline["steps"]}
    return outputs, pipeline["metrics"]


@needs_network
@pytest.mark.slow
def test_features_joined_as_of_the_departure_know_less_than_those_of_the_day(tmp_path):
    outputs, metrics = run("feast", "flights", tmp_path / "run")
    joined = outputs["join-features"]["Output"]
    assert joined["online_ua_ewr"] == joined["newest_ua_ewr"]
    assert joined["rows"] > 4500
    careful, careless = (metrics[f"measure.auc_{one}_delay"] for one in ("mean", "same_day"))
    assert 0.7 < careful < careless


@needs_network
@needs_java
@pytest.mark.slow
def test_spark_counts_all_flights(tmp_path):
    outputs, _ = run("spark", "flights", tmp_path / "run")
    assert outputs["count-late"]["Output"]["rows"] == 336_776
    assert outputs["count-late"]["Output"]["worst"] == "EWR in month 12: 0.3719"
    [table] = (tmp_path / "run").rglob("show/table")
    assert "| 12 | 37.2% | 31.2% | 29.1% |" in table.read_text()


@needs_network
@pytest.mark.slow
def test_mlflow_names_the_best_trial_of_the_run(tmp_path):
    store = f"tracking_uri=sqlite:///{tmp_path}/mlflow.db"
    outputs, _ = run("mlflow", "flights", tmp_path / "run", "-p", store)
    assert re.fullmatch(r"depth [138]", outputs["find-best"]["Output"])
    assert "3 trials, the best AUC is 0.7" in "".join(
        one.read_text() for one in (tmp_path / "run" / "logs").glob("find-best*")
    )


@needs_network
@pytest.mark.slow
def test_tensorboard_gets_its_files(tmp_path):
    outputs, _ = run("tensorboard", "mnist_5k", tmp_path / "run", "-p", "epochs=2")
    assert outputs["train"]["Output"] > 0.85
    files = {one.parent.name for one in (tmp_path / "run").rglob("events.out.tfevents.*")}
    assert files == {"train", "validation"}


def test_every_page_says_what_was_not_tried():
    for tool in TOOLS:
        assert "## Not verified here" in (LAB / f"{tool}.md").read_text()
        spec = next(yaml.safe_load_all((LAB / f"use_{tool}.yaml").read_text()))
        assert spec["pipelineInfo"]["name"]
