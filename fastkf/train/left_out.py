"""What a job's manifest asks for, and only a cluster does."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastkf.base.paths import is_below
from fastkf.train.manifest import ReplicaSpec, TrainingJob

OF_POD = {"containers", "volumes", "restartPolicy"}  # what is obeyed here
OF_CONTAINER = {"name", "command", "args", "env", "envFrom", "volumeMounts", "workingDir"}
IMAGE = {"image", "imagePullPolicy", "imagePullSecrets"}  # told by itself


def name_left_out(job: TrainingJob) -> str:
    """All of it on one line, each once, with the names of what has names; "" for nothing."""
    return ", ".join(
        dict.fromkeys([*job.left_out, *(one for spec in job.specs for one in _of_spec(spec))])
    )


def name_parts(field: str, parts: Any) -> str:
    """A field with the names of what is in it: `initContainers (fetch)`."""
    listed: Sequence[Any] = parts if isinstance(parts, list) else []
    names = [str(one["name"]) for one in listed if isinstance(one, dict) and one.get("name")]
    return f"{field} ({', '.join(names)})" if names else field


def _of_spec(spec: ReplicaSpec) -> Iterator[str]:
    for field, value in spec.pod.items():
        if value and field not in OF_POD | IMAGE:
            yield name_parts(field, value if field == "initContainers" else None)
    others = [one for one in spec.pod["containers"] if one["name"] != spec.container_name]
    if others:
        yield name_parts("containers", others)
    for field, value in spec.container.items():
        if value and field not in OF_CONTAINER | IMAGE:
            yield field
    place = spec.container.get("workingDir")
    paths = [one["mountPath"] for one in spec.container.get("volumeMounts") or []]
    if place and not is_below(place, paths):
        yield f"workingDir ({place})"
