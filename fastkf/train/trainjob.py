"""Reads a TrainJob with its runtime, and finds what is wrong with it.

The format is trainer.kubeflow.org/v1alpha1 of Trainer 2.2. What its controller and its policy `jax`
do was read in pkg/runtime/framework/plugins/jax/jax.go; the defaults of pods are those of JobSet.
"""

import copy
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kubeflow_katib_api.models import (
    IoK8sApiCoreV1EnvVar,
    IoK8sApiCoreV1PodSpec,
    IoK8sApimachineryPkgApisMetaV1ObjectMeta,
)
from pydantic import StrictBool, StrictInt, StrictStr

from fastkf.base.errors import UsageError
from fastkf.base.files import read_inside
from fastkf.base.manifests import find_misfits, without_nulls
from fastkf.base.yaml_text import read_yaml
from fastkf.train.fields import Fields
from fastkf.train.kinds import NODE, TRAIN_JOB
from fastkf.train.left_out import name_parts
from fastkf.train.manifest import ReplicaSpec, TrainingJob

GROUP = "trainer.kubeflow.org"
API = f"{GROUP}/v1alpha1"
CONTROLLER = f"{GROUP}/trainjob-controller"
RUNTIMES = ("TrainingRuntime", "ClusterTrainingRuntime")
STEP = "trainer.kubeflow.org/trainjob-ancestor-step"
RESTARTS_OF_A_JOB = 6  # the backoffLimit of a Job that has none
LONGEST_NAME = 63
LARGEST = 2**20  # bytes of a file beside the job's
# What Trainer brings to every cluster.
BUILT_IN: dict[str, Any] = {
    "jax-distributed": {
        "mlPolicy": {"numNodes": 1, "jax": {}},
        "replicatedJobs": [
            {
                "name": NODE,
                "template": {
                    "metadata": {"labels": {STEP: "trainer"}},
                    "spec": {
                        "template": {
                            "spec": {
                                "containers": [
                                    {"name": NODE, "image": "nvcr.io/nvidia/jax:25.10-py3"}
                                ]
                            }
                        }
                    },
                },
            }
        ],
    }
}


class RuntimeRef(Fields):
    name: StrictStr
    kind: StrictStr | None = None
    api_group: StrictStr | None = None


class Trainer(Fields):
    image: StrictStr | None = None
    command: list[StrictStr] | None = None
    args: list[StrictStr] | None = None
    env: list[IoK8sApiCoreV1EnvVar] | None = None
    num_nodes: StrictInt | None = None
    num_proc_per_node: Any = None
    resources_per_node: dict[str, Any] | None = None


class Spec(Fields):
    runtime_ref: RuntimeRef
    trainer: Trainer | None = None
    initializer: Any = None
    runtime_patches: Any = None
    suspend: StrictBool | None = None
    managed_by: StrictStr | None = None
    active_deadline_seconds: StrictInt | None = None


class Manifest(Fields):
    api_version: StrictStr
    kind: StrictStr
    metadata: IoK8sApimachineryPkgApisMetaV1ObjectMeta
    spec: Spec
    status: Any = None


def read_trainjob(path: Path, manifest: dict, others: Sequence[dict]) -> TrainingJob:
    """The job that Trainer makes of a TrainJob.

    Args:
        path: where the manifest is; runtimes are also looked for in the YAML files beside it.
        manifest: the TrainJob.
        others: what else is in its file.

    Raises:
        UsageError: it is not right, or asks for what is not here.
    """
    if problems := find_misfits(manifest, Manifest) or _check(manifest):
        raise UsageError("\n  ".join([f"{path}: not right as a TrainJob:", *problems]))
    spec, name = manifest["spec"], manifest["metadata"]["name"]
    runtime = _find_runtime(path, spec["runtimeRef"], others)
    trainer = spec.get("trainer") or {}
    job = _find_trainer(path, runtime)
    pod = _make_pod(job, trainer)
    policy = runtime["mlPolicy"]
    count = trainer.get("numNodes") or policy.get("numNodes") or 1
    limits = {"backoffLimit": job.get("backoffLimit", RESTARTS_OF_A_JOB), "cleanPodPolicy": "All"}
    if seconds := spec.get("activeDeadlineSeconds"):
        limits["activeDeadlineSeconds"] = seconds
    if spec.get("suspend"):
        limits["suspend"] = True
    replicas = ReplicaSpec(NODE, count, pod.get("restartPolicy", "OnFailure"), pod, NODE)
    left_out = tuple(_find_left_out(runtime, job, trainer))
    return TrainingJob(path, manifest, name, [replicas], limits, "AllWorkers", TRAIN_JOB, left_out)


def _find_left_out(runtime: dict, trains: dict, trainer: dict) -> Iterator[str]:
    """The runtime's other jobs, such as those that fetch data, and what a node should have."""
    others = [
        one
        for one in runtime["replicatedJobs"]
        if _as_table(_as_table(one).get("template")).get("spec") is not trains
    ]
    if others:
        yield name_parts("replicatedJobs", others)
    yield from (one for one in ("numProcPerNode", "resourcesPerNode") if trainer.get(one))


