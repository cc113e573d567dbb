"""Is an upload a pipeline package? Reads it in memory, whatever it is; nothing is unpacked."""

import gzip
import importlib.util
import io
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from fastkf.server.errors import ApiError, Code, invalid
from fastkf.server.settings import MEGABYTE

LARGEST_PACKAGE = 4 * MEGABYTE  # the YAML; one of a lab has 60 kB
MOST_NODES = 100_000  # what the YAML stands for, with its aliases written out
DEEPEST = 100
MOST_MEMBERS = 1_000  # of an archive
PARAMETER_TYPES = {
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "STRING": (str,),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
    "TASK_FINAL_STATUS": (dict,),
}
START, END = (
    (yaml.MappingStartEvent, yaml.SequenceStartEvent),
    (
        yaml.MappingEndEvent,
        yaml.SequenceEndEvent,
    ),
)


@dataclass(frozen=True)
class Package:
    """A pipeline package (IR of KFP v2).

    Attributes:
        spec: the PipelineSpec, with its keys as in the YAML.
        platform: the PlatformSpec, {} where there is none.
    """

    spec: dict
    platform: dict

    @property
    def name(self) -> str:
        return self.spec["pipelineInfo"]["name"]

    @property
    def description(self) -> str:
        return self.spec["pipelineInfo"].get("description", "")

    @property
    def parameters(self) -> dict[str, dict]:
        """Parameter to parameterType, and defaultValue or isOptional where it has them."""
        return self.spec["root"].get("inputDefinitions", {}).get("parameters", {})

    def as_answer(self) -> dict:
        """As the API's field pipeline_spec."""
        if not self.platform:
            return self.spec
        return {"pipeline_spec": self.spec, "platform_spec": self.platform}

    def as_yaml(self) -> str:
        documents = [self.spec, self.platform] if self.platform else [self.spec]
        return yaml.dump_all(documents, Dumper=yaml.CSafeDumper, allow_unicode=True)


def read_upload(content: bytes) -> Package:
    """The package in an uploaded file: YAML, or a .zip or .tar.gz with one YAML in it.

    Raises:
        ApiError: it is no pipeline package; says why.
    """
    if content.startswith(b"PK\x03\x04"):
        content = _read_zip(content)
    elif content.startswith(b"\x1f\x8b"):
        content = _read_tar(content)
    return _make_package(_load(content))


def read_spec(value) -> Package:
    """The package in the field pipeline_spec of a request.

    Raises:
        ApiError: it is no pipeline package; says why.
    """
    if isinstance(value, dict) and "pipeline_spec" in value:
        return _make_package([value["pipeline_spec"], value.get("platform_spec") or {}])
    return _make_package([value])


def check_parameters(package: Package, given: dict) -> dict:
    """The parameters as given, when they fit the package's.

    Raises:
        ApiError: an unknown parameter, a value of another type, or a missing one.
    """
    for name, value in given.items():
        if name not in package.parameters:
            known = ", ".join(package.parameters) or "none"
            raise invalid(f"the pipeline {package.name} has no parameter {name}; it has: {known}")
        kind = package.parameters[name].get("parameterType", "")
        if not _fits(value, kind):
            raise invalid(f"parameter {name} takes {kind}, not {value!r}")
    for name, declared in package.parameters.items():
        if name not in given and not declared.get("isOptional") and "defaultValue" not in declared:
            raise invalid(f"parameter {name} has no default; give a value")
    return given


def _fits(value, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "BOOLEAN"
    if kind == "NUMBER_INTEGER" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, PARAMETER_TYPES.get(kind, object))


def _make_package(documents: list) -> Package:
    first = documents[0] if documents else None
    if not isinstance(first, dict):
        raise invalid("not a pipeline package: the YAML's first document is not a mapping")
    if str(first.get("apiVersion", "")).startswith("argoproj.io"):
        raise invalid("this is a workflow of KFP v1 (Argo); compile the pipeline with KFP v2")
    if "pipelineInfo" not in first and "pipeline_info" not in first:
        kind = f"a manifest of kind {first['kind']}" if "kind" in first else "another YAML file"
        raise invalid(
            f"not a pipeline package of KFP v2 but {kind} (it has no pipelineInfo); compile one "
            "with the KFP SDK, or with `fastkf compile NOTEBOOK`"
        )
    platform = {}
    for document in documents[1:]:
        if not isinstance(document, dict | None):
            raise invalid("not a pipeline package: the YAML's second document is not a mapping")
        platform.update(document or {})
    return Package(_check_fields(first, "PipelineSpec"), _check_fields(platform, "PlatformSpec"))


