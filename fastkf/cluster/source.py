"""What is submitted: a notebook or a package with its parameters, read before a server is asked."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastkf.base.errors import UsageError
from fastkf.notebook import gate
from fastkf.notebook.brought import top_names
from fastkf.notebook.compile import compile_package
from fastkf.notebook.model import Notebook, read
from fastkf.notebook.parameters import compiled, read_parameters
from fastkf.package.arguments import read_arguments
from fastkf.package.model import Package
from fastkf.package.pins import Pins
from fastkf.runs.progress import Progress

DATA = "data_dir"  # the parameter of a lab that says where its data are
PACKAGE_SUFFIXES = (".yaml", ".yml")
EXPERIMENT, NOTEBOOK_EXPERIMENT = "Default", "fast-kubeflow"


@dataclass(frozen=True)
class Source:
    """What is submitted.

    Attributes:
        name: of the run, and of its folder.
        pipeline: the pipeline's name on the server.
        experiment: where the run goes, unless it is told otherwise.
        defaults: pipeline parameter to its default, where it has one.
        arguments: the parameters that are given.
        notebook: what it is compiled from, its parts in it; None for a package.
        package: the package; None for a notebook.
        image: what the steps of a notebook run in; None for Kale's own.
        pins: the versions of the packages that they install; those installed here when None.
    """

    path: Path
    name: str
    title: str
    pipeline: str
    experiment: str
    defaults: dict[str, Any]
    arguments: dict[str, Any]
    notebook: Notebook | None = None
    package: Package | None = None
    image: str | None = None
    pins: Pins | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters of the run."""
        return {**self.defaults, **self.arguments}

    @property
    def compiled_arguments(self) -> dict[str, Any]:
        """The given parameters as the package names them."""
        return compiled(self.arguments) if self.notebook else self.arguments


def read_source(
    path: Path,
    progress: Progress,
    *,
    given: dict[str, str],
    data_dir: str | None = None,
    image: str | None = None,
    pins: Pins | None = None,
) -> Source:
    """Reads a package (.yaml) or a notebook, which is checked, and the parameters for it.

    Args:
        given: pipeline parameters, as text.
        data_dir: where the steps find the data.

    Raises:
        UsageError: an unknown parameter, a value that does not fit, an image for a package.
        FastkfError: it is no package, or not the pipeline that it looks like.
    """
    texts = _with_data(given, data_dir)
    if path.suffix not in PACKAGE_SUFFIXES:
        return replace(_read_notebook(path, texts, data_dir, progress), image=image, pins=pins)
    if image:
        remedy = "a package names its images itself"
        raise UsageError(f"{path}: --image is for notebooks", remedy)
    return _read_package(path, texts, data_dir)


def write_package(source: Source, target: Path) -> Package:
    """The package of a source, which a notebook is compiled to.

    Raises:
        FastkfError: the notebook does not compile.
    """
    if source.package:
        target.write_bytes(source.path.read_bytes())
        return source.package
    assert source.notebook
    return compile_package(source.notebook, target, source.image, source.pins)


def _read_notebook(
    path: Path, texts: dict[str, str], data_dir: str | None, progress: Progress
) -> Source:
    notebook = read(path)
    if data_dir is not None and DATA not in notebook.parameters:
        raise UsageError(f"{path}: no parameter {DATA} for --data-dir", _list(notebook.parameters))
    together = gate.tell_findings(notebook, progress)
    if files := top_names(together):
        progress.warn(
            f"the image of the steps must have, where they start: {', '.join(files)}; `fastkf "
            f"image {shlex.quote(str(path))}` writes its Dockerfile, and --image names it"
        )
    return Source(
        path=path,
        name=notebook.name,
        title=notebook.title,
        pipeline=notebook.pipeline_name,
        experiment=notebook.kale.get("experiment_name") or NOTEBOOK_EXPERIMENT,
        defaults=notebook.parameters,
        arguments=read_parameters(notebook, texts),
        notebook=together,
    )


def _read_package(path: Path, texts: dict[str, str], data_dir: str | None) -> Source:
    package = Package.read(path)
    if data_dir is not None and DATA not in package.parameters:
        raise UsageError(f"{path}: no parameter {DATA} for --data-dir", _list(package.parameters))
    return Source(
        path=path,
        name=package.name,
        title=package.description or package.name,
        pipeline=package.name,
        experiment=EXPERIMENT,
        defaults=package.defaults,
        arguments=read_arguments(package, texts),
        package=package,
    )


def _with_data(given: dict[str, str], data_dir: str | None) -> dict[str, str]:
    """The given parameters with the data's location."""
    if data_dir is None:
        return given
    if DATA in given:
        raise UsageError(f"--data-dir and -p {DATA}=... are both given", "give one of them")
    return {**given, DATA: data_dir}


def _list(parameters: Iterable[str]) -> str:
    return f"its parameters: {', '.join(parameters) or 'none'}"
