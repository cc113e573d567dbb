"""Checks the objects of Kueue that the guide has, by the fields of its API `v1beta2`.

Only the fields that concern a quota are here, as read in Kueue's API reference.
"""

from typing import Literal

from pydantic import BaseModel, Field

from fastkf.base.manifests import find_misfits
from fastkf.package.quantities import read_quantity

API = "kueue.x-k8s.io/v1beta2"
Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Metadata(BaseModel):
    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    namespace: str = ""
    labels: dict[str, str] = {}


class Taint(BaseModel):
    key: str
    value: str = ""
    effect: Effect


class Toleration(BaseModel):
    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Effect | None = None


class FlavorSpec(BaseModel):
    nodeLabels: dict[str, str] = Field({}, max_length=8)
    nodeTaints: list[Taint] = Field([], max_length=8)
    tolerations: list[Toleration] = Field([], max_length=8)
    topologyName: str = ""


class Quota(BaseModel):
    name: str
    nominalQuota: str
    borrowingLimit: str = ""
    lendingLimit: str = ""


class Flavor(BaseModel):
    name: str
    resources: list[Quota] = Field(min_length=1)


class Group(BaseModel):
    coveredResources: list[str] = Field(min_length=1)
    flavors: list[Flavor] = Field(min_length=1)


class Selector(BaseModel):
    matchLabels: dict[str, str] = {}


class ClusterQueueSpec(BaseModel):
    resourceGroups: list[Group] = []
    cohortName: str = ""
    queueingStrategy: Literal["StrictFIFO", "BestEffortFIFO"] = "BestEffortFIFO"
    namespaceSelector: Selector | None = None
    stopPolicy: Literal["None", "Hold", "HoldAndDrain"] = "None"


class LocalQueueSpec(BaseModel):
    clusterQueue: str
    stopPolicy: Literal["None", "Hold", "HoldAndDrain"] = "None"


class ResourceFlavor(BaseModel):
    apiVersion: Literal["kueue.x-k8s.io/v1beta2"]
    kind: Literal["ResourceFlavor"]
    metadata: Metadata
    spec: FlavorSpec = FlavorSpec()


class ClusterQueue(BaseModel):
    apiVersion: Literal["kueue.x-k8s.io/v1beta2"]
    kind: Literal["ClusterQueue"]
    metadata: Metadata
    spec: ClusterQueueSpec


class LocalQueue(BaseModel):
    apiVersion: Literal["kueue.x-k8s.io/v1beta2"]
    kind: Literal["LocalQueue"]
    metadata: Metadata
    spec: LocalQueueSpec


KINDS = {one.__name__: one for one in (ResourceFlavor, ClusterQueue, LocalQueue)}


def check_kueue(manifest: dict) -> list[str]:
    """What is wrong with an object of Kueue."""
    misfits = find_misfits(manifest, KINDS[manifest["kind"]])
    if misfits or manifest["kind"] != "ClusterQueue":
        return misfits
    spec = manifest["spec"]
    return [
        problem
        for group in spec.get("resourceGroups", [])
        for flavor in group["flavors"]
        for problem in check_flavor(flavor, group["coveredResources"], "cohortName" in spec)
    ]


def check_flavor(flavor: dict, covered: list[str], in_cohort: bool) -> list[str]:
    """Each flavor lists the group's resources in their order; only a cohort lends and borrows."""
    problems, name = [], flavor["name"]
    if [one["name"] for one in flavor["resources"]] != covered:
        problems.append(f"flavor {name}: its resources are not coveredResources, in their order")
    for one in flavor["resources"]:
        try:
            read_quantity(one["nominalQuota"])
        except ValueError as error:
            problems.append(f"flavor {name}: {one['name']}: {error}")
        if not in_cohort and {"borrowingLimit", "lendingLimit"} & set(one):
            problems.append(f"flavor {name}: {one['name']}: a limit of borrowing without a cohort")
    return problems
