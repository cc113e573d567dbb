"""What `fastkf doctor --cluster` looks at: is a Kubeflow ready for the labs, and what to fix."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import kfp_server_api

from fastkf.base.diagnosis import Check
from fastkf.base.errors import FastkfError, UsageError
from fastkf.cluster import metrics, registry
from fastkf.cluster.errors import (
    ClusterError,
    ForbiddenError,
    NamespaceNeededError,
    SignInNeededError,
)
from fastkf.cluster.target import Client, Endpoint, connect, find_host
from fastkf.notebook import kale

OLDEST = (2, 15)  # of Kubeflow Pipelines, that the guides install
KUBEFLOW = "kubeflow"  # the namespace that Kubeflow Pipelines runs in
DEPLOYMENTS = ("ml-pipeline", "ml-pipeline-ui", "workflow-controller")
METADATA = ("metadata-grpc-deployment", "metadata-envoy-deployment")
STORES = ("seaweedfs", "minio")
BUCKET = "mlpipeline"
NO_KEY = re.compile(r"NoSuchKey|specified key does not exist", re.I)
KUBECTL_SECONDS = 15


def examine(server: Endpoint, image: str | None = None) -> Iterator[Check]:
    """Looks at the server, one thing after the other; what hinders the rest ends it.

    Raises:
        UsageError: no server is named, or options that do not fit together.
    """
    host, named_by = find_host(server.host)
    try:
        client = connect(server)
    except NamespaceNeededError as error:
        yield Check("Namespace", False, "not known", str(error))
        return
    except UsageError:
        raise
    except FastkfError as error:
        yield explain_failure(host, named_by, error)
        yield check_deployments()
        return
    yield check_version(client, named_by)
    for name, check in CHECKS.items():
        try:
            yield check(client)
        except ClusterError as error:
            yield Check(name, False, str(error), "Mend that, then look again.")
    yield check_image(client, image)
    if not client.health.is_local:
        yield check_deployments()


def explain_failure(host: str, named_by: str, error: FastkfError) -> Check:
    """The finding of a server that cannot be reached, or does not let one in."""
    problem = error.fault if isinstance(error, ClusterError) else error.problem
    name = "Sign-in" if isinstance(error, SignInNeededError | ForbiddenError) else "Kubeflow"
    return Check(
        name, False, f"{host} ({named_by}): {problem}", error.remedy or f"Check {named_by}."
    )


def check_version(client: Client, named_by: str) -> Check:
    health, where = client.health, f"{client.connection.host} ({named_by})"
    detail = f"Pipelines {health.version} answers at {where}, {client.connection.credentials.name}"
    version = re.match(r"v?(\d+)\.(\d+)", health.version)
    if version and tuple(map(int, version.groups())) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        remedy = f"Install {oldest} or newer: the labs' packages are made for it."
        return Check("Kubeflow", int(version[1]) >= 2 and None, detail, remedy)
    return Check("Kubeflow", True, detail)


def check_namespace(client: Client) -> Check:
    if not client.health.multi_user:
        return Check("Namespace", True, "none needed: one user")
    service = kfp_server_api.ExperimentServiceApi(client.connection)
    try:
        service.experiment_service_list_experiments(namespace=client.namespace, page_size=1)
    except (ForbiddenError, SignInNeededError) as error:
        remedy = "Name another with --namespace, or have its owner add you (Manage Contributors)."
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
    return "Ask the owner of the namespace for the role kubeflow-edit (Manage Contributors)."


def check_metadata(client: Client) -> Check:
    """Where the metrics of runs are read."""
    if client.health.is_local:
        return Check("Metadata", True, "the server gives metrics itself")
    try:
        metrics.fetch_metrics(client.connection, "fastkf-doctor", [])
    except ClusterError as error:
        remedy = (
            "Runs work, but fastkf cannot show their metrics. Give --host the address of the "
            "pages, and look whether metadata-grpc and metadata-envoy are up."
        )
        return Check("Metadata", None, str(error), remedy)
    return Check("Metadata", True, "metrics can be read")


def check_store(client: Client) -> Check:
    """Asks the pages for an object that is not there: a store that is up says so."""
    if client.health.is_local:
        return Check("Artifact store", True, "a folder of this machine")
    query = {"source": "minio", "bucket": BUCKET, "key": "fastkf-doctor"}
    query |= {"namespace": client.namespace} if client.namespace else {}
    address = f"{client.connection.pages}/artifacts/get"
    answer = client.connection.request_page("GET", address, params=query)
    text = answer.text.strip()
    is_page = "html" in answer.headers.get("content-type", "")
    if not is_page and (answer.is_success or NO_KEY.search(text)):
        return Check("Artifact store", True, f"answers, with the bucket {BUCKET}")
    if not is_page and answer.status_code >= 500:
        remedy = (
            f"Look at it: kubectl -n {KUBEFLOW} get pods -l app=seaweedfs (before Pipelines 2.15: "
            "app=minio), and at the secret mlpipeline-minio-artifact."
        )
        return Check("Artifact store", False, text.splitlines()[0][:200], remedy)
    remedy = "Give --host the address of the pages (ml-pipeline-ui), which read from the store."
    return Check("Artifact store", None, f"cannot be asked ({answer.status_code})", remedy)


CHECKS = {
    "Namespace": check_namespace,
    "Permissions": check_permissions,
    "Metadata": check_metadata,
    "Artifact store": check_store,
}


def check_image(client: Client, image: str | None) -> Check:
    if client.health.is_local:
        return Check("Step image", True, "none needed: steps run in this environment")
    chosen = image or default_image()
    try:
        found, told = registry.find_image(chosen)
    except UsageError as error:
        return Check("Step image", False, str(error), "Name another with --image.")
    if found:
        return Check("Step image", True, f"{chosen}: {told}")
    remedy = (
        "Push it, or name another with --image."
        if found is False
        else (
            "The cluster may still reach it: kubectl run try --rm -it --restart=Never "
            f"--image={chosen} -- python --version"
        )
    )
    return Check("Step image", found, f"{chosen}: {told}", remedy)


def default_image() -> str:
    """Kale's, for a notebook whose steps name none."""
    return os.environ.get("KALE_DEFAULT_BASE_IMAGE") or kale.default_image()


