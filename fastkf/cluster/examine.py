"""What `fastkf doctor --cluster` looks at: is a Kubeflow ready for the labs, and what to fix."""

import os
from collections.abc import Iterator

import kfp_server_api

from fastkf.base.diagnosis import Check
from fastkf.base.errors import FastkfError, UsageError
from fastkf.cluster import metrics
from fastkf.cluster.errors import (
    ClusterError,
    ForbiddenError,
    NamespaceNeededError,
    NotOfferedError,
    SignInNeededError,
)
from fastkf.cluster.look.deployments import check_deployments
from fastkf.cluster.look.images import check_image
from fastkf.cluster.look.kubectl import NotSeenError
from fastkf.cluster.look.labs import Seen
from fastkf.cluster.look.parts import look_at_parts
from fastkf.cluster.look.store import check_store
from fastkf.cluster.look.users import look_at_users
from fastkf.cluster.target import Client, Endpoint, connect, find_host
from fastkf.cluster.versions import FIELD, KNOWING, STRICT, read_version
from fastkf.notebook.reading.settings import IMAGE_VARIABLE

LAST_WITH_METADATA = (2, 17)  # the last version with a metadata store of its own
AGAIN = "fastkf doctor --cluster"
INSTALL = (
    "kubectl apply -k "
    "github.com/kubeflow/pipelines/manifests/kustomize/env/platform-agnostic?ref=2.17.0"
)
WAY_IN = "kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80"
LOG = "kubectl -n kubeflow logs deployment/ml-pipeline --tail=50"
IMAGE = "kubectl -n kubeflow get deployment ml-pipeline -o jsonpath='{..image}'"
METADATA_REMEDY = (
    "Runs work, but fastkf cannot show their steps and metrics. Give --host the address of the "
    "pages, and look at kubectl -n kubeflow get pods -l component=metadata-grpc-server"
)


def examine(
    server: Endpoint, image: str | None = None, seen: Seen | None = None
) -> Iterator[Check]:
    """Looks at the server, one thing after the other; what hinders the rest ends it.

    Args:
        seen: gets what was found, for the table of the labs.

    Raises:
        UsageError: no server is named, or options that do not fit together.
    """
    seen = seen or Seen()
    for check in look(server, image, seen):
        seen.checks[check.name] = check
        yield check


def look(server: Endpoint, image: str | None, seen: Seen) -> Iterator[Check]:
    host, named_by = find_host(server.host)
    try:
        client = connect(server)
    except NamespaceNeededError as error:
        remedy = f"{error} Then: {AGAIN} --namespace NAME. Yours: kubectl get profiles"
        yield Check("Namespace", False, "not known", remedy)
        return
    except UsageError:
        raise
    except FastkfError as error:
        yield explain_failure(host, named_by, error)
        yield check_deployments(seen.cluster)
        return
    seen.client, seen.own_image = client, bool(image or os.environ.get(IMAGE_VARIABLE))
    yield check_version(client, named_by)
    for name, check in CHECKS.items():
        try:
            yield check(client)
        except ClusterError as error:
            remedy = f"Mend that, then look again: {AGAIN}. The server's log: {LOG}"
            yield Check(name, False, str(error), remedy)
    yield check_image(client, image, seen.cluster)
    if not client.health.is_local:
        yield check_deployments(seen.cluster, has_metadata(client))
        yield from look_further(client, seen)


def look_further(client: Client, seen: Seen) -> Iterator[Check]:
    """The other parts of Kubeflow, where kubectl has a cluster and they are in it."""
    try:
        seen.kinds = seen.cluster.list_kinds()
    except NotSeenError:  # as the line on the deployments says
        return
    yield from look_at_parts(seen.cluster, seen.namespace, seen.kinds)
    if client.health.multi_user:
        yield from look_at_users(seen.cluster, seen.namespace, seen.kinds)


def explain_failure(host: str, named_by: str, error: FastkfError) -> Check:
    """The finding of a server that cannot be reached, or does not let one in."""
    problem = error.fault if isinstance(error, ClusterError) else error.problem
    detail, remedy = f"{host} ({named_by}): {problem}", error.remedy or f"Check {named_by}."
    if isinstance(error, SignInNeededError | ForbiddenError):
        again = f"{AGAIN} --host {host} --dex-user NAME (or --token-file FILE, --namespace NAME)"
        return Check("Sign-in", False, detail, f"{remedy}. Then: {again}")
    if "port-forward" not in remedy:
        remedy += " The pods: kubectl -n kubeflow get pods; the port-forward: " + WAY_IN
    return Check("Kubeflow", False, detail, remedy)


