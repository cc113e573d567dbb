"""The other parts of Kubeflow, where their kinds are known to the cluster: what each needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fastkf.base.diagnosis import Check
from fastkf.cluster.look import deployments
from fastkf.cluster.look.kubectl import Kubectl, NotSeenError

RELEASE = "https://github.com/kserve/kserve/releases/download/v0.20.0"
LABEL = "katib.kubeflow.org/metrics-collector-injection=enabled"
RUNTIMES = ("kserve-sklearnserver", "kserve-tensorflow-serving")
STANDARD = '{"data": {"deploy": "{\\"defaultDeploymentMode\\": \\"Standard\\"}"}}'
# Of a user's namespace, and the known kinds.
Extra = Callable[[Kubectl, str, list[str]], Iterator[Check]]


@dataclass(frozen=True)
class Part:
    """A part of Kubeflow.

    Attributes:
        kind: what the cluster knows where the part is installed, as PLURAL.GROUP.
        namespaces: where it may run; the first is that of an installation by itself.
        needed: the deployments without which it does nothing.
    """

    name: str
    kind: str
    namespaces: tuple[str, ...]
    needed: tuple[str, ...]
    others: tuple[str, ...] = ()
    extra: Extra | None = None


def look_at_parts(cluster: Kubectl, namespace: str, kinds: list[str]) -> Iterator[Check]:
    """A finding for each part that is there, and for what it needs beside its controllers.

    Args:
        namespace: where the user's objects will be.
        kinds: those that somebody has added to the cluster.
    """
    for part in PARTS:
        if part.kind not in kinds:
            continue
        yield check_part(cluster, part)
        if part.extra:
            try:
                yield from part.extra(cluster, namespace, kinds)
            except NotSeenError as error:
                remedy = f"Ask who runs this cluster to look: kubectl get {part.kind} -A"
                yield Check(part.name, None, f"not all of it may be looked at: {error}", remedy)


def check_part(cluster: Kubectl, part: Part) -> Check:
    """Are a part's deployments up?"""
    states: dict[str, bool] = {}
    place = part.namespaces[0]
    for place in part.namespaces:
        try:
            states = deployments.read_states(cluster.list_items("-n", place, "get", "deployments"))
        except (NotSeenError, LookupError, TypeError, AttributeError) as error:
            remedy = f"kubectl -n {place} get deployments"
            return Check(part.name, None, f"is installed; its pods: {error}", remedy)
        if part.needed[0] in states:
            break
    missing = [name for name in part.needed if name not in states]
    down = [name for name in (*part.needed, *part.others) if states.get(name) is False]
    if down:
        remedy = deployments.advise(place, down[0])
        return Check(part.name, False, deployments.tell(missing=missing, down=down), remedy)
    if missing:
        detail = (
            f"its kinds are there; {missing[0]} was not found in {' or '.join(part.namespaces)}"
        )
        remedy = f"kubectl get deployments --all-namespaces | grep -i {part.name.split()[-1]}"
        return Check(part.name, None, detail, remedy)
    return Check(part.name, True, f"is up, in {place}")


def check_katib(cluster: Kubectl, namespace: str, kinds: list[str]) -> Iterator[Check]:
    labelled = cluster.list_names("get", "namespaces", "-l", LABEL)
    if namespace in labelled:
        detail = f"metrics are read in {', '.join(labelled)}; there no pod starts without Katib"
        yield Check("Katib metrics", True, detail)
    else:
        where = f" (but in {', '.join(labelled)})" if labelled else ""
        remedy = f"kubectl label namespace {namespace} {LABEL}"
        yield Check("Katib metrics", None, f"not read in {namespace}{where}", remedy)


def check_kserve(cluster: Kubectl, namespace: str, kinds: list[str]) -> Iterator[Check]:
    runtimes = cluster.list_names("get", "clusterservingruntimes.serving.kserve.io")
    if missing := [one for one in RUNTIMES if one not in runtimes]:
        remedy = f"kubectl apply --server-side -f {RELEASE}/kserve-cluster-resources.yaml"
        yield Check("KServe runtimes", False, f"missing: {', '.join(missing)}", remedy)
    else:
        yield Check("KServe runtimes", True, "scikit-learn and TensorFlow Serving")
    words = ("get", "configmap", "inferenceservice-config", "-o", "jsonpath={.data.deploy}")
    mode = ""
    for place in ("kserve", deployments.KUBEFLOW):
        try:
            mode = cluster.ask("-n", place, *words)
            break
        except NotSeenError as error:
            if not error.is_missing:
                raise
    knative = any(kind.endswith("serving.knative.dev") for kind in kinds)
    if mode and not knative and not any(word in mode for word in ("Standard", "RawDeployment")):
        remedy = (
            f"kubectl -n {place} patch configmap inferenceservice-config --type=merge --patch "
            f"'{STANDARD}'; kubectl -n {place} rollout restart deployment/kserve-controller-manager"
        )
        yield Check("KServe mode", False, "it waits for Knative, which is not here", remedy)


def check_notebooks(cluster: Kubectl, namespace: str, kinds: list[str]) -> Iterator[Check]:
    if "poddefaults.kubeflow.org" not in kinds:
        return
    names = cluster.list_names("-n", namespace, "get", "poddefaults.kubeflow.org")
    if "access-ml-pipeline" in names:
        yield Check("Notebook access", True, f"servers in {namespace} may use Kubeflow Pipelines")
    else:
        remedy = f"kubectl apply -n {namespace} -f labs/kubeflow_notebooks/pod-defaults.yaml"
        detail = f"no PodDefault access-ml-pipeline in {namespace}: servers there get no token"
        yield Check("Notebook access", None, detail, remedy)


PARTS = (
    Part(
        *("Katib", "experiments.kubeflow.org", ("kubeflow",), ("katib-controller",)),
        ("katib-db-manager", "katib-mysql", "katib-ui"),
        check_katib,
    ),
    Part(
        *("KServe", "inferenceservices.serving.kserve.io", ("kserve", "kubeflow")),
        *(("kserve-controller-manager",), ("llmisvc-controller-manager",), check_kserve),
    ),
    Part(
        *("Trainer", "trainjobs.trainer.kubeflow.org", ("kubeflow-system", "kubeflow")),
        *(("kubeflow-trainer-controller-manager",), ("jobset-controller-manager",)),
    ),
    Part("Training Operator", "tfjobs.kubeflow.org", ("kubeflow",), ("training-operator",)),
    Part(
        *(
            "Notebooks",
            "notebooks.kubeflow.org",
            ("kubeflow",),
            ("notebook-controller-deployment",),
        ),
        ("jupyter-web-app-deployment", "admission-webhook-deployment"),
        check_notebooks,
    ),
)
