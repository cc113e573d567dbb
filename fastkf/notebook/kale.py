"""The one door to Kale: all that this toolkit asks of Kale 2.3.

Importing Kale takes a second, so it is imported where its own code is wanted, or its own words:
what can be read without it, `fastkf.notebook.reading` reads.

Kale raises exceptions of any type, `Exception` itself and those of its own mistakes among them.
Here, and only around calls of Kale, each becomes one error with Kale's words.
"""

import importlib.util
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.base.iri import import_jsonschema
from fastkf.base.quiet import quiet_logging
from fastkf.base.versions import check_version
from fastkf.notebook.errors import CompileError, KaleError
from fastkf.notebook.fields import find_misfits
from fastkf.notebook.file import read_content, readable_copy
from fastkf.notebook.pipeline import Pipeline, PipelineStep
from fastkf.notebook.reading.errors import NotPlainError
from fastkf.notebook.reading.flow import link_steps
from fastkf.notebook.reading.settings import are_plain
from fastkf.notebook.reading.steps import PlainPipeline
from fastkf.notebook.reading.steps import read_pipeline as read_plain

INSTALLED = "kfp>=2.0.0"  # what Kale has each step install


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
    check_installed()
    try:
        return describe_plain(read_linked(path, settings))
    except NotPlainError:
        return ask_kale(path, settings)


def ask_kale(path: Path, settings: Mapping[str, str]) -> Pipeline:
    """As `read_pipeline`, from Kale itself.

    Raises: as `read_pipeline`.
    """
    pipeline = _process(path, settings).pipeline
    units = [_describe(pipeline, step) for step in pipeline.steps]
    parts = {unit.name: unit for unit in units if unit.inside is not None}
    steps = tuple(_without(unit, parts) for unit in units if unit.name not in parts)
    edges = tuple((str(one), str(other)) for one, other in pipeline.edges)
    return Pipeline(steps, edges, tuple(find_misfits(pipeline)), tuple(parts.values()))


def list_installed(code: str) -> list[str]:
    """What Kale has a step install whose imports and functions these are."""
    asked = {INSTALLED, f"kubeflow-kale=={metadata.version('kubeflow-kale')}"}
    return sorted(asked | _imports().get_packages_to_install(code))


def templates() -> Path:
    """The folder of Kale's templates."""
    return _folder() / "templates"


def generate_script(path: Path, settings: Mapping[str, str]) -> Script:
    """The KFP DSL script of a notebook, from Kale itself.

    Args: as those of `read_pipeline`.

    Raises:
        FastkfError: Kale rejects the notebook, or cannot generate its code; a value of the
            notebook's would become code.
    """
    processor = _process(path, settings)
    refuse_misfits(path, processor.pipeline)
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
    check_installed()
    if are_plain(settings):
        return None
    prepare()
    from kale.processors.nbprocessor import NotebookConfig

    try:
        NotebookConfig(**{**settings, "notebook_path": str(path)})
    except Exception as error:  # noqa: BLE001 - Kale's own, of any type
        return str(error)
    return None


def package_of(module: str) -> str | None:
    """The package that Kale installs for a module; None for the standard library."""
    check_installed()
    info = _imports().ImportInfo(module, names=[], alias=None, is_from=False, line_number=0)
    package = info.get_pypi_package()
    return None if package is None else str(package)


@cache
def prepare() -> None:
    """Imports Kale for the first time.

    Raises:
        FastkfError: Kale is not installed, or in a version that the tests have not seen.
    """
    check_installed()
    import_jsonschema()
    with warnings.catch_warnings(action="ignore"):  # astor uses names that go with Python 3.14
        import kale  # noqa: F401


@cache
def check_installed() -> None:
    """Checks that Kale is here, in a version that the tests have seen.

    Raises:
        FastkfError: it is not.
    """
    check_version("kubeflow-kale")


def refuse_misfits(path: Path, pipeline: Any) -> None:
    """Refuses values that would become code.

    Raises:
        FastkfError: there is one.
    """
    for misfit in find_misfits(pipeline):
        raise CompileError(path, misfit.problem)


def _folder() -> Path:
    """Where Kale is installed."""
    kale = importlib.util.find_spec("kale")
    folders = kale.submodule_search_locations if kale else None
    return Path(next(iter(folders or ())))


@cache
def _imports() -> Any:
    """Kale's module `kale.common.imports`, which needs nothing else of Kale, without the rest."""
    path = _folder() / "common" / "imports.py"
    spec = importlib.util.spec_from_file_location("fastkf_kale_imports", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_linked(path: Path, settings: Mapping[str, str]) -> PlainPipeline:
    """The pipeline of a plain notebook, with its data flow.

    Raises:
        FastkfError: it is no notebook.
        NotPlainError: Kale itself must be asked.
    """
    pipeline = read_plain(read_content(path), settings)
    link_steps(pipeline)
    return pipeline


def describe_plain(pipeline: PlainPipeline) -> Pipeline:
    steps = []
    for step in pipeline.steps:
        nearest = {name: pipeline.producer(step, name) for name in sorted(step.ins)}
        steps.append(
            PipelineStep(
                step.name,
                tuple(step.source),
                tuple(sorted(step.ins)),
                tuple(sorted(step.outs)),
                {name: one for name, one in nearest.items() if one},
                step.metrics,
            )
        )
    edges = tuple((one, other) for one, below in pipeline.edges.items() for other in below)
    return Pipeline(tuple(steps), edges, tuple(find_misfits(pipeline)))


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
