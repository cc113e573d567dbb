"""What a server tells of the parts of a run: its tasks, groups and iterations, as it calls them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from fastkf.cluster.outline import Outline
from fastkf.package.graph import Place
from fastkf.runs.model import Artifact, State, Values
from fastkf.runs.turns import Turns

# The parts of a run by the place of their task, and by the iterations of the loops around it.
Spot = tuple[Place, Turns]
Found = dict[Spot, "Execution"]
DEEPEST = 100  # pipelines inside each other


@dataclass(frozen=True)
class Execution:
    """One task of a run, a group of them, or one iteration of a loop.

    Attributes:
        id: as the server calls it; later ones have larger numbers.
        task: its name in the package, "" of the run's root.
        parent: the id of the group that it is in, "" of the root.
        pod: the pod that it runs in, "" before it has begun.
        driver: the pod that has prepared it, where it is told.
        namespace: of that pod, "" where it is not told.
        turn: which iteration of the loop above it this is; None of what is none.
        turns: how many iterations it has; None of what is no loop.
        reason: why it waits or has failed, where the server says so.
        is_cached: whether its outputs are those of an earlier run.
        made: its files: those of its outputs, and its log.
        artifact_ids: the same files where the API has only these of them.
    """

    id: str
    task: str
    state: State
    parent: str = ""
    is_group: bool = False
    started: datetime | None = None
    ended: datetime | None = None
    pod: str = ""
    driver: str = ""
    namespace: str = ""
    turn: int | None = None
    turns: int | None = None
    reason: str | None = None
    is_cached: bool = False
    inputs: Values | None = None
    outputs: Values | None = None
    made: dict[str, Artifact] = field(default_factory=dict)
    artifact_ids: tuple[str, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether its pod has not started."""
        return not self.is_group and not self.pod and not self.state.has_ended


def locate(executions: Iterable[Execution], outline: Outline) -> Found:
    """The executions by their places; of several at one place, the latest."""
    known = {one.id: one for one in executions}
    found: Found = {}
    for one in sorted(known.values(), key=_age):
        spot = _find_spot(one, known, outline)
        if spot is not None:
            found[spot] = one
    return found


def find_driven(spot: Spot, found: Found, outline: Outline) -> Spot:
    """What has to be prepared first for a task: the outermost part around it that has not begun."""
    place, turns = spot
    if not any(not one for one, _ in found):
        return (), ()  # the pipeline itself
    depth = 0
    for length in range(1, len(place)):
        group = place[:length]
        around = [(group, turns[:depth])]
        if outline.is_loop(group) and depth < len(turns):
            depth += 1
            around.append((group, turns[:depth]))
        for one in around:
            if one not in found:
                return one
    return spot


def _age(one: Execution) -> tuple[float, int, str]:
    number = int(one.id) if one.id.isdecimal() and len(one.id) < DEEPEST else 0
    return (one.started.timestamp() if one.started and not number else 0.0, number, one.id)


def _find_spot(one: Execution, known: dict[str, Execution], outline: Outline) -> Spot | None:
    """The place of an execution; None of one that no root is above."""
    line: list[Execution] = [one]
    while line[-1].parent in known:
        line.append(known[line[-1].parent])
        if len(line) > DEEPEST:
            return None
    place: Place = ()
    turns: Turns = ()
    above: Execution | None = None
    for part in reversed(line):
        if part.turn is not None:
            turns = (*turns, part.turn)
        # An iteration is called like its loop and is in its place.
        is_iteration = above is not None and part.turn is not None and part.task == above.task
        if part.task and not is_iteration:
            place = (*place, outline.key(place, part.task))
        above = part
    return place, turns
