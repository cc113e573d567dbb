"""Findings that someone has said not to report: in a cell, or in the project's pyproject.toml."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastkf.base.errors import UsageError
from fastkf.notebook.check.finding import Finding
from fastkf.notebook.model import Notebook

# In a comment, or as a tag where Kale takes tags of others: behind a special tag.
MARK = re.compile(r"fastkf:\s*ignore\[([-a-z,\s]+)\]")
COMMENT = re.compile(rf"#[^\n]*?{MARK.pattern}")
FILE = "pyproject.toml"


@dataclass(frozen=True)
class Settings:
    """What `[tool.fastkf]` in the pyproject.toml above a notebook says.

    Attributes:
        ignore: names of rules that nothing is reported of.
        strict: warnings count as errors do.
    """

    ignore: frozenset[str] = frozenset()
    strict: bool = False


def is_mark(tag: str) -> bool:
    return MARK.fullmatch(tag.strip()) is not None


def drop_ignored(
    notebook: Notebook, findings: Iterable[Finding], ignore: Iterable[str] = ()
) -> list[Finding]:
    """The findings without those of `ignore`, and those that their cells say to ignore."""
    everywhere = frozenset(ignore)
    in_cells = {
        (str(notebook.path), cell.number): _ignored_in(cell.source, cell.tags)
        for cell in notebook.cells
    }
    return [
        one
        for one in findings
        if one.rule not in everywhere
        and one.rule not in in_cells.get((one.path, one.cell or 0), ())
    ]


def _ignored_in(source: str, tags: Iterable[str]) -> set[str]:
    lists = [*COMMENT.findall(source), *(found[1] for tag in tags if (found := MARK.search(tag)))]
    return {name.strip() for names in lists for name in names.split(",")}


def read_settings(notebook: Path, known: Iterable[str]) -> Settings:
    """The settings of the nearest pyproject.toml that has any.

    Args:
        notebook: the notebook's file.
        known: the names of the rules.

    Raises:
        UsageError: the file is no TOML, or its table has a key or a rule that there is not.
    """
    for folder in notebook.resolve().parents:
        table = _read_table(folder / FILE)
        if table is not None:
            return _check_table(folder / FILE, table, frozenset(known))
    return Settings()


def _read_table(path: Path) -> dict[str, Any] | None:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise UsageError(f"{path}: not readable ({error})", "correct it") from error
    tool = content.get("tool")
    table = tool.get("fastkf") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


def _check_table(path: Path, table: dict[str, Any], known: frozenset[str]) -> Settings:
    unknown = set(table) - {"ignore", "strict"}
    if unknown:
        problem = f"{path}: [tool.fastkf] has no {sorted(unknown)[0]!r}"
        raise UsageError(problem, "there are `ignore`, a list of rules, and `strict`")
    ignore, strict = table.get("ignore", []), table.get("strict", False)
    if not isinstance(ignore, list) or not isinstance(strict, bool):
        problem = f"{path}: [tool.fastkf] has a value of a wrong type"
        raise UsageError(problem, "`ignore` is a list of rules, and `strict` is true or false")
    if wrong := [rule for rule in ignore if rule not in known]:
        problem = f"{path}: [tool.fastkf] ignores {wrong[0]!r}, and there is no such rule"
        raise UsageError(problem, "`fastkf explain` lists the rules")
    return Settings(frozenset(ignore), strict)
