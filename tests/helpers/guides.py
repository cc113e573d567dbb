"""Reads the course's text: the links, headings and code blocks of its Markdown and notebooks."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

SHELLS = {"bash", "sh", "shell", ""}
COMMAND = re.compile(r"^(fastkf|make|kubectl|docker|curl|python|pip|git|source|cd) ?", re.M)
PARSER = MarkdownIt("commonmark").enable("table")


class Link(NamedTuple):
    """A link or an image; `text` is what a reader sees, for an image what stands in for it."""

    target: str
    text: str


def read_text(path: Path) -> str:
    """The text of a Markdown file, or of the text cells of a notebook."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


@cache
def parse(path: Path) -> list[Token]:
    return PARSER.parse(read_text(path))


def inline_tokens(path: Path) -> Iterator[list[Token]]:
    """What stands inside each paragraph, heading and table cell."""
    return (token.children for token in parse(path) if token.type == "inline")


def links(path: Path) -> Iterator[Link]:
    for tokens in inline_tokens(path):
        for position, token in enumerate(tokens):
            if token.type == "image":
                yield Link(token.attrs["src"], token.content)
            elif token.type == "link_open":
                inside = tokens[position + 1 :]
                end = next(i for i, t in enumerate(inside) if t.type == "link_close")
                yield Link(token.attrs["href"], "".join(t.content for t in inside[:end]))


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a file.

    Small letters, no punctuation, hyphens for spaces; a second heading of one name gets `-1`.
    """
    tokens = parse(path)
    found, seen = set(), Counter()
    for before, token in zip(tokens, tokens[1:], strict=False):
        if before.type == "heading_open":
            title = "".join(t.content for t in token.children if t.type in ("text", "code_inline"))
            anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
    return found


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks marked as a language."""
    return [body for mark, body in all_blocks(path) if mark == language]


def all_blocks(path: Path) -> list[tuple[str, str]]:
    """The code blocks between fences, each with its mark."""
    return [(t.info.strip(), t.content) for t in parse(path) if t.type == "fence"]


def shell_blocks(path: Path) -> list[str]:
    """The code blocks marked as shell; those without a mark that begin with a known command."""
    return [
        body
        for mark, body in all_blocks(path)
        if mark in SHELLS and (mark or COMMAND.match(body.lstrip("\n")))
    ]


def code_spans(path: Path) -> list[str]:
    """The code within the text."""
    spans = [t.content for tokens in inline_tokens(path) for t in tokens]
    kinds = [t.type for tokens in inline_tokens(path) for t in tokens]
    return [span for span, kind in zip(spans, kinds, strict=True) if kind == "code_inline"]


def commands(path: Path, name: str) -> list[list[str]]:
    """The arguments of each command of a name in the shell blocks, comments left out."""
    lines = "\n".join(shell_blocks(path)).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if line.startswith(f"{name} ")]
    return [command[1:] for command in words]


def fastkf_commands(path: Path) -> list[list[str]]:
    """The arguments of each `fastkf` command in the shell blocks, comments left out."""
    return commands(path, "fastkf")
