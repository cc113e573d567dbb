"""Will the steps find their image: in a registry, or in the nodes that it was loaded into?"""

import os

from fastkf.base.diagnosis import Check
from fastkf.base.errors import UsageError
from fastkf.cluster import registry
from fastkf.cluster.look.kubectl import Kubectl, NotSeenError
from fastkf.cluster.target import Client
from fastkf.notebook.reading.settings import DEFAULT_IMAGE, IMAGE_VARIABLE

NAME = "Step image"
LISTED = 50  # so many of a node's images, the largest, does it tell of
LOADED = "localhost"  # an image of this registry was loaded into the nodes
LOAD = (
    "docker image save --platform linux/amd64 {0} -o image.tar && kind load image-archive "
    "image.tar --name kubeflow"
)
LOOK = "kubectl get nodes -o jsonpath='{.items[*].status.images[*].names}'"


def check_image(client: Client, image: str | None, cluster: Kubectl | None = None) -> Check:
    if client.health.is_local:
        return Check(NAME, True, "none needed: steps run in this environment")
    chosen = image or find_default()
    try:
        reference = registry.read_reference(chosen)
        in_nodes, told = find_in_nodes(cluster or Kubectl(), reference)
        if reference[0] == LOADED or in_nodes:
            return _judge_nodes(chosen, in_nodes, told)
        found, told = registry.find_image(chosen)
    except UsageError as error:
        remedy = "Name another: fastkf doctor --cluster --image registry/team/name:tag"
        return Check(NAME, False, str(error), remedy)
    if found:
        return Check(NAME, True, f"{chosen}: {told}")
    remedy = (
        f"Push it (docker push {chosen}), or name another with --image."
        if found is False
        else (
            "The cluster may still reach it: kubectl run try --rm -it --restart=Never "
            f"--image={chosen} -- python --version"
        )
    )
    return Check(NAME, found, f"{chosen}: {told}", remedy)


def find_default() -> str:
    """Kale's, for a notebook whose steps name none."""
    return os.environ.get(IMAGE_VARIABLE) or DEFAULT_IMAGE


def find_in_nodes(cluster: Kubectl, reference: tuple[str, str, str]) -> tuple[bool | None, str]:
    """Whether the nodes of kubectl's cluster have an image, None when it is not told; in words."""
    registry_name, name, tag = reference
    wanted = f"{registry_name}/{name}{'@' if tag.startswith('sha256:') else ':'}{tag}"
    try:
        nodes = cluster.list_items("get", "nodes")
        images = [one["status"].get("images") or [] for one in nodes]
        having = [any(wanted in (one.get("names") or []) for one in each) for each in images]
        sure = [has or len(each) < LISTED for has, each in zip(having, images, strict=True)]
    except NotSeenError as error:
        return None, f"whether the nodes have it is not known: {error}"
    except (LookupError, TypeError, AttributeError):
        return None, "the nodes do not report their images"
    count = f"{sum(having)} of {len(nodes)} nodes"
    if nodes and all(having):
        return True, f"{count} have it"
    if not nodes or not all(sure):
        return None, f"{count} say that they have it; each reports {LISTED} images only"
    return (None if any(having) else False), f"{count} have it"


def _judge_nodes(chosen: str, found: bool | None, told: str) -> Check:
    if found:
        return Check(NAME, True, f"{chosen}: {told}")
    where = f"Look: {LOOK}. " if found is None else ""
    load = f"With kind, load it: {LOAD.format(chosen)}"
    return Check(NAME, found, f"{chosen}: {told}", f"{where}{load}")


def have_all(cluster: Kubectl, images: list[str]) -> bool | None:
    """Whether the nodes have all images of a list."""
    found = [find_in_nodes(cluster, registry.read_reference(one))[0] for one in images]
    return False if False in found else (None if None in found else True)
