"""The values of a notebook that Kale writes into the code it generates, and what each may hold.

Kale's templates (kale/templates of Kale 2.3: pipeline_template, nb_function_template, _step_config)
put these values between quotes, or bare, just as they are. A quote in one of them ends the text,
and what follows it is code, which runs when the pipeline is compiled. Kale's own patterns do not
keep such values out: most fields have none, and those that there are take a line break at the end.
So each value is checked against what its field is for before any code is generated.

They are looked at where the templates find them, in Kale's own objects: that is behind metadata,
tags, defaults of all steps, environment variables, and notebooks that are referred to.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastkf.base.errors import CONTROLS, show_value
from fastkf.package.kale import UNBROKEN
from fastkf.package.marks import find_harm
from fastkf.package.parameters import find_unstorable

_KEY = r"[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME_OF_KEY = rf"(?=[^/]{{1,63}}\Z){_KEY}"
# https://github.com/distribution/reference/blob/main/regexp.go
_HOST = r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = rf"({_HOST}(\.{_HOST})*|\[[a-fA-F0-9:]+\])(:[0-9]+)?"
_REPOSITORY = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_DIGEST = "[a-zA-Z][a-zA-Z0-9]*([-_+.][a-zA-Z][a-zA-Z0-9]*)*:[0-9a-fA-F]{32,}"


class Form:
    """What a field may hold: texts that a pattern matches as a whole, said in words."""

    def __init__(self, pattern: str, words: str):
        self._pattern = re.compile(pattern)
        self.words = words

    def takes(self, value: object) -> bool:
        return isinstance(value, str) and self._pattern.fullmatch(value) is not None


class ParameterForm(Form):
    """What a parameter of any type may hold."""

    def takes(self, value: object) -> bool:
        has_form = not isinstance(value, str) or super().takes(value)
        return has_form and not find_unstorable(value, "")


@dataclass(frozen=True)
class Pasted:
    """A value that Kale pastes.

    Attributes:
        field: the key in Kale's settings, or the tag without its value.
        step: whose it is; None where it is the whole pipeline's.
        notebook: the name of the file, where it is one that is referred to.
    """

    field: str
    value: Any
    form: Form
    step: str | None = None
    notebook: str | None = None

    @property
    def problem(self) -> str:
        """What is wrong with a value that the field cannot hold, in words."""
        whose = f" of step {self.step}" if self.step and self.field != "step" else ""
        where = f" in {self.notebook}" if self.notebook else ""
        return (
            f"{self.field}{whose}{where} is {show_value(self.value)}, but takes {self.form.words}"
        )


IMAGE = Form(
    rf"(({_REGISTRY}/)?{_REPOSITORY}(/{_REPOSITORY})*(:{_TAG})?(@{_DIGEST})?)?",
    "the name of an image, such as python:3.12, with capital letters only in its registry and tag",
)
NAME = Form(_LABEL, "small letters, digits and -")
STEP = Form("[_a-z][_a-z0-9]*", "small letters, digits and _")
PATH = Form(rf'/[^"\\:{CONTROLS}]*', "an absolute path, such as /data")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
LABEL = Form(rf"(?=.{{0,63}}\Z)({_KEY})?", "at most 63 letters, digits, dots, _ and -")
KEY_RULE = (
    "at most 63 letters, digits, dots, _ and -, after a domain of at most 253 and / or without it"
)
LABEL_KEY = Form(rf"((?=[^/]{{1,253}}/){_LABEL}(\.{_LABEL})*/)?{_NAME_OF_KEY}", KEY_RULE)
# Kubernetes makes capital letters small before it looks at the key of an annotation.
ANNOTATION_KEY = Form(rf"(?i:(?=[^/]{{1,253}}/){_LABEL}(\.{_LABEL})*/)?{_NAME_OF_KEY}", KEY_RULE)
ANNOTATION = Form(rf'[^"\\{CONTROLS}]*', "one line without a double quote or a backslash")
DESCRIPTION = Form(rf"[^'\\{CONTROLS}]*", "one line without a single quote or a backslash")
COUNT = Form("0|[1-9][0-9]{0,8}", "a whole number")
SECRET = Form(rf"{_LABEL}(\.{_LABEL})*", "small letters, digits, dots and -")
SECRET_KEY = Form("[-._a-zA-Z0-9]+", "letters, digits, dots, _ and -")
VARIABLE = Form("[a-zA-Z_][a-zA-Z0-9_]*", "letters, digits and _")
# The code of a step gets the value when it runs: '{name}' in an f-string.
PARAMETER = ParameterForm(
    UNBROKEN.pattern, "a finite number, or one line without a single quote or a backslash"
)

GPU_LIMITS = ("nvidia.com/gpu", "amd.com/gpu")  # the only ones that the template writes


def find_misfits(pipeline: Any) -> list[Pasted]:
    """The values that Kale must not paste.

    Args:
        pipeline: a `kale.Pipeline` that has been processed.
    """
    return [one for one in _list_pasted(pipeline) if not one.form.takes(one.value)]


def _list_pasted(pipeline: Any) -> Iterator[Pasted]:
    config = pipeline.config
    yield Pasted("pipeline_name", config.pipeline_name, NAME)
    yield Pasted("pipeline_description", config.pipeline_description, DESCRIPTION)
    yield Pasted("base_image", config.base_image, IMAGE)
    yield Pasted("marshal_path", config.marshal_path, PATH)
    for name, parameter in pipeline.pipeline_parameters.items():
        yield Pasted(f"parameter {name}", parameter.param_value, PARAMETER)
    for volume in config.volumes:
        if volume.type == "pvc":
            yield Pasted("volumes: name", volume.name, NAME)
            yield Pasted("volumes: mount_point", volume.mount_point, PATH)
    for step in pipeline.steps:
        if hasattr(step, "pipeline"):  # a notebook that is referred to: kale.step.SubPipeline
            name = Path(step.notebook_path).name
            yield from (replace(one, notebook=name) for one in _list_pasted(step.pipeline))
        yield from _list_pasted_of_step(step)


def _list_pasted_of_step(step: Any) -> Iterator[Pasted]:
    name, config = step.name, step.config
    yield Pasted("step", name, STEP, name)
    yield Pasted("image", config.base_image, IMAGE, name)
    for tag, key_form, form, values in (
        ("label", LABEL_KEY, LABEL, config.labels),
        ("annotation", ANNOTATION_KEY, ANNOTATION, config.annotations),
    ):
        for key, value in values.items():
            harm = find_harm(tag, key, value)
            own = Form("(?!)", f"keys of your own: {harm}")
            yield Pasted(tag, key, own if harm else key_form, name)
            yield Pasted(f"{tag}:{key}", value, form, name)
    for key, value in config.limits.items():
        if key in GPU_LIMITS:
            yield Pasted(f"limit:{key}", value, COUNT, name)
    for variable, secret in config.secrets.items():
        yield Pasted("secret", variable, VARIABLE, name)
        yield Pasted("secret", secret["secret_name"], SECRET, name)
        yield Pasted("secret", secret["secret_key"], SECRET_KEY, name)