def _check(manifest: dict) -> list[str]:
    """What the types of its fields do not say."""
    problems = []
    if manifest["apiVersion"] != API:
        problems.append(f"apiVersion: {manifest['apiVersion']!r}; a TrainJob is of {API}")
    name = manifest["metadata"].get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name):
        rule = "small letters, digits and -, a letter first"
        problems.append(f"metadata.name: {name!r} names no TrainJob; it takes {rule}")
    elif len(f"{name}-{NODE}-0-0") > LONGEST_NAME:
        problems.append("metadata.name: too long for the names of its pods")
    nodes = (manifest["spec"].get("trainer") or {}).get("numNodes")
    if nodes is not None and nodes < 1:
        problems.append(f"spec.trainer.numNodes: takes 1 or more, not {nodes}")
    return [*problems, *_check_spec(manifest["spec"])]


def _check_spec(spec: dict) -> list[str]:
    problems = []
    seconds = spec.get("activeDeadlineSeconds")
    if seconds is not None and seconds < 1:
        problems.append(f"spec.activeDeadlineSeconds: takes 1 or more, not {seconds}")
    manager = spec.get("managedBy", CONTROLLER)
    if manager != CONTROLLER:
        problems.append(f"spec.managedBy: {manager!r} runs no job here; leave it out")
    group = spec["runtimeRef"].get("apiGroup", GROUP)
    if group != GROUP:
        problems.append(f"spec.runtimeRef.apiGroup: {group!r}; runtimes are of {GROUP}")
    for field in ("runtimePatches", "initializer"):
        if spec.get(field):
            problems.append(f"spec.{field}: is not known here; put what it does into the runtime")
    return problems


def _find_runtime(path: Path, wanted: dict, others: Sequence[dict]) -> dict:
    """The policy of a runtime, and its jobs."""
    kind, name = wanted.get("kind", "ClusterTrainingRuntime"), wanted["name"]
    beside = sorted(file for file in path.parent.glob("*.y*ml") if file != path)
    for document in [*others, *(one for file in beside for one in _read_file(file))]:
        if not isinstance(document, dict) or document.get("kind") not in RUNTIMES:
            continue
        metadata = _as_table(document.get("metadata"))
        if (document["kind"], metadata.get("name")) == (kind, name):
            return _read_runtime(document, f"{kind} {name}")
    if kind == "ClusterTrainingRuntime" and name in BUILT_IN:
        return BUILT_IN[name]
    raise UsageError(
        f"{path}: no {kind} {name} in this file, or in a YAML file beside it",
        f"write it there; known without a file: {', '.join(BUILT_IN)}",
    )


def _read_file(file: Path) -> list:
    """The documents of a file beside the job's; none where it is no YAML, a pipe or a link."""
    try:
        text = read_inside(file.parent, file.name, LARGEST).decode("utf-8")
        return [without_nulls(one) for one in read_yaml(text)]
    except (OSError, ValueError):
        return []


def _read_runtime(document: dict, name: str) -> dict:
    try:
        spec = document["spec"]
        policy, jobs = spec["mlPolicy"], spec["template"]["spec"]["replicatedJobs"]
        found = {"mlPolicy": dict(policy), "replicatedJobs": list(jobs)}
    except (KeyError, TypeError, ValueError):
        raise UsageError(
            f"{name}: not right as a runtime",
            "it has spec.mlPolicy and spec.template.spec.replicatedJobs",
        ) from None
    if "jax" not in found["mlPolicy"]:
        policies = ", ".join(str(one) for one in found["mlPolicy"] if one != "numNodes") or "none"
        raise UsageError(
            f"{name}: its policy is {policies}, and only `jax` is known here",
            "a TensorFlow job runs here as a TFJob",
        )
    _check_number(dict(policy).get("numNodes"), 1, f"{name}: spec.mlPolicy.numNodes")
    return found


def _check_number(value: object, least: int, place: str) -> None:
    if value is not None and (type(value) is not int or value < least):
        raise UsageError(f"{place}: takes a whole number from {least} on, not {value!r}")


def _as_table(value: Any) -> dict[str, Any]:
    """A mapping of the manifest; {} for anything else."""
    return value if isinstance(value, dict) else {}


def _find_trainer(path: Path, runtime: dict) -> dict:
    """The spec of the Job whose pods train."""
    for one in runtime["replicatedJobs"]:
        template = _as_table(_as_table(one).get("template"))
        labels = _as_table(_as_table(template.get("metadata")).get("labels"))
        if labels.get(STEP) == "trainer":
            job = _as_table(template.get("spec"))
            _check_number(job.get("backoffLimit"), 0, f"{path}: backoffLimit of its runtime")
            pod = _as_table(_as_table(job.get("template")).get("spec"))
            if problems := find_misfits(pod, IoK8sApiCoreV1PodSpec, "its pod"):
                raise UsageError("\n  ".join([f"{path}: not right in its runtime:", *problems]))
            if NODE in [container["name"] for container in pod["containers"]]:
                return job
    raise UsageError(
        f"{path}: its runtime has no container that trains",
        f"it is in the job with the label {STEP}: trainer, and is called {NODE}",
    )


def _make_pod(job: dict, trainer: dict) -> dict:
    """The pod of the runtime, with what the TrainJob says of its container."""
    pod = copy.deepcopy(job["template"]["spec"])
    container = next(one for one in pod["containers"] if one["name"] == NODE)
    for field in ("image", "command", "args"):
        if trainer.get(field):
            container[field] = trainer[field]
    own = {one["name"]: one for one in trainer.get("env") or []}
    kept = [one for one in container.get("env") or [] if one["name"] not in own]
    container["env"] = [*kept, *own.values()]
    return pod
