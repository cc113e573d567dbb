"""What a package that Kale has made says about the notebook it was made from."""

import ast
import re
import textwrap

BLOCK = re.compile(r"_kale_block\d+")
EXECUTOR = "kfp.dsl.executor_main"


def is_kale(spec: dict) -> bool:
    """Whether the steps of a package run blocks of a notebook."""
    return any("_kale_block" in code for code in component_sources(spec).values())


def component_sources(spec: dict) -> dict[str, str]:
    """Executor to the source of its Python component, of those that are Python components."""
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    commands = {
        name: list(map(str, executor.get("container", {}).get("command", [])))
        for name, executor in executors.items()
    }
    return {
        name: command[-1]
        for name, command in commands.items()
        if any(EXECUTOR in word for word in command)
    }


def read_blocks(spec: dict) -> list[str]:
    """The sources of the notebook's cells, as the steps' kernels run them; each once."""
    blocks: dict[str, None] = {}
    for source in component_sources(spec).values():
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


def imports(spec: dict) -> str:
    """The imports that every step starts with: the notebook's imports cell."""
    blocks = read_blocks(spec)
    return blocks[0] if blocks else ""


def name_step(task: str) -> str:
    """The Kale step of a task: Kale makes a component NAME_step, which KFP names NAME-step."""
    return task.removesuffix("-step").replace("-", "_")


def explain(error: dict | None, blocks: list[str]) -> str | None:
    """The exception of a step with the learner's own line that raised it.

    Args:
        error: what `fastkf.engine.warm.interpreter.write_error` has kept.
    """
    if error is None:
        return None
    described = f"{error['name']}: {error['message']}".strip().strip(":").strip()
    source, text = error.get("source"), error.get("text")
    if not source or not text:
        return described
    if source.strip() in blocks:
        return f"{described} (line {error['line']} of the step's cell: {text})"
    return f"{described} (in the code that Kale adds to pass data between steps: {text})"
