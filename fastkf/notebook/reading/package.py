"""The package of a plain notebook (kfp/compiler, kfp/dsl/component_factory.py of KFP 2.17.3).

Importing KFP takes longer than all else that `fastkf compile` does, and running Kale's script with
it as long again. What KFP makes of a script has one form where Kale has written it for a plain
notebook: a function for each step, and a graph without groups. That is written here, from the same
steps. tests/unit/test_reading.py compares the two byte for byte.
"""

import keyword
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from fastkf.notebook.fields import GPU_LIMITS
from fastkf.notebook.reading import component
from fastkf.notebook.reading.errors import NotPlainError
from fastkf.notebook.reading.settings import DEFAULT_IMAGE
from fastkf.notebook.reading.steps import Parameter, PlainPipeline, Step

KFP = "2.17.3"  # the version whose packages these are
INSTALL = """
if ! [ -x "$(command -v pip)" ]; then
    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location %s && \
"$0" "$@"
"""
_GAP = " " * 24
EXECUTE = f"""\
program_path=$(mktemp -d)

printf "%s" "$0" > "$program_path/ephemeral_component.py"
_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main {_GAP}--component_module_path \
{_GAP}"$program_path/ephemeral_component.py" {_GAP}"$@"
"""
HEAD = "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
DESCRIPTION = "Auto-generated pipeline function."  # of a notebook without one
SECURITY = {"runAsGroup": "0", "runAsNonRoot": True, "runAsUser": "65534"}
_TYPES = {"int": "NUMBER_INTEGER", "float": "NUMBER_DOUBLE", "str": "STRING", "bool": "BOOLEAN"}
_MOST = 128  # characters of a pipeline's name
_STEP = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")  # what KFP makes a task's name of, one for one
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Names in Kale's script, and of KFP's, that a parameter would hide.
_TAKEN = {"output", "security_context", "add_pod_annotation", "add_pod_label", "use_secret_as_env"}
_RESERVED = _TAKEN | {"self", *keyword.kwlist}


@dataclass(frozen=True)
class Written:
    """A package: its text, and its two documents, as whoever reads the text finds them."""

    text: str
    spec: dict[str, Any]
    platform: dict[str, Any]


def write_package(
    pipeline: PlainPipeline, sources: Mapping[str, str], packages: Iterable[str]
) -> Written:
    """The package.

    Args:
        pipeline: with its data flow.
        sources: each step's function (`component.write_components`).
        packages: what a step installs, pinned.

    Raises:
        NotPlainError: KFP itself must write it.
    """
    _refuse_rare(pipeline, sources)
    install = INSTALL % " ".join(map(repr, packages))
    executors = {
        f"exec-{_name(step)}": {"container": _run(pipeline, step, install, sources[step.name])}
        for step in pipeline.steps
    }
    description = pipeline.config.pipeline_description or DESCRIPTION
    package = {
        "components": {f"comp-{_name(s)}": _describe(pipeline, s) for s in pipeline.steps},
        "deploymentSpec": {"executors": executors},
        "pipelineInfo": {"description": description, "name": pipeline.config.pipeline_name},
        "root": {
            "dag": {"tasks": dict(_list_tasks(pipeline))},
            **_group("inputDefinitions", parameters=_define(pipeline, str.lower)),
        },
        "schemaVersion": "2.1.0",
        "sdkVersion": f"kfp-{KFP}",
    }
    platform = {f"exec-{_name(step)}": _set_up(step) for step in pipeline.steps}
    kubernetes = {"kubernetes": {"deploymentSpec": {"executors": platform}}}
    documents = [_sort(package), _sort({"platforms": kubernetes})]
    text = _comment(pipeline, description) + str(yaml.dump_all(documents, sort_keys=False))
    return Written(text, *documents)


def _sort(value: Any) -> Any:
    """The same, with all keys in the order in which KFP writes them."""
    if isinstance(value, dict):
        return {key: _sort(value[key]) for key in sorted(value)}
    return [_sort(one) for one in value] if isinstance(value, list) else value


