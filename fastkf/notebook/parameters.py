"""Values for the pipeline parameters of a notebook."""

from collections.abc import Mapping
from typing import Any

from fastkf.base.errors import UsageError
from fastkf.notebook.model import Notebook
from fastkf.package import kale
from fastkf.package.parameters import read_value


def compiled(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same, as a package names them: Kale writes them in lower case."""
    return {name.lower(): value for name, value in parameters.items()}


def read_parameters(notebook: Notebook, given: Mapping[str, str]) -> dict[str, Any]:
    """The given texts in the types of the notebook's own values.

    Raises:
        UsageError: the notebook has no such parameter, or the value is of another type.
    """
    return {name: read_parameter(notebook, name, text) for name, text in given.items()}


def read_parameter(notebook: Notebook, name: str, text: str) -> Any:
    """One text in the type of the notebook's own value.

    Raises:
        UsageError: the notebook has no such parameter, or the value is of another type, or one
            that its steps cannot take.
    """
    if name not in notebook.parameters:
        known = ", ".join(notebook.parameters) or "none"
        raise UsageError(f"{notebook.path}: no parameter {name}; its parameters: {known}")
    try:
        value = read_value(name, text, type(notebook.parameters[name]))
    except UsageError as error:
        raise UsageError(f"{notebook.path}: {error}") from None
    if isinstance(value, str) and (found := kale.find_break(value)):
        problem = f"{notebook.path}: {kale.explain_break(name, found)}"
        raise UsageError(problem, kale.WITHOUT_BREAK)
    return value
