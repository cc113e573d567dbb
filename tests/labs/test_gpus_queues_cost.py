"""The guide on GPUs, queues and cost: what it shows is what comes out, and its bill is right."""

import importlib.util
import json
import re
import shutil
import sys
from types import SimpleNamespace

import pytest
import yaml
from build import write_notebook
from conftest import fastkf
from guides import blocks, fastkf_commands
from manifests import check_manifest, read_manifests

from fastkf.base.errors import FastkfError
from fastkf.course import places
from fastkf.package.given import DONE
from fastkf.package.model import Package
from fastkf.package.settings import describe_settings
from fastkf.runs.model import PipelineResult, Run, State, Step
from fastkf.runs.record import read_run, write_run

LAB = places.PROJECT / "labs" / "gpus_queues_cost"
GUIDE = LAB / "README.md"
KUEUE = {one["metadata"]["name"]: one for one in read_manifests(LAB / "manifests/kueue.yaml")}


def load(name):
    specification = importlib.util.spec_from_file_location(f"gpus_{name}", LAB / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


cost = load("cost")
PRICES = cost.Amounts(cpu=0.03, memory=0.004, gpu=0.70)


@pytest.fixture
def run(tmp_path):
    """The run that the guide reckons by hand, as its record says it."""
    attempts = tuple(
        Step(f"train.try-{number}", "train", state=state, seconds=seconds)
        for number, state, seconds in ((1, State.FAILED, 11.2), (2, State.SUCCEEDED, 13.2))
    )
    steps = (
        Step("load-digits", "load-digits", state=State.SUCCEEDED, seconds=7.9),
        Step("train", "train", state=State.SUCCEEDED, seconds=24.4, attempts=attempts),
        Step("tell-end", "tell-end", state=State.SUCCEEDED, seconds=0.3),
    )
    made = Run(
        folder=tmp_path,
        name="train-on-a-gpu",
        title="train-on-a-gpu",
        parameters={},
        state=State.SUCCEEDED,
        seconds=32.9,
        pipeline=PipelineResult(State.SUCCEEDED, seconds=32.6, steps=steps),
    )
    shutil.copyfile(LAB / "pipeline.yaml", tmp_path / "pipeline.yaml")
    write_run(made)
    return tmp_path


def test_the_bill_by_program_is_that_by_hand(run, capsys):
    words = [str(run), "--cpu", "0.03", "--memory", "0.004", "--gpu", "0.70", "--node", "1.20"]
    assert cost.main(words) == 0
    [shown] = [one for one in blocks(GUIDE, "") if one.startswith("step ")]
    told = re.sub(r"  4\.2 s of .*", "  not told", shown)  # this record has no metrics
    assert capsys.readouterr().out == told
    assert f"{11.2 / 3600 * (2 * 0.03 + 4 * 0.004 + 0.70):.5f}" in GUIDE.read_text()


def test_what_was_cached_or_skipped_costs_nothing(run):
    kept = read_run(run)
    cached = Step("train", "train", State.SUCCEEDED, seconds=5, cached_from="an-earlier-run")
    skipped = Step("load-digits", "load-digits", state=State.SKIPPED)
    pipeline = PipelineResult(State.SUCCEEDED, steps=(cached, skipped))
    package = Package.read(run / "pipeline.yaml")
    assert cost.reckon(Run(**{**vars(kept), "pipeline": pipeline}), package, PRICES) == []


def test_a_limit_without_a_request_is_reserved():
    asked = {"resourceMemoryLimit": "2Gi", "resourceCpuLimit": "500m"}
    assert cost.read_reserved("train", asked) == cost.Amounts(cpu=0.5, memory=2.0)


def test_a_request_that_only_the_run_knows_is_named():
    asked = {"resourceCpuRequest": "{{$.inputs.parameters['pipelinechannel--cpu']}}"}
    with pytest.raises(FastkfError, match="step train: what it requests is known only"):
        cost.read_reserved("train", asked)


def test_a_number_of_gpus_that_only_the_run_knows_is_named():
    asked = {"accelerator": {"resourceCount": "{{$.inputs.parameters['gpus']}}"}}
    with pytest.raises(FastkfError, match="train: .*while it runs"):
        cost.read_reserved("train", asked)


@pytest.mark.parametrize("used", ["much", None, [1], float("nan"), -1, 10**400])
def test_what_is_no_time_is_not_told(used):
    metadata = SimpleNamespace(metadata={cost.CPU_SECONDS: used})
    step = SimpleNamespace(outputs=SimpleNamespace(artifacts={"a": metadata}))
    assert cost.read_used(step) is None


def test_a_folder_without_a_run_is_one_line(tmp_path, capsys):
    assert cost.main([str(tmp_path)]) == 1
    assert "no such file" in capsys.readouterr().err


def test_the_package_is_what_the_compiler_makes(tmp_path, monkeypatch):
    from kfp import compiler

    monkeypatch.syspath_prepend(LAB)
    for name in ("components", "pipeline"):  # other labs have modules of these names
        monkeypatch.delitem(sys.modules, name, raising=False)
    made = tmp_path / "pipeline.yaml"
    compiler.Compiler().compile(load("pipeline").train_on_a_gpu, str(made))
    sys.modules.pop("components", None)
    assert made.read_text() == (LAB / "pipeline.yaml").read_text(), (
        "compile it again: python labs/gpus_queues_cost/pipeline.py "
        "labs/gpus_queues_cost/pipeline.yaml"
    )


def test_the_guide_shows_what_the_package_has():
    shown = [one for one in blocks(GUIDE, "yaml") if "example.com" not in one]
    for block in shown:
        assert block in (LAB / "pipeline.yaml").read_text()
    for line in blocks(GUIDE, "python")[1].splitlines():
        assert line in (LAB / "pipeline.py").read_text()
    assert len(shown) == 2


def test_the_tags_compile_to_what_the_guide_shows(tmp_path):
    [tags] = [one.split() for one in blocks(GUIDE, "") if one.startswith("step:train")]
    cells = [("imports", "import math"), ("step:load", "first = 1"), (tags, "total = first + 2")]
    notebook = write_notebook(tmp_path / "gpu.ipynb", cells)
    compiled = tmp_path / "gpu.yaml"
    assert fastkf("compile", notebook, "-o", compiled).code == 0
    package = Package.read(compiled)
    executors = package.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    made = {
        "resources": package.executors["exec-train-step"]["container"]["resources"],
        "podMetadata": executors["exec-train-step"]["podMetadata"],
    }
    [shown] = [one for one in blocks(GUIDE, "yaml") if "example.com" in one]
    first, second = re.split(r"(?=^ +podMetadata)", shown, maxsplit=1, flags=re.M)
    assert {**yaml.safe_load(first), **yaml.safe_load(second)} == made


def train_once(folder, **given):
    components = load("components")
    model, digits = SimpleNamespace(path=str(folder / "model")), folder / "digits.parquet"
    logged = {}
    metrics = SimpleNamespace(log_metric=logged.__setitem__)
    if not digits.exists():
        components.load_digits.python_func(SimpleNamespace(path=str(digits)))
    accuracy = components.train.python_func(
        digits=SimpleNamespace(path=str(digits)),
        epochs=4,
        checkpoints=str(folder / "checkpoints"),
        model=model,
        metrics=metrics,
        **given,
    )
    return accuracy, logged


def test_a_training_goes_on_where_its_node_was_lost(tmp_path, capsys):
    (tmp_path / "whole").mkdir()
    whole, _ = train_once(tmp_path / "whole", lost_after=0)
    with pytest.raises(SystemExit, match="lost after epoch 3"):
        train_once(tmp_path, lost_after=3)
    accuracy, logged = train_once(tmp_path, lost_after=3)
    assert "goes on after epoch 3" in capsys.readouterr().out
    assert (accuracy, logged["epochs_here"]) == (whole, 1)


def test_the_lost_node_of_the_guide_is_survived(tmp_path):
    """What the guide says to type: each attempt has a /tmp of its own, as each pod has."""
    [words] = [one for one in fastkf_commands(GUIDE) if "lost_after=12" in one]
    words = [one.replace("$PWD", str(tmp_path)) for one in words]
    told = fastkf(*words, folder=tmp_path / "run", cwd=places.PROJECT)
    assert told.code == 0, told.output
    assert re.search(r"train\.try-1 +│? *failed", told.output), told.output
    assert "goes on after epoch 12" in (tmp_path / "run/logs/train.log").read_text()
    assert read_run(tmp_path / "run").pipeline.metrics["train.epochs_here"] == 18


def test_what_the_guide_says_is_not_applied_is_what_a_run_says():
    package = Package.read(LAB / "pipeline.yaml")
    [shown] = [one for one in blocks(GUIDE, "") if "not applied here" in one]
    said = describe_settings(package, DONE)
    assert shown == "".join(f"! not applied here: {one}\n" for one in said)


def change(manifest, *path, to):
    changed = json.loads(json.dumps(manifest))
    spot = changed
    for word in path[:-1]:
        spot = spot[word]
    spot[path[-1]] = to
    return changed


FLAVOR = ("spec", "resourceGroups", 0, "flavors", 0, "resources", 0)


@pytest.mark.parametrize(
    ("name", "path", "to"),
    [
        ("gpus", ("spec", "queuingStrategy"), "StrictFIFO"),
        ("gpus", ("spec", "queueingStrategy"), "FIFO"),
        ("gpus", ("spec", "cohort"), "all"),  # its name until v1beta2
        ("gpus", (*FLAVOR, "nominalQuota"), "many"),
        ("gpus", (*FLAVOR, "name"), "memory"),
        ("gpus", (*FLAVOR, "borrowingLimit"), "1"),
        ("team-a", ("spec", "clusterqueue"), "gpus"),
        ("gpu-spot", ("spec", "nodeTaints", 0, "effect"), "Never"),
        ("gpu-spot", ("metadata", "name"), "GPU spot"),
    ],
)
def test_a_fault_in_an_object_of_kueue_is_found(name, path, to):
    assert check_manifest(KUEUE[name]) == []
    assert check_manifest(change(KUEUE[name], *path, to=to)) != []


def test_the_queue_has_the_flavors_and_the_names_that_others_use():
    groups = KUEUE["gpus"]["spec"]["resourceGroups"]
    assert {one["name"] for group in groups for one in group["flavors"]} <= set(KUEUE)
    assert KUEUE["team-a"]["spec"]["clusterQueue"] in KUEUE
    [job] = read_manifests(LAB / "manifests/trainjob.yaml")
    queue = "kueue.x-k8s.io/queue-name"
    assert job["metadata"]["labels"][queue] in KUEUE
    assert job["metadata"]["namespace"] == KUEUE["team-a"]["metadata"]["namespace"]
    platform = Package.read(LAB / "pipeline.yaml").platform["platforms"]["kubernetes"]
    train = platform["deploymentSpec"]["executors"]["exec-train"]
    assert train["podMetadata"]["labels"][queue] == "team-a"


def test_the_settings_of_the_device_plugin_are_yaml():
    [shared] = read_manifests(LAB / "manifests/time-slicing.yaml")
    settings = {name: yaml.safe_load(text) for name, text in shared["data"].items()}
    assert settings["four-in-turn"]["sharing"]["timeSlicing"]["resources"][0]["replicas"] == 4
    assert {one["version"] for one in settings.values()} == {"v1"}
