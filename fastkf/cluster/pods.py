"""The names of a run's pods, also of those that nobody has told.

Argo calls a pod WORKFLOW-TEMPLATE-NUMBER. The number is the FNV-1a hash of its node's name, and
that is the path of tasks that leads to it: `flow(0).root(0).train(0).executor(0)`. A `(0)` is the
attempt; before Kubeflow Pipelines 2.17, without retries for all nodes, there is none. The task of
an exit handler is below what it waits for: `flow(0).root(0).exit-handler-1.onExit(0).tell(0)...`.
The steps whose pods get labels or annotations have templates of their own since 2.15.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

from fastkf.cluster.executions import Spot
from fastkf.cluster.outline import Outline
from fastkf.cluster.tasks import STATES, task_details
from fastkf.package.graph import Place
from fastkf.runs.model import State

EXECUTOR, DRIVER = "executor", "driver"
IMPLEMENTATION = "system-container-impl"  # the template of a step's own container
POD = re.compile(
    r"(.+?)-(?:metadata-\d+-\d+-)?(?:retry-)?"
    r"system-(?:container-impl|container-driver|dag-driver|importer)-\d+"
)
ATTEMPT = re.compile(r"\(\d+\)")
LONGEST_PREFIX = 242  # letters; of 253 that a name may have, Argo keeps some for the number
MOST_GUESSES = 6


class PodNames:
    """Learns from what a server tells of a run how its pods are called.

    Attributes:
        workflow: the name of Argo's, with which they begin; "" while it is not known.
    """

    def __init__(self, outline: Outline):
        self._outline = outline
        self.workflow = ""
        self._failed: set[str] = set()
        self._numbers: dict[str, list[str]] = {}  # a node's name to those of its pods

    def learn(self, run, pods: Iterable[str]) -> None:
        """Takes note of a run as the API has it, and of the pods that are told."""
        numbers: dict[str, list[str]] = defaultdict(list)
        for detail in task_details(run):
            if STATES.get(str(detail.state).upper()) is State.FAILED:
                self._failed.add(detail.display_name or "")
            ids = [one.pod_name for one in detail.child_tasks or [] if one.pod_name]
            # The later ones are of later attempts.
            if STATES.get(str(detail.state).upper()) is not State.SUCCEEDED:
                numbers[detail.display_name or ""] += [one.rpartition("-")[2] for one in ids[::-1]]
            if ids and not self.workflow:
                self.workflow = ids[0].rpartition("-")[0]
        for pod in pods:
            if found := POD.fullmatch(pod):
                self.workflow = found[1]
        self._numbers = dict(numbers)

    def guess(self, spot: Spot, part: str) -> list[str]:
        """The names that the pod of a task's container, or of its driver, may have.

        Args:
            spot: the place of a task or group; of the pipeline itself ().
            part: EXECUTOR or DRIVER.
        """
        if not self.workflow:
            return []
        nodes = self._list_nodes(spot, part)
        templates = self._list_templates(spot, part)
        prefixes = [f"{self.workflow}-{one}"[:LONGEST_PREFIX] for one in templates]
        computed = [str(_hash(".".join(one + attempt for one in nodes))) for attempt in ("(0)", "")]
        told = self._numbers.get(nodes[-1], [])
        sure = [one for one in told if one in computed]
        numbers = dict.fromkeys(sure or computed + told)
        return [f"{prefix}-{one}" for one in numbers for prefix in prefixes][:MOST_GUESSES]

    def is_going(self, spot: Spot, part: str) -> bool:
        """Whether the API tells of pods of a node of this name, and of no success."""
        return bool(self._numbers.get(self._list_nodes(spot, part)[-1]))

    def has_failed(self, spot: Spot, part: str) -> bool:
        """Whether the API tells so of a node of this name."""
        return self._list_nodes(spot, part)[-1] in self._failed

    def is_alone(self, spot: Spot) -> bool:
        """Whether one pod is all of a task, without another one that prepares it."""
        return self._outline.is_importer(spot[0]) or self._outline.is_stub(spot[0])

    def fits(self, spot: Spot, part: str, node: str) -> bool:
        """Whether a node is the one of this part of a task.

        Args:
            node: its name, as a pod's annotation has it.
        """
        return ATTEMPT.sub("", node) == ".".join(self._list_nodes(spot, part))

    def _list_nodes(self, spot: Spot, part: str) -> list[str]:
        """The names of the nodes from the workflow to a part of a task, without attempts."""
        place, turns = spot
        if not place:
            return [self.workflow, "root-driver"]
        nodes, left = [self.workflow, "root"], list(turns)
        for length in range(1, len(place)):
            nodes += [*self._hook(place[:length]), place[length - 1]]
            if self._outline.is_loop(place[:length]) and left:
                number = left.pop(0)
                nodes += [f"iteration-iterations({number}:{number})", "iteration-item"]
        nodes += self._hook(place)
        if self.is_alone(spot):
            return [*nodes, place[-1]]
        if part == EXECUTOR:
            return [*nodes, place[-1], "executor"]
        if not self._outline.is_loop(place):
            return [*nodes, f"{place[-1]}-driver"]
        if left:  # an iteration's
            item = f"iteration-iterations({left[0]}:{left[0]})"
            return [*nodes, place[-1], item, "iteration-item-driver"]
        return [*nodes, place[-1], "iteration-driver"]

    def _hook(self, place: Place) -> list[str]:
        hook = self._outline.find_hook(place)
        return [f"{hook}.onExit"] if hook else []

    def _list_templates(self, spot: Spot, part: str) -> list[str]:
        """The one of a server of today first."""
        name = self._template(spot, part)
        marks = self._outline.count_marks(spot[0]) if name.endswith(IMPLEMENTATION) else None
        return [f"metadata-{marks[0]}-{marks[1]}-{name}", name] if marks else [name]

    def _template(self, spot: Spot, part: str) -> str:
        place, _ = spot
        if self._outline.is_importer(place):
            return "system-importer"
        if self._outline.is_stub(place):
            return "system-container-driver"
        if part == EXECUTOR:
            retry = "retry-" if self._outline.is_retried(place) else ""
            return f"{retry}{IMPLEMENTATION}"
        return "system-dag-driver" if self._outline.is_group(place) else "system-container-driver"


def _hash(text: str) -> int:
    """FNV-1a, of 32 bits."""
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value
