"""What of Kubeflow Pipelines runs in its namespace, where kubectl is at hand and has a cluster."""

from collections.abc import Iterable
from typing import Any

from fastkf.base.diagnosis import Check
from fastkf.cluster.look.kubectl import NOT_THERE, Kubectl, NotSeenError

KUBEFLOW = "kubeflow"  # the namespace that Kubeflow Pipelines runs in
NEEDED = ("ml-pipeline", "ml-pipeline-ui", "workflow-controller")
METADATA = ("metadata-grpc-deployment", "metadata-envoy-deployment")
STORES = ("seaweedfs", "minio")
# What else of Pipelines a run needs; on some platforms by other names, so only looked at if there.
OTHERS = (
    *("ml-pipeline-persistenceagent", "mysql", "metadata-writer", "cache-server"),
    *("cache-deployer-deployment", "ml-pipeline-scheduledworkflow", "ml-pipeline-viewer-crd"),
    "ml-pipeline-visualizationserver",
)


def check_deployments(cluster: Kubectl, with_metadata: bool = True) -> Check:
    """Which of the deployments that a run needs are missing or down.

    Args:
        with_metadata: whether this version has a metadata store of its own.
    """
    try:
        items = cluster.list_items("-n", KUBEFLOW, "get", "deployments")
        return judge_deployments(items, with_metadata, cluster.find_context())
    except NotSeenError as error:
        said = str(error)
    except (LookupError, TypeError, AttributeError) as error:
        said = f"kubectl answers in another form ({type(error).__name__})"
    if said == NOT_THERE:
        remedy = "Only the API was looked at: https://kubernetes.io/docs/tasks/tools/"
        return Check("Deployments", None, f"not looked at: {said}", remedy)
    remedy = "Only the API was looked at. `kubectl config use-context NAME` chooses a cluster."
    return Check("Deployments", None, f"not looked at: {said}", remedy)


def judge_deployments(items: list[dict[str, Any]], with_metadata: bool, context: str) -> Check:
    ready = read_states(items)
    stores = [name for name in STORES if name in ready]
    needed = [*NEEDED, *(METADATA if with_metadata else ()), *(stores or STORES[:1])]
    missing = [name for name in needed if name not in ready]
    down = [name for name in (*needed, *OTHERS) if ready.get(name) is False]
    where = f" (in kubectl's cluster {context})" if context else ""
    if not missing and not down:
        up = sum(name in ready for name in (*needed, *OTHERS))
        return Check("Deployments", True, f"{up} of Kubeflow Pipelines are up{where}")
    if not ready:
        detail = f"none in the namespace {KUBEFLOW}{where}: another cluster, or another namespace?"
        remedy = "kubectl config get-contexts; kubectl get deployments --all-namespaces"
        return Check("Deployments", None, f"missing: {', '.join(missing)}; {detail}", remedy)
    return Check(
        "Deployments",
        False if down else None,
        f"{tell(missing=missing, down=down)}{where}",
        advise(KUBEFLOW, (down or missing)[0]),
    )


def read_states(items: Iterable[dict[str, Any]]) -> dict[str, bool]:
    """The deployments by name, and whether each is up."""
    return {item["metadata"]["name"]: _is_up(item) for item in items}


def tell(**lists: list[str]) -> str:
    return "; ".join(f"{state}: {', '.join(names)}" for state, names in lists.items() if names)


def advise(namespace: str, name: str) -> str:
    return (
        f"kubectl -n {namespace} describe deployment {name}; kubectl -n {namespace} get events "
        f"--sort-by=.lastTimestamp; kubectl -n {namespace} rollout restart deployment/{name}"
    )


def _is_up(item: dict[str, Any]) -> bool:
    wanted = item.get("spec", {}).get("replicas", 1)
    return bool(item.get("status", {}).get("availableReplicas", 0) >= wanted)
