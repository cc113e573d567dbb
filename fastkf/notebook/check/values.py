"""Rules on the values that Kale writes into the code it generates, and on what becomes of them."""

import ast

from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.errors import KaleError
from fastkf.notebook.fields import Pasted
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import is_text

SHARED_ROLES = ("imports", "functions", "pipeline-parameters")
REPORTED_BY_OTHERS = ("pipeline_description", "parameter ")


def unfit_value(notebook: Notebook) -> Found:
    """A value in the metadata or a tag that its field cannot hold: it breaks code or the pod."""
    try:
        misfits = notebook.pipeline.misfits
    except KaleError:
        return
    for misfit in misfits:
        if misfit.notebook is None and misfit.field.startswith(REPORTED_BY_OTHERS):
            continue
        cell = find_cell(notebook, misfit)
        where = "the tag" if cell else "kubeflow_notebook in the metadata"
        if misfit.notebook:
            where = f"it in {misfit.notebook}"
        problem = f"{misfit.problem}, since Kale writes it into the pipeline as it is"
        yield cell, problem, f"correct {where}"


def find_cell(notebook: Notebook, misfit: Pasted) -> Cell | None:
    """The cell whose tag has the value; None where it comes from elsewhere."""
    cells = notebook.steps.get(misfit.step or "", []) if misfit.notebook is None else []
    return next((c for c in cells if any(_sets(tag, misfit) for tag in c.tags)), None)


def _sets(tag: str, misfit: Pasted) -> bool:
    # Kale leaves out the colons in the value of an annotation or a label.
    value = str(misfit.value).replace(":", "")
    return tag.startswith(f"{misfit.field}:") and value in tag.replace(":", "")


def double_dollar(notebook: Notebook) -> Found:
    """Two dollar signs in a text, of which Kubernetes leaves one: code is part of a pod."""
    for cell in notebook.code_cells:
        if cell.step is None and cell.role not in SHARED_ROLES or "$$" not in cell.source:
            continue
        alone = {id(one.value) for one in cell.nodes if isinstance(one, ast.Expr)}  # docstrings
        texts = [one for one in cell.nodes if isinstance(one, ast.Constant)]
        if any(is_text(one) and "$$" in str(one.value) and id(one) not in alone for one in texts):
            problem = "of each `$$` in a text, a step gets one `$`: Kubernetes reads two as one"
            yield cell, problem, "make the two by `'$' * 2`"


RULES = (Rule(unfit_value), Rule(double_dollar, Severity.WARNING))
