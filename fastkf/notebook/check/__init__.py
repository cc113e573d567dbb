"""The rules a Kale notebook keeps to run the same way as a notebook and as a pipeline.

Each rule is a small function from a notebook to findings; a finding names file, cell and rule,
and says what to do. Wherever Kale decides, Kale itself is asked.
"""

from fastkf.base.errors import FastkfError
from fastkf.notebook.check import code, flow, metadata, modules, parameters, steps, tags  # noqa: F401
from fastkf.notebook.check.finding import RULES, Finding, rule
from fastkf.notebook.model import Notebook

__all__ = ["RULES", "Finding", "check"]


@rule
def rejected_by_kale(notebook):
    """Kale stops at this notebook, for a reason that no other rule names."""
    try:
        notebook.pipeline  # noqa: B018
    except FastkfError as error:
        reason = " ".join(str(error.__cause__).split())
        yield None, f"Kale stops with: {reason}; put right what it names"


def check(notebook: Notebook) -> list[Finding]:
    """All findings in a notebook, in the order of its cells."""
    findings = {
        finding for find in RULES if find is not rejected_by_kale for finding in find(notebook)
    }
    return sorted(findings) or list(rejected_by_kale(notebook))
