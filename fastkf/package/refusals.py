"""What of a package cannot be run, found before anything is."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastkf.package.errors import PackageError
from fastkf.package.graph import find_dependencies
from fastkf.package.model import Package

Table = Mapping[str, Any]


def check_runs_here(package: Package) -> None:
    """Raises PackageError for what no Kubeflow Pipelines runs."""
    artifacts = (package.spec["root"].get("inputDefinitions") or {}).get("artifacts") or {}
    if needed := [name for name, one in artifacts.items() if not one.get("isOptional")]:
        where = f"{package.path}: " if package.path else ""
        raise PackageError(
            f"{where}the pipeline takes artifacts ({', '.join(needed)})",
            "fastkf cannot give any; take them from a dsl.importer",
        )
    for problem in _find_problems(package):
        raise PackageError(problem)


def _find_problems(package: Package) -> Iterator[str]:
    components = package.spec.get("components") or {}
    for part in (package.spec["root"], *components.values()):
        tasks = (part.get("dag") or {}).get("tasks") or {}
        for name, task in tasks.items():
            for other in find_dependencies(task):
                if other not in tasks:
                    yield f"task {name} waits for {other}, and there is no such task beside it"
            component = components[task["componentRef"]["name"]]
            executor = package.executors.get(component.get("executorLabel", "")) or {}
            yield from _judge(name, task, executor)


def _judge(name: str, task: Table, executor: Table) -> Iterator[str]:
    if "artifactIterator" in task:
        yield (
            f"task {name} is a loop over artifacts, which Kubeflow Pipelines cannot run (artifact "
            "iterator not implemented yet); loop over a parameter, such as a list of their places"
        )
    if "importer" in executor and (task.get("triggerPolicy") or {}).get("condition"):
        yield f"task {name} is an importer with a condition, which Kubeflow Pipelines does not have"
    if executor.keys() & {"resolver", "customJob"}:
        yield f"task {name} is of a kind that Kubeflow Pipelines does not run"
