"""What a job's kind decides: a TFJob of the Training Operator v1, or a TrainJob of Trainer v2."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastkf.train.status import JobStatus

NODE = "node"  # of Trainer: its job, container and step

Addresses = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class JobKind:
    """A kind of job.

    Attributes:
        name: as in manifests.
        deciding: the types whose replicas decide whether a job has succeeded, the first that it
            has; the last one, if it has none.
        suspend: the field that keeps a job from starting.
        listens: where replicas listen that have no network of their own.
        own_folders: whether each replica has a working folder of its own. A function that the SDK
            has sent is written there first, by each replica, so they must not share one.
        tells_one: whether a replica that is alone is told its place, too.
        tell_place: the variables that tell a replica of a type which one it is, of how many, and
            where the others are.
        describe: the status in the resource, with the counts of the replicas of each type.
    """

    name: str
    deciding: tuple[str, ...]
    suspend: str
    listens: str
    own_folders: bool
    tells_one: bool
    tell_place: Callable[[str, int, int, Addresses], dict[str, str]]
    describe: Callable[[JobStatus, dict[str, dict[str, int]]], dict[str, Any]]


def _tell_tensorflow(type: str, index: int, count: int, cluster: Addresses) -> dict[str, str]:
    task = {"type": type.lower(), "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task, "environment": "cloud"})}


def _tell_jax(type: str, index: int, count: int, cluster: Addresses) -> dict[str, str]:
    address = cluster[type][0]
    return {
        "JAX_NUM_PROCESSES": str(count),
        "JAX_PROCESS_ID": str(index),
        "JAX_COORDINATOR_ADDRESS": address,
        "JAX_COORDINATOR_PORT": address.rpartition(":")[2],
        "JAX_COORDINATOR_BIND_ADDRESS": address,  # else it listens on all devices
        "JOB_COMPLETION_INDEX": str(index),
    }


TF_JOB = JobKind(
    name="TFJob",
    deciding=("Chief", "Master", "Worker"),
    suspend="spec.runPolicy.suspend",
    listens="TensorFlow listens on all its devices",
    own_folders=False,
    tells_one=False,
    tell_place=_tell_tensorflow,
    describe=JobStatus.to_dict,
)
TRAIN_JOB = JobKind(
    name="TrainJob",
    deciding=(NODE,),
    suspend="spec.suspend",
    listens="Gloo listens at the address of its name",
    own_folders=True,
    tells_one=True,
    tell_place=_tell_jax,
    describe=JobStatus.to_trainer_dict,
)
