"""What a run of a job leaves in its folder: run.json, and the job with its status."""

from collections.abc import Sequence
from dataclasses import replace

import yaml

from fastkf.base.files import write_text
from fastkf.runs import model
from fastkf.runs.record import write_run
from fastkf.train.manifest import TrainingJob
from fastkf.train.replica import Replica
from fastkf.train.status import JobStatus


def write_record(
    run: model.Run, job: TrainingJob, status: JobStatus, replicas: Sequence[Replica]
) -> None:
    """Writes both files, each as a whole."""
    counts = _count(status, replicas)
    manifest = {**job.manifest, "status": job.kind.describe(status, counts)}
    name = f"{job.kind.name.lower()}.yaml"
    write_text(run.folder / name, yaml.safe_dump(manifest, sort_keys=False))
    write_run(replace(run, replicas=tuple(_describe(one) for one in replicas)))


def _describe(replica: Replica) -> model.Replica:
    return model.Replica(
        name=replica.pod.name,
        state=replica.state,
        restarts=replica.restarts,
        exit_code=replica.exit_code,
        log=f"logs/{replica.log.name}",
    )


def _count(status: JobStatus, replicas: Sequence[Replica]) -> dict[str, dict[str, int]]:
    """The counts of a status: what waits for its start counts as active, as a pod does."""
    names = {"pending": "active", "running": "active", "ended": "failed"}
    if status.last == "Succeeded":
        names = dict.fromkeys(names, "succeeded")
    counts: dict[str, dict[str, int]] = {}
    for replica in replicas:
        one = counts.setdefault(replica.pod.type, {})
        name = names.get(replica.state, replica.state)
        one[name] = one.get(name, 0) + 1
    return counts