def _refuse_rare(pipeline: PlainPipeline, sources: Mapping[str, str]) -> None:
    """Leaves to KFP what it renames, or stops at, and what is too rare to stand here."""
    parameters = [name.lower() for name in pipeline.pipeline_parameters]
    steps = list(pipeline.nodes.values())
    taken = _RESERVED.union(*((f"{one.name}_step", f"{one.name}_task") for one in steps))
    names = set(pipeline.pipeline_parameters).union(*(step.outs for step in steps))
    limits = {limit for step in steps for limit in step.config.limits}
    if (
        len(pipeline.config.pipeline_name) > _MOST
        or len(set(parameters)) < len(parameters)
        or taken.intersection(parameters)
        or not all(map(_VARIABLE.fullmatch, names))
        or not all(map(_STEP.fullmatch, pipeline.nodes))
        or limits.intersection(GPU_LIMITS)
    ):
        raise NotPlainError("the package")
    try:
        for source in sources.values():
            compile(source, "step", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise NotPlainError(str(error)) from error


def _name(step: Step) -> str:
    """A step's name as a task."""
    return f"{step.name}-step".replace("_", "-")


def _group(key: str, **parts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A part of the package, without what is empty in it; none where nothing is left."""
    full = {name: part for name, part in parts.items() if part}
    return {key: full} if full else {}


def _describe(pipeline: PlainPipeline, step: Step) -> dict[str, Any]:
    """What goes into a step, and what comes out of it."""
    outputs = component.list_reports(step) | component.list_outputs(step)
    return {
        "executorLabel": f"exec-{_name(step)}",
        **_group(
            "inputDefinitions",
            artifacts=_define_artifacts(component.list_inputs(step)),
            parameters=_define(pipeline, component.name_argument),
        ),
        **_group("outputDefinitions", artifacts=_define_artifacts(outputs)),
    }


def _define_artifacts(kinds: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: {"artifactType": {"schemaTitle": f"system.{kind}", "schemaVersion": "0.0.1"}}
        for name, kind in kinds.items()
    }


def _define(pipeline: PlainPipeline, name_it: Callable[[str], str]) -> dict[str, Any]:
    return {
        name_it(name): {
            "defaultValue": _default(one),
            "isOptional": True,
            "parameterType": _TYPES[one.param_type],
        }
        for name, one in pipeline.pipeline_parameters.items()
    }


def _default(parameter: Parameter) -> bool | float | str:
    """The value as the package has it: every number is a double."""
    value = parameter.param_value
    return value if isinstance(value, bool | str) else float(value)


def _run(pipeline: PlainPipeline, step: Step, install: str, source: str) -> dict[str, Any]:
    """The container of a step. KFP takes the blanks out of empty lines (`textwrap.dedent`)."""
    code = f"{HEAD}{textwrap.dedent(source)}\n"
    call = ["--executor_input", "{{$}}", "--function_to_execute", f"{step.name}_step"]
    return {
        "args": call,
        "command": ["sh", "-c", install, "sh", "-ec", EXECUTE, code],
        "env": [{"name": "HOME", "value": "/tmp"}],
        "image": step.config.base_image or pipeline.config.base_image or DEFAULT_IMAGE,
    }


def _list_tasks(pipeline: PlainPipeline) -> Iterator[tuple[str, dict[str, Any]]]:
    above: list[str] = []
    for step in pipeline.steps:
        name, steps = _name(step), pipeline.nodes
        producers = {one: pipeline.producer(step, one) for one in sorted(step.ins)}
        if None in producers.values():
            raise NotPlainError("a variable that no step passes on")
        given = {one: _name(steps[producer]) for one, producer in producers.items() if producer}
        caches = step.config.enable_caching
        cached = pipeline.config.enable_caching if caches is None else caches
        # Where nothing flows in, the step runs after the one above it.
        after = sorted(set(given.values())) or above
        yield (
            name,
            {
                "cachingOptions": {"enableCache": True} if cached else {},
                "componentRef": {"name": f"comp-{name}"},
                **({"dependentTasks": after} if after else {}),
                **_group("inputs", artifacts=_take(given), parameters=_hand_down(pipeline)),
                "taskInfo": {"name": name},
            },
        )
        above = [name]


def _take(given: Mapping[str, str]) -> dict[str, Any]:
    """What a task takes of others, by variable and task."""
    return {
        component.name_input(one): {
            "taskOutputArtifact": {
                "outputArtifactKey": component.name_output(one),
                "producerTask": task,
            }
        }
        for one, task in given.items()
    }


def _hand_down(pipeline: PlainPipeline) -> dict[str, Any]:
    return {
        component.name_argument(name): {"componentInputParameter": name.lower()}
        for name in pipeline.pipeline_parameters
    }


def _set_up(step: Step) -> dict[str, Any]:
    """What a step's pod has of its own."""
    config = step.config
    secrets = [
        {
            "keyToEnv": [{"envVar": variable, "secretKey": secret["secret_key"]}],
            "optional": False,
            "secretName": secret["secret_name"],
            "secretNameParameter": {"runtimeValue": {"constant": secret["secret_name"]}},
        }
        for variable, secret in config.secrets.items()
    ]
    return {
        **_group("podMetadata", labels=config.labels, annotations=config.annotations),
        **({"secretAsEnv": secrets} if secrets else {}),
        "securityContext": dict(SECURITY),
    }


def _comment(pipeline: PlainPipeline, description: str) -> str:
    """What stands above the package for people."""
    lines = ["# PIPELINE DEFINITION", f"# Name: {pipeline.config.pipeline_name}"]
    lines.append(f"# Description: {description}")
    values = {
        name.lower(): (one.param_type, _default(one))
        for name, one in pipeline.pipeline_parameters.items()
    }
    lines += ["# Inputs:"] if values else []
    for name, (kind, value) in sorted(values.items()):
        shown = f"'{value}'" if isinstance(value, str) else value
        lines.append(f"#    {name}: {kind} [Default: {shown}]")
    return "\n".join(lines) + "\n"
