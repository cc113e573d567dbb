"""The one door to Kale: all that this toolkit asks of Kale 2.3.

Kale raises exceptions of any type, `Exception` itself and those of its own mistakes among them.
Here, and only around calls of Kale, each becomes one error with Kale's words.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.base.iri import import_jsonschema
from fastkf.base.quiet import quiet_logging
from fastkf.base.versions import check_version
from fastkf.notebook.errors import CompileError, KaleError
from fastkf.notebook.fields import Pasted, find_misfits
from fastkf.notebook.file import readable_copy


@dataclass(frozen=True)
class PipelineStep:
    """A step as Kale sees it.

    Attributes:
        source: its code, block by block: what all steps share, its own cells, what Kale adds.
        ins: the variables that it takes from other steps, sorted.
        outs: the variables that it passes on, sorted.
        producers: each of `ins` to the nearest step above that passes it on, where there is one
            (kale/compiler.py, _producer_of).
        metrics: whether it reports pipeline metrics.
        inside: the steps of the notebook that it stands for; None of a plain step.
    """

    name: str
    source: tuple[str, ...]
    ins: tuple[str, ...]
    outs: tuple[str, ...]
    producers: Mapping[str, str]
    metrics: bool
    inside: tuple["PipelineStep", ...] | None = None


@dataclass(frozen=True)
class Pipeline:
    """A notebook as Kale sees it: the steps in the order in which Kale sorts them, and the edges
    that the tags ask for, each with the step that comes first.

    Attributes:
        misfits: the values that no code is generated of.
        parts: the notebooks that it refers to. The edges name them too; the producers do not.
    """

    steps: tuple[PipelineStep, ...]
    edges: tuple[tuple[str, str], ...]
    misfits: tuple[Pasted, ...] = ()
    parts: tuple[PipelineStep, ...] = ()


@dataclass(frozen=True)
class Script:
    """The KFP DSL that Kale generates.

    Attributes:
        notebook: the notebook's file, for what is said about it.
        source: the script, whose pipeline function is `auto_generated_pipeline`.
        modules: those that the script imports, one for each notebook that is referred to.
    """

    notebook: Path
    source: str
    modules: Mapping[str, str] = field(default_factory=dict)


def read_pipeline(path: Path, settings: Mapping[str, str]) -> Pipeline:
    """Kale's reading of a notebook file, with the data dependencies that it detects.

    Args:
        path: the notebook.
        settings: what replaces the settings in the file's metadata.

    Raises:
        FastkfError: Kale rejects the notebook.
    """
    pipeline = _process(path, settings).pipeline
    units = [_describe(pipeline, step) for step in pipeline.steps]
    parts = {unit.name: unit for unit in units if unit.inside is not None}
    steps = tuple(_without(unit, parts) for unit in units if unit.name not in parts)
    edges = tuple((str(one), str(other)) for one, other in pipeline.edges)
    return Pipeline(steps, edges, tuple(find_misfits(pipeline)), tuple(parts.values()))


def generate_script(path: Path, settings: Mapping[str, str]) -> Script:
    """The KFP DSL script of a notebook.

    Args: as those of `read_pipeline`.

    Raises:
        FastkfError: Kale rejects the notebook, or cannot generate its code; a value of the
            notebook's would become code.
    """
    processor = _process(path, settings)
    for misfit in find_misfits(processor.pipeline):
        raise CompileError(path, misfit.problem)
    from kale import Compiler

    try:
        compiler = Compiler(processor.pipeline, processor.get_imports_and_functions())
        source = compiler.generate_dsl()
    except Exception as error:
        raise CompileError(path, f"{type(error).__name__}: {error}") from error
    return Script(path, source, dict(compiler.modules))


def find_refusal(path: Path, settings: Mapping[str, Any]) -> str | None:
    """Why Kale refuses the settings in a notebook's metadata, in Kale's words; None: it does not.

    Args:
        path: the notebook.
        settings: deep copies of them, since Kale changes what it is given.
    """
    prepare()
    from kale.processors.nbprocessor import NotebookConfig

    try:
        NotebookConfig(**{**settings, "notebook_path": str(path)})
    except Exception as error:  # noqa: BLE001 - Kale's own, of any type
        return str(error)
    return None


def is_tag(tag: str) -> bool:
    """Whether a cell tag belongs to Kale's language."""
    return any(re.match(pattern, tag) for pattern in _tag_patterns())


def package_of(module: str) -> str | None:
    """The package that Kale installs for a module; None for the standard library."""
    prepare()
    from kale.common.imports import ImportInfo

    info = ImportInfo(module, names=[], alias=None, is_from=False, line_number=0)
    package = info.get_pypi_package()
    return None if package is None else str(package)


@cache
def missing_names(source: str) -> frozenset[str]:
    """The names that code uses and nothing in it makes; it is plain Python."""
    prepare()
    from kale.common.flakeutils import pyflakes_report

    with warnings.catch_warnings(action="ignore"):
        return frozenset(map(str, pyflakes_report(source)))


def default_image() -> str:
    """The container image of a step that names none."""
    prepare()
    from kale.pipeline import DEFAULT_BASE_IMAGE

    return str(DEFAULT_BASE_IMAGE)


@cache
def prepare() -> None:
    """What comes before the first import of Kale.

    Raises:
        FastkfError: Kale is not installed, or in a version that the tests have not seen.
    """
    check_version("kubeflow-kale")
    import_jsonschema()


@cache
def _tag_patterns() -> tuple[str, ...]:
    prepare()
    from kale.processors.constants import TAGS_LANGUAGE

    return tuple(TAGS_LANGUAGE)


def _process(path: Path, settings: Mapping[str, str]) -> Any:
    """A `kale.NotebookProcessor` that has done its work."""
    prepare()
    from kale import NotebookProcessor

    with _quiet():
        try:
            with readable_copy(path) as readable:
                processor = NotebookProcessor(str(readable), dict(settings))
                processor.run()
        except FastkfError:
            raise
        except Exception as error:
            raise KaleError(path, str(error)) from error
    return processor


@contextmanager
def _quiet() -> Iterator[None]:
    """Kale logs that it finds no cluster, and nbformat warns of cells without an id."""
    with quiet_logging(), warnings.catch_warnings(action="ignore"):
        yield


def _describe(pipeline: Any, step: Any) -> PipelineStep:
    from kale.common import graphutils

    inside = getattr(step, "pipeline", None)  # a kale.step.SubPipeline has one
    above = graphutils.get_ordered_ancestors(pipeline, step.name)
    producers = {
        name: next((a for a in above if name in pipeline.get_step(a).outs), None)
        for name in sorted(step.ins)
    }
    return PipelineStep(
        str(step.name),
        tuple(step.source),
        tuple(sorted(step.ins)),
        tuple(sorted(step.outs)),
        {name: str(producer) for name, producer in producers.items() if producer},
        bool(step.metrics),
        None if inside is None else tuple(_describe(inside, one) for one in inside.steps),
    )


def _without(step: PipelineStep, parts: Mapping[str, PipelineStep]) -> PipelineStep:
    """The step with those producers only that are steps of its own notebook."""
    own = {name: one for name, one in step.producers.items() if one not in parts}
    return replace(step, producers=own)
