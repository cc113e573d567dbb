"""The rules a Kale notebook keeps to run the same way as a notebook and as a pipeline.

Each rule is a small function from a notebook to findings; a finding names file, cell and rule,
and says what to do. Wherever Kale decides, Kale itself is asked.
"""

from fastkf.notebook.check import (
    code,
    flow,
    metadata,
    modules,
    parameters,
    steps,
    tags,
    values,
)
from fastkf.notebook.check.finding import Finding, Found, Rule, Severity
from fastkf.notebook.errors import KaleError
from fastkf.notebook.model import Notebook

__all__ = ["RULES", "Finding", "Rule", "Severity", "check"]


def rejected_by_kale(notebook: Notebook) -> Found:
    """Kale stops at this notebook, for a reason that no other rule names."""
    try:
        notebook.pipeline  # noqa: B018
    except KaleError as error:
        yield None, f"Kale stops with: {error.reason}", "put right what it names"


LAST_RULE = Rule(rejected_by_kale)
RULES = (
    *code.RULES,
    *flow.RULES,
    *metadata.RULES,
    *modules.RULES,
    *parameters.RULES,
    *steps.RULES,
    *tags.RULES,
    *values.RULES,
    LAST_RULE,
)


def check(notebook: Notebook) -> list[Finding]:
    """All findings in a notebook, in the order of its cells.

    Raises:
        FastkfError: Kale is missing, or in a version that the tests have not seen.
    """
    rules = [rule for rule in RULES if rule is not LAST_RULE]
    findings = {finding for rule in rules for finding in rule.findings(notebook)}
    if not any(finding.severity is Severity.ERROR for finding in findings):
        findings |= set(LAST_RULE.findings(notebook))
    return sorted(findings)
