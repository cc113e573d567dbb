"""The steps of a notebook file (kale/processors/nbprocessor.py, parse_notebook)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from fastkf.notebook.reading import code
from fastkf.notebook.reading.errors import NotPlainError
from fastkf.notebook.reading.settings import Config, read_settings
from fastkf.notebook.reading.tags import LANGUAGE, SPECIAL, CellTags, StepConfig, read_tags

METADATA = "kubeflow_notebook"
TEMPORARY = "_tmp"  # the name that Kale gives a step of its own for a while


@dataclass
class Step:
    """A step, which the data flow completes.

    Attributes:
        source: its code, block by block: what all steps share, and its own cells.
        needs: its functions, and those that it calls, each with the names that it lacks.
    """

    name: str
    config: StepConfig
    source: list[str]
    ins: set[str] = field(default_factory=set)
    outs: set[str] = field(default_factory=set)
    metrics: bool = False
    needs: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def reports(self) -> bool:
        """Whether it writes a report of its run."""
        return self.config.generate_html_report is not False

    @property
    def text(self) -> str:
        return "\n".join(self.source)


@dataclass(frozen=True)
class Parameter:
    """A pipeline parameter (kale/step.py, PipelineParam)."""

    param_type: str
    param_value: int | float | str


@dataclass(frozen=True)
class PlainPipeline:
    """A notebook's pipeline, under Kale's names for its parts where it has such (kale/pipeline.py).

    Attributes:
        nodes: the steps in the order of the file.
        edges: step to those whose `prev:` tags name it, in the order of the file.
        shared: the code that every step begins with.
        imports_and_functions: the same as Kale gives it to its compiler, which leaves out what
            follows a skipped cell.
    """

    config: Config
    pipeline_parameters: Mapping[str, Parameter]
    nodes: Mapping[str, Step]
    edges: Mapping[str, list[str]]
    metrics: Mapping[str, str]
    shared: str
    imports_and_functions: str

    @property
    def steps(self) -> list[Step]:
        """The steps in the order in which NetworkX sorts them (topological_sort)."""
        waits = dict.fromkeys(self.nodes, 0)
        for name in chain.from_iterable(self.edges.values()):
            waits[name] += 1
        order = [name for name, count in waits.items() if not count]
        for name in order:  # it grows meanwhile
            for one in self.edges[name]:
                waits[one] -= 1
                if not waits[one]:
                    order.append(one)
        return [self.nodes[name] for name in order]

    def above(self, names: Iterable[str]) -> list[str]:
        """Some steps' ancestors, the nearest first (kale/common/graphutils.py)."""
        found: dict[str, None] = {}
        waiting = list(names)
        for name in waiting:  # it grows meanwhile
            before = sorted(one for one, below in self.edges.items() if name in below)
            waiting += [one for one in before if one not in found]
            found.update(dict.fromkeys(before))
        return list(found)

    def producer(self, step: Step, name: str) -> str | None:
        """The nearest ancestor that passes a variable on; None: no step does."""
        above = (self.nodes[one] for one in self.above([step.name]))
        return next((one.name for one in above if name in one.outs), None)


def read_pipeline(content: Mapping[str, Any], settings: Mapping[str, Any]) -> PlainPipeline:
    """The pipeline of a notebook file, as yet without its data flow.

    Args:
        content: the file's.
        settings: what replaces the settings in its metadata.

    Raises:
        NotPlainError: Kale itself must be asked.
    """
    own = (content.get("metadata") or {}).get(METADATA)
    config = read_settings({**(own if isinstance(own, dict) else {}), **settings})
    cells = list(_list_cells(content))
    nodes, edges, blocks = _sort_cells(cells)
    shared = blocks["imports"] + blocks["functions"]
    for step in nodes.values():
        step.source[:0] = shared
    parameters = code.read_parameters("\n".join(blocks["pipeline-parameters"]))
    return PlainPipeline(
        config,
        {name: Parameter(*given) for name, given in parameters.items()},
        nodes,
        edges,
        code.read_metrics("\n".join(blocks["pipeline-metrics"])),
        "\n".join(shared),
        "\n".join(_collect(cells, tag) for tag in (r"^imports$", r"^functions$")),
    )


def _list_cells(content: Mapping[str, Any]) -> Iterable[tuple[list[Any], str]]:
    """The tags and the code of each code cell."""
    if not isinstance(content.get("metadata"), dict):
        raise NotPlainError("the notebook's metadata")
    for cell in content["cells"]:
        metadata, source = cell.get("metadata"), cell.get("source")
        if not isinstance(cell.get("cell_type"), str) or not isinstance(metadata, dict):
            raise NotPlainError("a cell")
        if cell["cell_type"] == "code":
            tags = metadata.get("tags", [])
            if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
                raise NotPlainError("a cell's tags")
            if not isinstance(source, str | list):
                raise NotPlainError("a code cell")
            yield tags, "".join(source)


def _sort_cells(
    cells: Iterable[tuple[list[Any], str]],
) -> tuple[dict[str, Step], dict[str, list[str]], dict[str, list[str]]]:
    """The steps, which of them come before which, and the code of each special tag."""
    nodes: dict[str, Step] = {}
    edges: dict[str, list[str]] = {}
    blocks: dict[str, list[str]] = {tag: [] for tag in SPECIAL if tag != "skip"}
    current: str | None = None
    for tags, source in cells:
        read = read_tags(tags) if tags else CellTags()
        if read.step == "skip" or (read.step or current) is None:
            continue
        if read.step and read.step not in blocks:
            if current == "pipeline-metrics" or read.step == TEMPORARY:
                raise NotPlainError("a step")
            _note_step(read, nodes, edges)
        current = read.step or current or ""
        (blocks[current] if current in blocks else nodes[current].source).append(source)
    return nodes, edges, blocks


def _note_step(read: CellTags, nodes: dict[str, Step], edges: dict[str, list[str]]) -> None:
    name = read.step or ""
    if name in nodes:
        return
    nodes[name], edges[name] = Step(name, read.config, []), []
    for previous in read.previous:
        if previous not in nodes or previous == name:
            raise NotPlainError("a step's order")
        if name not in edges[previous]:
            edges[previous].append(name)


def _collect(cells: Iterable[tuple[list[Any], str]], tag: str) -> str:
    """The code of the cells with a special tag and those that follow: _get_reserved_tag_source."""
    others = [re.compile(one) for one in LANGUAGE if one != tag]
    found, follows = "", False
    for tags, source in cells:
        if follows and not any(other.match(one) for other in others for one in tags):
            found += "\n" + source
        else:
            follows = any(re.match(tag, one) for one in tags)
            found += "\n" + source if follows else ""
    return found.strip()
