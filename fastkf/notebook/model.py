"""A Kale notebook as plain data: cells, tags, steps, parameters, metrics. Reads, never runs."""

import ast
import json
import logging
import re
import textwrap
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat

from fastkf.base.errors import FastkfError, UsageError

KALE_METADATA = "kubeflow_notebook"
SPECIAL_TAGS = ("imports", "functions", "pipeline-parameters", "pipeline-metrics", "skip")


@dataclass(frozen=True)
class Cell:
    """One cell of the file.

    Attributes:
        number: position in the file, from 1, text cells included.
        type: "code", "markdown" or "raw".
        role: the special tag, "step" or "notebook" (a reference to another notebook) that Kale
            acts on; None for an untagged cell that continues nothing.
        step: the step the cell belongs to (its own tag, or the step cell it continues).
    """

    number: int
    type: str
    source: str
    tags: tuple[str, ...] = ()
    role: str | None = None
    step: str | None = None
    outputs: tuple = field(default=(), repr=False)

    @cached_property
    def tree(self) -> ast.Module | None:
        """The cell's syntax tree; None when it is not plain Python (a magic, a syntax error)."""
        try:
            with warnings.catch_warnings(action="ignore"):
                return ast.parse(self.source)
        except (SyntaxError, ValueError):
            return None

    def tag_values(self, prefix: str) -> list[str]:
        return [tag.split(":", 1)[1] for tag in self.tags if tag.startswith(f"{prefix}:")]


@dataclass(frozen=True)
class Notebook:
    """A notebook file, read with Kale's tag language (Kale 2.3, kale/processors/constants.py)."""

    path: Path
    cells: tuple[Cell, ...]
    metadata: dict

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def kale(self) -> dict:
        block = self.metadata.get(KALE_METADATA)
        return block if isinstance(block, dict) else {}

    @property
    def course(self) -> dict:
        """The course's own metadata: title, aim, minutes, needs, quick."""
        return self.metadata.get("fastkf", {})

    @property
    def pipeline_name(self) -> str:
        """The name in the metadata; for a notebook without one, made from the file's name."""
        made = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return self.kale.get("pipeline_name") or re.sub(r"^[0-9-]+", "", made) or "pipeline"

    @property
    def title(self) -> str:
        """The course's title, or the first heading, or the file's name."""
        headings = re.findall(r"^#\s+(.+)$", "\n".join(c.source for c in self.text_cells), re.M)
        return self.course.get("title") or (headings[0] if headings else self.name)

    @property
    def code_cells(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.type == "code"]

    @property
    def text_cells(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.type == "markdown"]

    def cells_with_role(self, role: str) -> list[Cell]:
        return [cell for cell in self.code_cells if cell.role == role]

    @cached_property
    def steps(self) -> dict[str, list[Cell]]:
        """Step name to its cells, in the order of the file."""
        steps: dict[str, list[Cell]] = {}
        for cell in self.code_cells:
            if cell.step:
                steps.setdefault(cell.step, []).append(cell)
        return steps

    @cached_property
    def parameters(self) -> dict[str, int | float | str | bool]:
        """The pipeline parameters and their defaults, literals only (others are left out)."""
        parameters = {}
        for cell in self.cells_with_role("pipeline-parameters"):
            for node in cell.tree.body if cell.tree else []:
                if (
                    isinstance(node, ast.Assign)
                    and len(node.targets) == 1
                    and isinstance(node.targets[0], ast.Name)
                    and isinstance(node.value, ast.Constant)
                    and isinstance(node.value.value, int | float | str)
                ):
                    parameters[node.targets[0].id] = node.value.value
        return parameters

    @cached_property
    def metrics(self) -> list[str]:
        """The names printed by the metrics cells, in order."""
        lines = "\n".join(c.source for c in self.cells_with_role("pipeline-metrics"))
        return re.findall(r"^\s*print\((\w+)\)\s*$", lines, re.M)

    @cached_property
    def pipeline(self):
        """The notebook as Kale's own `kale.Pipeline`, with the data dependencies it detects.

        Raises:
            FastkfError: Kale rejects the notebook.
        """
        return read_with_kale(self).pipeline

    @cached_property
    def sources(self) -> dict[str, dict[str, str]]:
        """Step to the variables it takes from other steps, each with the step that passes it on.

        Kale 2.3 (kale/compiler.py, _producer_of): the nearest step above that has the variable.
        """
        from kale.common import graphutils

        sources: dict[str, dict[str, str]] = {}
        for step in self.pipeline.steps:
            ancestors = graphutils.get_ordered_ancestors(self.pipeline, step.name)
            producers = {
                name: next((a for a in ancestors if name in self.pipeline.get_step(a).outs), None)
                for name in step.ins
            }
            sources[step.name] = {name: step for name, step in producers.items() if step}
        return sources

    @cached_property
    def dependencies(self) -> dict[str, list[str]]:
        """Step to the steps it waits for in the compiled pipeline.

        Kale 2.3 (kale/compiler.py, generate_pipeline): the producers of the data a step takes;
        without any, the step above it.
        """
        after: dict[str, list[str]] = {}
        above = None
        for step, sources in self.sources.items():
            after[step] = sorted(set(sources.values())) or ([above] if above else [])
            above = step
        return after


