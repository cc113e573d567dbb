"""Rules on pipeline parameters and pipeline metrics."""

import ast
import keyword
import re
from collections.abc import Iterator

from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.model import Cell, Notebook
from fastkf.notebook.names import Names
from fastkf.package.kale import WITHOUT_BREAK, find_break
from fastkf.package.parameters import find_unstorable

METRICS_LINE = re.compile(r"print\([a-z](?:[_a-z0-9]{0,62}[a-z0-9])?\)")
PARAMETER_NAME = "a parameter begins with a letter and has only a-z, 0-9 and _"


def parameter_cells(notebook: Notebook) -> list[Cell]:
    cells = notebook.cells_with_role("pipeline-parameters")
    return [cell for cell in cells if cell.tree is not None]


def assigned_parameters(notebook: Notebook) -> Iterator[tuple[Cell, str]]:
    for cell in parameter_cells(notebook):
        for node in cell.statements:
            for name in sorted(Names.of(node).bound):
                yield cell, name


def explain_parameter(node: ast.stmt) -> tuple[str, str] | None:
    """What is wrong with a line of the parameters cell and what to do; None: nothing."""
    line = ast.unparse(node).splitlines()[0]
    if isinstance(node, ast.AnnAssign):
        return f"`{line}` has a type", "write it without"
    if not isinstance(node, ast.Assign):
        return f"`{line}` is no parameter", "move it to another cell"
    if len(node.targets) > 1 or not isinstance(node.targets[0], ast.Name):
        return f"`{line}` sets more than one name", "write one `name = value` on each line"
    value = node.value
    if isinstance(value, ast.Constant) and isinstance(value.value, int | float | str):
        problem = find_unstorable(value.value, f"the value of `{line}`")
        return (problem, "give another") if problem else None
    if isinstance(value, ast.UnaryOp) and isinstance(value.operand, ast.Constant):
        return (
            f"Kale refuses the sign in `{line}`",
            "give the positive number and negate it in a step",
        )
    return (
        f"`{line}` is not a plain number, text, True or False",
        "give one, and make the real value from it in a step",
    )


def parameter_not_literal(notebook: Notebook) -> Found:
    """A line of the parameters cell that is not `name = ` a number, text, True or False."""
    for cell in parameter_cells(notebook):
        for node in cell.statements:
            problem = explain_parameter(node)
            if problem:
                yield cell, *problem


def parameter_quote(notebook: Notebook) -> Found:
    """A text parameter that Kale's generated code cannot hold, such as one with a quote."""
    for cell in parameter_cells(notebook):
        for node in cell.nodes:
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and (found := find_break(value)):
                problem = f"{value!r} holds {found}, which breaks the code that Kale generates"
                yield cell, problem, WITHOUT_BREAK


def parameter_name(notebook: Notebook) -> Found:
    """A parameter whose name is no good, or taken, once Kale has lower-cased it."""
    taken = {f"{step}_step": f"the code of step `{step}`" for step in notebook.steps}
    for cell, name in assigned_parameters(notebook):
        in_code = {name.lower(), f"{name.lower()}_param" if name.isupper() else name}
        clash = next((taken[made] for made in sorted(in_code) if made in taken), None)
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
            yield cell, f"`{name}`: {PARAMETER_NAME}", "rename it"
        elif keyword.iskeyword(name.lower()):
            yield (
                cell,
                f"Kale lower-cases `{name}` to a word of Python's own",
                "choose another name",
            )
        elif name == "self":
            yield cell, "`self` is an argument that KFP has already", "choose another name"
        elif clash:
            yield cell, f"Kale lower-cases `{name}`, and it meets {clash}", "choose another name"
        for made in in_code:
            taken.setdefault(made, f"the parameter `{name}`")


def parameter_assigned(notebook: Notebook) -> Found:
    """A cell that sets a parameter anew: the notebook goes on with it, the pipeline does not."""
    parameters = {name for _, name in assigned_parameters(notebook)}
    for cell in notebook.code_cells:
        if cell.role == "pipeline-parameters":
            continue
        for name in sorted(cell.names.bound & parameters):
            yield (
                cell,
                f"`{name}` is a pipeline parameter, and the other steps keep its first value",
                "use another name here",
            )


def papermill_tag(notebook: Notebook) -> Found:
    """A parameters cell without papermill's tag, or parameters in more than one cell."""
    cells = [cell for cell in parameter_cells(notebook) if cell.tree and cell.tree.body]
    for cell in cells[:1]:
        if "parameters" not in cell.tags:
            yield (
                cell,
                "papermill by itself does not find the parameters, so it cannot run the notebook "
                "with other values (`fastkf run` can)",
                "add the tag `parameters` behind `pipeline-parameters`",
            )
    for cell in cells[1:]:
        yield (
            cell,
            "papermill by itself sets the parameters of one cell only",
            f"move these to cell {cells[0].number}",
        )


def metrics_line(notebook: Notebook) -> Found:
    """A line of the metrics cell that is not `print(name)`, at which Kale stops."""
    for cell in notebook.cells_with_role("pipeline-metrics"):
        lines = filter(str.strip, cell.source.strip().splitlines())
        wrong = [line.strip() for line in lines if not METRICS_LINE.fullmatch(line)]
        if wrong:
            yield (
                cell,
                f"`{wrong[0]}`: a metrics cell has only lines `print(name)`, the name in lower "
                "case and of 64 letters at most",
                "compute the value in a step, and put other code in another cell",
            )


def metrics_not_last(notebook: Notebook) -> Found:
    """A step below the metrics cell, at which Kale stops."""
    metrics = notebook.cells_with_role("pipeline-metrics")
    below = (
        [cell for cell in notebook.cells_with_role("step") if cell.number > metrics[0].number]
        if metrics
        else []
    )
    if below:
        yield (
            metrics[0],
            f"step `{below[0].step}` stands below the metrics",
            "make the metrics cell the last of the pipeline",
        )


def unknown_metric(notebook: Notebook) -> Found:
    """A metric that no step computes; Kale leaves it out without a word."""
    steps = notebook.cells_with_role("step")
    if not (steps or notebook.references) or any(cell.tree is None for cell in steps):
        return
    computed = {name for cell in steps for name in cell.names.bound}
    mentioned = {name for cell in steps for name in cell.names.used}
    computed |= mentioned & {name for _, name in assigned_parameters(notebook)}
    remedy = "assign it in a step or remove the line"
    if notebook.references:
        remedy = "assign it in a step of this notebook, or print it in the part that makes it"
    for cell in notebook.cells_with_role("pipeline-metrics"):
        for name in re.findall(r"^\s*print\((\w+)\)\s*$", cell.source, re.M):
            if name not in computed:
                yield cell, f"no step computes `{name}`", remedy


RULES = (
    Rule(parameter_not_literal),
    Rule(parameter_quote),
    Rule(parameter_name),
    Rule(parameter_assigned),
    Rule(papermill_tag, Severity.NOTE),
    Rule(metrics_line),
    Rule(metrics_not_last),
    Rule(unknown_metric),
)
