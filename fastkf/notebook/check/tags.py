"""Rules on cell tags."""

import difflib
import re

from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.check.ignored import is_mark
from fastkf.notebook.fields import GPU_LIMITS
from fastkf.notebook.model import SPECIAL_TAGS, Cell, Notebook
from fastkf.notebook.reading.tags import is_tag

MODIFIERS = {
    "prev": "prev:NAME",
    "annotation": "annotation:KEY:VALUE",
    "label": "label:KEY:VALUE",
    "limit": "limit:RESOURCE:VALUE",
    "secret": "secret:NAME:KEY:VARIABLE",
    "image": "image:REF",
    "cache": "cache:enabled or cache:disabled",
    "report": "report:enabled or report:disabled",
}
REPORTED_BY_OTHERS = ("step:", "prev:", "block:", "injected-parameters")
NAMES_THAT_ARE_TAGS = ("imports", "functions", "skip")


def is_modifier(tag: str) -> bool:
    return tag.partition(":")[0] in MODIFIERS and ":" in tag


def tags_before_special(cell: Cell) -> tuple[str, ...]:
    """The tags that Kale reads: those before a special tag, all where there is none."""
    special = [position for position, tag in enumerate(cell.tags) if tag in SPECIAL_TAGS]
    return cell.tags[: special[0]] if special else cell.tags


def is_special(cell: Cell) -> bool:
    return any(tag in SPECIAL_TAGS for tag in cell.tags)


def suggest_tag(tag: str) -> str:
    forms = MODIFIERS | {special: special for special in SPECIAL_TAGS} | {"step": "step:NAME"}
    close = difflib.get_close_matches(tag.partition(":")[0].lower(), forms, n=1)
    if close:
        return f"did you mean {forms[close[0]]}?"
    return (
        "remove it (a step takes no tag of another tool; for nbval, write the comment "
        "`# NBVAL_IGNORE_OUTPUT` in the cell)"
    )


def unknown_tag(notebook: Notebook) -> Found:
    """A tag that is not in Kale's language, at which Kale stops."""
    for cell in notebook.code_cells:
        if is_special(cell):
            continue
        for tag in cell.tags:
            if is_tag(tag) or tag.startswith(REPORTED_BY_OTHERS):
                continue
            remedy = f"write it as a comment in the cell: `# {tag}`" if is_mark(tag) else None
            yield cell, f"Kale does not know the tag `{tag}`", remedy or suggest_tag(tag)


def tag_order(notebook: Notebook) -> Found:
    """A tag of another tool comes before imports, functions, skip or a pipeline tag."""
    for cell in notebook.code_cells:
        if not is_special(cell):
            continue
        read = tags_before_special(cell)
        special = cell.tags[len(read)]
        for tag in read:
            if not is_tag(tag) and not tag.startswith(("block:", "injected-parameters")):
                yield (
                    cell,
                    f"Kale reads the tag `{tag}` first, does not know it, and stops",
                    f"put `{special}` first",
                )


def ignored_tag(notebook: Notebook) -> Found:
    """A tag of Kale's that Kale passes over, because of where it is."""
    seen: set[str | None] = set()
    for cell in notebook.cells:
        kale_tags = [tag for tag in cell.tags if is_tag(tag)]
        if cell.type != "code":
            # A text cell stays out of the pipeline, as `skip` asks.
            ignored, why = [t for t in kale_tags if t != "skip"], "this is not a code cell"
        elif is_special(cell):
            special = next(tag for tag in cell.tags if tag in SPECIAL_TAGS)
            ignored = [tag for tag in kale_tags if tag != special]
            why = f"the cell is `{special}`"
        else:
            step = next(filter(None, cell.tag_values("step")), None)
            is_first = step not in seen if step else not cell.tag_values("step")
            ignored = [] if is_first else [tag for tag in kale_tags if is_modifier(tag)]
            why = "it is read from the first cell of the step only"
            seen.add(step)
        for tag in ignored:
            yield cell, f"Kale passes over the tag `{tag}`: {why}", "move it or remove it"


def tag_without_step(notebook: Notebook) -> Found:
    """`prev:` or another tag that describes a step, on a cell with no step."""
    for cell in notebook.code_cells:
        if is_special(cell) or any(map(cell.tag_values, ("step", "notebook", "block"))):
            continue
        for tag in filter(is_modifier, cell.tags):
            yield cell, f"the tag `{tag}` needs a step", "add `step:NAME` to the cell or remove it"


def several_steps(notebook: Notebook) -> Found:
    """More than one step tag on a cell."""
    for cell in notebook.code_cells:
        names = cell.tag_values("step")
        if len(names) > 1 and not is_special(cell):
            yield cell, "a cell belongs to one step", f"keep one of step:{', step:'.join(names)}"


def invalid_step_name(notebook: Notebook) -> Found:
    """A step name with other signs than a-z, 0-9 and _, or one that Kale takes for a tag."""
    for cell in notebook.code_cells:
        if is_special(cell):
            continue
        for name in filter(None, cell.tag_values("step")):
            if name in NAMES_THAT_ARE_TAGS:
                yield (
                    cell,
                    f"Kale takes step:{name} for the tag `{name}`",
                    "give the step another name",
                )
            elif not re.fullmatch("[a-z][a-z0-9_]*", name):
                made = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
                yield (
                    cell,
                    "a step name begins with a letter and has only a-z, 0-9 and _",
                    f"write `step:{made or 'NAME'}`",
                )


def duplicate_step_name(notebook: Notebook) -> Found:
    """A step name that comes back after another step; Kale moves the code up to the first."""
    seen: set[str] = set()
    current: str | None = None
    for cell in notebook.code_cells:
        # The tag `step:` without a name is as good as none: the cell goes on with the step above.
        name = next(filter(None, cell.tag_values("step")), None)
        if cell.role != "step" or name is None or name == current:
            continue
        if name in seen:
            yield (
                cell,
                f"step `{name}` already stands further up, and Kale runs this code there, before "
                f"the steps in between",
                "give this step another name or move the cell up",
            )
        seen.add(name)
        current = name


def limit_without_effect(notebook: Notebook) -> Found:
    """A limit other than for GPUs, which Kale drops without a word."""
    for cell in notebook.code_cells:
        for limit in cell.tag_values("limit") if cell.role == "step" else []:
            resource = limit.partition(":")[0]
            if resource not in GPU_LIMITS:
                yield (
                    cell,
                    f"Kale drops the limit of {resource} without a word",
                    f"remove the tag (only {' and '.join(GPU_LIMITS)} reach the cluster)",
                )


RULES = (
    Rule(unknown_tag),
    Rule(tag_order),
    Rule(ignored_tag, Severity.WARNING),
    Rule(tag_without_step),
    Rule(several_steps),
    Rule(invalid_step_name),
    Rule(duplicate_step_name),
    Rule(limit_without_effect, Severity.WARNING),
)
