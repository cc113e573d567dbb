"""What a job has made, as Kubeflow Pipelines' launcher reads it when the container has ended.

https://github.com/kubeflow/pipelines/tree/master/backend/src/v2/component
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastkf.engine.job import OUTPUT_FILE, Job
from fastkf.engine.placeholders import local_path
from fastkf.engine.scope import Values
from fastkf.engine.values import as_passed, find_infinite, fit, read_text


def read_outputs(job: Job) -> Values:
    """What the task has made.

    Artifacts that it has not mentioned are among them, as Kubeflow Pipelines completes them.

    Raises:
        ValueError: an output parameter is missing, or not of its type.
        OSError: an output cannot be read.
    """
    said = _read_output_file(job)
    return Values(
        dict(_read_parameters(job, said.get("parameterValues") or {})),
        {
            name: [_finish_artifact(job, name, (said.get("artifacts") or {}).get(name) or {})]
            for name in job.task.component.output_artifacts
        },
    )


def _read_output_file(job: Job) -> dict[str, Any]:
    path = job.root / OUTPUT_FILE
    if not path.is_file():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"what it says of its outputs cannot be read ({error})") from error
    return said if isinstance(said, dict) else {}


def _read_parameters(job: Job, said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, described in job.task.component.output_parameters.items():
        kind, path = described.get("parameterType", ""), job.root / name
        if path.is_file():
            yield name, read_text(name, path.read_text(encoding="utf-8"), kind)
        elif name in said:
            _refuse_infinite(said[name], name, f"the output {name}")
            yield name, fit(f"output {name}", as_passed(said[name]), kind)
        else:
            raise ValueError(f"it has not written its output parameter {name}")


def _finish_artifact(job: Job, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """An artifact as the task leaves it; a file in a place of its own comes to the others."""
    artifact = job.new_artifact(name)
    mentioned = (said.get("artifacts") or [{}])[0]
    for key in ("name", "uri"):
        artifact[key] = mentioned.get(key) or artifact[key]
    metadata = mentioned.get("metadata") or {}
    _refuse_infinite(metadata, "", f"the artifact {name}")
    try:
        artifact["metadata"] = as_passed(metadata)
    except ValueError as error:
        raise ValueError(f"the metrics, or other metadata, of {name}: {error}") from error
    custom = mentioned.get("custom_path") or mentioned.get("customPath")
    place = _find(str(custom), job.moved) if custom else None
    if place and os.path.lexists(place) and "://" not in artifact["uri"]:
        copy(place, Path(local_path(artifact)))
    return artifact


def _find(path: str, moved: Mapping[str, Path]) -> Path:
    """Where it is that a job has seen at a path."""
    for seen, place in sorted(moved.items(), key=lambda item: -len(item[0])):
        if Path(path).is_relative_to(seen):
            there = place / Path(path).relative_to(seen)
            if os.path.lexists(there):
                return there
    return Path(path)


def _refuse_infinite(value: Any, path: str, owner: str) -> None:
    """Refuses what a cluster's launcher, which reads it as JSON, cannot read."""
    if found := find_infinite(value, path):
        raise ValueError(
            f"{found} in {owner}; with such a number a step fails on a Kubeflow too, as JSON has "
            "none: put out a finite one, or none"
        )


def copy(source: Path, target: Path) -> None:
    """Copies a file, or a folder with all in it."""
    if source.resolve() == target.resolve():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
