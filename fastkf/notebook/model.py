"""A Kale notebook as plain data: cells, tags, steps, parameters, metrics. Reads, never runs."""

import ast
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fastkf.base.errors import FastkfError
from fastkf.base.python_syntax import parse_python
from fastkf.notebook.errors import KaleError
from fastkf.notebook.file import read_content
from fastkf.notebook.kale import read_pipeline
from fastkf.notebook.metadata import CourseMetadata, Value, read_course
from fastkf.notebook.names import Names
from fastkf.notebook.pipeline import Pipeline
from fastkf.runs.problems import clean_source

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
        refers_to: the file of the notebook that a reference stands for, as it is written there.
        path: the file, of a cell that stands in a part of the notebook.
    """

    number: int
    type: str
    source: str
    tags: tuple[str, ...] = ()
    role: str | None = None
    step: str | None = None
    outputs: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    refers_to: str | None = None
    path: Path | None = None

    @property
    def label(self) -> str:
        """What a reader calls the cell."""
        return f"{self.path.name}, cell {self.number}" if self.path else f"cell {self.number}"

    @cached_property
    def tree(self) -> ast.Module | None:
        """The cell's syntax tree; None when it is not plain Python (a magic, a syntax error).

        Raises:
            FastkfError: it is too deep for Python to read.
        """
        try:
            with warnings.catch_warnings(action="ignore"):
                return parse_python(self.source)
        except (SyntaxError, ValueError):
            return None
        except (RecursionError, MemoryError) as error:
            problem = f"{self.label}: an expression or a block is too deep for Python to read"
            raise FastkfError(problem, "write it in smaller parts") from error

    @cached_property
    def statements(self) -> list[ast.stmt]:
        return self.tree.body if self.tree else []

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree)) if self.tree else ()

    @cached_property
    def names(self) -> Names:
        """The names in the cell; none when it is not plain Python."""
        return Names.of(self.tree)

    def tag_values(self, prefix: str) -> list[str]:
        return [tag.split(":", 1)[1] for tag in self.tags if tag.startswith(f"{prefix}:")]


@dataclass(frozen=True)
class Notebook:
    """A notebook file, read with Kale's tag language (Kale 2.3, kale/processors/constants.py).

    Attributes:
        given: the names that its steps have from the notebook whose part it is; None: it is none.
    """

    path: Path
    cells: tuple[Cell, ...]
    metadata: dict[str, Any]
    given: frozenset[str] | None = None

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def kale(self) -> dict[str, Any]:
        """Kale's settings, as they stand in the file."""
        block = self.metadata.get(KALE_METADATA)
        return block if isinstance(block, dict) else {}

    @cached_property
    def course(self) -> CourseMetadata:
        """What the course says about the notebook.

        Raises:
            FastkfError: something in its metadata has a wrong type.
        """
        return read_course(self.metadata, self.path)

    @property
    def pipeline_name(self) -> str:
        """The name in the metadata; for a notebook without one, made from the file's name."""
        made = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        given = str(self.kale.get("pipeline_name") or "")
        return given or re.sub(r"^[0-9-]+", "", made) or "pipeline"

    @property
    def title(self) -> str:
        """The course's title, or the first heading, or the file's name."""
        headings = re.findall(r"^#\s+(.+)$", "\n".join(c.source for c in self.text_cells), re.M)
        return self.course.title or (headings[0] if headings else self.name)

    @property
    def code_cells(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.type == "code"]

    @property
    def text_cells(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.type == "markdown"]

    def cells_with_role(self, role: str) -> list[Cell]:
        return [cell for cell in self.code_cells if cell.role == role]

    @cached_property
    def cell_names(self) -> dict[str, str]:
        """Source of a code cell to what a reader calls the cell; the first, where two are alike."""
        return {clean_source(cell.source): cell.label for cell in reversed(self.code_cells)}

    @property
    def imports(self) -> str:
        """The source of the imports cells, which every step starts with."""
        return "\n".join(cell.source for cell in self.cells_with_role("imports"))

    @cached_property
    def steps(self) -> dict[str, list[Cell]]:
        """Step name to its cells, in the order of the file."""
        steps: dict[str, list[Cell]] = {}
        for cell in self.code_cells:
            if cell.step:
                steps.setdefault(cell.step, []).append(cell)
        return steps

    @cached_property
    def parameters(self) -> dict[str, Value]:
        """The pipeline parameters and their defaults, literals only (others are left out)."""
        parameters: dict[str, Value] = {}
        for cell in self.cells_with_role("pipeline-parameters"):
            for node in cell.statements:
                match node:
                    case ast.Assign(
                        targets=[ast.Name(id=name)],
                        value=ast.Constant(value=int() | float() | str() as value),
                    ):
                        parameters[name] = value
        return parameters

    @cached_property
    def metrics(self) -> list[str]:
        """The names printed by the metrics cells, in order."""
        lines = "\n".join(c.source for c in self.cells_with_role("pipeline-metrics"))
        return re.findall(r"^\s*print\((\w+)\)\s*$", lines, re.M)

    def settings(self, image: str | None = None) -> dict[str, str]:
        """What Kale takes in place of the file's settings; `image` is that of the steps."""
        experiment = str(self.kale.get("experiment_name") or "fast-kubeflow")
        settings = {"pipeline_name": self.pipeline_name, "experiment_name": experiment}
        return {**settings, "base_image": image} if image else settings

    @property
    def pipeline(self) -> Pipeline:
        """The notebook as Kale sees it, with the data dependencies that it detects.

        Raises:
            FastkfError: Kale rejects the notebook.
        """
        if isinstance(self._pipeline, KaleError):
            raise self._pipeline.with_traceback(None)
        return self._pipeline

    @cached_property
    def _pipeline(self) -> Pipeline | KaleError:
        """A refusal is kept, too: a dozen rules ask, and Kale takes its time each time."""
        try:
            return read_pipeline(self.path, self.settings())
        except KaleError as error:
            return error

    @cached_property
    def sources(self) -> dict[str, Mapping[str, str]]:
        """Step to the variables it takes from other steps, each with the step that passes it on.

        Raises:
            FastkfError: Kale rejects the notebook.
        """
        return {step.name: step.producers for step in self.pipeline.steps}

    @cached_property
    def references(self) -> dict[str, Cell]:
        """The cells that stand for other notebooks, by the names that those have here."""
        return {
            name: cell
            for cell in reversed(self.code_cells)
            if cell.role == "notebook"
            for name in cell.tag_values("notebook")[:1]
        }

    @cached_property
    def dependencies(self) -> dict[str, list[str]]:
        """Step to the steps it waits for in the compiled pipeline.

        Kale 2.3 (kale/compiler.py, generate_pipeline): the producers of the data a step takes;
        without any, and in no part of another notebook, the step above it.
        `composition.flat_dependencies` has those of notebooks that refer to others.

        Raises:
            FastkfError: Kale rejects the notebook.
        """
        after: dict[str, list[str]] = {}
        above: str | None = None
        for step, sources in self.sources.items():
            after[step] = sorted(set(sources.values())) or ([above] if above else [])
            above = step if self.given is None else None
        return after


