"""What `dsl.importer` gives: an artifact that lies where it says."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fastkf.engine.job import Job
from fastkf.engine.scope import Values
from fastkf.engine.values import as_passed

OUTPUT = "artifact"
IMPORTED = ".artifacts"  # in the workspace


def import_artifact(job: Job, log: Path) -> Values:
    """The output of an importer; what it did is in the log.

    Raises:
        ValueError: it says no place, or one that cannot be copied into the workspace.
        OSError: the copy fails.
    """
    importer = job.task.component.executor["importer"]
    uri = _find_uri(job, importer.get("artifactUri") or {})
    names = list(job.task.component.output_artifacts) or [OUTPUT]
    artifact = {
        "name": names[0],
        "type": dict(importer.get("typeSchema") or {}),
        "uri": uri,
        "metadata": as_passed(job.fill_in(importer.get("metadata") or {})),
    }
    said = f"imported {uri}\n"
    if importer.get("downloadToWorkspace"):
        artifact["customPath"] = str(_copy_to_workspace(uri, job))
        said += f"copied into the workspace: {artifact['customPath']}\n"
    elif "://" in uri and not uri.startswith("file://"):
        said += (
            "fastkf does not bring it here: a step finds no file at the artifact's path. On a "
            "cluster it is downloaded before the step that takes it.\n"
        )
    log.write_text(said, encoding="utf-8")
    return Values({}, {name: [artifact] for name in names})


def _find_uri(job: Job, described: Mapping[str, Any]) -> str:
    name = described.get("runtimeParameter")
    uri = job.arguments.parameters.get(name) if name else job.fill_in(described.get("constant"))
    if not isinstance(uri, str) or not uri:
        raise ValueError("the importer is not told where the artifact is")
    return uri


def _copy_to_workspace(uri: str, job: Job) -> Path:
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        raise ValueError(f"{uri} cannot be copied into the workspace: only files of this machine")
    source = Path(unquote(parts.path) if parts.scheme else uri)
    target = job.workspace / IMPORTED / job.name / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
    return target
