"""A pipeline package as plain data. Reads, never runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml

from fastkf.base.errors import UsageError
from fastkf.base.yaml_text import read_yaml
from fastkf.package import format, kale, upload
from fastkf.package.errors import PackageError
from fastkf.package.graph import (
    Place,
    find_dependencies,
    list_display_names,
    list_places,
    list_tasks,
    name_places,
)
from fastkf.package.parameters import Parameter, read_parameters

HOW_TO_COMPILE = "compile one with the KFP SDK, or with `fastkf compile NOTEBOOK`"


@dataclass(frozen=True)
class Package:
    """A pipeline package: the IR (intermediate representation) of KFP v2.

    Attributes:
        spec: the PipelineSpec, with its keys as in the YAML.
        platform: the PlatformSpec (secrets, volumes, ... for Kubernetes), {} where there is none.
        path: the file that it was read from, where it was one of the user's.
    """

    spec: dict[str, Any]
    platform: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """The package in a file of the user's.

        Raises:
            UsageError: there is no such file.
            PackageError: it is no package.
        """
        documents = _read_yaml(path)
        if other := format.name_other_file(documents[0] if documents else {}):
            raise PackageError(
                f"{path}: not a pipeline package of KFP v2 but {other}", HOW_TO_COMPILE
            )
        try:
            spec, platform = format.read_documents(documents)
            return cls(spec, platform, path)
        except format.FormatError as error:
            if documents and not isinstance(documents[0], dict):
                raise PackageError(f"{path}: not a pipeline package: {error}") from error
            raise PackageError(f"{path}: not a readable package ({error})") from error

    @classmethod
    def load(cls, path: Path, text: str | None = None) -> Self:
        """The package in a file of our own, or in its text, which is not checked again.

        Raises:
            FastkfError: it cannot be read.
        """
        spec, *rest = _read_yaml(path, text) or [{}]
        return cls(spec, rest[0] if rest else {}, path)

    @classmethod
    def from_upload(cls, content: bytes) -> Self:
        """The package in an uploaded file: YAML, or a .zip or .tar.gz with one YAML in it.

        Raises:
            PackageError: it is no pipeline package; says why.
        """
        return cls._from_documents(upload.read_upload(content))

    @classmethod
    def from_spec(cls, value: Any) -> Self:
        """The package in the field pipeline_spec of the API, a PlatformSpec in it or not.

        Raises:
            PackageError: it is no pipeline package; says why.
        """
        if isinstance(value, dict) and "pipeline_spec" in value:
            return cls._from_documents([value["pipeline_spec"], value.get("platform_spec") or {}])
        return cls._from_documents([value])

    @classmethod
    def _from_documents(cls, documents: list[Any]) -> Self:
        if other := format.name_other_file(documents[0] if documents else None):
            raise PackageError(f"not a pipeline package of KFP v2 but {other}", HOW_TO_COMPILE)
        try:
            return cls(*format.read_documents(documents))
        except format.FormatError as error:
            raise PackageError(f"not a pipeline package of KFP v2: {error}") from error

    @property
    def name(self) -> str:
        return str(self.spec["pipelineInfo"]["name"])

    @property
    def description(self) -> str:
        return str(self.spec["pipelineInfo"].get("description", ""))

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The pipeline's parameters by name, in the order of their names."""
        return read_parameters(self.spec)

    @property
    def defaults(self) -> dict[str, Any]:
        """Parameter to its default, of those that have one."""
        return {name: one.default for name, one in self.parameters.items() if one.has_default}

    @cached_property
    def tasks(self) -> dict[str, tuple[str, ...]]:
        """Task to the tasks it waits for, in an order that respects that, nested pipelines' too.

        Raises:
            PackageError: tasks wait for each other.
        """
        return list_tasks(self.spec)

    @property
    def places(self) -> dict[Place, str]:
        """The place of each task in the pipelines inside each other, to the task as in `tasks`."""
        return name_places(list_places(self.spec))

    @property
    def steps(self) -> dict[str, tuple[str, ...]]:
        """The same by the names that steps have.

        Raises:
            PackageError: tasks wait for each other.
        """
        return {
            self.name_step(task): tuple(sorted(self.name_step(other) for other in after))
            for task, after in self.tasks.items()
        }

    @property
    def display_names(self) -> dict[str, str]:
        """Step to the name that its pipeline gives it for people, where it gives another one."""
        names, places = list_display_names(self.spec), self.places
        return {
            self.name_step(task): names[place] for place, task in places.items() if place in names
        }

    def name_step(self, task: str) -> str:
        """The step of a task: a cell's tag for Kale's tasks, else the task's own name."""
        return kale.name_step(task) if self.is_kale else task

    @cached_property
    def executors(self) -> dict[str, dict[str, Any]]:
        """Executor to its content in the IR: container, importer, ..."""
        executors: dict[str, dict[str, Any]]
        executors = (self.spec.get("deploymentSpec") or {}).get("executors") or {}
        return executors

    @cached_property
    def python_sources(self) -> dict[str, str]:
        """Executor to the source of its Python component, of those that are Python components."""
        return kale.component_sources(self.executors)

    @cached_property
    def is_kale(self) -> bool:
        """Whether the steps run blocks of a notebook, as those that Kale makes do."""
        return any("_kale_block" in source for source in self.python_sources.values())

    @cached_property
    def cells(self) -> list[str]:
        """The sources of a notebook's cells, as the steps' kernels run them; each once."""
        return kale.read_blocks(self.python_sources.values())

    @property
    def imports(self) -> str | None:
        """The imports that every step of a notebook starts with; None: no notebook's steps."""
        return self.cells[0] if self.cells else None

    def component(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """The component of a task's content."""
        name = task["componentRef"]["name"]
        component: dict[str, Any] = self.spec.get("components", {})[name]
        return component

    @property
    def artifact_types(self) -> set[str]:
        """The schema titles (`system.Metrics`, ...) of what the pipeline's components make."""
        return {
            artifact.get("artifactType", {}).get("schemaTitle", "")
            for component in self.spec.get("components", {}).values()
            for artifact in component.get("outputDefinitions", {}).get("artifacts", {}).values()
        }

    def describe(self) -> dict[str, Any]:
        """What matters of a package: its name, parameters, tasks with their order, packages.

        Leaves out the generated code, which moves with each version of Kale.
        """
        tasks = self.spec["root"]["dag"]["tasks"]
        inputs = (self.spec["root"].get("inputDefinitions") or {}).get("parameters") or {}
        return {
            "name": self.name,
            "parameters": {
                name: [declared.get("parameterType"), declared.get("defaultValue")]
                for name, declared in inputs.items()
            },
            "tasks": {name: sorted(find_dependencies(task)) for name, task in tasks.items()},
            "packages": {
                name.removeprefix("exec-"): _list_packages(executor)
                for name, executor in self.executors.items()
            },
        }

    def as_answer(self) -> dict[str, Any]:
        """As the API's field pipeline_spec."""
        if not self.platform:
            return self.spec
        return {"pipeline_spec": self.spec, "platform_spec": self.platform}

    def as_yaml(self) -> str:
        documents = [self.spec, self.platform] if self.platform else [self.spec]
        return str(yaml.dump_all(documents, Dumper=yaml.CSafeDumper, allow_unicode=True))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: a folder", "name the package in it") from None
    except ValueError as error:
        raise PackageError(f"{path}: not a readable YAML file ({error})") from error


def _read_yaml(path: Path, text: str | None = None) -> list[Any]:
    """The documents in a file, or in its text."""
    text = _read_text(path) if text is None else text
    try:
        return read_yaml(text)
    except ValueError as error:
        raise PackageError(f"{path}: not a readable YAML file ({error})") from error


def _list_packages(executor: Mapping[str, Any]) -> list[str]:
    command = executor.get("container", {}).get("command", [])
    return re.findall(r"'([^' ]+==[^' ]+)'", " ".join(command[:3]))
