"""Which labs will run on a cluster, and what the others lack."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fastkf.base.diagnosis import Check
from fastkf.cluster.errors import ClusterError
from fastkf.cluster.look import images, room
from fastkf.cluster.look.deployments import KUBEFLOW
from fastkf.cluster.look.kubectl import Kubectl
from fastkf.cluster.look.store import BUCKET, NAME, has_object
from fastkf.cluster.target import Client

COMPONENTS = ("fetch_data", "decision_tree", "logistic_regression", "compare")
COMPONENT_IMAGES = [f"{images.LOADED}/fast-kubeflow/{one}:1.0" for one in COMPONENTS]
NOTEBOOK_IMAGE = f"{images.LOADED}/fast-kubeflow/notebook:1.0"
ENTRIES = ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
MAKE_SECRET = "labs/object_storage/README.md, Lab 08: kubectl create secret generic object-store"
TWO_WORKERS, A_TRIAL, A_SERVER = 0.5, 0.5, 0.1  # processors that the labs' manifests ask for
# What stands in the way of each pipeline, when it is red.
PIPELINES = ("Kubeflow", "Namespace", "Sign-in", "Permissions", "Artifact store", "Deployments")
DECISIVE = ("Kubeflow", "Artifact store")  # where nothing is known of them, nothing is promised


@dataclass
class Seen:
    """What the looks before have found.

    Attributes:
        kinds: those that somebody has added to the cluster; None when it was not told.
        own_image: whether the image that was looked at is one of the user's choice.
    """

    client: Client | None = None
    cluster: Kubectl = field(default_factory=Kubectl)
    kinds: list[str] | None = None
    own_image: bool = False
    checks: dict[str, Check] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """Where the user's objects are."""
        return (self.client.namespace if self.client else "") or KUBEFLOW


@dataclass(frozen=True)
class Outlook:
    """Whether a lab will run.

    Attributes:
        runs: None when that cannot be known from here.
        lacks: what is missing, or not known, with what to do.
    """

    lab: str
    runs: bool | None
    lacks: str = ""


Need = Iterator[tuple[bool | None, str]]  # what is missing (False), or not known (None)


def judge_labs(seen: Seen) -> list[Outlook]:
    """The labs in their order; none when there is no server, or it is this machine's."""
    if seen.client is None or seen.client.health.is_local:
        return []
    return [judge(seen, lab, *needs) for lab, needs in LABS.items()]


def judge(seen: Seen, lab: str, *needs: Callable[[Seen], Need]) -> Outlook:
    found = [one for need in needs for one in need(seen)]
    lacks = [text for is_there, text in found if is_there is False]
    unknown = [text for is_there, text in found if is_there is None]
    runs = False if lacks else (None if unknown else True)
    return Outlook(lab, runs, "; ".join(dict.fromkeys(lacks or unknown)))


def pipelines(seen: Seen) -> Need:
    for name in PIPELINES:
        check = seen.checks.get(name)
        if check and (check.ok is False or (check.ok is None and name in DECISIVE)):
            yield check.ok, f"{name}: see above"


def step_image(seen: Seen) -> Need:
    check = seen.checks.get(images.NAME)
    if not seen.own_image:
        yield None, "the step image, with the data in it: name it with --image"
    elif check and not check.ok:
        yield check.ok, "the step image: see above"


def in_nodes(how: str, *names: str) -> Callable[[Seen], Need]:
    """Images that a guide has one build and load; a manifest that names others needs none."""

    def need(seen: Seen) -> Need:
        found = images.have_all(seen.cluster, list(names))
        if not found:
            what = "its images" if len(names) > 1 else f"its image {names[0]}"
            unknown = "" if found is False else "whether the nodes have "
            yield found, f"{unknown}{what}: {how}"

    return need


def kind(name: str, part: str, guide: str) -> Callable[[Seen], Need]:
    def need(seen: Seen) -> Need:
        if seen.kinds is None:
            yield None, f"{part}: not looked at"
        elif name not in seen.kinds:
            yield False, f"{part} ({guide})"
        else:
            for check in seen.checks.values():
                if check.name.startswith(part) and not check.ok:
                    yield check.ok, f"{check.name}: see above"

    return need


