"""The format of a package, IR YAML of KFP v2: its messages, its fields, what must be in it.

https://github.com/kubeflow/pipelines/blob/master/api/v2alpha1/pipeline_spec.proto
"""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from fastkf.base.errors import first_line, shorten
from fastkf.base.files import folder_name
from fastkf.base.plain_data import check_data

Document = dict[str, Any]
SCHEMA_VERSION = "2.1.0"
MOST_TASKS = 5_000  # a cluster takes fewer: its description of a run must fit into 1.5 MB
MOST_LEVELS = 30


class FormatError(ValueError):
    """What a package has that the format has not, or lacks."""

    def __init__(self, problem: str):
        # It quotes what the package has, which may be all of it.
        super().__init__(shorten(problem))


def read_documents(documents: list[Any]) -> tuple[Document, Document]:
    """The PipelineSpec and the PlatformSpec in the documents of a YAML file.

    Returns:
        Both with the keys of the format's own spelling; {} for a PlatformSpec that is not there.

    Raises:
        FormatError: it is no package; says why.
    """
    first = documents[0] if documents else None
    if not isinstance(first, dict):
        raise FormatError("the YAML's first document is not a mapping")
    platform: Document = {}
    for document in documents[1:]:
        if not isinstance(document, dict | None):
            raise FormatError("the YAML's second document is not a mapping")
        platform.update(document or {})
    spec = _check_fields(first, "PipelineSpec")
    _check_graph(spec)
    return spec, _read_platform(platform)


def _read_platform(document: Document) -> Document:
    """The PlatformSpec; of a newer SDK's pipelineConfig, all that there is stays, to be told of.

    A server of 2.17 leaves out such a document without a word, and runs the pipeline.
    """
    platform = _check_fields(document, "PlatformSpec", newer=True)
    known = messages().PipelineConfig.DESCRIPTOR
    given = document.get("platforms") or {}
    for name, made in platform.get("platforms", {}).items():
        asked = given[name].get("pipelineConfig") or given[name].get("pipeline_config") or {}
        names = {*known.fields_by_name, *known.fields_by_camelcase_name}
        if newer := {key: value for key, value in asked.items() if key not in names}:
            made["pipelineConfig"] = {**made.get("pipelineConfig", {}), **newer}
    return platform


def name_other_file(document: Any) -> str | None:
    """What a YAML mapping is that is no package at all; None for anything that may be one."""
    if not isinstance(document, dict) or {"pipelineInfo", "pipeline_info"} & document.keys():
        return None
    kind = f"a manifest of kind {document['kind']}" if "kind" in document else "another YAML file"
    if str(document.get("apiVersion", "")).startswith("argoproj.io"):
        kind += ", a workflow of KFP v1"
    return f"{kind} (it has no pipelineInfo)"


@cache
def messages() -> ModuleType:
    """The generated classes of the format, without the SDK around them.

    `import kfp.pipeline_spec` runs kfp's own __init__, which imports all of the SDK and takes
    some two seconds. The generated file needs protobuf alone, so it is loaded from where it is,
    under a name of its own: protobuf takes the same definitions twice, as long as they are equal.
    """
    found = importlib.util.find_spec("kfp")
    if found is None or found.origin is None:
        raise ImportError("kfp is not installed")
    path = Path(found.origin).parent / "pipeline_spec" / "pipeline_spec_pb2.py"
    spec = importlib.util.spec_from_file_location("fastkf_pipeline_spec_pb2", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: not there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _check_fields(value: Document, message: str, newer: bool = False) -> Document:
    """A message of the format in its own spelling; `newer`: fields that it has not are left out."""
    from google.protobuf import json_format

    try:
        check_data(value, message)
        parsed = json_format.ParseDict(value, getattr(messages(), message)(), newer)
        made: Document = json_format.MessageToDict(parsed)
    except (
        json_format.Error,
        RecursionError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
    ) as error:
        raise FormatError(first_line(error)) from error
    return made


def _check_graph(spec: Document) -> None:
    if (version := spec.get("schemaVersion", "")) != SCHEMA_VERSION:
        said = f"the version {version} of the format" if version else "no schemaVersion"
        raise FormatError(f"it has {said}, and Kubeflow Pipelines reads {SCHEMA_VERSION} alone")
    if not spec.get("pipelineInfo", {}).get("name", "").strip():
        raise FormatError("pipelineInfo has no name")
    if not spec.get("root", {}).get("dag", {}).get("tasks"):
        raise FormatError("root.dag has no tasks")
    components = spec.get("components", {})
    # The IR keeps it as a free structure, which the API's server reads as this message.
    deployment = _check_fields(spec.get("deploymentSpec", {}), "PipelineDeploymentConfig", True)
    spec["deploymentSpec"] = deployment
    executors = deployment.get("executors", {})
    parts = (spec["root"], *components.values())
    for part in parts:
        for name, task in part.get("dag", {}).get("tasks", {}).items():
            used = task.get("componentRef", {}).get("name")
            if used not in components:
                raise FormatError(f"task {name} has no component ({used})")
    for name, component in components.items():
        label = component.get("executorLabel")
        if label is not None and label not in executors:
            raise FormatError(f"component {name} has no executor ({label})")
    _check_size(spec["root"], components)
    for part in parts:
        _check_names(part)


def _check_names(component: Document) -> None:
    """Refuses names that would lead elsewhere: files and folders of a run are called so."""
    names = {"task": component.get("dag", {}).get("tasks", {})}
    for side in ("input", "output"):
        for kind, named in component.get(f"{side}Definitions", {}).items():
            names[f"{side} of {kind}"] = named
    for what, named in names.items():
        for name in named:
            if folder_name(name) != name:
                raise FormatError(f"the {what} {name!r} has a name that no file can have")


def _check_size(root: Document, components: Document) -> None:
    """Raises for too many tasks, though a nested pipeline that stands in many places is one text.

    A pipeline inside itself is no fault of the format: it is never run.
    """
    sizes: dict[str, tuple[int, int]] = {}

    def measure(part: Document, level: int) -> tuple[int, int]:
        """How many tasks run something in a component, and the levels of pipelines in it."""
        tasks = part.get("dag", {}).get("tasks")
        total, levels = (0, 0) if tasks else (1, 0)
        for name in (task["componentRef"]["name"] for task in (tasks or {}).values()):
            if name not in sizes and level <= MOST_LEVELS:
                sizes[name] = (1, 0)
                sizes[name] = measure(components[name], level + 1)
            tasks_inside, levels_inside = sizes.get(name, (0, MOST_LEVELS))
            total, levels = total + tasks_inside, max(levels, levels_inside + 1)
        if total > MOST_TASKS or levels > MOST_LEVELS:
            raise FormatError(
                f"more than {MOST_TASKS} tasks, or {MOST_LEVELS} pipelines inside each other"
            )
        return total, levels

    measure(root, 0)
