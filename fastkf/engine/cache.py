"""Takes the outputs of a step from an earlier run, where Kubeflow Pipelines would.

What makes two steps equal is what its driver compares (backend/src/v2/cacheutils): the pipeline's
name; the values of the inputs, and which artifacts they are, not what is in them; the names and
types of the outputs; the image, the command and the variables as the package has them. To that
comes what stands for the image here: the packages of this machine, the files of a component.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from fastkf.base.clock import now
from fastkf.engine.job import Job, describe
from fastkf.engine.job_outputs import copy
from fastkf.engine.pipeline import Task
from fastkf.engine.placeholders import local_path
from fastkf.engine.scope import Values
from fastkf.engine.tasks import Executor
from fastkf.runs.cache import Entry, Store
from fastkf.runs.cleaning import measure
from fastkf.runs.model import Artifact

OF_CONTAINERS = ("image", "command", "args", "env")
OF_STEPS = 3  # parts of a path in a run's folder, which say what has made it


class Cache:
    """The cache as one run sees it; its methods are called from the threads of the steps.

    Args:
        store: what earlier runs have left; None where no step is taken from one.
        folder: the run's.
        run_id: the run's own, no other's.
    """

    def __init__(self, store: Store | None, folder: Path, run_id: str):
        self._store, self._folder, self._run_id = store, folder, run_id
        # Place of an artifact to what it is known by, of those that this run has not made itself.
        self._origins: dict[str, str] = {}

    def key(self, job: Job, executor: Executor) -> str | None:
        """What the outputs of a job follow from; None when they are not to be kept."""
        component, options = job.task.component, job.task.caching
        if self._store is None or not options.get("enableCache"):
            return None
        content: dict[str, Any] = {
            "pipeline": component.pipeline.name,
            "outputs": [component.output_parameters, component.output_artifacts],
        }
        if own := options.get("cacheKey"):
            content |= {"key": own, "component": component.name}
        else:
            content |= {
                "container": {part: component.container.get(part) for part in OF_CONTAINERS},
                "parameters": job.arguments.parameters,
                "artifacts": {
                    name: [self._identify(one) for one in artifacts]
                    for name, artifacts in job.arguments.artifacts.items()
                },
                "stamp": executor.stamp(job),
            }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def recall(self, key: str, job: Job) -> tuple[Entry, Values] | None:
        """The outputs of an equal step, brought into this run; None when there are none."""
        entry = self._store.find(key) if self._store else None
        if self._store is None or entry is None or not _fits(entry, job.task):
            return None
        earlier = self._store.run_folder(entry)
        if not earlier.is_dir():
            return None
        made = Values(dict(entry.outputs.parameters))
        origins = {}
        try:
            job.make_folders()
            for name, artifact in entry.outputs.artifacts.items():
                taken = _take(name, artifact, earlier, job, entry.sizes.get(name))
                made.artifacts[name] = [taken]
                origins[taken["uri"]] = entry.origins[name]
        except (OSError, KeyError):  # its run is deleted right now, or was changed: the step runs
            return None
        self._origins |= origins
        return entry, made

    def keep(self, key: str, job: Job, step: str, node: str, made: Values) -> None:
        """Keeps what a job has made, for the runs after it and the steps after it."""
        if self._store is None:
            return
        artifacts = {name: found[0] for name, found in made.artifacts.items()}
        entry = Entry(
            key=key,
            pipeline=job.task.component.pipeline.name,
            component=job.task.component.name.removeprefix("comp-"),
            run=self._store.name_run(self._folder),
            step=step,
            node=node,
            made=now(),
            outputs=describe(made, self._folder),
            sizes=dict(_measure_all(artifacts)),
            origins={name: self._identify(one) for name, one in artifacts.items()},
        )
        self._store.keep(entry)

    def note_import(self, artifact: Mapping[str, Any], again: bool) -> None:
        """An imported artifact is known by where it lies, unless it is to be imported again."""
        if not again:
            parts = [artifact["type"], artifact["uri"], artifact["metadata"]]
            self._origins[artifact["uri"]] = f"imported {json.dumps(parts, sort_keys=True)}"

    def _identify(self, artifact: Mapping[str, Any]) -> str:
        uri = str(artifact.get("uri", ""))
        own = f"{self._run_id} {uri.removeprefix(str(self._folder))}"
        # What lies in the workspace is of its run alone, wherever it has come from.
        return own if artifact.get("customPath") else self._origins.get(uri, own)


def _fits(entry: Entry, task: Task) -> bool:
    """Whether an entry has all that a task puts out."""
    component, outputs = task.component, entry.outputs
    return set(component.output_parameters) <= set(outputs.parameters) and set(
        component.output_artifacts
    ) <= set(outputs.artifacts)


def _take(
    name: str, artifact: Artifact, earlier: Path, job: Job, size: int | None
) -> dict[str, Any]:
    """An artifact of an earlier run, its files copied: each run is whole without the others.

    Raises:
        OSError: its files are not there any more, or not as they were.
    """
    taken = {**job.new_artifact(name), "uri": artifact.uri, "metadata": dict(artifact.metadata)}
    if "://" in artifact.uri:
        return taken
    source, inside = earlier / artifact.uri, not Path(artifact.uri).is_absolute()
    if _measure(source) != size:
        raise FileNotFoundError(source)
    if inside:
        rest = PurePosixPath(artifact.uri).parts[OF_STEPS:] or (name,)
        taken["uri"] = str(job.root.joinpath(*rest))
    if inside and size is not None:
        copy(source, Path(taken["uri"]))
    return taken


def _measure(place: Path) -> int | None:
    """The bytes of a file, or of those in a folder; None of what is not there."""
    if place.is_dir():
        return measure(place)
    return place.stat().st_size if place.is_file() else None


def _measure_all(artifacts: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    for name, artifact in artifacts.items():
        size = None if "://" in str(artifact["uri"]) else _measure(Path(local_path(artifact)))
        if size is not None:
            yield name, size
