"""Two points for the notebook as a pipeline: its steps, its parameters and metrics."""

from fastkf.base.errors import FastkfError
from fastkf.course.project.folder import Refused
from fastkf.course.project.project import Found, Project
from fastkf.notebook.check import Finding, Severity, check, find_all
from fastkf.notebook.model import Notebook
from fastkf.runs.text import count

FEWEST_STEPS = 4
FEWEST_PARAMETERS = 2
FEWEST_METRICS = 2


def steps(project: Project) -> Found:
    """Kale honours every tag, and data go from step to step."""
    notebook = project.notebook
    found = _look(project, notebook, Severity.ERROR)
    if found:
        raise Refused(f"{notebook.path.name}, {_place(found)}", found.problem, found.remedy)
    passing = [name for name, after in notebook.dependencies.items() if after]
    if len(notebook.steps) < FEWEST_STEPS or len(passing) < len(notebook.steps) - 1:
        raise Refused(
            notebook.path.name,
            f"{count(len(notebook.steps), 'step')}, {len(passing)} of them after another",
            f"make at least {FEWEST_STEPS} of them, each but the first fed by one before it",
        )
    return Found(notebook.path.name, f"{len(notebook.steps)} steps, and no error of fastkf check")


def parameters_and_metrics(project: Project) -> Found:
    """What can be varied is a parameter, what counts is a metric, and no rule warns."""
    notebook = project.notebook
    if found := _look(project, notebook, Severity.WARNING):
        raise Refused(f"{notebook.path.name}, {_place(found)}", found.problem, found.remedy)
    parameters, metrics = len(notebook.parameters), len(set(notebook.metrics))
    if parameters < FEWEST_PARAMETERS or metrics < FEWEST_METRICS:
        raise Refused(
            notebook.path.name,
            f"{count(parameters, 'parameter')} and {count(metrics, 'metric')}",
            f"at least {FEWEST_PARAMETERS} parameters (pipeline-parameters) and "
            f"{FEWEST_METRICS} metrics (pipeline-metrics)",
        )
    return Found(
        notebook.path.name, f"{count(parameters, 'parameter')}, {count(metrics, 'metric')}"
    )


def _look(project: Project, notebook: Notebook, severity: Severity) -> Finding | None:
    """The first finding of a severity."""
    is_error = severity is Severity.ERROR
    try:  # an error stays one, whatever the folder's own settings say to ignore
        findings = sorted(find_all(notebook)) if is_error else check(notebook)
    except FastkfError as error:
        raise Refused(notebook.path.name, error.problem, error.remedy or "correct it") from error
    return next((one for one in findings if one.severity is severity), None)


def _place(found: Finding) -> str:
    return f"cell {found.cell}" if found.cell else "metadata"
