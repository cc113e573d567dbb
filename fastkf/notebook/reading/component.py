"""The steps of a plain notebook as functions, from Kale's own template (kale/compiler.py).

The template and what formats it (autopep8) are those of Kale: it is read from Kale's package and
given what Kale gives it. Formatting takes most of the time. So empty lines that it would take away
are left out before, and the code of the steps, which stands in texts of several lines whose inside
is not formatted, is put in at the end.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import autopep8
from jinja2 import Environment, FileSystemLoader, Template

from fastkf.notebook.reading.errors import NotPlainError
from fastkf.notebook.reading.settings import IMAGE_VARIABLE
from fastkf.notebook.reading.steps import PlainPipeline, Step

# Where Kale asks the cluster which labels a notebook's own pod has.
POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# autopep8 formats nothing between comments like these, in texts too.
_SWITCH = re.compile(r"# *(fmt|autopep8):")
_PLACE = re.compile(r"^    (fastkf_block_\d+_)$", re.M)
_EMPTY = re.compile(r"\n(\s*\n){2,}")


@dataclass(frozen=True)
class _Artifact:
    name: str


def write_components(pipeline: PlainPipeline, templates: Path) -> dict[str, str]:
    """Step to the function that Kale generates of it, without its decorator.

    Args:
        pipeline: with its data flow.
        templates: the folder of Kale's templates.

    Raises:
        NotPlainError: Kale itself must write them.
    """
    variables = [name for name in os.environ if name.startswith("KALE_") and name != IMAGE_VARIABLE]
    code = "\n".join(step.text for step in pipeline.steps)
    if not pipeline.nodes or variables or POD.exists() or _SWITCH.search(code):
        raise NotPlainError("the functions")
    environment = Environment(loader=FileSystemLoader(templates))
    template = environment.get_template("nb_function_template.jinja2")
    blocks = dict(_list_blocks(pipeline.steps))
    return {
        step.name: _PLACE.sub(
            lambda found: blocks[found[1]],
            _format(_write_component(template, pipeline, step, blocks)),
        )
        for step in pipeline.steps
    }


def _format(component: str) -> str:
    function = component[component.index("\ndef ") + 1 :]
    return str(autopep8.fix_code(_EMPTY.sub("\n\n", function)))


def _list_blocks(steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """A name for each block of code, and the block as it stands in the function."""
    numbers: dict[str, str] = {}
    for block in (block for step in steps for block in step.source):
        if block not in numbers:
            numbers[block] = f"fastkf_block_{len(numbers)}_"
            yield numbers[block], "    " + _encode(block)


def _encode(block: str) -> str:
    lines = [line.encode("unicode_escape").decode("utf-8") for line in block.splitlines()]
    return "\n    ".join(lines).replace("'''", r"\'\'\'")


def _write_component(
    template: Template, pipeline: PlainPipeline, step: Step, blocks: Mapping[str, str]
) -> str:
    """A step's function: generate_lightweight_component."""
    names = {text: name for name, text in blocks.items()}
    parameters = pipeline.pipeline_parameters
    typed = [
        *((name, f"Output[{kind}]") for name, kind in list_reports(step).items()),
        *((name, f"Input[{kind}]") for name, kind in list_inputs(step).items()),
        *((name, f"Output[{kind}]") for name, kind in list_outputs(step).items()),
        *((name_argument(n), f"{p.param_type} = {p.param_value!r}") for n, p in parameters.items()),
    ]
    return template.render(
        step=replace(step, source=[names["    " + _encode(block)] for block in step.source]),
        component_signature_args=", ".join(f"{name}: {kind}" for name, kind in typed),
        pipeline_params={n: {name_argument(n): p.param_value} for n, p in parameters.items()},
        step_inputs=[_Artifact(name) for name in sorted(step.ins)],
        step_outputs=[_Artifact(name) for name in sorted(step.outs)],
        marshal_path=pipeline.config.marshal_path,
    )


def list_reports(step: Step) -> dict[str, str]:
    """What a step writes about itself, each with the kind of artifact that it is."""
    own = {f"{step.name}_html_report": "HTML"} if step.reports else {}
    return own | ({"kale_metrics_artifact": "Metrics"} if step.metrics else {})


def list_inputs(step: Step) -> dict[str, str]:
    """What a step is given, each with the kind of artifact that it is."""
    return {name_input(name): _kind_of(name) for name in sorted(step.ins)}


def list_outputs(step: Step) -> dict[str, str]:
    """The data that a step passes on, each with the kind of artifact that it is."""
    return {name_output(name): _kind_of(name) for name in sorted(step.outs)}


def name_input(variable: str) -> str:
    return f"{variable}_input_artifact"


def name_output(variable: str) -> str:
    return f"{variable}_output_artifact"


def name_argument(parameter: str) -> str:
    return f"{parameter.lower()}_param" if parameter.isupper() else parameter


def _kind_of(variable: str) -> str:
    return "Model" if "model" in variable else "Dataset"