def training(seen: Seen) -> Need:
    """Trainer, or its predecessor."""
    guide = "labs/distributed_training/README.md"
    newer = kind("trainjobs.trainer.kubeflow.org", "Trainer", guide)
    older = kind("tfjobs.kubeflow.org", "Training Operator", guide)
    lacking = list(newer(seen))
    if lacking and list(older(seen)):
        yield from lacking


def volumes(seen: Seen) -> Need:
    found = room.has_volumes(seen.cluster)
    if not found:
        yield found, "a default class of volumes: kubectl get storageclasses"


def processors(wanted: float) -> Callable[[Seen], Need]:
    def need(seen: Seen) -> Need:
        free = room.find_free_processors(seen.cluster)
        if free is None:
            yield None, f"{wanted:g} processors free on a node: not looked at"
        elif free < wanted:
            yield False, f"{wanted:g} processors on a node, {max(free, 0):.2f} are free"

    return need


def lab_secret(seen: Seen) -> Need:
    entries = room.list_entries(seen.cluster, seen.namespace, "object-store")
    if entries is None:
        yield None, f"whether the Secret object-store is in {seen.namespace} was not told"
    elif lacking := [one for one in ENTRIES if one not in entries]:
        what = f"entries {', '.join(lacking)} of the Secret" if entries else "the Secret"
        yield False, f"{what} object-store in {seen.namespace} ({MAKE_SECRET})"


def model_keys(seen: Seen) -> Need:
    entries = room.list_entries(seen.cluster, seen.namespace, "models-s3")
    if not entries:
        found = None if entries is None else False
        yield found, f"the Secret models-s3 in {seen.namespace} (labs/kserve/README.md, 2)"


def stored(name: str, how: str) -> Callable[[Seen], Need]:
    def need(seen: Seen) -> Need:
        own = f"private/{seen.client.namespace}/" if seen.client and seen.client.namespace else ""
        key = f"{own}{name}"
        store = seen.checks.get(NAME)
        try:  # a store that is not known to answer is not asked again
            client = seen.client if store is None or store.ok else None
            found = has_object(client, key) if client else None
        except ClusterError:
            found = None
        if not found:
            yield found, f"s3://{BUCKET}/{key} ({how})"

    return need


TABLE = stored("datasets/titanic/titanic.csv", "labs/object_storage/README.md, Lab 08: 1")
MODEL = stored("models/titanic/model.joblib", "labs/kserve/README.md, 1")
LABS: dict[str, tuple[Callable[[Seen], Need], ...]] = {
    "01_first_pipeline": (pipelines,),
    "01b_custom_images": (
        pipelines,
        in_nodes("labs/custom_images/build.sh --kind kubeflow", *COMPONENT_IMAGES),
    ),
    "02_titanic": (pipelines, step_image),
    "03_mnist_cnn": (pipelines, step_image),
    "04_nlp_lstm": (pipelines, step_image),
    "05_distributed_training": (pipelines, step_image),
    "05, its TrainJob": (
        training,
        in_nodes("labs/distributed_training/README.md", "fast-kubeflow/mnist-training:1.0"),
        volumes,
        processors(TWO_WORKERS),
    ),
    "06_katib": (pipelines,),
    "06, its Experiment": (
        kind("experiments.kubeflow.org", "Katib", "labs/katib/README.md"),
        in_nodes("labs/katib/README.md", "katib-digits:1.0"),
        processors(A_TRIAL),
    ),
    "07_kserve": (pipelines, step_image),
    "07, its service": (
        kind("inferenceservices.serving.kserve.io", "KServe", "labs/kubeflow_on_kind.md"),
        model_keys,
        MODEL,
        processors(A_SERVER),
    ),
    "08_object_storage": (pipelines, step_image, lab_secret, TABLE),
    "09_control_flow": (pipelines, step_image),
    "10_drift": (pipelines, step_image),
    "11_trainer": (pipelines, step_image),
    "12_language_model": (pipelines, step_image),
    "notebook server": (
        kind("notebooks.kubeflow.org", "Notebooks", "labs/kubeflow_on_kind.md"),
        in_nodes("labs/kubeflow_notebooks/README.md", NOTEBOOK_IMAGE),
        volumes,
        processors(A_TRIAL),
    ),
}
