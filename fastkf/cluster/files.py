"""The files that the steps of a run have made, in the object store of a Kubeflow Pipelines."""

import contextlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import httpx

from fastkf.base.files import folder_name
from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.texts import Text
from fastkf.engine.results import LARGEST_PAGE, PAGES
from fastkf.runs.model import Artifact, Step

SOURCES = {"gs": "gcs"}  # as the pages' server calls the kinds of stores
MOST_PAGES = 200  # of one run
SHORT = 2_000  # bytes of an answer that says why there is no file


def stored_at(connection: Connection, uri: str, namespace: str) -> str:
    """The address at which the pages' server gives a file of the store."""
    source, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    query = {
        "source": SOURCES.get(source, source),
        "namespace": namespace,
        "bucket": bucket,
        "key": key,
    }
    words = httpx.QueryParams({name: value for name, value in query.items() if value})
    return f"{connection.pages}/artifacts/get?{words}"


def bring_files(
    connection: Connection, steps: Iterable[Step], folder: Path, namespace: str, everything: bool
) -> tuple[dict[str, Step], list[str]]:
    """Brings the steps' pages, or all their files, to the run's folder.

    Args:
        folder: the run's; the files go to artifacts/<step>/<artifact> in it.
        everything: whether all files are asked for; pages for the report alone otherwise.

    Returns:
        The steps that have files now, by their names, whose artifacts lie in the folder; and what
        could not be brought, a sentence each.
    """
    changed: dict[str, Step] = {}
    faults: list[str] = []
    pages, taken = 0, set[Path]()
    for step in steps:
        artifacts = dict(step.outputs.artifacts) if step.outputs else {}
        for name, made in list(artifacts.items()):
            is_page = made.type in PAGES and pages < MOST_PAGES
            if "://" not in made.uri or not (everything or is_page):
                continue
            pages += is_page
            path = _find_path(folder / "artifacts" / folder_name(step.name), name, taken)
            place = stored_at(connection, made.uri, namespace)
            fault = _fetch(connection, place, path, None if everything else LARGEST_PAGE)
            if fault is None:
                artifacts[name] = replace(made, uri=str(path.relative_to(folder)))
            elif everything and _has_content(made):
                faults.append(f"{name} of {step.name} could not be brought ({fault}).")
        if step.outputs and artifacts != step.outputs.artifacts:
            changed[step.name] = replace(step, outputs=replace(step.outputs, artifacts=artifacts))
    return changed, faults


def _find_path(folder: Path, name: str, taken: set[Path]) -> Path:
    """A path of its own for a file: names from elsewhere may differ in what no folder shows."""
    made = folder_name(name) or "file"
    path, number = folder / made, 1
    while path in taken:
        number += 1
        path = folder / f"{made}.{number}"
    taken.add(path)
    return path


def _has_content(artifact: Artifact) -> bool:
    """Whether a file belongs to it: metrics are all in their metadata."""
    return "Metrics" not in artifact.type


def _fetch(connection: Connection, place: str, path: Path, largest: int | None) -> str | None:
    """Brings one file, whole or not at all; why it could not be had, None when it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            fault = _receive(connection, place, file, largest)
        if fault is None:
            os.replace(draft, path)
        return fault
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)


def _receive(connection: Connection, place: str, file: BinaryIO, largest: int | None) -> str | None:
    size = 0
    try:
        headers = connection.credentials.headers()
        with connection.http.stream("GET", place, headers=headers) as answer:
            for piece in answer.iter_bytes():
                size += len(piece)
                if answer.is_success:
                    file.write(piece)
                if size > (largest or size) or (size > SHORT and not answer.is_success):
                    break
            status = answer.status_code
    except (ClusterError, httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    if not 200 <= status < 300:
        return Text(status).refusal
    return f"larger than {largest:,} bytes" if largest and size > largest else None
