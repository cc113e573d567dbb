"""What the pages show of a pipeline package, read from its plain content."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml
from markupsafe import Markup

from fastkf.package import kale
from fastkf.runs.drawing.layout import draw_pipeline

KINDS = {
    "NUMBER_INTEGER": ("int", "a whole number"),
    "NUMBER_DOUBLE": ("float", "a number"),
    "STRING": ("str", "text"),
    "BOOLEAN": ("bool", "true or false"),
    "LIST": ("list", "a list, as JSON"),
    "STRUCT": ("dict", "a table, as JSON"),
    "TASK_FINAL_STATUS": ("dict", "a table, as JSON"),
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a pipeline.

    Attributes:
        kind: int, float, str, bool, list or dict.
        takes: the kind in words.
        text: what its field in a form holds: the value given before, or the default.
        default: as tables show it; None where there is none.
    """

    name: str
    kind: str
    takes: str
    text: str
    default: str | None
    required: bool


def read_package(path: Path) -> list[dict]:
    """The documents of a package that the server has taken: PipelineSpec and maybe PlatformSpec."""
    try:
        return _load(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, yaml.YAMLError):
        return [{}]


@lru_cache(maxsize=8)
def _load(path: Path, changed: int) -> list[dict]:
    with path.open(encoding="utf-8") as file:
        return list(yaml.load_all(file, Loader=yaml.CSafeLoader)) or [{}]


def list_parameters(spec: dict, given: dict | None = None) -> list[Parameter]:
    """The pipeline's parameters by name.

    Args:
        spec: the PipelineSpec.
        given: values that a run was given before.
    """
    declared = _get(spec, "root", "inputDefinitions", "parameters")
    return [_read_parameter(name, declared[name], given or {}) for name in sorted(declared)]


def list_steps(spec: dict) -> dict[str, list[str]]:
    """Step to the steps it waits for, named as the run names them, without nested pipelines.

    A task after a nested pipeline is after all of its tasks; the first tasks of a nested pipeline
    are after what the pipeline is after.
    """
    steps: dict[str, list[str]] = {}
    _list_steps(spec, spec.get("root") or {}, [], steps, ())
    name = kale.name_step if kale.is_kale(spec) else str
    return {name(step): [name(one) for one in after] for step, after in steps.items()}


def draw_package(spec: dict, title: str) -> Markup | None:
    """The graph of a package; None when there is none to draw."""
    steps = list_steps(spec)
    try:
        return Markup(draw_pipeline(steps, title=title, style=False)) if steps else None
    except ValueError:  # its tasks wait for each other
        return None


def show_text(value, kind: str = "str") -> str:
    """A value as text that a form's field holds."""
    if isinstance(value, float) and kind == "int" and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _list_steps(
    spec: dict, component: dict, above: list, steps: dict, around: tuple[str, ...]
) -> list[str]:
    tasks = _get(component, "dag", "tasks")
    inside = {}
    for task, content in tasks.items():
        name = _get(content, "componentRef").get("name", "")
        part = _get(spec, "components", name)
        if "dag" in part and name not in around:  # a component in itself is never run
            after = content.get("dependentTasks") or above
            inside[task] = _list_steps(spec, part, after, steps, (*around, name))
    for task in tasks:
        if task not in inside:
            after = tasks[task].get("dependentTasks") or above
            steps[task] = sorted({name for other in after for name in inside.get(other, [other])})
    return [name for task in tasks for name in inside.get(task, [task])]


def _read_parameter(name: str, declared: dict, given: dict) -> Parameter:
    kind, takes = KINDS.get(declared.get("parameterType", ""), ("str", "text"))
    has_default = "defaultValue" in declared
    default = show_text(declared["defaultValue"], kind) if has_default else None
    return Parameter(
        name=name,
        kind=kind,
        takes=takes,
        text=show_text(given[name], kind) if name in given else default or "",
        default=default,
        required=not has_default and not declared.get("isOptional"),
    )


def _get(table: dict, *keys: str) -> dict:
    for key in keys:
        table = table.get(key) or {}
    return table
