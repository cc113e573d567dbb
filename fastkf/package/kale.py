"""What a package that Kale has made says about the notebook it was made from."""

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastkf.base.errors import CONTROLS
from fastkf.base.python_syntax import parse_python

BLOCK = re.compile(r"_kale_block\d+")
EXECUTOR = "kfp.dsl.executor_main"
WITHOUT_BREAK = "choose a value without it"
BREAKS = {
    "'": "a single quote",
    "\\": "a backslash",
    "\n": "a line break",
    "\r": "a line break",
    "\0": "a null character",
    "\u2028": "a line separator",
    "\u2029": "a paragraph separator",
}
UNBROKEN = re.compile(rf"(\t|[^'\\{CONTROLS}])*")


def component_sources(executors: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Executor to the source of its Python component, of those that are Python components."""
    commands = {
        name: list(map(str, executor.get("container", {}).get("command", [])))
        for name, executor in executors.items()
    }
    return {name: command[-1] for name, command in commands.items() if brings_source(command)}


def brings_source(command: Sequence[Any]) -> bool:
    """Whether a container's command is that of a Python component whose code is in the command.

    That of one whose code is in its image ends with the name of the executor.
    """
    return any(EXECUTOR in str(word) for word in command[:-1])


def read_blocks(sources: Iterable[str]) -> list[str]:
    """The sources of the notebook's cells, as the steps' kernels run them; each once."""
    blocks: dict[str, None] = {}
    for source in sources:
        try:
            tree = parse_python(source)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                target = getattr(node.targets[0], "id", "")
                if BLOCK.fullmatch(target) and isinstance(node.value.value, str):
                    blocks[textwrap.dedent(node.value.value).strip()] = None
    return list(blocks)


def find_break(text: str) -> str | None:
    """What of a text parameter would end the quotes around it; None: nothing.

    Kale's step gets its parameters as '{name}' in an f-string that becomes the first block of its
    code (kale/templates, nb_function_template.jinja2), so what is behind a quote would be run.
    """
    if UNBROKEN.fullmatch(text):
        return None
    return next((name for sign, name in BREAKS.items() if sign in text), "a control character")


def explain_break(name: str, found: str) -> str:
    """What is wrong with a value in which `find_break` has found something."""
    return f"parameter {name} holds {found}, which breaks the code that Kale generates"


def name_step(task: str) -> str:
    """The step of one of Kale's tasks: its component is NAME_step, which KFP names NAME-step."""
    return task.removesuffix("-step").replace("-", "_") if task.endswith("-step") else task
