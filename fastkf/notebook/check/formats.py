"""Findings for other programs: SARIF, and the workflow commands of GitHub."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastkf.notebook.check.finding import Finding, Rule, Severity

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
GITHUB_COMMANDS = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}


def as_sarif(findings: Sequence[Finding], rules: Iterable[Rule]) -> dict[str, Any]:
    """The findings as a SARIF log.

    Source of the format: OASIS, Static Analysis Results Interchange Format 2.1.0.
    """
    driver = {
        "name": "fastkf",
        "version": version("fastkf"),
        "rules": [
            {
                "id": rule.name,
                "shortDescription": {"text": rule.explanation},
                "help": {"text": rule.page},
                "defaultConfiguration": {"level": rule.severity.value},
            }
            for rule in rules
        ],
    }
    results = [_as_result(finding) for finding in findings]
    run = {"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _as_result(finding: Finding) -> dict[str, Any]:
    path = Path(finding.path)
    location = {
        "artifactLocation": {"uri": _as_uri(path)},
        "region": {"startLine": find_line(path, finding.cell)},
    }
    return {
        "ruleId": finding.rule,
        "level": finding.severity.value,
        "message": {"text": _with_cell(finding)},
        "locations": [{"physicalLocation": location}],
    }


def _as_uri(path: Path) -> str:
    """Relative to the working folder where the file is inside it, as code scanning wants it."""
    try:
        return quote(path.resolve().relative_to(Path.cwd()).as_posix())
    except ValueError:
        return path.resolve().as_uri()


def as_github(finding: Finding) -> str:
    """A finding as a workflow command, which GitHub shows beside the line of the file.

    Source of the format: GitHub's documentation, Workflow commands for GitHub Actions.
    """
    line = find_line(Path(finding.path), finding.cell)
    properties = {"file": finding.path, "line": str(line), "title": f"fastkf: {finding.rule}"}
    given = ",".join(f"{name}={_escape(value, ':,')}" for name, value in properties.items())
    return f"::{GITHUB_COMMANDS[finding.severity]} {given}::{_escape(_with_cell(finding))}"


def _escape(text: str, more: str = "") -> str:
    for sign in f"%\r\n{more}":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


def _with_cell(finding: Finding) -> str:
    return f"cell {finding.cell}: {finding.message}" if finding.cell else finding.message


def find_line(path: Path, cell: int | None) -> int:
    """The line of the file at which a cell begins; 1 for the file as a whole."""
    lines = _lines_of_cells(path)
    return lines[cell - 1] if cell and cell <= len(lines) else 1


@cache
def _lines_of_cells(path: Path) -> list[int]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        starts = _starts_of_cells(text)
    except (OSError, ValueError):
        return []
    return [text.count("\n", 0, start) + 1 for start in starts]


def _starts_of_cells(text: str) -> list[int]:
    """Where the elements of the list `cells` begin in the text of a notebook."""
    decoder = json.JSONDecoder()
    place = _skip(text, text.index("{") + 1)
    while text[place] != "}":
        key, place = decoder.raw_decode(text, place)
        place = _skip(text, _skip(text, place) + 1)  # the colon
        if key == "cells":
            return _starts_of_elements(text, place, decoder)
        _, place = decoder.raw_decode(text, place)
        place = _skip(text, place)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return []


def _starts_of_elements(text: str, place: int, decoder: json.JSONDecoder) -> list[int]:
    starts = []
    place = _skip(text, place + 1)
    while text[place] != "]":
        starts.append(place)
        _, place = decoder.raw_decode(text, place)
        place = _skip(text, place)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return starts


def _skip(text: str, place: int) -> int:
    while text[place].isspace():
        place += 1
    return place
