"""Labels and annotations of a pod by which Argo, which runs the steps on a cluster, finds it.

Argo puts its own on each pod, and then those that the step asks for, which take their places
(createWorkflowPod and addMetadata in workflow/controller/workflowpod.go). Its controller is told of
pods with the right labels only (newWorkflowPodWatch in workflow/controller/pod/controller.go), and
takes their states down by an annotation (nodeID in workflow/controller/operator.go): of any other
pod it never learns that it has started. Those that are not here change nothing for a run, such as
`pipeline/runid` and `pipelines.kubeflow.org/...`.
"""

from collections.abc import Iterator

from fastkf.package.model import Package
from fastkf.package.settings import for_executors

ARGO = "workflows.argoproj.io/"
LOST = "Argo finds the pods of a run by this one; it never sees the step, and the run does not end"
LEFT = "Argo leaves a step that has this one running when its run is terminated"
STOPPED = "Argo's controller stops at a value without `/`, for all runs of the cluster"
LABELS = {"workflow": LOST, "completed": LOST, "controller-instanceid": LOST, "on-exit": LEFT}
ANNOTATIONS = {"node-id": LOST, "pod-gc-strategy": STOPPED}


def find_harm(kind: str, key: str, value: object) -> str | None:
    """What goes wrong on a cluster with a label or an annotation; None: nothing that is known.

    Args:
        kind: `label` or `annotation`.
    """
    if (key, value) == (f"{ARGO}completed", "false") or not key.startswith(ARGO):
        return None
    harm = (LABELS if kind == "label" else ANNOTATIONS).get(key.removeprefix(ARGO))
    return None if harm is STOPPED and "/" in str(value) else harm


def list_harmful(package: Package) -> Iterator[tuple[str, str, str]]:
    """Component, as its author calls it, what its pod is given, and what comes of it."""
    for name, asked in for_executors(package).items():
        marks = asked.get("podMetadata") or {}
        for kind, field in (("label", "labels"), ("annotation", "annotations")):
            for key, value in (marks.get(field) or {}).items():
                if harm := find_harm(kind, key, value):
                    yield name.removeprefix("exec-"), f"{kind} {key}", harm
