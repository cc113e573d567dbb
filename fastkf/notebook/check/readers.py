"""The rule on packages by which pandas reads and writes, and which it does not bring along."""

from fastkf.notebook.check.code import running_cells
from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.check.modules import installed_packages, is_known, is_there
from fastkf.notebook.model import Notebook
from fastkf.package.readers import Readers


def unnamed_package(notebook: Notebook) -> Found:
    """A file that pandas reads or writes with a package that nothing imports."""
    installed = installed_packages(notebook)
    if installed is None or not all(map(is_known, installed)):
        return  # what a package requires that is not here, nothing here can tell
    cells = running_cells(notebook)
    readers = Readers([node for cell in cells for node in cell.nodes])
    told: set[str] = set()
    for cell in cells:
        for call, modules in readers.list_needs(list(cell.nodes)):
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


RULES = (Rule(unnamed_package, Severity.WARNING),)
