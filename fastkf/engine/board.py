"""Where the steps of a run are, while it runs."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from fastkf.package.graph import Place
from fastkf.runs.model import State, Step
from fastkf.runs.turns import Turns, gather, name_turn


def name_attempt(name: str, number: int) -> str:
    """The name of an attempt of a step, from 1."""
    return f"{name}.try-{number}"


class Board:
    """The steps of a run by their place: the path of task names that leads to them.

    A step in a loop is one step with one below it for each iteration; in a loop of a loop, for each
    iteration of both. `Turns` are the numbers of the iterations, from the outermost loop.

    Args:
        steps: place to step, in the order in which they are shown.
        on_step: called when a step has changed, from any thread, by one thread at a time.
    """

    def __init__(self, steps: Mapping[Place, Step], on_step: Callable[[Step], None]):
        self._steps = dict(steps)
        self._turns: dict[Place, dict[Turns, Step]] = {place: {} for place in steps}
        self._on_step = on_step
        self._lock = threading.Lock()

    @property
    def steps(self) -> tuple[Step, ...]:
        with self._lock:
            return tuple(self._steps.values())

    @property
    def executions(self) -> tuple[Step, ...]:
        """Each step that runs something: a loop's iterations in the place of their step."""
        return tuple(one for step in self.steps for one in step.executions)

    def step(self, place: Place, turns: Turns) -> Step:
        with self._lock:
            return self._turns[place][turns] if turns else self._steps[place]

    def change(self, place: Place, turns: Turns, **changes: Any) -> Step:
        """Changes the step; returns it as it is now."""
        with self._lock:
            if turns:
                changed = replace(self._turns[place][turns], **changes)
                self._turns[place][turns] = changed
                self._steps[place] = gather(self._steps[place], self._turns[place])
            else:
                changed = self._steps[place] = replace(self._steps[place], **changes)
            self._on_step(self._steps[place])
        return changed

    def attempt(self, place: Place, turns: Turns, **changes: Any) -> None:
        """Adds an attempt to a step, as it has ended."""
        step = self.step(place, turns)
        name = name_attempt(step.name, len(step.attempts) + 1)
        attempt = Step(name, step.task, inputs=step.inputs, **changes)
        self.change(place, turns, attempts=(*step.attempts, attempt))

    def repeat(self, places: Iterable[Place], turns: Turns, count: int) -> None:
        """Notes that a loop around the steps has `count` iterations."""
        with self._lock:
            for place in places:
                step, below = self._steps[place], self._turns[place]
                below.pop(turns, None)
                for number in range(count):
                    inside = (*turns, number)
                    below[inside] = Step(name_turn(step.name, inside), step.task, step.after)
                self._steps[place] = gather(step, below)

    def skip(self, places: Iterable[Place], turns: Turns) -> None:
        """Leaves out the steps that have not started."""
        for place in places:
            with self._lock:
                waiting = [
                    one
                    for one in self._turns[place] or {(): self._steps[place]}
                    if one[: len(turns)] == turns
                ]
            for one in waiting:
                if self.step(place, one).state is State.PENDING:
                    self.change(place, one, state=State.SKIPPED)
