"""The placeholders of KFP in constants, commands and metadata, and what stands in their place.

What is put in is never looked at again: a value that looks like a placeholder stays as it is, as
does a placeholder for something that has no value.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastkf.base.clock import format_utc
from fastkf.engine.pipeline import Identity
from fastkf.engine.values import as_text

Table = Mapping[str, Any]

WORKSPACE = "/kfp-workspace"  # where Kubeflow Pipelines mounts the workspace
WORKSPACE_PLACEHOLDER = "{{$.workspace_path}}"
PLACEHOLDER = re.compile(r"\{\{\$(?:\.([^{}]+))?\}\}")
NAME = r"""\[(?:'([^']*)'|"([^"]*)")\]"""
PARAMETER = re.compile(rf"inputs\.parameters{NAME}")
OUTPUT_FILE = re.compile(rf"outputs\.parameters{NAME}\.output_file")
ARTIFACT = re.compile(rf"(inputs|outputs)\.artifacts{NAME}\.(uri|path|name|metadata(?:{NAME})?)")
# Where KFP's Artifact.path has what is in a store: what a launcher has brought there.
MOUNTS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/", "oci://": "/oci/"}


class Placeholders:
    """The placeholders of one task.

    Args:
        identity: of the pipeline's job.
        task, task_id: the task's name, and the number of this execution.
        root: where artifacts are kept.
        workspace: the folder that the steps of the run share.
    """

    def __init__(self, identity: Identity, task: str, task_id: str, root: str, workspace: str):
        created = format_utc(identity.created, "seconds")
        scheduled = format_utc(identity.scheduled or identity.created, "seconds")
        self._words = {
            "pipeline_job_name": identity.name,
            "pipeline_job_resource_name": identity.resource_name,
            "pipeline_job_uuid": identity.job_id,
            "pipeline_job_create_time_utc": created,
            "pipeline_job_schedule_time_utc": scheduled,
            "pipeline_task_name": task,
            "pipeline_task_uuid": task_id,
            "pipeline_root": root,
            "workspace_path": workspace,
        }

    def fill_in(self, value: Any, executor_input: Table) -> Any:
        """A value of JSON with all words in it filled in.

        A word that is one input's placeholder and nothing else becomes that input's value.
        """
        if isinstance(value, str):
            alone = PARAMETER.fullmatch((PLACEHOLDER.fullmatch(value) or [""] * 2)[1] or "")
            parameters = _inputs(executor_input, "parameterValues")
            if alone and _name(alone) in parameters:
                return parameters[_name(alone)]
            return self.fill(value, executor_input)
        if isinstance(value, list):
            return [self._fill_inside(one, executor_input) for one in value]
        if isinstance(value, dict):
            return {
                self.fill(key, executor_input): self._fill_inside(one, executor_input)
                for key, one in value.items()
            }
        return value

    def _fill_inside(self, value: Any, executor_input: Table) -> Any:
        """Inside a list or a dict all placeholders become text: so it is on a cluster."""
        if isinstance(value, str):
            return self.fill(value, executor_input)
        return self.fill_in(value, executor_input)

    def fill(self, text: str, executor_input: Table) -> str:
        """A text with its placeholders replaced."""

        def replace(found: re.Match[str]) -> str:
            what = found[1]
            value = executor_input if what is None else self._look_up(what, executor_input)
            return found[0] if value is None else as_text(value)

        return PLACEHOLDER.sub(replace, text)

    def _look_up(self, what: str, executor_input: Table) -> Any:
        """What a placeholder stands for; None where it stands for nothing."""
        if what in self._words:
            return self._words[what]
        outputs = executor_input.get("outputs") or {}
        if what in ("outputs.output_file", "outputMetadataUri"):
            return outputs.get("outputFile")
        if found := PARAMETER.fullmatch(what):
            return _inputs(executor_input, "parameterValues").get(_name(found))
        if found := OUTPUT_FILE.fullmatch(what):
            return ((outputs.get("parameters") or {}).get(_name(found)) or {}).get("outputFile")
        if found := ARTIFACT.fullmatch(what):
            return _look_up_artifact(found, executor_input)
        return None


def expand(word: str, given: Table) -> Iterator[str]:
    """The words that one of a command is: `dsl.ConcatPlaceholder`, `dsl.IfPresentPlaceholder`.

    Args:
        given: the inputs that have a value.
    """
    yield from _expand(_read_structure(word) or word, lambda name: given.get(name) is not None)


def local_path(artifact: Table) -> str:
    """Where the file of an artifact is, for the step that takes it."""
    custom, uri = artifact.get("customPath"), str(artifact.get("uri") or "")
    if custom:
        return str(custom)
    for scheme, mount in MOUNTS.items():
        if uri.startswith(scheme):
            return mount + uri.removeprefix(scheme)
    return uri


def _read_structure(word: str) -> Any:
    """The structure that a word is the JSON of; None for any other word."""
    if not word.startswith(('{"Concat":', '{"IfPresent":')):
        return None
    try:
        return json.loads(word)
    except (ValueError, RecursionError):
        return None


def _expand(part: Any, is_given: Callable[[str], bool]) -> Iterator[str]:
    match part:
        case str():
            yield part
        case list():
            for one in part:
                yield from _expand(one, is_given)
        case {"Concat": list() as parts}:
            yield "".join(word for one in parts for word in _expand(one, is_given))
        case {"IfPresent": {"InputName": name, **branches}}:
            branch = branches.get("Then") if is_given(name) else branches.get("Else")
            yield from _expand(branch, is_given)


def _look_up_artifact(found: re.Match[str], executor_input: Table) -> Any:
    side = executor_input.get(found[1]) or {}
    name, key = found[2] or found[3], found[5] or found[6]
    listed = ((side.get("artifacts") or {}).get(name) or {}).get("artifacts") or ()
    if not listed:
        return None
    artifact, what = listed[0], found[4]
    if what == "path":
        return local_path(artifact)
    if what.startswith("metadata"):
        metadata = artifact.get("metadata") or {}
        return metadata if what == "metadata" else metadata.get(key)
    return artifact.get(what)


def _inputs(executor_input: Table, kind: str) -> Table:
    found: Table = (executor_input.get("inputs") or {}).get(kind) or {}
    return found


def _name(found: re.Match[str]) -> str:
    return found[1] if found[1] is not None else found[2]
