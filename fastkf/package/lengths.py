"""Arguments and variables that are too long for a step's pod to start with.

Linux takes so many bytes of each, whoever starts a program (execve(2), MAX_ARG_STRLEN). Kubeflow
Pipelines hands a step its code, its inputs and the values of its placeholders as arguments of its
command, and knows no other way: its launcher starts the command with them
(backend/src/v2/component/launcher_v2.go). Argo 4 writes a longer argument to a file and puts
`@FILE` in its place, which the commands of KFP's steps do not read.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastkf.package.kale import EXECUTOR
from fastkf.package.model import Package
from fastkf.package.settings import words_of

MOST_BYTES = 2**17 - 1  # with the null byte that ends it, 128 kB
SAID = (
    "{what} has {size:,} bytes, and Linux starts no program with an argument or a variable of more "
    "than {most:,}: on a cluster the step does not start"
)
OF_CODE = "keep data out of the code: bring it in the image, or take it from a volume or a store"
OF_VALUES = "pass what is long as an artifact, whose argument is a path"
OF_VARIABLES = "give the step what is long as a file of the Secret or the ConfigMap"


@dataclass(frozen=True)
class TooLong:
    """What is too long, and what to do about it."""

    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}"


def find_too_long(
    command: Sequence[str], variables: Mapping[str, str], executor_input: Mapping[str, Any]
) -> TooLong | None:
    """The first argument or variable with which no step starts.

    Args:
        command: with the values of its placeholders.
        variables: those that the step is given.
        executor_input: what `--executor_input` hands over.
    """
    for number, word in enumerate(command):
        if (size := _measure(word)) > MOST_BYTES:
            if number and command[number - 1] == "--executor_input":
                return _tell(_describe_inputs(executor_input), size, OF_VALUES)
            if number and EXECUTOR in command[number - 1]:
                return _tell("its code, with all that stands in it,", size, OF_CODE)
            return _tell(f"argument {number} of its command", size, OF_VALUES)
    for name, value in variables.items():
        if (size := len(f"{name}={value}".encode())) > MOST_BYTES:
            return _tell(f"its environment variable {name}", size, OF_VARIABLES)
    return None


def list_too_long(package: Package) -> Iterator[tuple[str, TooLong]]:
    """Component, as its author calls it, to what is too long of it whatever it is given."""
    for name, executor in package.executors.items():
        container = executor.get("container") or {}
        variables = {one["name"]: str(one.get("value")) for one in container.get("env") or ()}
        if found := find_too_long(words_of(container), variables, {}):
            yield name.removeprefix("exec-"), found


def _measure(word: str) -> int:
    """How many bytes it has; of JSON, without the spaces that a cluster does not write."""
    size = len(word.encode("utf-8", "surrogateescape"))
    if size > MOST_BYTES and word.startswith(("{", "[")):
        try:
            shorter = json.dumps(json.loads(word), ensure_ascii=False, separators=(",", ":"))
        except (ValueError, RecursionError):
            return size
        return len(shorter.encode("utf-8", "surrogatepass"))
    return size


def _describe_inputs(executor_input: Mapping[str, Any]) -> str:
    values = (executor_input.get("inputs") or {}).get("parameterValues") or {}
    sizes = {name: len(json.dumps(value, ensure_ascii=False)) for name, value in values.items()}
    longest = max(sizes, key=sizes.__getitem__, default=None)
    return f"what it takes, most of it in {longest}," if longest else "what it takes"


def _tell(what: str, size: int, remedy: str) -> TooLong:
    return TooLong(SAID.format(what=what, size=size, most=MOST_BYTES), remedy)