def check_deployments() -> Check:
    """What runs in Kubeflow's namespace, where kubectl is at hand and has a cluster."""
    if shutil.which("kubectl") is None:
        remedy = "Only the API was looked at: https://kubernetes.io/docs/tasks/tools/"
        return Check("Deployments", None, "not looked at: there is no kubectl", remedy)
    command = f"kubectl -n {KUBEFLOW} get deployments -o json --request-timeout=9s".split()
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=KUBECTL_SECONDS,
        )
        if answer.returncode == 0:
            return judge_deployments(json.loads(answer.stdout)["items"])
        said = answer.stderr.strip().splitlines()[-1:] or ["kubectl failed"]
    except (OSError, ValueError, LookupError, TypeError, subprocess.TimeoutExpired) as error:
        said = [str(error)]
    remedy = "Only the API was looked at. `kubectl config use-context NAME` chooses a cluster."
    return Check("Deployments", None, f"not looked at: {said[0]}", remedy)


def judge_deployments(items: list[dict]) -> Check:
    """Which of the deployments that a run needs are missing or down."""
    ready = {item["metadata"]["name"]: _is_ready(item) for item in items}
    stores = [name for name in STORES if name in ready]
    needed = [*DEPLOYMENTS, *METADATA, *(stores or STORES[:1])]
    missing = [name for name in needed if name not in ready]
    down = [name for name in needed if ready.get(name) is False]
    if not missing and not down:
        return Check("Deployments", True, f"{len(needed)} of Kubeflow Pipelines are up")
    lists = {"missing": missing, "down": down}
    told = [f"{state}: {', '.join(names)}" for state, names in lists.items() if names]
    first = (down or missing)[0]
    remedy = f"kubectl -n {KUBEFLOW} describe deployment {first}; kubectl -n {KUBEFLOW} get events"
    return Check("Deployments", False if down else None, "; ".join(told), remedy)


def _is_ready(item: dict) -> bool:
    wanted = item.get("spec", {}).get("replicas", 1)
    return item.get("status", {}).get("availableReplicas", 0) >= wanted
