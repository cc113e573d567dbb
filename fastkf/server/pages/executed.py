"""What went into a step and what came out of it: executions, artifacts, and their lineage."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fastkf.package.errors import PackageError
from fastkf.package.graph import sort_tasks
from fastkf.runs.drawing.nested import Node, draw_nested
from fastkf.runs.model import Artifact, Step, Values
from fastkf.server.columns import EPOCH
from fastkf.server.executions import Execution
from fastkf.server.pages.files import quote
from fastkf.server.pages.package import show_text
from fastkf.server.pages.previews import Preview, preview

LONGEST_VALUE = 2_000
MOST_PREVIEWS, MOST_VALUES = 20, 40
MOST_DRAWN = 60  # steps and artifacts of a lineage


@dataclass(frozen=True)
class Item:
    """An artifact that a step of a run has put out.

    Attributes:
        node: of the execution that has put it out; id: RUN.NODE.OUTPUT.
    """

    run_id: str
    node: str
    step: str
    output: str
    made: Artifact
    created_at: datetime

    @property
    def id(self) -> str:
        return f"{self.run_id}.{self.node}.{self.output}"

    @property
    def type(self) -> str:
        return self.made.type.removeprefix("system.")

    @property
    def address(self) -> str:
        return f"#/artifacts/details?id={quote(self.id)}"

    @property
    def execution(self) -> str:
        return address_of(self.run_id, self.node)

    @property
    def file(self) -> str | None:
        """The address of the file; None of one that is elsewhere."""
        if not self.made.uri.startswith("artifacts/"):
            return None
        return f"files/runs/{self.run_id}/" + "/".join(map(quote, self.made.uri.split("/")))

    @property
    def shown(self) -> str:
        """The address at which a browser shows it: a picture, or a page for a frame."""
        return f"files/runs/{self.run_id}/shown?node={quote(self.node)}&output={quote(self.output)}"


@dataclass(frozen=True)
class Passed:
    """An artifact that went into a step or came out of it.

    Attributes:
        item: None of one that no step of the run has made.
        preview: None where the page has enough of them.
    """

    name: str
    made: Artifact
    item: Item | None
    preview: Preview | None

    @property
    def metadata(self) -> dict[str, str]:
        """What stands in it of plain values; lists of points are drawn elsewhere."""
        plain = {key: one for key, one in self.made.metadata.items() if not _is_large(one)}
        return {key: _show(value) for key, value in list(plain.items())[:MOST_VALUES]}


@dataclass(frozen=True)
class Side:
    """All that went into a step, or came out of it; parameters as text."""

    parameters: Mapping[str, str]
    artifacts: Sequence[Passed]


def address_of(run_id: str, node: str) -> str:
    return f"#/executions/details?run={run_id}&node={quote(node)}"


def list_items(run_id: str, executions: Iterable[Execution]) -> Iterator[Item]:
    """The artifacts that the steps of a run have put out."""
    for one in executions:
        if one.step.outputs and not one.is_group:
            moment = one.ended or one.step.started or EPOCH
            for output, made in one.step.outputs.artifacts.items():
                yield Item(run_id, one.node, one.step.name, output, made, moment)


def find_step(executions: Iterable[Execution], name: str | None) -> tuple[Execution, Step] | None:
    """The execution of a step, or of an attempt of one, with the step or the attempt."""
    for one in executions:
        for step in (one.step, *one.step.attempts):
            if step.name == name:
                return one, step
    return None


def show_sides(
    folder: Path, run_id: str, executions: Sequence[Execution], step: Step
) -> dict[str, Side]:
    """What went into a step of a run and what came out of it.

    Args:
        folder: the run's.
    """
    of_file = {item.made.uri: item for item in list_items(run_id, executions)}
    sides, left = {}, MOST_PREVIEWS
    for name, values in (("inputs", step.inputs), ("outputs", step.outputs)):
        values = values or Values()
        artifacts = []
        for key, made in values.artifacts.items():
            left -= 1
            seen = preview(folder, made) if left >= 0 else None
            artifacts.append(Passed(key, made, of_file.get(made.uri), seen))
        parameters = {key: _show(value) for key, value in values.parameters.items()}
        sides[name] = Side(parameters, artifacts)
    return sides


def _is_large(value: Any) -> bool:
    return isinstance(value, list | dict)


def _show(value: Any) -> str:
    text = show_text(value)
    left = len(text) - LONGEST_VALUE
    return text if left <= 0 else f"{text[:LONGEST_VALUE]}… and {left:,} characters more"


def draw_lineage(run_id: str, executions: Sequence[Execution], wanted: Item) -> str | None:
    """The artifact with all that it was made from, and all that was made from it."""
    items = list(list_items(run_id, executions))
    of_file: dict[str, list[Item]] = {}
    for item in items:
        of_file.setdefault(item.made.uri, []).append(item)
    before: dict[str, set[str]] = {}  # steps and artifacts by their nodes and ids
    behind: dict[str, set[str]] = {}
    for item in items:
        before.setdefault(item.id, set()).add(item.node)
    for one in executions:
        taken = one.step.inputs.artifacts if one.step.inputs and not one.is_group else {}
        for made in taken.values():
            sources = {item.id for item in of_file.get(made.uri, []) if item.node != one.node}
            before.setdefault(one.node, set()).update(sources)
    for name, others in before.items():
        for other in others:
            behind.setdefault(other, set()).add(name)
    far = {**_reach(wanted.id, behind), **_reach(wanted.id, before)}
    found = set(sorted(far, key=far.__getitem__)[:MOST_DRAWN])
    nodes = {item.id: _draw_item(item, wanted) for item in items if item.id in found}
    nodes |= {one.node: _draw_step(run_id, one) for one in executions if one.node in found}
    drawn = {
        name: [one for one in sorted(before.get(name, ())) if one in nodes]
        for name in sorted(nodes, key=far.__getitem__)
    }
    try:
        ordered = [_place(nodes[name], drawn[name]) for name in sort_tasks(drawn)]
        return draw_nested(ordered, title=f"Lineage of {wanted.output}", across=True)
    except PackageError:  # a record in which files are made of themselves
        return None


def _reach(start: str, edges: Mapping[str, set[str]]) -> dict[str, int]:
    """What can be reached, to how many edges away it is."""
    found, waiting = {start: 0}, [start]
    for name in waiting:
        for one in sorted(edges.get(name, set()) - found.keys()):
            found[one] = found[name] + 1
            waiting.append(one)
    return found


def _place(node: Node, after: Sequence[str]) -> Node:
    return Node(**{**vars(node), "after": tuple(after)})


def _draw_item(item: Item, wanted: Item) -> Node:
    return Node(
        name=item.id,
        label=item.output,
        note=item.type,
        link=item.address,
        current=item == wanted,
        id=item.id,
    )


def _draw_step(run_id: str, one: Execution) -> Node:
    return Node(
        name=one.node,
        label=one.step.name,
        status=one.step.state,
        note=f"step, {one.step.state}",
        link=address_of(run_id, one.node),
        id=one.node,
    )
