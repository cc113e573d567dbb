"""Runs a TFJob, or a TrainJob, on this machine."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastkf.base.errors import UsageError
from fastkf.base.files import shown_path
from fastkf.base.ports import free_ports
from fastkf.engine.own_places import read_code
from fastkf.engine.process_places import warn_of_shared
from fastkf.runs.folder import discard_run_folder, make_run_folder
from fastkf.runs.model import Run, State
from fastkf.runs.progress import Progress
from fastkf.train.controller import JobController, Wrap, new_run
from fastkf.train.kinds import TRAIN_JOB
from fastkf.train.left_out import name_left_out
from fastkf.train.loopback import Loopback
from fastkf.train.manifest import TrainingJob, read_documents, read_tfjob
from fastkf.train.pods import Pod, Volume, find_volumes, plan_pods
from fastkf.train.replica import KIND, Replica
from fastkf.train.trainjob import read_trainjob

MOST_REPLICAS = 100  # each is a process of its own

STATE_OF = {"succeeded": State.SUCCEEDED, "failed": State.FAILED}


@dataclass(frozen=True)
class Options:
    """What is asked for beside the manifest.

    Attributes:
        volumes: folders that are the volumes here, by the volumes' names.
        variables: environment variables, beside the manifest's or in their place.
        private: whether the replicas get a network of their own, where the system allows it.
        output: the run's folder; home/<name>/<time>/ when None.
        home: where the folders of runs are.
    """

    volumes: Mapping[str, Path] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    private: bool = True
    output: Path | None = None
    home: Path = Path("runs")


def run_job(
    path: Path,
    options: Options,
    progress: Progress,
    bring: Callable[[Path], None] = lambda folder: None,
) -> Run:
    """Runs a TFJob or a TrainJob to its end.

    Args:
        path: the manifest.
        bring: called with the folder of each volume; may put there what belongs there.

    Raises:
        UsageError: the manifest is not right, or asks for what is not here.
    """
    job = _read_job(path)
    _check_can_run(job)
    ports = free_ports(_count_replicas(job))
    folder = make_run_folder(job.name, options.output, options.home)
    try:
        volumes = find_volumes(job, options.volumes, folder / "volumes")
        pods = plan_pods(job, volumes, options.variables, ports, folder / "pods")
        for volume in volumes.values():
            bring(volume.folder)
        _check_volumes(job, pods)
    except UsageError:
        discard_run_folder(folder)
        raise
    with _network(options.private) as (wrap, is_private):
        for line in _describe(job, volumes, is_private):
            progress.say(line)
        for line in warn_of_shared(KIND, _list_code(job), wrap([])):
            progress.warn(line)
        controller = JobController(job, pods, new_run(job, folder), progress, wrap)
        run = controller.work()
    _show(run, controller.replicas, progress)
    return run


def _read_job(path: Path) -> TrainingJob:
    documents = read_documents(path)
    manifests = [one for one in documents if isinstance(one, dict)]
    found = [one for one in manifests if one.get("kind") == TRAIN_JOB.name]
    if len(found) == 1:
        return read_trainjob(path, found[0], manifests)
    return read_tfjob(path, documents)


@contextmanager
def _network(private: bool) -> Iterator[tuple[Wrap, bool]]:
    """What makes a command run in the job's network, and whether that is the job's own."""
    if not private:
        yield list, False
        return
    with Loopback() as network:
        yield network.wrap, network.is_private


def _count_replicas(job: TrainingJob) -> int:
    count = sum(spec.count for spec in job.specs)
    if count > MOST_REPLICAS:
        raise UsageError(f"{job.path}: {count} replicas; at most {MOST_REPLICAS} run here")
    return count


def _check_can_run(job: TrainingJob) -> None:
    if job.run_policy.get("suspend"):
        raise UsageError(f"{job.path}: {job.kind.suspend} is true, so no replica would start")
    if job.deciding_type not in [spec.type for spec in job.specs]:
        raise UsageError(f"{job.path}: without a Chief, Master or Worker a job never succeeds")
    for spec in job.specs:
        if spec.type == job.deciding_type and spec.restart_policy == "Always":
            raise UsageError(
                f"{job.path}: with restartPolicy Always a {spec.type} is started again when it has "
                "succeeded too, so the job would never end",
                "write OnFailure",
            )


def _check_volumes(job: TrainingJob, pods: list[Pod]) -> None:
    for mount in [mount for pod in pods for mount in pod.mounts]:
        if mount.read_only and not mount.folder.exists():
            raise UsageError(
                f"{job.path}: {mount.path} is only read, and its folder here is not there: "
                f"{mount.folder}",
                "name another with --volume NAME=FOLDER",
            )


def _describe(job: TrainingJob, volumes: Mapping[str, Volume], is_private: bool) -> list[str]:
    """What the user should know of how this run differs from a cluster's."""
    counts = ", ".join(f"{spec.count} {spec.type}" for spec in job.specs)
    images = ", ".join(dict.fromkeys(spec.container["image"] for spec in job.specs))
    lines = [
        f"{job.title}: {counts}",
        f"  image {images}: not used; programs of this machine",
    ]
    if left_out := name_left_out(job):
        lines.append(f"  not applied here: {left_out}")
    for name, volume in volumes.items():
        lines.append(f"  volume {name}: {shown_path(volume.folder)}")
    if is_private:
        lines.append("  network: the replicas have one of their own, and reach nothing else")
    else:
        lines.append(f"  network: this machine's; {job.kind.listens}")
    return lines


def _list_code(job: TrainingJob) -> Iterator[str]:
    yield json.dumps([spec.container for spec in job.specs], default=str)
    yield from read_code(job.path.resolve().parent, "*")


def _show(run: Run, replicas: Sequence[Replica], progress: Progress) -> None:
    rows = [
        (
            STATE_OF.get(one.state, State.SKIPPED),
            one.pod.name,
            one.state,
            str(one.restarts),
            "–" if one.exit_code is None else str(one.exit_code),
        )
        for one in replicas
    ]
    progress.show_table(["", "replica", "state", "restarts", "exit code"], rows)
    if run.error:
        progress.failed(run.error)
    outcome = f"{run.name} {run.state.value}"
    progress.conclude(outcome, run.has_succeeded, f"{run.seconds:.1f} s")
    progress.say(f"Folder: {shown_path(run.folder)}")
