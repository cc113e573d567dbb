"""The rule on packages by which pandas reads and writes, and which it does not bring along."""

import os

from fastkf.notebook.check.code import running_cells
from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.check.modules import installed_packages, is_known, is_there, replaceable
from fastkf.notebook.model import Notebook
from fastkf.notebook.reading.settings import DEFAULT_IMAGE, IMAGE_VARIABLE
from fastkf.package.installs import installs_by_itself
from fastkf.package.lacks import is_bare
from fastkf.package.readers import Readers

IMAGE_TAG = "image:"


def unnamed_package(notebook: Notebook) -> Found:
    """A file that pandas reads or writes with a package that nothing imports."""
    installed = installed_packages(notebook)
    if installed is None or not all(map(is_known, installed)):
        return  # what a package requires that is not here, nothing here can tell
    cells = running_cells(notebook)
    readers = Readers([node for cell in cells for node in cell.nodes])
    told: set[str] = set()
    installing = {cell.step for cell in cells if installs_by_itself(cell.source)}
    unknown = steps_with_own_image(notebook) | installing
    for cell in cells:
        if cell.step in unknown or None in unknown or (unknown and not cell.step):
            continue
        replaced = {id(node) for one in cell.nodes for node in replaceable(one)}
        nodes = [node for node in cell.nodes if id(node) not in replaced]
        for call, modules in readers.list_needs(nodes):
            needed = modules[0]
            if needed in told or any(is_there(one, installed) for one in modules):
                continue
            told.add(needed)
            yield (
                cell,
                f"`{call}` works with `{needed}`, which pandas does not bring: a step has it only "
                "where its image does",
                f"add `import {needed}` to the imports cell, so that Kale installs it",
            )


def steps_with_own_image(notebook: Notebook) -> set[str | None]:
    """The steps in another image than an official one of Python: nothing is known of those."""
    general = [notebook.kale.get("base_image"), os.environ.get(IMAGE_VARIABLE, "").strip()]
    defaults = notebook.kale.get("steps_defaults")
    found = set[str | None]()
    for step, cells in notebook.steps.items():
        tags = [tag for cell in cells for tag in cell.tags]
        tags += defaults if isinstance(defaults, list) else []
        named = [one[len(IMAGE_TAG) :] for one in map(str, tags) if one.startswith(IMAGE_TAG)]
        image = next((one for one in (*named, *general) if one), DEFAULT_IMAGE)
        if not is_bare(str(image)):
            found.add(step)
    return found


RULES = (Rule(unnamed_package, Severity.WARNING),)
