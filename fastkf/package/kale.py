"""What a package that Kale has made says about the notebook it was made from."""

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

BLOCK = re.compile(r"_kale_block\d+")
EXECUTOR = "kfp.dsl.executor_main"


def component_sources(executors: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Executor to the source of its Python component, of those that are Python components."""
    commands = {
        name: list(map(str, executor.get("container", {}).get("command", [])))
        for name, executor in executors.items()
    }
    return {
        name: command[-1]
        for name, command in commands.items()
        if any(EXECUTOR in word for word in command)
    }


def read_blocks(sources: Iterable[str]) -> list[str]:
    """The sources of the notebook's cells, as the steps' kernels run them; each once."""
    blocks: dict[str, None] = {}
    for source in sources:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                target = getattr(node.targets[0], "id", "")
                if BLOCK.fullmatch(target) and isinstance(node.value.value, str):
                    blocks[textwrap.dedent(node.value.value).strip()] = None
    return list(blocks)


def name_step(task: str) -> str:
    """The step of one of Kale's tasks: its component is NAME_step, which KFP names NAME-step."""
    return task.removesuffix("-step").replace("-", "_") if task.endswith("-step") else task
