"""Whether a notebook is the pipeline that it looks like; asked before it is run as one."""

from collections.abc import Iterable

from fastkf.base.errors import FastkfError
from fastkf.notebook.check import Finding, Severity, check, settings_of, stops
from fastkf.notebook.composition import whole
from fastkf.notebook.model import Notebook
from fastkf.runs.progress import Progress
from fastkf.runs.text import count


class NotAPipelineError(FastkfError):
    """As it stands, the notebook is not the pipeline that it looks like.

    Attributes:
        findings: all of them, harmless ones too, in the order of the cells.
    """

    def __init__(self, notebook: Notebook, findings: Iterable[Finding]) -> None:
        super().__init__(
            f"{notebook.path}: as it stands, this notebook is not the pipeline it looks like",
            "fix what is listed above, then run it again",
        )
        self.findings = tuple(findings)


def check_tags(notebook: Notebook) -> list[Finding]:
    """What the rules find in a notebook that is a pipeline all the same.

    Raises:
        NotAPipelineError: one of the findings is an error, or a warning where the project is
            strict.
    """
    findings = check(notebook)
    if stops(findings, settings_of(notebook.path).strict):
        raise NotAPipelineError(notebook, findings)
    return findings


def tell_findings(notebook: Notebook, progress: Progress) -> Notebook:
    """Says what the rules find in a notebook that is to be run as a pipeline.

    Returns:
        The notebook with the cells of its parts in it, as `composition.whole` makes it.

    Raises:
        NotAPipelineError: it is none.
    """
    try:
        findings = check_tags(notebook)
    except NotAPipelineError as error:
        for finding in error.findings:
            is_error = finding.severity is Severity.ERROR
            (progress.failed if is_error else progress.warn)(str(finding))
        raise
    for finding in findings:
        tell = progress.say if finding.severity is Severity.NOTE else progress.warn
        tell(str(finding))
    together = whole(notebook)
    progress.done(f"{notebook.name}: {count(len(together.steps), 'step')}, tags checked")
    return together
