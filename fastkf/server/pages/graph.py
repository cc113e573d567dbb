"""The graph of a pipeline with its groups: before a run, and with what a run has made of it."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from fastkf.package.errors import PackageError
from fastkf.package.graph import Place, find_dependencies, is_loop
from fastkf.package.model import Package
from fastkf.runs.drawing.layers import assign_layers, is_across
from fastkf.runs.drawing.nested import Node, draw_nested
from fastkf.runs.model import State, Step
from fastkf.runs.text import count, format_seconds
from fastkf.runs.turns import Turns
from fastkf.server.executions import Execution
from fastkf.server.tree import sum_up

MOST_ITERATIONS = 20  # in one picture; all of them are in the table of the steps
MOST_OPEN = 60  # steps of a pipeline whose groups are unfolded at first
LONGEST_CONDITION = 60
INPUT = re.compile(r"inputs\.parameter_values\['(?:pipelinechannel--)?([^']*)'\]")
SUCCEEDS_ALWAYS = "ALL_UPSTREAM_TASKS_COMPLETED"
FOLDED = "-"  # no group's name begins so
EXIT_HANDLER = "exit-handler-"  # before the number of one, as the compiler names it

Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Look:
    """How the reader looks at a graph.

    Attributes:
        link: `link(step, toggled)`: the address that shows a step, or has these groups toggled.
        toggled: the groups that the reader has unfolded, and, after `FOLDED`, those folded.
        current: the step that the page shows.
    """

    link: Callable[[str | None, Collection[str]], str | None] = lambda step, toggled: None
    toggled: frozenset[str] = frozenset()
    current: str | None = None

    def wants_open(self, id: str, at_first: bool) -> bool:
        return id in self.toggled or (at_first and FOLDED + id not in self.toggled)


NO_LOOK = Look()


def draw_package(package: Package | None, title: str, look: Look = NO_LOOK) -> Markup | None:
    """The graph of a package; None when there is none to draw."""
    return _draw(package, [], title, look) if package else None


def draw_run(
    package: Package | None, executions: Sequence[Execution], title: str, look: Look
) -> Markup | None:
    """The graph of a run; None when its steps are not those of the package."""
    if package is None:
        return None
    known = {one.name for one in executions}
    try:
        fits = known <= set(package.tasks)
    except PackageError:
        return None
    return _draw(package, executions, title, look) if fits else None


def _draw(
    package: Package, executions: Sequence[Execution], title: str, look: Look
) -> Markup | None:
    try:
        names = dict(package.places)
        after = {task: list(before) for task, before in package.tasks.items()}
        across = is_across(assign_layers(after))
        nodes = _Graph(package, names, executions, look).nodes()
        return Markup(draw_nested(nodes, title=title, across=across)) if nodes else None
    except (PackageError, ValueError):  # its tasks wait for each other
        return None


@dataclass
class _Graph:
    """The nodes of a graph, from the outermost pipeline to what is in its groups."""

    package: Package
    names: Mapping[Place, str]
    executions: Sequence[Execution]
    look: Look
    _steps: dict[tuple[str, Turns], Execution] = field(init=False)

    def __post_init__(self) -> None:
        self._steps = {(one.name, one.turns): one for one in self.executions}

    @property
    def _has_failed(self) -> bool:
        return any(one.step.state is State.FAILED for one in self.executions)

    def nodes(self) -> tuple[Node, ...]:
        return self._list_nodes(self.package.spec.get("root") or {}, (), (), ())

    def _list_nodes(
        self, component: Spec, here: Place, turns: Turns, around: tuple[str, ...]
    ) -> tuple[Node, ...]:
        tasks: Spec = (component.get("dag") or {}).get("tasks") or {}
        nodes = []
        for task, content in tasks.items():
            place = (*here, task)
            name = (content.get("componentRef") or {}).get("name", "")
            part = (self.package.spec.get("components") or {}).get(name) or {}
            if place in self.names:
                nodes.append(self._step(place, content, part, turns))
            elif "dag" in part and name not in around:
                nodes.append(self._group(place, content, part, turns, (*around, name)))
        return tuple(nodes)

    def _step(self, place: Place, content: Spec, part: Spec, turns: Turns) -> Node:
        task = self.names[place]
        name = self.package.name_step(task)
        found = self._steps.get((task, turns)) or (self._steps.get((task, ())) if turns else None)
        step = found.step if found else None
        if step and step.steps and not turns:  # a loop's step, whose iterations are elsewhere
            step = None
        shown = step.name if step else name
        label = name if self.package.is_kale else _label(content, place[-1])
        return Node(
            name=place[-1],
            label=label,
            after=tuple(find_dependencies(content)),
            status=step.state if step else "",
            note=", ".join(filter(None, (self._kind(content, part), _note(step)))),
            link=self.look.link(shown, self.look.toggled) if step else None,
            current=shown == self.look.current,
            id=shown,
        )

    def _kind(self, content: Spec, part: Spec) -> str:
        executor = self.package.executors.get(part.get("executorLabel", "")) or {}
        if "importer" in executor:
            return "importer"
        strategy = (content.get("triggerPolicy") or {}).get("strategy")
        return "exit task" if strategy == SUCCEEDS_ALWAYS else ""

    def _group(
        self, place: Place, content: Spec, part: Spec, turns: Turns, around: tuple[str, ...]
    ) -> Node:
        id = _name_group(place, turns)
        members = list(self._members(place, turns))
        numbers = _list_turns(members, len(turns)) if is_loop(content) else []
        is_open = self._is_open(id, content, members)
        inside: tuple[Node, ...] = ()
        if is_open and numbers:
            inside = self._iterations(place, part, turns, numbers, around)
        elif is_open:
            inside = self._list_nodes(part, place, turns, around)
        state = sum_up({one.step.state for one in members}) if members else ""
        note = _describe_loop(numbers, members, len(turns)) if is_loop(content) else ""
        return Node(
            name=place[-1],
            label=_label(content, place[-1]),
            after=tuple(find_dependencies(content)),
            status=state,
            note=note or _describe_group(place[-1], content, state, self._has_failed),
            link=self._toggle(id, is_open),
            inside=inside,
            is_group=True,
            id=id,
        )

    def _is_open(self, id: str, content: Spec, members: list[Execution]) -> bool:
        shows_current = any(self._is_current(one) for one in members)
        is_small = not is_loop(content) and len(self.names) <= MOST_OPEN
        return self.look.wants_open(id, is_small or shows_current)

    def _toggle(self, id: str, is_open: bool) -> str | None:
        """The address at which a group is folded, or unfolded."""
        others = self.look.toggled - {id, FOLDED + id}
        return self.look.link(self.look.current, others | {FOLDED + id if is_open else id})

    def _iterations(
        self, place: Place, part: Spec, turns: Turns, numbers: list[int], around: tuple[str, ...]
    ) -> tuple[Node, ...]:
        nodes = []
        for number in self._choose(place, turns, numbers):
            inner = (*turns, number)
            id = _name_group(place, inner)
            members = list(self._members(place, inner))
            state = sum_up({one.step.state for one in members})
            is_open = self.look.wants_open(id, True)
            inside = self._list_nodes(part, place, inner, around) if is_open else ()
            link = self._toggle(id, is_open)
            label = f"iteration {number}"
            nodes.append(Node(str(number), label, (), state, state, link, False, inside, True, id))
        return tuple(nodes)

    def _choose(self, place: Place, turns: Turns, numbers: list[int]) -> list[int]:
        """As many as one picture can show: those that failed or run first."""
        if len(numbers) <= MOST_ITERATIONS:
            return numbers
        telling = [
            one.turns[len(turns)]
            for one in self._members(place, turns)
            if one.turns[len(turns) :]
            and (one.step.state in (State.FAILED, State.RUNNING) or self._is_current(one))
        ]
        return sorted(list(dict.fromkeys([*telling, *numbers]))[:MOST_ITERATIONS])

    def _is_current(self, one: Execution) -> bool:
        return one.step.name == self.look.current

    def _members(self, place: Place, turns: Turns) -> Iterator[Execution]:
        """The executions in a group, or in one iteration of it; a loop's steps by iterations."""
        tasks = {task for one, task in self.names.items() if one[: len(place)] == place}
        for one in self.executions:
            if one.name in tasks and not one.is_group and one.turns[: len(turns)] == turns:
                yield one


