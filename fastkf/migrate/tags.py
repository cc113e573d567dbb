"""From the tags of Kale 0.2 to 0.7 to today's.

Sources: kale/nbparser/parser.py of Kale 0.2.2, 0.3.4, 0.4.0 and 0.5.1,
kale/processors/nbprocessor.py of Kale 0.7.0 and 2.3.0.
"""

import re

from fastkf.base.python_syntax import parse_python
from fastkf.migrate.draft import Draft, DraftCell, order_tags
from fastkf.notebook.check.parameters import explain_parameter
from fastkf.notebook.check.tags import MODIFIERS, NAMES_THAT_ARE_TAGS
from fastkf.notebook.fields import GPU_LIMITS
from fastkf.notebook.model import SPECIAL_TAGS

# Kale 0.1 and 0.2 had block:a;b for a cell in two steps, and prev:a;b for two steps before.
STEP = re.compile(r"(?:block|step):(.*)", re.S)
PREV = re.compile(r"prev:(.*)", re.S)
# Known to Kale 0.3 and 0.4, and without effect.
WITHOUT_EFFECT = ("in", "out")
INJECTED = "injected-parameters"
PAPERMILL = "parameters"


def is_tag_of_any_kale(tag: str) -> bool:
    """Whether a tag was Kale's in any version, but for those that papermill has too."""
    known = tag in SPECIAL_TAGS or tag in WITHOUT_EFFECT or bool(STEP.fullmatch(tag))
    return known or tag.partition(":")[0] in (*MODIFIERS, "notebook")


def translate_tags(draft: Draft) -> None:
    """Puts all cells into today's tag language, each in the step where the old Kale had it."""
    names = name_steps(draft)
    current: list[str] = []  # the tag of the cells that Kale merges untagged cells into
    is_behind_skip = False
    copied: list[tuple[DraftCell, str]] = []
    for cell in draft.code_cells:
        special = find_special(cell.tags)
        steps = [names[name] for tag in cell.tags for name in split(STEP, tag)]
        if special == INJECTED or any(tag.startswith("notebook:") for tag in cell.tags):
            continue
        if special and translate_special(draft, cell, special) == "skip":
            is_behind_skip = True
        elif special:
            current, is_behind_skip = cell.tags[:1], False
        elif steps:
            new = [f"step:{steps[0]}", *translate_modifiers(draft, cell, names)]
            replace_tags(draft, cell, order_tags(new))
            copied += [(cell, step) for step in steps[1:]]
            current, is_behind_skip = cell.tags[:1], False
        else:
            translate_continuation(draft, cell, current, is_behind_skip)
    for cell, step in copied:
        add_copy(draft, cell, step)


def find_special(tags: list[str]) -> str | None:
    for wanted in (SPECIAL_TAGS, (INJECTED,), (PAPERMILL,)):
        found = [tag for tag in tags if tag in wanted]
        if found:
            return found[0]
    return None


def split(form: re.Pattern[str], tag: str) -> list[str]:
    match = form.fullmatch(tag)
    return [name.strip() for name in match[1].split(";") if name.strip()] if match else []


def name_steps(draft: Draft) -> dict[str, str]:
    """Each old step name to one that today's Kale and Kubeflow take, no two the same."""
    names: dict[str, str] = {}
    found = [n for cell in draft.code_cells for tag in cell.tags for n in split(STEP, tag)]
    old = list(dict.fromkeys(found))
    for name in sorted(old, key=lambda name: make_name(name) != name):
        made = candidate = make_name(name)
        count = 2
        while candidate in names.values():
            candidate, count = f"{made}_{count}", count + 1
        names[name] = candidate
    return names


def make_name(name: str) -> str:
    made = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_") if not is_valid(name) else name
    if not made[:1].isalpha():
        made = f"step_{made}".strip("_")
    return f"{made}_step" if made in NAMES_THAT_ARE_TAGS else made


def is_valid(name: str) -> bool:
    return bool(re.fullmatch("[a-z][a-z0-9_]*", name))


