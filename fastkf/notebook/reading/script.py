"""The KFP DSL of a plain notebook, from Kale's own templates (kale/compiler.py, Compiler).

The templates and what formats them (autopep8) are those of Kale, read from its package; they are
given here what Kale gives them. Formatting takes most of the time, and Kale formats each step's
function twice: alone, and with the rest, which changes nothing any more. Here stubs are in their
places the second time. The code of the steps stands in texts of several lines, whose inside is not
formatted, and is put in at the end.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import autopep8
from jinja2 import Environment, FileSystemLoader, Template

from fastkf.notebook.reading.errors import NotPlainError
from fastkf.notebook.reading.settings import DEFAULT_IMAGE, IMAGE_VARIABLE
from fastkf.notebook.reading.steps import PlainPipeline, Step

# Where Kale asks the cluster which labels a notebook's own pod has.
POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# autopep8 formats nothing between comments like these, in texts too.
_SWITCH = re.compile(r"# *(fmt|autopep8):")
_PLACE = re.compile(r"^    (fastkf_block_\d+_)$", re.M)
_STUB = "@kfp_dsl.component\ndef fastkf_{}_stub():\n    pass\n"
_SECURITY = {"enabled": True, "run_as_user": 65534, "run_as_group": 0, "run_as_non_root": True}


@dataclass(frozen=True)
class _Artifact:
    name: str


def write_script(pipeline: PlainPipeline, templates: Path, packages: Sequence[str]) -> str:
    """The script that Kale generates, but for the package indexes, of which it has none.

    Args:
        pipeline: with its data flow.
        templates: the folder of Kale's templates.
        packages: what its steps install.

    Raises:
        NotPlainError: Kale itself must write it.
    """
    variables = [name for name in os.environ if name.startswith("KALE_") and name != IMAGE_VARIABLE]
    code = "\n".join(step.text for step in pipeline.steps)
    if not pipeline.nodes or variables or POD.exists() or _SWITCH.search(code):
        raise NotPlainError("the script")
    environment = Environment(loader=FileSystemLoader(templates))
    environment.filters["to_kale_env_var_name"] = str  # of volumes, which none of these has
    component = environment.get_template("nb_function_template.jinja2")
    blocks = dict(_list_blocks(pipeline.steps))
    components = {
        _STUB.format(step.name): autopep8.fix_code(
            _write_component(component, pipeline, step, list(packages), blocks)
        )
        for step in pipeline.steps
    }
    whole = environment.get_template("pipeline_template.jinja2")
    script = autopep8.fix_code(_write_pipeline(whole, pipeline, list(components)))
    for stub, text in components.items():
        script = script.replace(stub, text)
    return _PLACE.sub(lambda found: blocks[found[1]], script)


def _list_blocks(steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """A name for each block of code, and the block as it stands in the script."""
    numbers: dict[str, str] = {}
    for block in (block for step in steps for block in step.source):
        if block not in numbers:
            numbers[block] = f"fastkf_block_{len(numbers)}_"
            yield numbers[block], "    " + _encode(block)


def _encode(block: str) -> str:
    lines = [line.encode("unicode_escape").decode("utf-8") for line in block.splitlines()]
    return "\n    ".join(lines).replace("'''", r"\'\'\'")


def _write_component(
    template: Template,
    pipeline: PlainPipeline,
    step: Step,
    packages: list[str],
    blocks: Mapping[str, str],
) -> str:
    """A step's function: generate_lightweight_component."""
    names = {text: name for name, text in blocks.items()}
    parameters = pipeline.pipeline_parameters
    ins, outs = sorted(step.ins), sorted(step.outs)
    signature = [
        *([f"{step.name}_html_report: Output[HTML]"] if step.reports else []),
        *(["kale_metrics_artifact: Output[Metrics]"] if step.metrics else []),
        *(f"{name}_input_artifact: Input[{_kind_of(name)}]" for name in ins),
        *(f"{name}_output_artifact: Output[{_kind_of(name)}]" for name in outs),
        *(f"{_argument(n)}: {p.param_type} = {p.param_value!r}" for n, p in parameters.items()),
    ]
    return template.render(
        pip_index_urls=[],
        pip_trusted_hosts=[],
        step=replace(step, source=[names["    " + _encode(block)] for block in step.source]),
        component_signature_args=", ".join(signature),
        pipeline_params={n: {_argument(n): p.param_value} for n, p in parameters.items()},
        packages_list=packages,
        step_inputs=[_Artifact(name) for name in ins],
        step_outputs=[_Artifact(name) for name in outs],
        default_base_image=DEFAULT_IMAGE,
        base_image=pipeline.config.base_image,
        marshal_path=pipeline.config.marshal_path,
    )


def _write_pipeline(template: Template, pipeline: PlainPipeline, components: list[str]) -> str:
    """The whole script: generate_pipeline."""
    signature = [
        f"{name.lower()}: {one.param_type} = {one.param_value!r}"
        for name, one in pipeline.pipeline_parameters.items()
    ]
    config = pipeline.config
    return template.render(
        fn="auto_generated_pipeline",
        pipeline_name=config.pipeline_name,
        pipeline_description=config.pipeline_description,
        docstring="Auto-generated pipeline function.",
        signature=", ".join(signature),
        tasks=_list_tasks(pipeline),
        components=components,
        modules=(),
        returns=(),
        enable_caching=config.enable_caching,
        security_context=_SECURITY,
        volumes=[],
    )


def _list_tasks(pipeline: PlainPipeline) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = []
    given = [{"arg": _argument(name), "ref": name.lower()} for name in pipeline.pipeline_parameters]
    for step in pipeline.steps:
        producers = {name: pipeline.producer(step, name) or "UNKNOWN" for name in sorted(step.ins)}
        # Where nothing flows in, the step runs after the one above it.
        after = {f"{one}_task" for one in producers.values()} or {t["task_var"] for t in tasks[-1:]}
        inputs = [
            {"arg": f"{n}_input_artifact", "ref": f'{one}_task.outputs["{n}_output_artifact"]'}
            for n, one in producers.items()
        ]
        tasks.append(
            {
                "task_var": f"{step.name}_task",
                "fn": f"{step.name}_step",
                "inputs": inputs + given,
                "after": sorted(after),
                "display": f"{step.name.replace('_', '-')}-step",
                "node": step,
                "is_component": True,
            }
        )
    return tasks


def _kind_of(name: str) -> str:
    return "Model" if "model" in name else "Dataset"


def _argument(name: str) -> str:
    return f"{name.lower()}_param" if name.isupper() else name