def _name_group(place: Place, turns: Turns) -> str:
    return "/".join(place) + "".join(f".{number}" for number in turns)


def _list_turns(members: Sequence[Execution], depth: int) -> list[int]:
    return sorted({one.turns[depth] for one in members if len(one.turns) > depth})


def _label(content: Spec, task: str) -> str:
    return str((content.get("taskInfo") or {}).get("name") or task)


def _note(step: Step | None) -> str:
    if step is None:
        return ""
    times = f"{len(step.attempts)} attempts" if len(step.attempts) > 1 else ""
    took = step.word if step.cached_from else format_seconds(step.seconds)
    if step.state is State.SUCCEEDED:
        return ", ".join(filter(None, (took, times)))
    if step.state is State.FAILED:
        return ", ".join(filter(None, (str(step.state), times or took)))
    return str(step.state)


def _describe_loop(numbers: list[int], members: Sequence[Execution], depth: int) -> str:
    if not numbers:
        return "loop"
    states: dict[int, set[State]] = {}
    for one in members:
        if len(one.turns) > depth:
            states.setdefault(one.turns[depth], set()).add(one.step.state)
    counts: dict[State, int] = {}
    for one_turn in states.values():
        state = sum_up(one_turn)
        counts[state] = counts.get(state, 0) + 1
    parts = [
        f"{counts[state]} {state}" for state in (State.FAILED, State.RUNNING) if state in counts
    ]
    if State.RUNNING in counts:
        parts.append(f"{counts.get(State.SUCCEEDED, 0)} done")
    if len(numbers) > MOST_ITERATIONS:
        parts.append(f"{MOST_ITERATIONS} drawn")
    return ", ".join([count(len(numbers), "iteration"), *parts])


def _describe_group(task: str, content: Spec, state: str, has_failed: bool) -> str:
    condition = (content.get("triggerPolicy") or {}).get("condition")
    if condition:
        left_out = ": not run" if has_failed else ": not taken"
        known = {"": "", State.PENDING: "", State.SKIPPED: left_out}
        return _read_condition(str(condition)) + known.get(state, ": taken")
    if task.startswith(EXIT_HANDLER):
        return "exit handler"
    return "branches" if task.startswith("condition-branches-") else "pipeline"


def _read_condition(text: str) -> str:
    """The condition as its author thinks of it: a branch says nothing of those before it."""
    parts = INPUT.sub(r"\1", text).split(" && ")
    own = [part for part in parts if not part.startswith("!(")]
    if not own:
        return "else"
    said = ("else if " if len(own) < len(parts) else "if ") + " && ".join(own)
    return said if len(said) <= LONGEST_CONDITION else f"{said[: LONGEST_CONDITION - 1]}…"