def translate_special(draft: Draft, cell: DraftCell, special: str) -> str:
    """Puts the special tag first, and makes one of `parameters` alone; returns the role."""
    role = special
    if special == PAPERMILL:
        role = "pipeline-parameters" if has_only_values(cell.source) else "functions"
    others = [tag for tag in cell.tags if tag != role]
    kept = [tag for tag in others if not is_tag_of_any_kale(tag)]
    if role == "pipeline-parameters" and is_first_parameters(draft, cell):
        kept = [PAPERMILL, *kept]
    replace_tags(draft, cell, [role, *kept])
    if special == PAPERMILL and role == "functions":
        draft.note(
            cell,
            "its code runs in every step, as before, and is no pipeline parameter, since it does "
            "more than give names a number, text, True or False",
        )
    return role


def has_only_values(source: str) -> bool:
    try:
        return not any(explain_parameter(node) for node in parse_python(source).body)
    except SyntaxError:
        return False


def is_first_parameters(draft: Draft, cell: DraftCell) -> bool:
    """Whether papermill is to set the parameters in this cell; it takes one only."""
    others = [other for other in draft.code_cells if other is not cell]
    return not any(PAPERMILL in o.tags and find_special(o.tags) != "skip" for o in others)


def translate_modifiers(draft: Draft, cell: DraftCell, names: dict[str, str]) -> list[str]:
    """The tags beside the step tag, those taken out that today's Kale drops without a word."""
    new = []
    for tag in cell.tags:
        if PREV.fullmatch(tag):
            new += [f"prev:{names.get(name, make_name(name))}" for name in split(PREV, tag)]
        elif tag.startswith("limit:") and not tag[6:].startswith(GPU_LIMITS):
            resource, _, value = tag[6:].partition(":")
            draft.leave(
                cell,
                f"the limit of {resource} ({value}) is gone, since Kale passes on only those of "
                "GPUs; where the step needs one, set a LimitRange in the namespace, or edit the "
                "compiled package",
            )
        elif not STEP.fullmatch(tag) and tag not in WITHOUT_EFFECT:
            new.append(tag)
    return new


def translate_continuation(
    draft: Draft, cell: DraftCell, current: list[str], is_behind_skip: bool
) -> None:
    """A cell without a name of its own: old Kale merged it into the one above."""
    kept = [tag for tag in cell.tags if not is_tag_of_any_kale(tag)]
    is_unnamed = any(STEP.fullmatch(tag) for tag in cell.tags)
    # Kale installs nothing for the imports of an untagged cell behind a skip cell.
    is_unseen = is_behind_skip and current[:1] in (["imports"], ["functions"])
    is_named = is_unnamed or (is_unseen and cell.source.strip())
    replace_tags(
        draft,
        cell,
        [*current, *kept] if is_named else kept,
        ", where Kale merged it" if is_named and current else "",
    )


def replace_tags(draft: Draft, cell: DraftCell, new: list[str], why: str = "") -> None:
    old, cell.tags = cell.tags, new
    if old != cell.tags:
        draft.note(cell, f"tags {' '.join(old) or 'none'} → {' '.join(cell.tags) or 'none'}{why}")


def add_copy(draft: Draft, cell: DraftCell, step: str) -> None:
    """The cell once more, for another of its steps, below those merged into it."""
    prevs = [tag for tag in cell.tags if not tag.startswith("step:")]
    last = cell
    for below in draft.cells[draft.cells.index(cell) + 1 :]:
        if below.is_code and below.tags and find_special(below.tags) != "skip":
            break
        last = below if below.is_code and not below.tags else last
    made = draft.insert_copy(draft.cells.index(last) + 1, cell, [f"step:{step}", *prevs])
    draft.note(made, f"a copy of cell {draft.number(cell)} for step {step}: a cell has one step")
    draft.leave(
        made,
        "run as a notebook, this code now runs twice; check that this does no harm, or make it a "
        "function in a functions cell",
    )
