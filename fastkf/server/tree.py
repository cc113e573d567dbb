"""The groups that a run's steps are in: pipelines inside the pipeline, conditions, loops and their
iterations. run.json tells of the steps alone; the package says what is around them.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastkf.package.graph import (
    Place,
    is_loop,
    list_display_names,
    list_places,
    name_places,
)
from fastkf.runs.model import State
from fastkf.runs.turns import Turns
from fastkf.server.executions import Execution

GROUP = "group:"  # before the node of a group, which no step's has
Spec = Mapping[str, Any]


@dataclass
class Group:
    """A group, or one iteration of a loop, which is called as the loop is.

    Attributes:
        node: what names it in the run.
        place: its task's, in the package.
        parent: the node of the group that it is in, "" at the top.
        turn: its number among the loop's iterations, None of what is none.
        depth: how many loops are around it.
        members: the steps in it, those in its groups too.
        label: what its pipeline calls it for people.
    """

    node: str
    place: Place
    parent: str
    is_loop: bool
    turn: int | None
    depth: int
    members: list[Execution]
    label: str = ""

    @property
    def name(self) -> str:
        return self.place[-1]

    @property
    def turns(self) -> int:
        """How many iterations have members."""
        return len({one.turns[self.depth] for one in self.members if len(one.turns) > self.depth})

    @property
    def state(self) -> State:
        return sum_up({one.step.state for one in self.members})

    @property
    def times(self) -> tuple[datetime | None, datetime | None]:
        began = [one.step.started for one in self.members if one.step.started]
        ends = [one.ended for one in self.members if one.ended]
        is_over = self.state.has_ended
        return min(began, default=None), max(ends, default=None) if is_over else None


@dataclass(frozen=True)
class Tree:
    """The groups of a run, each before what is in it, and the group that each step is in."""

    groups: Sequence[Group]
    around: Mapping[str, str]


def sum_up(states: Set[State]) -> State:
    """The state of a group whose members have these."""
    if len(states) == 1:
        return next(iter(states))
    if not all(state.has_ended for state in states):
        return State.RUNNING
    return State.FAILED if State.FAILED in states else State.SUCCEEDED


def build_tree(spec: Spec, executions: Sequence[Execution]) -> Tree:
    """The groups of a run that has begun.

    Args:
        spec: the PipelineSpec that it runs.
    """
    places = {task: place for place, task in name_places(list_places(spec)).items()}
    labels = list_display_names(spec)
    loops = _find_loops(spec, spec.get("root") or {}, (), ())
    groups: dict[str, Group] = {}
    around = {}
    for one in executions:
        if one.is_group:
            continue
        parent, turns, depth = "", list(one.turns), 0
        place = places.get(one.name, (one.name,))
        for length in range(1, len(place)):
            here = place[:length]
            parent = _add(groups, here, one, parent, here in loops, None, depth)
            if here in loops and turns:
                parent = _add(groups, here, one, parent, False, turns.pop(0), depth)
                depth += 1
        around[one.node] = parent
    for group in groups.values():
        group.label = labels.get(group.place, group.name)
    return Tree(list(groups.values()), around)


def _add(
    groups: dict[str, Group],
    place: Place,
    member: Execution,
    parent: str,
    loops: bool,
    turn: int | None,
    depth: int,
) -> str:
    before: Turns = member.turns[:depth]
    numbers = before if turn is None else (*before, turn)
    kind = "" if turn is None else "turn:"
    node = f"{GROUP}{kind}{'/'.join(place)}{''.join(f'.{number}' for number in numbers)}"
    group = groups.setdefault(node, Group(node, place, parent, loops, turn, depth, []))
    group.members.append(member)
    return node


def _find_loops(spec: Spec, component: Spec, here: Place, inside: tuple[str, ...]) -> set[Place]:
    found: set[Place] = set()
    for task, content in ((component.get("dag") or {}).get("tasks") or {}).items():
        place = (*here, task)
        if is_loop(content):
            found.add(place)
        name = (content.get("componentRef") or {}).get("name", "")
        if name not in inside:
            part = (spec.get("components") or {}).get(name) or {}
            found |= _find_loops(spec, part, place, (*inside, name))
    return found
