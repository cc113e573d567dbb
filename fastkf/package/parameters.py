"""The parameters of a pipeline: their types, their defaults, and values for them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fastkf.base.errors import UsageError, show_value
from fastkf.base.plain_data import DataError, check_data
from fastkf.package.errors import PackageError

# parameterType of the IR (pipeline_spec.proto, ParameterType) to the type of the value in Python.
PYTHON_TYPES: Final[dict[str, type]] = {
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "STRING": str,
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
    "TASK_FINAL_STATUS": dict,
}
LARGEST_WHOLE: Final = 2**53


@dataclass(frozen=True)
class Parameter:
    """A parameter of a pipeline.

    Attributes:
        kind: its parameterType in the IR, such as NUMBER_INTEGER.
        default: its default value, where it has one.
        is_optional: whether a run may leave it out though it has no default.
    """

    name: str
    kind: str
    default: Any = None
    has_default: bool = False
    is_optional: bool = False

    @property
    def is_required(self) -> bool:
        return not (self.has_default or self.is_optional)

    @property
    def python_type(self) -> type:
        """The type of its values; str for a type that KFP has added since."""
        return PYTHON_TYPES.get(self.kind, str)

    def read(self, text: str) -> Any:
        """The value that a text stands for.

        Raises:
            UsageError: the text is of another type.
        """
        return read_value(self.name, text, self.python_type)

    def check(self, value: Any) -> None:
        """Raises PackageError when the value is of another type, or one that nothing can keep."""
        if not self._fits(value):
            shown = show_value(value)
            raise PackageError(f"parameter {self.name} takes {self.kind}, not {shown}")
        if problem := find_unstorable(value, f"parameter {self.name}"):
            raise PackageError(problem)

    def convert(self, value: Any) -> Any:
        """The value as Python has it: the IR and JSON keep every number as a double."""
        is_whole = isinstance(value, float) and value.is_integer()
        return int(value) if self.python_type is int and is_whole else value

    def _fits(self, value: Any) -> bool:
        if isinstance(value, bool):
            return self.python_type is bool
        if self.python_type is int and isinstance(value, float):
            return value.is_integer()
        if self.python_type is float:
            return isinstance(value, int | float)
        return self.kind not in PYTHON_TYPES or isinstance(value, self.python_type)


def read_parameters(spec: dict[str, Any]) -> dict[str, Parameter]:
    """The parameters of a PipelineSpec, by name, in the order of their names."""
    inputs = (spec.get("root") or {}).get("inputDefinitions") or {}
    declared = inputs.get("parameters") or {}
    return {name: _read_parameter(name, declared[name]) for name in sorted(declared)}


def _read_parameter(name: str, declared: dict[str, Any]) -> Parameter:
    parameter = Parameter(
        name=name,
        kind=declared.get("parameterType", ""),
        has_default="defaultValue" in declared,
        is_optional=bool(declared.get("isOptional")),
        default=declared.get("defaultValue"),
    )
    converted = parameter.convert(parameter.default)
    return Parameter(name, parameter.kind, converted, parameter.has_default, parameter.is_optional)


def read_value(name: str, text: str, kind: type) -> Any:
    """The text of a parameter as bool, int, float or str; as list or dict from JSON.

    Raises:
        UsageError: the text is of another type, or stands for a value that nothing can keep.
    """
    readers: dict[type, Callable[[str], Any]] = {bool: _as_bool, list: json.loads, dict: json.loads}
    try:
        value = readers.get(kind, kind)(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise UsageError(f"parameter {name} takes {kind.__name__}, not {show_value(text)}")
    if problem := find_unstorable(value, f"parameter {name}"):
        raise UsageError(problem)
    return value


def find_unstorable(value: Any, name: str) -> str | None:
    """What is wrong with a value that a package or a record would not give back; None: nothing.

    The IR keeps every number as a double (protobuf's Value).

    Args:
        name: what the value is called.
    """
    try:
        check_data(value, name, LARGEST_WHOLE)
    except DataError as error:
        return str(error)
    return None


def _as_bool(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]
