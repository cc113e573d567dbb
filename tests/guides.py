"""Reads the shell blocks of the course's guides and notebooks."""

import json
import re
import shlex
from pathlib import Path

SHELLS = {"bash", "sh", "shell", ""}
BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```", re.M | re.S)
COMMAND = re.compile(r"^(fastkf|make|kubectl|docker|curl|python|pip|git|source|cd) ?", re.M)


def read_text(path: Path) -> str:
    """The text of a Markdown file, or of the text cells of a notebook."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def shell_blocks(path: Path) -> list[str]:
    """The code blocks marked as shell; those without a mark that begin with a known command."""
    blocks = [match.groups() for match in BLOCK.finditer(read_text(path))]
    return [
        body
        for mark, body in blocks
        if mark in SHELLS and (mark or COMMAND.match(body.lstrip("\n")))
    ]


def yaml_blocks(path: Path) -> list[str]:
    """The code blocks marked as YAML."""
    return [body for mark, body in BLOCK.findall(read_text(path)) if mark in ("yaml", "yml")]


def fastkf_commands(path: Path) -> list[list[str]]:
    """The arguments of each `fastkf` command in the shell blocks, comments left out."""
    lines = "\n".join(shell_blocks(path)).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if line.startswith("fastkf ")]
    return [command[1:] for command in words]
