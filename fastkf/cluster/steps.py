"""The steps of a package as they are in a run: all of them, whatever the server tells of it."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice
from typing import Any

from fastkf.base import clock
from fastkf.cluster.executions import Execution, Found, Spot
from fastkf.cluster.outline import Outline
from fastkf.package.graph import Place
from fastkf.runs.model import State, Step
from fastkf.runs.turns import Turns, gather, name_turn

MOST_TURNS = 10_000  # of one step

EARLIER = "an earlier run"  # of which the server says no more


class Listing:
    """The steps of a run as they are, and what is known of each.

    A step in a loop has parts, one for each iteration; any other is its own part.

    Attributes:
        parts: by their names, in the package's order.
        spots: the places of the same.
        executions: what the server tells of those that have begun.
    """

    def __init__(self, outline: Outline, found: Found):
        self.parts: dict[str, Step] = {}
        self.spots: dict[str, Spot] = {}
        self.executions: dict[str, Execution] = {}
        self._outline = outline
        self._turns: dict[str, dict[Turns, str]] = {}
        package = outline.package
        places = {task: place for place, task in package.places.items()}
        numbers = _list_numbers(found)
        for task, before in package.tasks.items():
            after = tuple(package.name_step(other) for other in before)
            step = Step(package.name_step(task), task, after)
            for turns in _list_turns(outline, found, numbers, places[task]):
                self._add(step, (places[task], turns), found)

    def _add(self, step: Step, spot: Spot, found: Found) -> None:
        part = replace(step, name=name_turn(step.name, spot[1]))
        if execution := found.get(spot):
            part = _fill(part, execution)
            self.executions[part.name] = execution
        elif _is_left_out(self._outline, found, spot):
            part = replace(part, state=State.SKIPPED)
        self.parts[part.name], self.spots[part.name] = part, spot
        self._turns.setdefault(step.name, {})[spot[1]] = part.name

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, those in loops with their iterations inside them."""
        return tuple(self._gather(name) for name in self._turns)

    def _gather(self, name: str) -> Step:
        parts = {turns: self.parts[part] for turns, part in self._turns[name].items()}
        if list(parts) == [()]:
            return parts[()]
        first = next(iter(parts.values()))
        whole = gather(Step(name, first.task, first.after), parts)
        for one in whole.steps:
            if one.error and one.state is not State.SUCCEEDED:
                number = one.name.removeprefix(f"{name}.")
                return replace(whole, error=f"iteration {number}: {one.error}")
        return whole

    def change(self, name: str, **changes: Any) -> None:
        """Changes a part."""
        self.parts[name] = replace(self.parts[name], **changes)

    def list_next(self) -> list[str]:
        """The parts that have not begun although all that they wait for is done."""
        states = {step.name: step.state for step in self.steps}
        return [
            name
            for name, part in self.parts.items()
            if part.state is State.PENDING
            and name not in self.executions
            and (all(map(_is_fine, map(states.get, part.after))) or self._has_fallen(name))
        ]

    def _has_fallen(self, name: str) -> bool:
        """Whether a part is that of an exit handler, and what it waits for has failed."""
        place, _ = self.spots[name]
        hook = self._outline.find_hook(place)
        if hook is None:
            return False
        above = (*place[:-1], hook)
        inside = [one for one, (spot, _) in self.spots.items() if spot[: len(above)] == above]
        states = {self.parts[one].state for one in inside}
        return State.FAILED in states and State.RUNNING not in states

    def end(self, outcome: State, is_complete: bool, finished: datetime | None = None) -> list[str]:
        """Ends the parts with their run; returns those of whose end the server tells nothing.

        What it tells may lag behind the run's own state. Where a run has succeeded, all of its
        steps have, but those that it may leave out, and those after a step that has failed.

        Args:
            is_complete: whether the server has told of all that has begun.
            finished: when the run ended, which no part outlives.
        """
        untold, fallen = [], self._list_fallen()
        for name, part in self.parts.items():
            if finished and part.started and not part.state.has_ended:
                part = replace(part, seconds=max(0.0, (finished - part.started).total_seconds()))
            may_lack = self._outline.may_be_left_out(self.spots[name][0])
            may_lack = may_lack or (is_complete and part.task in fallen)
            is_left_out = part.state is State.PENDING and may_lack
            if outcome is State.FAILED or part.state.has_ended or is_left_out:
                self.parts[name] = part.end_with_run()
            else:
                self.parts[name] = replace(part, state=State.SUCCEEDED, error=None)
                untold.append(name)
        if outcome is State.FAILED and not is_complete and not self.executions:
            return list(self.parts)
        return untold

    def _list_fallen(self) -> set[str]:
        """The tasks that have failed, and those that wait for one of these."""
        fallen: set[str] = set()
        names: set[str] = set()
        for step in self.steps:  # each after those it waits for
            if step.state is State.FAILED or names.intersection(step.after):
                fallen.add(step.task)
                names.add(step.name)
        return fallen


def _is_fine(state: State | None) -> bool:
    """Whether what comes after a step of this state need not wait for it any more."""
    return state is None or (state.has_ended and state is not State.FAILED)


def _fill(step: Step, told: Execution) -> Step:
    """The step with what the server tells of it."""
    step = replace(step, state=told.state, inputs=told.inputs, outputs=told.outputs)
    step = replace(step, error=told.reason, cached_from=EARLIER if told.is_cached else None)
    if told.started is None or told.state in (State.PENDING, State.SKIPPED):
        return step
    ended = told.ended or clock.now()
    seconds = max(0.0, (ended - told.started).total_seconds())
    return replace(step, started=told.started, seconds=seconds)


def _list_numbers(found: Found) -> dict[Spot, set[int]]:
    """The iterations that parts of each group are in, by the group and those around it."""
    numbers: dict[Spot, set[int]] = defaultdict(set)
    for place, turns in found:
        for length in range(1, len(place) + 1):
            for count, number in enumerate(turns):
                numbers[place[:length], turns[:count]].add(number)
    return numbers


def _list_turns(
    outline: Outline, found: Found, numbers: dict[Spot, set[int]], place: Place
) -> list[Turns]:
    """The iterations that a task is in; of loops that have not begun, those around them."""
    turns: list[Turns] = [()]
    for length in range(1, len(place)):
        loop = place[:length]
        inside = (
            _iterate(found.get((loop, above)), numbers.get((loop, above)), above, loop, outline)
            for above in turns
        )
        turns = list(islice(chain.from_iterable(inside), MOST_TURNS))
    return turns


def _iterate(
    told: Execution | None, numbers: set[int] | None, above: Turns, loop: Place, outline: Outline
) -> list[Turns]:
    if not outline.is_loop(loop) and (told is None or told.turns is None):
        return [above]
    known = {*range(min((told and told.turns) or 0, MOST_TURNS)), *(numbers or ())}
    return [(*above, number) for number in sorted(known)] or [above]


def _is_left_out(outline: Outline, found: Found, spot: Spot) -> bool:
    """Whether a group around a task, or the task, was not run: its condition does not hold."""
    place, turns = spot
    for length in range(1, len(place)):
        around = [
            found[place[:length], turns[:count]]
            for count in range(len(turns) + 1)
            if (place[:length], turns[:count]) in found
        ]
        if any(one.state is State.SKIPPED for one in around):
            return True
        # A loop over nothing has no iterations.
        if around and outline.is_loop(place[:length]) and around[0].turns == 0:
            return around[0].state.has_ended
    return False