def _check_fields(value: dict, message: str) -> dict:
    """The mapping with the keys of the format's own spelling.

    Raises:
        ApiError: a field that the format has not, or one of another type.
    """
    from google.protobuf import json_format

    try:
        parsed = json_format.ParseDict(value, getattr(_format(), message)())
        made = json_format.MessageToDict(parsed)
    except (json_format.Error, RecursionError, ValueError, TypeError) as error:
        text = str(error).strip().splitlines()[0]
        raise invalid(f"not a pipeline package of KFP v2: {text}") from error
    if message == "PipelineSpec":
        _check_graph(made)
    return made


def _check_graph(spec: dict) -> None:
    if not spec["pipelineInfo"].get("name", "").strip():
        raise invalid("not a pipeline package: pipelineInfo has no name")
    tasks = spec.get("root", {}).get("dag", {}).get("tasks")
    if not tasks:
        raise invalid("not a pipeline package: root.dag has no tasks")
    components = spec.get("components", {})
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    for name, task in tasks.items():
        used = task.get("componentRef", {}).get("name")
        if used not in components:
            raise invalid(f"not a pipeline package: task {name} has no component ({used})")
    for name, component in components.items():
        label = component.get("executorLabel")
        if label is not None and label not in executors:
            raise invalid(f"not a pipeline package: component {name} has no executor ({label})")


@cache
def _format():
    """The generated module of the format, without the SDK around it, which is large."""
    home = Path(importlib.util.find_spec("kfp").origin).parent
    path = home / "pipeline_spec" / "pipeline_spec_pb2.py"
    spec = importlib.util.spec_from_file_location("fastkf_pipeline_spec_pb2", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _load(content: bytes) -> list:
    """The documents of a YAML file that is neither too large nor too deep."""
    if len(content) > LARGEST_PACKAGE:
        raise _too_large("the package")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise invalid("not a pipeline package: neither text (UTF-8), .zip nor .tar.gz") from error
    try:
        _measure(yaml.parse(text, Loader=yaml.CSafeLoader))
        return list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError, TypeError) as error:
        where = getattr(error, "problem_mark", None)
        place = f" (line {where.line + 1}, column {where.column + 1})" if where else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise invalid(f"not a pipeline package: bad YAML: {reason}{place}") from error


def _measure(events: Iterable) -> None:
    """Raises when the document is too large or too deep with its aliases written out."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    nodes = 0
    for event in events:
        if isinstance(event, START):
            open_nodes.append((event.anchor, nodes))
        if isinstance(event, yaml.AliasEvent):
            # An alias inside its own anchor (a loop) is not in `sizes` yet.
            nodes += sizes.get(event.anchor, MOST_NODES)
        elif isinstance(event, (*START, yaml.ScalarEvent)):
            nodes += 1
            if isinstance(event, yaml.ScalarEvent) and event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, END):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = nodes - before
        if nodes > MOST_NODES or len(open_nodes) > DEEPEST:
            raise invalid(
                f"not a pipeline package: the YAML has more than {MOST_NODES} values or "
                f"{DEEPEST} levels (aliases count as what they stand for)"
            )


def _read_zip(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            name = _choose([one.filename for one in archive.infolist() if not one.is_dir()])
            with archive.open(name) as member:
                return member.read(LARGEST_PACKAGE + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise invalid(f"not a pipeline package: the .zip cannot be read ({error})") from error


def _read_tar(content: bytes) -> bytes:
    """The only YAML, or pipeline.yaml, of a .tar.gz; unpacks in memory up to a limit."""
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            unpacked = stream.read(2 * LARGEST_PACKAGE + 1)
        if len(unpacked) > 2 * LARGEST_PACKAGE:
            raise _too_large("the .tar.gz, unpacked,")
        with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
            name = _choose([member.name for member in archive if member.isfile()])
            return archive.extractfile(name).read(LARGEST_PACKAGE + 1)
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
        raise invalid(f"not a pipeline package: the .tar.gz cannot be read ({error})") from error


def _choose(names: list[str]) -> str:
    """As the KFP SDK chooses: pipeline.yaml, or the only YAML there is."""
    if len(names) > MOST_MEMBERS:
        raise invalid(f"not a pipeline package: the archive has more than {MOST_MEMBERS} files")
    found = [name for name in names if name.endswith((".yaml", ".yml"))]
    if "pipeline.yaml" in found:
        return "pipeline.yaml"
    if len(found) != 1:
        problem = "no YAML file" if not found else "several YAML files and none is pipeline.yaml"
        raise invalid(f"not a pipeline package: the archive has {problem}")
    return found[0]


def _too_large(what: str) -> ApiError:
    return ApiError(Code.TOO_LARGE, f"{what} is larger than {LARGEST_PACKAGE // MEGABYTE} MB")