def read(path: str | Path) -> Notebook:
    """Reads a notebook file.

    Raises:
        FastkfError: there is no such file, it is not a notebook, or it has no code.
    """
    path = Path(path)
    node = _read_json(path)
    cells = classify(node.cells)
    if not any(cell.type == "code" and cell.source.strip() for cell in cells):
        raise FastkfError(f"{path}: the notebook has no code cells; add cells and Kale tags to it")
    return Notebook(path=path, cells=cells, metadata=dict(node.get("metadata") or {}))


def read_with_kale(notebook: Notebook, image: str | None = None):
    """The notebook's `kale.NotebookProcessor`, run; `image` is the container image of the steps.

    Raises:
        FastkfError: Kale rejects the notebook.
    """
    from kale import NotebookProcessor

    overrides = {"pipeline_name": notebook.pipeline_name}
    overrides["experiment_name"] = notebook.kale.get("experiment_name") or "fast-kubeflow"
    if image:
        overrides["base_image"] = image
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):  # about cells without an id
            processor = NotebookProcessor(str(notebook.path), overrides)
            processor.run()
    except Exception as error:  # of many types, bugs in Kale among them
        raise FastkfError(
            f"{notebook.path}: Kale cannot turn this notebook into a pipeline: {error}; "
            f"run `fastkf check {notebook.path}` to see where"
        ) from error
    finally:
        logging.disable(logging.NOTSET)
    return processor


def find_cell(notebook: Notebook, source: str) -> Cell | None:
    """The cell whose code this is; Kale indents the code of the cells it passes on."""
    wanted = textwrap.dedent(source).strip()
    cells = (cell for cell in notebook.code_cells if cell.source.strip() == wanted)
    return next(cells, None)


def describe_error(
    notebook: Notebook, name: str, message: str, source: str | None, line: int | None
) -> str:
    """An exception that a cell raised, with the cell and the line that raised it."""
    text = f"{name}: {message}".strip().rstrip(":")
    cell = find_cell(notebook, source) if source else None
    if cell is None:
        return text
    lines = cell.source.strip().splitlines()
    if not line or line > len(lines):
        return f"{text} (cell {cell.number})"
    return f"{text} (cell {cell.number}, line {line}: {lines[line - 1].strip()})"


def _read_json(path: Path) -> nbformat.NotebookNode:
    if not path.exists():
        raise UsageError(f"{path}: no such file; `fastkf list` shows the labs")
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name one notebook (.ipynb) in it")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise FastkfError(
            f"{path}: not a readable notebook ({error}); a notebook is a JSON file saved by Jupyter"
        ) from error
    cells = content.get("cells") if isinstance(content, dict) else None
    is_notebook = isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells)
    if not is_notebook or content.get("nbformat") != 4:
        raise FastkfError(
            f"{path}: not a notebook of format 4; open it in JupyterLab and save it again"
        )
    try:
        return nbformat.from_dict(content)
    except Exception as error:
        raise FastkfError(f"{path}: not a valid notebook ({error})") from error


def classify(nodes) -> tuple[Cell, ...]:
    """Gives each code cell its role as Kale's parser does: an untagged cell joins the one above."""
    cells = []
    role = step = None
    for number, node in enumerate(nodes, start=1):
        tags = tuple(str(tag) for tag in (node.get("metadata") or {}).get("tags") or [])
        source = "".join(node.get("source") or "")
        if node.get("cell_type") != "code":
            cells.append(Cell(number, node.get("cell_type", "raw"), source, tags))
            continue
        special = next((tag for tag in tags if tag in SPECIAL_TAGS), None)
        own_step = next((tag[5:] for tag in tags if tag.startswith("step:")), "")
        if special == "skip":
            cells.append(Cell(number, "code", source, tags, "skip", None, _outputs(node)))
            continue
        if special:
            role, step = special, None
        elif any(tag.startswith("notebook:") for tag in tags):
            role, step = "notebook", None
        elif own_step:
            role, step = "step", own_step
        cells.append(Cell(number, "code", source, tags, role, step, _outputs(node)))
    return tuple(cells)


def _outputs(node) -> tuple:
    return tuple(node.get("outputs", []))
