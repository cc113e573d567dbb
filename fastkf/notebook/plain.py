"""A plain notebook's package, written without Kale and KFP, as the two would write it."""

from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement

from fastkf.base.versions import check_version
from fastkf.notebook import kale
from fastkf.notebook.errors import CompileError
from fastkf.notebook.reading.component import write_components
from fastkf.notebook.reading.errors import NotPlainError
from fastkf.notebook.reading.package import KFP, Written, write_package


def write_plain(path: Path, settings: Mapping[str, str], pin: Callable[[str], str]) -> Written:
    """The package of a plain notebook.

    Args:
        path: the notebook.
        settings: what replaces the settings in the file's metadata.
        pin: a requirement to the one that takes its place.

    Raises:
        FastkfError: a value of the notebook's would become code; a package has no proper name.
        NotPlainError: Kale and KFP themselves must be asked.
    """
    kale.check_installed()
    check_version("kfp")
    pipeline = kale.read_linked(path, settings)
    kale.refuse_misfits(path, pipeline)
    if metadata.version("kfp") != KFP:
        raise NotPlainError("another version of KFP")
    try:
        packages = [pin(one) for one in kale.list_installed(pipeline.imports_and_functions)]
    except InvalidRequirement as error:
        raise CompileError(path, f"{type(error).__name__}: {error}") from error
    return write_package(pipeline, write_components(pipeline, kale.templates()), packages)
