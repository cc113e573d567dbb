"""The commands that look at notebooks and run nothing: check, explain, suggest."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from fastkf.base.errors import FastkfError, UsageError, write_controls
from fastkf.cli.command import command
from fastkf.cli.completion import offer_labs, offer_rules
from fastkf.cli.options import AsJson, NotebookName, find_all_notebooks, find_notebook
from fastkf.notebook.check import RULES, Finding, Severity, check_file, settings_of, stops
from fastkf.notebook.check.formats import as_github, as_sarif
from fastkf.notebook.composition import flat_dependencies, leave_out_parts
from fastkf.notebook.model import read
from fastkf.runs.progress import Progress
from fastkf.runs.text import count


@command()
def check(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NOTEBOOK|FOLDER|GLOB]...",
            help="Labs' names, notebooks, folders of notebooks; every lab when none.",
            autocompletion=offer_labs,
        ),
    ] = None,
    format: Annotated[
        Literal["text", "json", "sarif", "github"], typer.Option(help="How to print.")
    ] = "text",
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Count warnings as errors.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Report nothing of this rule.")
    ] = None,
    graph: Annotated[
        bool, typer.Option("--graph", help="Print what each step waits for, too.")
    ] = False,
    *,
    display: Progress,
) -> bool:
    """Check notebooks against what Kale honours: tags, imports, data flow, parameters, metrics.

    The parts of a notebook that refers to others (`notebook:` cells) are checked with it.

    A finding names the file, the cell (counted from 1, text cells too), the rule, and what to do.
    An error means that the pipeline is not what the notebook looks like; `run` and `compile` stop
    at it. Warnings and notes do not stop them.

    The comment `# fastkf: ignore[RULE]` in a cell, and `[tool.fastkf]` in pyproject.toml with
    `ignore` and `strict`, say the same for good. `fastkf explain RULE` shows a rule's page.

    The exit code is 1 when there is an error, or with --strict a warning.

    Examples: `fastkf check` · `fastkf check notebooks/ --strict --format github`
    """
    if as_json and format not in ("text", "json"):
        raise UsageError(f"--json and --format {format} are two forms", "leave one of them out")
    format = "json" if as_json else format
    ignored = check_rules(ignore or [])
    paths = leave_out_parts(find_all_notebooks(notebooks))
    findings: list[Finding] = []
    fails = False
    for path in paths:
        found = check_one(path, ignored, alone=len(paths) == 1)
        findings += found
        fails |= stops(found, strict or settings_of(path).strict)
    print_findings(findings, format)
    if format == "text":
        for path in paths if graph else ():
            show_graph(path, display)
        if not findings:
            display.done(f"{count(len(paths), 'notebook')}, no findings")
        elif not fails:
            display.done(f"{count(len(paths), 'notebook')}, no errors")
    return not fails


def check_rules(names: Iterable[str]) -> list[str]:
    """The names, when there is a rule of each.

    Raises:
        UsageError: there is not.
    """
    known = {rule.name for rule in RULES}
    for name in names:
        if name not in known:
            raise UsageError(f"{name}: no such rule", "`fastkf explain` lists them")
    return list(names)


def check_one(path: Path, ignored: Sequence[str], alone: bool) -> list[Finding]:
    """The findings of one file; among others, one that cannot be read is a finding itself."""
    try:
        return check_file(path, ignored)
    except UsageError:
        raise
    except FastkfError as error:
        if alone:
            raise
        problem = write_controls(error.problem.removeprefix(f"{path}: "))
        remedy = error.remedy or "correct it"
        return [Finding(str(path), None, "unreadable", Severity.ERROR, problem, remedy)]


def print_findings(findings: Sequence[Finding], format: str) -> None:
    if format == "json":
        print(json.dumps([finding.as_dict() for finding in findings], indent=2))
    elif format == "sarif":
        print(json.dumps(as_sarif(findings, RULES), indent=2))
    else:
        for finding in findings:
            print(as_github(finding) if format == "github" else finding)


def show_graph(path: Path, display: Progress) -> None:
    """A table of the steps, each with those that it waits for in the pipeline."""
    dependencies = flat_dependencies(read(path))
    rows = [(step, ", ".join(after) or "–") for step, after in dependencies.items()]
    display.show_table(("step", "waits for"), rows, title=str(path))


@command()
def explain(
    rule: Annotated[
        str | None,
        typer.Argument(
            metavar="[RULE]", help="A rule's name; all when none.", autocompletion=offer_rules
        ),
    ] = None,
    *,
    display: Progress,
) -> None:
    """Explain a rule of `fastkf check`: why it is there, a wrong and a right example.

    Example: `fastkf explain missing-prev`
    """
    if rule is None:
        rows = [(one.name, one.severity.value, one.explanation) for one in RULES]
        display.show_table(("rule", "severity", "what it finds"), sorted(rows))
        return
    (name,) = check_rules([rule])
    print(next(one for one in RULES if one.name == name).page, end="")


@command()
def suggest(
    notebook: NotebookName,
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="FILE", help="Write a copy with the tags."),
    ] = None,
    *,
    display: Progress,
) -> None:
    """Propose tags for a notebook that has none, from its headings and its data flow.

    Imports, functions and plain numbers are found by what their cells hold; each heading begins a
    step, which waits for the steps whose variables it uses. The notebook itself stays as it is.

    Example: `fastkf suggest my.ipynb --write my_pipeline.ipynb`
    """
    from fastkf.notebook.suggest import suggest_tags
    from fastkf.notebook.tagged_copy import write_copy

    source = read(find_notebook(notebook))
    proposal = suggest_tags(source)
    rows = [(str(cell.number or "new"), ", ".join(cell.tags), cell.why) for cell in proposal.cells]
    display.show_table(("cell", "tags", "why"), rows)
    for line in proposal.draw():
        display.say(line)
    if write:
        write_copy(source, proposal, write)
        display.done(f"wrote {write}")
        for finding in check_file(write):
            display.warn(str(finding))
