"""Where the steps of a run are, while it runs."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from fastkf.base.masks import Mask
from fastkf.package.graph import Place
from fastkf.runs.hidden import hide
from fastkf.runs.model import State, Step
from fastkf.runs.turns import Turns, gather, name_turn

GRACE, SHARE = 0.2, 0.05  # seconds, and part of all time, in which loops are told of


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
        mask: what nobody is to see of what steps are given, make and say.
    """

    def __init__(
        self,
        steps: Mapping[Place, Step],
        on_step: Callable[[Step], None],
        mask: Mask | None = None,
    ):
        self._steps, self._mask = dict(steps), mask
        self._turns: dict[Place, dict[Turns, Step]] = {place: {} for place in steps}
        self._on_step = on_step
        self._lock = threading.Lock()
        self._began, self._spent = time.monotonic(), 0.0
        self._stale: set[Place] = set()
        self._unfinished = dict.fromkeys(steps, 0)

    @property
    def steps(self) -> tuple[Step, ...]:
        with self._lock:
            for place in self._stale:
                self._steps[place] = gather(self._steps[place], self._turns[place])
            self._stale.clear()
            return tuple(self._steps.values())

    @property
    def executions(self) -> tuple[Step, ...]:
        """Each step that runs something: a loop's iterations in place of their step."""
        return tuple(one for step in self.steps for one in step.executions)

    def step(self, place: Place, turns: Turns) -> Step:
        with self._lock:
            return self._turns[place][turns] if turns else self._steps[place]

    def change(self, place: Place, turns: Turns, **changes: Any) -> Step:
        """Changes the step; returns it as it is now."""
        changes = hide(changes, self._mask) if self._mask else changes
        with self._lock:
            if turns:
                before = self._turns[place][turns]
                changed = self._turns[place][turns] = replace(before, **changes)
                self._unfinished[place] -= changed.state.has_ended - before.state.has_ended
                self._tell_of_loop(place)
            else:
                changed = self._steps[place] = replace(self._steps[place], **changes)
                self._on_step(self._steps[place])
        return changed

    def _tell_of_loop(self, place: Place) -> None:
        """Tells of a step with all its iterations, unless that takes too much of the time.

        What each change costs grows with the iterations, of which each changes. The last change is
        always told.
        """
        now = time.monotonic()
        self._stale.add(place)
        if self._unfinished[place] and self._spent > GRACE + SHARE * (now - self._began):
            return
        self._stale.discard(place)
        self._steps[place] = gather(self._steps[place], self._turns[place])
        self._on_step(self._steps[place])
        self._spent += time.monotonic() - now

    def attempt(self, place: Place, turns: Turns, **changes: Any) -> None:
        """Adds an attempt to a step, as it has ended."""
        step = self.step(place, turns)
        name = name_attempt(step.name, len(step.attempts) + 1)
        changes = hide(changes, self._mask) if self._mask else changes
        attempt = Step(name, step.task, inputs=step.inputs, **changes)
        self.change(place, turns, attempts=(*step.attempts, attempt))

    def repeat(self, places: Iterable[Place], turns: Turns, count: int) -> None:
        """Notes that a loop around the steps has `count` iterations."""
        with self._lock:
            for place in places:
                step, below = self._steps[place], self._turns[place]
                self._unfinished[place] += count - (below.pop(turns, None) is not None)
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