def check_version(client: Client, named_by: str) -> Check:
    """Can this version start what Kale compiles?"""
    health, where = client.health, f"{client.connection.host} ({named_by})"
    detail = f"Pipelines {health.version} answers at {where}, {client.connection.credentials.name}"
    if health.is_local:
        return Check("Kubeflow", True, detail)
    version, least = read_version(health.version), ".".join(map(str, KNOWING))
    if version is None:
        remedy = f"The labs need {least} or newer; its image tells: {IMAGE}"
        return Check("Kubeflow", None, detail, remedy)
    if version >= KNOWING:
        return Check("Kubeflow", True, detail)
    install = f"Install {least} or newer, as labs/kubeflow_on_kind.md does: {INSTALL}"
    if version >= STRICT:
        detail += f"; it refuses every package of Kale's: {FIELD} is known from {least} on"
        return Check("Kubeflow", False, detail, install)
    detail += f"; it leaves {FIELD} out, so steps run as their image's user, mostly root"
    return Check("Kubeflow", version[0] >= 2 and None, detail, install)


def has_metadata(client: Client) -> bool:
    """Whether this version has a metadata store of its own, as far as it says which it is."""
    return (read_version(client.health.version) or LAST_WITH_METADATA) <= LAST_WITH_METADATA


def check_namespace(client: Client) -> Check:
    if not client.health.multi_user:
        return Check("Namespace", True, "none needed: one user")
    service = kfp_server_api.ExperimentServiceApi(client.connection)
    try:
        service.experiment_service_list_experiments(namespace=client.namespace, page_size=1)
    except (ForbiddenError, SignInNeededError) as error:
        remedy = (
            f"Name another ({AGAIN} --namespace NAME; yours: kubectl get profiles), or have its "
            "owner add you (Manage Contributors)."
        )
        return Check("Namespace", False, f"{client.namespace}: {error}", remedy)
    return Check("Namespace", True, client.namespace)


def check_permissions(client: Client) -> Check:
    """Lists what a submission reads; asks whether one may write, where the server tells."""
    connection = client.connection
    asked = {"page_size": 1} | ({"namespace": client.namespace} if client.namespace else {})
    lists = {
        "pipelines": kfp_server_api.PipelineServiceApi(connection).pipeline_service_list_pipelines,
        "runs": kfp_server_api.RunServiceApi(connection).run_service_list_runs,
    }
    for name, ask in lists.items():
        try:
            ask(**asked)
        except (ForbiddenError, SignInNeededError) as error:
            return Check("Permissions", False, f"{name} may not be read: {error}", advise_role())
    if not client.health.multi_user:
        return Check("Permissions", True, "pipelines and runs may be read; everyone may write")
    try:
        kfp_server_api.AuthServiceApi(connection).auth_service_authorize(
            namespace=client.namespace, resources="VIEWERS", verb="CREATE"
        )
    except (ForbiddenError, SignInNeededError) as error:
        return Check("Permissions", False, f"only reading is allowed: {error}", advise_role())
    except ClusterError:
        detail = "pipelines and runs may be read; whether you may write, the first run shows"
        return Check("Permissions", True, detail)
    return Check("Permissions", True, "pipelines and runs may be read and written")


def advise_role() -> str:
    return (
        "Ask the owner of the namespace for the role kubeflow-edit (Manage Contributors, or "
        "kubectl create rolebinding NAME -n NAMESPACE --clusterrole=kubeflow-edit --user=YOU)."
    )


def check_metadata(client: Client) -> Check:
    """Where the metrics of runs are read."""
    if client.health.is_local:
        return Check("Metadata", True, "the server gives metrics itself")
    try:
        metrics.fetch_metrics(client.connection, "fastkf-doctor", [])
    except NotOfferedError as error:
        if not has_metadata(client):
            return Check("Metadata", True, "the API keeps it itself, as versions after 2.17 do")
        return Check("Metadata", None, str(error), METADATA_REMEDY)
    except ClusterError as error:
        return Check("Metadata", None, str(error), METADATA_REMEDY)
    return Check("Metadata", True, "metrics can be read")


CHECKS = {
    "Namespace": check_namespace,
    "Permissions": check_permissions,
    "Metadata": check_metadata,
    "Artifact store": check_store,
}
