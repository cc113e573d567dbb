"""The tasks and groups of a package, by the task names that lead to them."""

from collections.abc import Mapping
from typing import Any

from fastkf.package.graph import Place
from fastkf.package.model import Package
from fastkf.package.settings import for_executors

ITERATORS = ("parameterIterator", "artifactIterator")
# Kubeflow's own program does what these stand for: it makes a volume, or takes one away.
STUBS = ("argostub/createpvc", "argostub/deletepvc")


class Outline:
    """What a package says of the tasks in it and of the groups around them.

    Attributes:
        package: whose outline it is.
        contents: place to the content of its task, those of groups too; a group is a loop, a
            condition, an exit handler or a pipeline inside the pipeline.
    """

    def __init__(self, package: Package):
        self.package = package
        self.contents: dict[Place, Mapping[str, Any]] = {}
        self._groups: set[Place] = set()
        self._executors: dict[Place, Mapping[str, Any]] = {}
        self._settings: dict[Place, Mapping[str, Any]] = {}
        self._keys: dict[tuple[Place, str], str] = {}
        self._read(package.spec.get("root") or {}, (), ())

    def key(self, above: Place, name: str) -> str:
        """The task's own name, where a server calls it as its author may have: by a title."""
        return name if (*above, name) in self.contents else self._keys.get((above, name), name)

    def is_loop(self, place: Place) -> bool:
        return any(self.contents.get(place, {}).get(kind) for kind in ITERATORS)

    def is_group(self, place: Place) -> bool:
        """Whether there are tasks below it; so it is with the pipeline's own place, ()."""
        return not place or place in self._groups

    def may_be_left_out(self, place: Place) -> bool:
        """Whether a run can succeed without it: it is in a condition or in a loop."""
        above = [place[: length + 1] for length in range(len(place))]
        return any(self.is_loop(one) or self._trigger(one).get("condition") for one in above)

    def runs_after_failures(self, place: Place) -> bool:
        """Whether it waits for an end of any kind, as the task of an exit handler does."""
        return self._trigger(place).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"

    def find_hook(self, place: Place) -> str | None:
        """The task in whose wake Argo starts this one, where it is that of an exit handler."""
        before = self.contents.get(place, {}).get("dependentTasks") or []
        return str(before[0]) if before and self.runs_after_failures(place) else None

    def is_importer(self, place: Place) -> bool:
        return "importer" in self._executors.get(place, {})

    def is_stub(self, place: Place) -> bool:
        """Whether nothing is left to do for it when it is prepared."""
        container = self._executors.get(place, {}).get("container") or {}
        return container.get("image") in STUBS

    def _trigger(self, place: Place) -> Mapping[str, Any]:
        return self.contents.get(place, {}).get("triggerPolicy") or {}

    def is_retried(self, place: Place) -> bool:
        return bool(self.contents.get(place, {}).get("retryPolicy"))

    def count_marks(self, place: Place) -> tuple[int, int] | None:
        """How many annotations and labels its pod is given; None: the package says nothing."""
        marks = self._settings.get(place, {}).get("podMetadata")
        if marks is None:
            return None
        return len(marks.get("annotations") or ()), len(marks.get("labels") or ())

    def _read(self, component: Mapping[str, Any], here: Place, around: tuple[str, ...]) -> None:
        executors = (self.package.spec.get("deploymentSpec") or {}).get("executors") or {}
        for key, content in ((component.get("dag") or {}).get("tasks") or {}).items():
            place = (*here, str(key))
            self.contents[place] = content
            title = (content.get("taskInfo") or {}).get("name")
            if isinstance(title, str):
                self._keys.setdefault((here, title), str(key))
            name = (content.get("componentRef") or {}).get("name", "")
            part = (self.package.spec.get("components") or {}).get(name) or {}
            if "dag" in part:
                self._groups.add(place)
            label = part.get("executorLabel", "")
            self._executors[place] = executors.get(label) or {}
            self._settings[place] = for_executors(self.package).get(label) or {}
            if name not in around:  # one in itself is never run
                self._read(part, place, (*around, name))
