"""Is the artifact store up? Asked through the pages, for an object that is not there."""

import re

import httpx

from fastkf.base.diagnosis import Check
from fastkf.base.errors import first_line, shorten
from fastkf.cluster.target import Client

BUCKET = "mlpipeline"
SECONDS_TO_ANSWER = 15.0
NAME = "Artifact store"
# What says so differs: the pages of 2.17 (404), those before (500), and the stores behind them.
NO_OBJECT = re.compile(r"No objects found|NoSuchKey|specified key does not exist", re.I)
NO_BUCKET = re.compile(r"NoSuchBucket|bucket does not exist", re.I)
PAGE = re.compile(r"\s*<(!doctype|html)\b", re.I)
LOOK = (
    "kubectl -n kubeflow get pods -l app=seaweedfs (before Pipelines 2.15: app=minio); "
    "kubectl -n kubeflow get secret mlpipeline-minio-artifact"
)


def check_store(client: Client) -> Check:
    """What the store says by status and text: its pages send texts as text/html."""
    if client.health.is_local:
        return Check(NAME, True, "a folder of this machine")
    answer = fetch_object(client, f"{find_prefix(client)}fastkf-doctor")
    status, text = answer.status_code, answer.text
    said = shorten(first_line(text), 200) or "-"
    if NO_BUCKET.search(text):
        make = f"kubectl -n kubeflow rollout restart deployment/ml-pipeline makes it; else {LOOK}"
        return Check(NAME, False, f"it has no bucket {BUCKET}: {said}", make)
    if PAGE.match(text) or (status == 404 and not NO_OBJECT.search(text)):
        return _not_asked(
            client, f"cannot be asked ({status}): this is not the server of the pages"
        )
    if answer.is_success or NO_OBJECT.search(text):
        return Check(NAME, True, f"answers, with the bucket {BUCKET}{describe_place(client)}")
    if status in (400, 401, 403):
        return _not_asked(client, f"cannot be asked ({status}: {said})")
    return Check(NAME, False, said, f"Look at it: {LOOK}")


def has_object(client: Client, key: str) -> bool | None:
    """Whether the store has an object; None where its pages do not show it to everyone."""
    if client.health.multi_user:
        return None
    answer = fetch_object(client, key)
    if NO_OBJECT.search(answer.text[:2000]) and answer.status_code >= 400:
        return False
    return True if answer.is_success and not PAGE.match(answer.text[:200]) else None


def fetch_object(client: Client, key: str) -> httpx.Response:
    query = {"source": "minio", "bucket": BUCKET, "key": key, "peek": "256"}
    query |= {"namespace": client.namespace} if client.namespace else {}
    address = f"{client.connection.pages}/artifacts/get"
    request = client.connection.request_page
    return request("GET", address, params=query, timeout=SECONDS_TO_ANSWER)


def find_prefix(client: Client) -> str:
    """Where the pages show objects to this user."""
    return f"private-artifacts/{client.namespace}/" if client.namespace else ""


def describe_place(client: Client) -> str:
    """Where a user's own keys may write, where there are users."""
    if not client.namespace:
        return ""
    return f"; your keys may write below s3://{BUCKET}/private/{client.namespace}/ only"


def _not_asked(client: Client, detail: str) -> Check:
    remedy = (
        "Whether it is up is not known. Give --host the address of the pages (kubectl port-forward "
        f"-n kubeflow svc/ml-pipeline-ui 8080:80), which read from it; or look: {LOOK}"
    )
    return Check(NAME, None, detail, remedy)
