"""The pods of a TFJob as processes of this machine: their commands, variables and volumes."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastkf.base.errors import UsageError
from fastkf.base.expansion import expand
from fastkf.base.paths import is_below
from fastkf.base.processes import with_own_python
from fastkf.engine.variables import as_in_pod
from fastkf.train.manifest import ReplicaSpec, TrainingJob

# The annotation fastkf/volume.NAME of a TFJob says which folder, as seen from the manifest, is the
# volume NAME here. Kubernetes makes nothing of it.
ANNOTATION = "fastkf/volume."
# What, beside an emptyDir, is empty at first, here as there. What other volumes hold is known to a
# cluster only.
EMPTY_AT_FIRST = {"persistentVolumeClaim", "ephemeral", "nfs", "csi"}
PLACE = {"TF_CONFIG", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID", "JAX_COORDINATOR_ADDRESS"}
NOT_INHERITED = PLACE | {"HOME", "TMPDIR"}
EDGE = r"[\s=:,;'\"]"  # what may stand before or after a path


@dataclass(frozen=True)
class Volume:
    """A folder in place of a volume; with `per_pod`, each pod has one of its own in it."""

    folder: Path
    per_pod: bool = False


@dataclass(frozen=True)
class Mount:
    """Where a container sees a folder."""

    path: str
    folder: Path
    read_only: bool
    per_pod: bool


@dataclass(frozen=True)
class Pod:
    """One replica: what to run, with which variables and volumes.

    Attributes:
        environment: all of its variables but those of its own places, such as HOME.
        given: values of variables that are given here; what they name is this machine's.
    """

    type: str
    index: int
    restart_policy: str
    command: list[str]
    environment: dict[str, str]
    mounts: list[Mount]
    folder: Path
    given: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.type.lower()}-{self.index}"


def find_volumes(job: TrainingJob, given: Mapping[str, Path], folder: Path) -> dict[str, Volume]:
    """The folder of each volume, which need not exist yet.

    Args:
        job: the volumes are those of all its pods.
        given: folders for some of the volumes, by their names.
        folder: where the volumes go that are empty at first.

    Raises:
        UsageError: a folder is given for what is no volume of the job, or none for a volume whose
            content only a cluster knows.
    """
    sources = {one["name"]: one for spec in job.specs for one in spec.pod.get("volumes") or []}
    if unknown := set(given) - set(sources):
        known = ", ".join(sources) or "none"
        raise UsageError(f"{job.path}: no volume {', '.join(unknown)}", f"its volumes: {known}")
    annotations = job.manifest["metadata"].get("annotations") or {}
    volumes = {}
    for name, source in sources.items():
        is_empty_dir = "emptyDir" in source or set(source) == {"name"}  # what has no kind is one
        if name in given:
            volumes[name] = Volume(given[name].resolve())
        elif near := annotations.get(ANNOTATION + name):
            volumes[name] = Volume((job.path.parent / near).resolve())
        elif is_empty_dir or EMPTY_AT_FIRST & set(source):
            volumes[name] = Volume(folder.resolve() / name, is_empty_dir)
        else:
            raise UsageError(
                f"{job.path}: volume {name} is a {_kind(source)}, and only a cluster knows what "
                "it holds",
                f"say which folder it is here: --volume {name}=FOLDER",
            )
    return volumes


def plan_pods(
    job: TrainingJob,
    volumes: Mapping[str, Volume],
    given: Mapping[str, str],
    ports: list[int],
    home: Path,
) -> list[Pod]:
    """The pods of a job.

    Args:
        volumes: the folder of each volume.
        given: values of variables that only a cluster knows, or other values than the manifest's.
        ports: a port for each replica.
        home: where pods have working folders of their own, if the job's kind wants them.

    Raises:
        UsageError: a container has no command, or a variable has no value here.
    """
    cluster = _plan_cluster(job, list(ports))
    return [
        _plan_pod(job, spec, index, cluster, volumes, given, home)
        for spec in job.specs
        for index in range(spec.count)
    ]


def _plan_cluster(job: TrainingJob, ports: list[int]) -> dict[str, list[str]]:
    """The addresses of the replicas; an evaluator is not among them, as with the operator."""
    return {
        spec.type.lower(): [f"127.0.0.1:{ports.pop()}" for _ in range(spec.count)]
        for spec in job.specs
        if spec.type != "Evaluator"
    }


def _plan_pod(
    job: TrainingJob, spec: ReplicaSpec, index: int, cluster, volumes, given, home
) -> Pod:
    container = spec.container
    if not container.get("command"):
        raise UsageError(
            f"{job.path}: the container of {spec.type} has no command; on a cluster its image has "
            "one, but images are not used here",
            "write the command into the manifest",
        )
    mounts = _find_mounts(spec, index, volumes)
    variables = _read_variables(job, spec, index, given)
    variables |= _tell_place(job, spec, index, cluster)
    words = [*container["command"], *(container.get("args") or [])]
    # Whoever runs this may be a replica of another job.
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment = with_own_python(as_in_pod(inherited))
    environment |= {name: _to_local(value, mounts) for name, value in variables.items()}
    command = [_to_local(expand(word, variables), mounts) for word in words]
    own = home.resolve() / f"{spec.type}-{index}"
    folder = own if job.kind.own_folders else job.path.parent
    place = os.path.normpath(container.get("workingDir") or "")
    if is_below(place, [mount.path for mount in mounts]):
        folder = Path(_to_local(place, mounts))
    values = tuple(given.values())
    return Pod(spec.type, index, spec.restart_policy, command, environment, mounts, folder, values)


def _tell_place(job: TrainingJob, spec: ReplicaSpec, index: int, cluster) -> dict[str, str]:
    """The variables that tell a replica which one it is, and where the others are."""
    if not (job.is_distributed or job.kind.tells_one):
        return {}
    return job.kind.tell_place(spec.type, index, spec.count, cluster)


def _find_mounts(spec: ReplicaSpec, index: int, volumes: Mapping[str, Volume]) -> list[Mount]:
    """The mounts of a container, the longest path first."""
    mounts = []
    for one in spec.container.get("volumeMounts") or []:
        volume = volumes.get(one["name"])
        if volume is None:
            raise UsageError(f"volumeMounts: {one['name']} is not among the pod's volumes")
        folder = volume.folder
        if volume.per_pod:
            folder = folder / f"{spec.type.lower()}-{index}"
        folder = folder / one.get("subPath", "")
        path, read_only = one["mountPath"].rstrip("/"), one.get("readOnly", False)
        mounts.append(Mount(path, folder, read_only, volume.per_pod))
    return sorted(mounts, key=lambda mount: -len(mount.path))


def _read_variables(job: TrainingJob, spec: ReplicaSpec, index: int, given) -> dict[str, str]:
    known = {
        "metadata.name": f"{job.name}-{spec.type.lower()}-{index}",
        "metadata.annotations['batch.kubernetes.io/job-completion-index']": str(index),
        "metadata.namespace": job.manifest["metadata"].get("namespace", "default"),
        "status.podIP": "127.0.0.1",
    }
    variables = dict(given)
    if not given:
        _check_sources(job, spec)
    for one in spec.container.get("env") or []:
        name, source = one["name"], one.get("valueFrom")
        path = ((source or {}).get("fieldRef") or {}).get("fieldPath")
        if name in given:
            continue
        if source is None:
            variables[name] = expand(one.get("value") or "", variables)
        elif path in known:
            variables[name] = known[path]
        elif not any(isinstance(part, dict) and part.get("optional") for part in source.values()):
            raise UsageError(
                f"{job.path}: only a cluster knows the value of {name} ({_kind(source)})",
                f"say what it is here: --env {name}=VALUE",
            )
    return variables


def _check_sources(job: TrainingJob, spec: ReplicaSpec) -> None:
    """Refuses `envFrom`: nothing here tells which variables it has, nor their values."""
    for one in spec.container.get("envFrom") or []:
        for kind, source in one.items():
            if isinstance(source, dict) and not source.get("optional"):
                raise UsageError(
                    f"{job.path}: only a cluster knows the variables of {source.get('name')} "
                    f"({kind} of envFrom)",
                    "say what they are here: --env NAME=VALUE",
                )


def _to_local(text: str, mounts: list[Mount]) -> str:
    """Paths in the container become paths of this machine."""
    for mount in mounts:
        pattern = rf"(?:^|(?<={EDGE})){re.escape(mount.path)}(?=/|$|{EDGE})"
        text = re.sub(pattern, str(mount.folder).replace("\\", r"\\"), text)
    return text


def _kind(source: dict) -> str:
    return next((name for name in source if name != "name"), "volume")