def read(path: str | Path) -> Notebook:
    """Reads a notebook file.

    Raises:
        FastkfError: there is no such file, it is not a notebook, or it has no code.
    """
    path = Path(path)
    content = read_content(path)
    cells = classify(content["cells"])
    if not any(c.type == "code" and (c.source.strip() or c.role == "notebook") for c in cells):
        problem = f"{path}: the notebook has no code cells"
        raise FastkfError(problem, "add cells and Kale tags to it")
    return Notebook(path, cells, dict(content.get("metadata") or {}))


def classify(nodes: Iterable[Mapping[str, Any]]) -> tuple[Cell, ...]:
    """Gives each code cell its role as Kale's parser does: an untagged cell joins the one above."""
    cells: list[Cell] = []
    role: str | None = None
    step: str | None = None
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
            reference = (node.get("metadata") or {}).get("notebook_path")
            file = reference if isinstance(reference, str) else None
            role, step = "notebook", None
            cells.append(Cell(number, "code", source, tags, role, step, _outputs(node), file))
            continue
        elif own_step:
            cells = [
                replace(one, role="step", step=own_step) if _waits(one) else one for one in cells
            ]
            role, step = "step", own_step
        cells.append(Cell(number, "code", source, tags, role, step, _outputs(node)))
    return tuple(cells)


def _waits(cell: Cell) -> bool:
    """Whether a cell is untagged after a reference, and so the beginning of the next step."""
    return cell.role == "notebook" and not cell.tag_values("notebook")


def _outputs(node: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(node.get("outputs") or [])
