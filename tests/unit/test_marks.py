"""Labels and annotations that are not a step's to give, and those that harm nothing."""

import pytest

from fastkf.package import warnings
from fastkf.package.marks import find_harm
from fastkf.package.model import Package

ARGO = "workflows.argoproj.io/"


@pytest.mark.parametrize(
    ("kind", "key", "value", "said"),
    [
        ("label", "workflow", "mine", "does not end"),
        ("label", "completed", "true", "does not end"),
        ("label", "completed", "false", None),
        ("label", "controller-instanceid", "a", "does not end"),
        ("label", "on-exit", "true", "terminated"),
        ("label", "node-id", "a", None),
        ("annotation", "node-id", "a", "does not end"),
        ("annotation", "node-name", "a", None),
        ("annotation", "workflow", "a", None),
        ("annotation", "pod-gc-strategy", "OnPodCompletion", "without `/`"),
        ("annotation", "pod-gc-strategy", "OnPodCompletion/10s", None),
        ("annotation", "kill-cmd-main", "[]", None),
    ],
)
def test_what_argo_finds_a_pod_by(kind, key, value, said):
    harm = find_harm(kind, ARGO + key, value)
    assert (harm is None) == (said is None)
    assert harm is None or said in harm


@pytest.mark.parametrize(
    "key",
    [
        "pipeline/runid",
        "pipelines.kubeflow.org/v2_component",
        "pipelines.kubeflow.org/runtime-role",
        "workflow",
        "sidecar.istio.io/inject",
    ],
)
def test_what_changes_nothing_for_a_run(key):
    assert find_harm("label", key, "x") is None
    assert find_harm("annotation", key, "x") is None


def test_a_package_is_warned_of():
    marks = {"labels": {f"{ARGO}completed": "true", "team": "ml"}}
    executors = {"exec-train": {"podMetadata": marks}, "exec-load": {}}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    [told] = warnings.of_marks(Package({"root": {}}, platform))
    assert told.startswith(f"train has the label {ARGO}completed. On a cluster Argo finds")
