"""Reads a TFJob, and finds what is wrong with it.

The format is kubeflow.org/v1 of the Training Operator 1.9; defaults and rules are the operator's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastkf.base.errors import UsageError
from fastkf.base.manifests import find_misfits, without_nulls
from fastkf.base.yaml_text import read_yaml
from fastkf.train.fields import Manifest
from fastkf.train.kinds import TF_JOB, TRAIN_JOB, JobKind

API = "kubeflow.org/v1"
CONTAINER = "tensorflow"
TYPES = ("Chief", "Master", "PS", "Worker", "Evaluator")
CHIEFS = ("Chief", "Master")
RESTART_POLICIES = ("Always", "OnFailure", "Never", "ExitCode")
CLEAN_POD_POLICIES = ("All", "Running", "None")
SUCCESS_POLICIES = ("", "AllWorkers")
MANAGERS = ("kubeflow.org/training-operator",)  # Kueue's, which there may be too, runs no job here
LONGEST_NAME = 63


@dataclass(frozen=True)
class ReplicaSpec:
    """The replicas of one type: how many, how they restart, and the pod that each is."""

    type: str
    count: int
    restart_policy: str
    pod: dict
    container_name: str = CONTAINER

    @property
    def container(self) -> dict:
        return next(one for one in self.pod["containers"] if one["name"] == self.container_name)


@dataclass(frozen=True)
class TrainingJob:
    """A TFJob, or a TrainJob, with the controller's defaults filled in.

    Attributes:
        left_out: what beside its pods' fields it asks for, and only a cluster does.
    """

    path: Path
    manifest: dict
    name: str
    specs: list[ReplicaSpec]
    run_policy: dict = field(default_factory=dict)
    success_policy: str = ""
    kind: JobKind = TF_JOB
    left_out: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.kind.name} {self.name}"

    @property
    def clean_pod_policy(self) -> str:
        return self.run_policy.get("cleanPodPolicy", "None")

    @property
    def backoff_limit(self) -> int | None:
        return self.run_policy.get("backoffLimit")

    @property
    def deciding_type(self) -> str:
        """The type whose replicas decide whether the job has succeeded."""
        types = [spec.type for spec in self.specs]
        return next((one for one in self.kind.deciding if one in types), self.kind.deciding[-1])

    @property
    def is_distributed(self) -> bool:
        """Whether there is more than one replica; only then the operator sets TF_CONFIG."""
        return sum(spec.count for spec in self.specs) > 1


def read_tfjob(path: Path, documents: Sequence[object]) -> TrainingJob:
    """The TFJob among the documents of a YAML file.

    Raises:
        UsageError: there is none, or it is not right; the text names all that is wrong.
    """
    manifest = _choose(path, documents)
    if problems := check_tfjob(manifest):
        raise UsageError("\n  ".join([f"{path}: not right as a TFJob:", *problems]))
    spec = manifest["spec"]
    return TrainingJob(
        path=path,
        manifest=manifest,
        name=manifest["metadata"]["name"],
        specs=[
            ReplicaSpec(
                type=_find_type(name) or name,
                count=one.get("replicas", 1),
                restart_policy=one.get("restartPolicy", "Never"),
                pod=one["template"]["spec"],
            )
            for name, one in spec["tfReplicaSpecs"].items()
        ],
        run_policy=spec.get("runPolicy") or {},
        success_policy=spec.get("successPolicy") or "",
    )


def check_tfjob(manifest: dict) -> list[str]:
    """What is wrong with a TFJob manifest: each text begins with the field."""
    if misfits := find_misfits(manifest, Manifest):
        return misfits  # the checks below read fields that are what they should be
    problems = _check_name(manifest)
    spec = manifest.get("spec")
    if not isinstance(spec, dict):
        return [*problems, "spec: is missing"]
    problems += _check_policies(spec)
    specs = spec.get("tfReplicaSpecs")
    if not specs or not isinstance(specs, dict):
        return [*problems, f"spec.tfReplicaSpecs: name at least one of {', '.join(TYPES)}"]
    for name, one in specs.items():
        at = f"spec.tfReplicaSpecs.{name}"
        problems += _check_replicas(one, name, at) if isinstance(one, dict) else [f"{at}: is empty"]
    types = [_find_type(name) for name in specs]
    if len([one for one in types if one in CHIEFS]) > 1:
        problems.append("spec.tfReplicaSpecs: Chief and Master are the same; keep one of them")
    return problems or _check_pod_names(manifest["metadata"]["name"], specs)


def read_documents(path: Path) -> list[object]:
    """What is in a YAML file.

    Raises:
        UsageError: there is no such file, it is a folder or it is no YAML.
    """
    try:
        return [without_nulls(one) for one in read_yaml(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: this is a folder; name one manifest (.yaml) in it") from None
    except ValueError as error:
        raise UsageError(f"{path}: not a YAML file: {error}") from None


def _choose(path: Path, documents: Sequence[object]) -> dict:
    manifests = [one for one in documents if isinstance(one, dict)]
    wanted = (API, TF_JOB.name)
    jobs = [one for one in manifests if (one.get("apiVersion"), one.get("kind")) == wanted]
    if len(jobs) != 1:
        found = ", ".join(f"{one.get('kind')} ({one.get('apiVersion')})" for one in manifests)
        raise UsageError(
            f"{path}: wants one {TF_JOB.name} of {API}, or one {TRAIN_JOB.name}",
            f"there is: {found or 'no manifest'}",
        )
    return jobs[0]


def _find_type(name: str) -> str | None:
    """The type as the operator writes it; it takes any case."""
    return next((one for one in TYPES if one.lower() == str(name).lower()), None)


def _check_name(manifest: dict) -> list[str]:
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name):
        rule = "small letters, digits and -, a letter first"
        return [f"metadata.name: {name!r} names no TFJob; it takes {rule}"]
    return []


def _check_pod_names(job: str, specs: dict) -> list[str]:
    last = [(kind, one.get("replicas", 1) - 1) for kind, one in specs.items()]
    over = max(len(f"{job}-{kind}-{index}") for kind, index in last) - LONGEST_NAME
    problem = f"metadata.name: {over} letters too long for the names of its pods"
    return [problem] if over > 0 else []


def _check_policies(spec: dict) -> list[str]:
    policy = spec.get("runPolicy")
    policy = policy if isinstance(policy, dict) else {}
    at = "spec.runPolicy"
    problems = _check_choice(policy, "cleanPodPolicy", CLEAN_POD_POLICIES, at)
    problems += _check_choice(policy, "managedBy", MANAGERS, at)
    problems += _check_choice(spec, "successPolicy", SUCCESS_POLICIES, "spec")
    for name, least in (
        ("backoffLimit", 0),
        ("activeDeadlineSeconds", 1),
        ("ttlSecondsAfterFinished", 0),
    ):
        value = policy.get(name)
        if isinstance(value, int) and value < least:
            problems.append(f"{at}.{name}: takes {least} or more, not {value}")
    return problems


def _check_replicas(spec: dict, name: str, at: str) -> list[str]:
    problems = _check_choice(spec, "restartPolicy", RESTART_POLICIES, at)
    kind, count = _find_type(name), spec.get("replicas", 1)
    if kind is None:
        problems.append(f"{at}: no such type of replica; there are: {', '.join(TYPES)}")
    if isinstance(count, int) and count < 1:
        problems.append(f"{at}.replicas: takes 1 or more, not {count}")
    if kind in CHIEFS and isinstance(count, int) and count > 1:
        problems.append(f"{at}.replicas: there can be one {kind} only, not {count}")
    template = spec.get("template")
    pod = template.get("spec") if isinstance(template, dict) else None
    if not isinstance(pod, dict):
        return [*problems, f"{at}.template.spec: is missing"]
    return problems + _check_pod(pod, f"{at}.template.spec")


def _check_pod(pod: dict, at: str) -> list[str]:
    containers = [one for one in pod.get("containers") or [] if isinstance(one, dict)]
    problems = []
    if [one.get("name") for one in containers].count(CONTAINER) != 1:
        found = ", ".join(str(one.get("name")) for one in containers) or "none"
        problems.append(
            f"{at}.containers: one must be named {CONTAINER}, for it gets TF_CONFIG; named: {found}"
        )
    volumes = {one.get("name") for one in pod.get("volumes") or [] if isinstance(one, dict)}
    for i, container in enumerate(containers):
        if not container.get("image"):
            problems.append(f"{at}.containers[{i}].image: is missing")
        for mount in container.get("volumeMounts") or []:
            if isinstance(mount, dict) and mount.get("name") not in volumes:
                where = f"{at}.containers[{i}].volumeMounts"
                problems.append(f"{where}: {mount.get('name')} is not among the pod's volumes")
    return problems


def _check_choice(part: dict, name: str, choices: tuple[str, ...], at: str) -> list[str]:
    value = part.get(name)
    if value is None or value in choices:
        return []
    known = ", ".join(choice or '""' for choice in choices)
    return [f"{at}.{name}: {value!r} is none of {known}"]
