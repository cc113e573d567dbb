"""The rules a Kale notebook keeps to run the same way as a notebook and as a pipeline.

Each rule is a small function from a notebook to findings; a finding names file, cell and rule,
and says what to do. Where Kale decides, its own reading is what counts (`fastkf.notebook.kale`).
"""

from collections.abc import Iterable
from pathlib import Path

from fastkf.base.errors import FastkfError
from fastkf.notebook.check import (
    aliases,
    changes,
    code,
    environment,
    flow,
    hidden,
    lengths,
    lost,
    metadata,
    modules,
    objects,
    own_parts,
    parameters,
    parts,
    paths,
    readers,
    scalars,
    seeds,
    settings,
    shared,
    steps,
    tags,
    values,
)
from fastkf.notebook.check.finding import Finding, Found, Rule, Severity
from fastkf.notebook.check.ignored import Settings, drop_ignored, read_settings
from fastkf.notebook.composition import read_parts
from fastkf.notebook.errors import KaleError
from fastkf.notebook.model import Notebook, read

__all__ = [
    "RULES",
    "Finding",
    "Rule",
    "Settings",
    "Severity",
    "check",
    "check_file",
    "settings_of",
    "stops",
]


def rejected_by_kale(notebook: Notebook) -> Found:
    """Kale stops at this notebook, for a reason that no other rule names."""
    try:
        notebook.pipeline  # noqa: B018
    except KaleError as error:
        yield None, f"Kale stops with: {error.reason}", "put right what it names"


LAST_RULE = Rule(rejected_by_kale)
RULES = (
    *aliases.RULES,
    *changes.RULES,
    *code.RULES,
    *environment.RULES,
    *flow.RULES,
    *hidden.RULES,
    *lengths.RULES,
    *lost.RULES,
    *metadata.RULES,
    *modules.RULES,
    *objects.RULES,
    *own_parts.RULES,
    *parameters.RULES,
    *parts.RULES,
    *paths.RULES,
    *readers.RULES,
    *scalars.RULES,
    *seeds.RULES,
    *settings.RULES,
    *shared.RULES,
    *steps.RULES,
    *tags.RULES,
    *values.RULES,
    LAST_RULE,
)


def check(notebook: Notebook, ignore: Iterable[str] = ()) -> list[Finding]:
    """The findings in a notebook that nobody has said to ignore, in the order of its cells.

    Those in the notebooks that it refers to are among them.

    Args:
        notebook: the notebook.
        ignore: names of rules that nothing is reported of, beside those of `[tool.fastkf]`.

    Raises:
        FastkfError: Kale is missing, or in a version that the tests have not seen.
    """
    ignored = {*ignore, *settings_of(notebook.path).ignore}
    found = find_all(notebook)
    is_broken = any(finding.rule == parts.RULES[0].name for finding in found)
    inner = [] if is_broken else _list_parts(notebook)
    findings = list(found.union(*map(find_all, inner)))
    for one in (notebook, *inner):
        findings = drop_ignored(one, findings, ignored)
    return sorted(findings)


def check_file(path: Path, ignore: Iterable[str] = ()) -> list[Finding]:
    """The findings in a notebook file.

    Raises:
        FastkfError: as `check`, and where it is no notebook.
    """
    return check(read(path), ignore)


def _list_parts(notebook: Notebook) -> list[Notebook]:
    """The notebooks that it refers to; none where one cannot be read, which is a finding."""
    try:
        return list(read_parts(notebook).values())
    except FastkfError:
        return []


def find_all(notebook: Notebook) -> set[Finding]:
    """What the rules find.

    Raises:
        FastkfError: as `check`, and where code is too deep for them.
    """
    if metadata.speaks_old_kale(notebook):
        # Every other rule would take the old tags for what they do not mean.
        return set(metadata.OLD_KALE.findings(notebook))
    rules = [rule for rule in RULES if rule is not LAST_RULE]
    try:
        findings = {finding for rule in rules for finding in rule.findings(notebook)}
    except RecursionError as error:
        problem = f"{notebook.path}: an expression is too deep to be checked"
        raise FastkfError(problem, "write it in smaller parts") from error
    if not any(finding.severity is Severity.ERROR for finding in findings):
        findings |= set(LAST_RULE.findings(notebook))
    return findings


def stops(findings: Iterable[Finding], strict: bool) -> bool:
    """Whether a notebook with these findings is not to be run as a pipeline."""
    grave = (Severity.ERROR, Severity.WARNING) if strict else (Severity.ERROR,)
    return any(finding.severity in grave for finding in findings)


def settings_of(path: Path) -> Settings:
    """What the project of a notebook says about its checks.

    Raises:
        UsageError: its pyproject.toml says it wrongly.
    """
    return read_settings(path, [rule.name for rule in RULES])
