"""The iterations of a step that is in a loop, or in a loop of a loop."""

from collections.abc import Mapping
from dataclasses import replace

from fastkf.runs.model import State, Step

# The numbers of the iterations, from the outermost loop.
Turns = tuple[int, ...]


def name_turn(name: str, turns: Turns) -> str:
    """The name of a step or task in an iteration; no other's, as Kubeflow's names have no dot."""
    return ".".join([name, *map(str, turns)])


def gather(step: Step, turns: Mapping[Turns, Step]) -> Step:
    """The step of a loop's body, as its iterations make it."""
    steps = tuple(turns[one] for one in sorted(turns))
    states = {one.state for one in steps}
    sources = [one.cached_from for one in steps]
    began = [one.started for one in steps if one.started]
    ends = [one.started.timestamp() + one.seconds for one in steps if one.started]
    failures = [one.failure for one in steps if one.failure]
    return replace(
        step,
        state=_gather_states(states),
        started=min(began, default=None),
        seconds=max(ends) - min(began).timestamp() if began else 0.0,
        failure=failures[0] if failures else None,
        steps=steps,
        cached_from=sources[0] if sources and all(sources) else None,
    )


def _gather_states(states: set[State]) -> State:
    if len(states) == 1:
        return states.pop()
    if not all(state.has_ended for state in states):
        return State.RUNNING
    return State.FAILED if State.FAILED in states else State.SUCCEEDED
