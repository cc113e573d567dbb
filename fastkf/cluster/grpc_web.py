"""Calls of gRPC-Web to ML Metadata, as the pages of Kubeflow Pipelines make them.

The store's service, `ml_metadata.MetadataStoreService`, is at the root of the pages' address (not
of the API's). A body is a row of frames: the message, and the trailers with the call's status.
"""

from google.protobuf.message import DecodeError

from fastkf.base import grpc_web
from fastkf.base.grpc_web import DATA, FRAME, INT, STRING, TRAILERS, Fields, read_frames
from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import NOT_UP, ClusterError, NotOfferedError, UnansweredError
from fastkf.runs.ml_metadata import PARTS

METADATA = "/ml_metadata.MetadataStoreService"
SECONDS_TO_ANSWER = 10.0  # the run's own state is asked in between
NOT_FOUND = "5"  # of google.rpc.Code

# Of ml_metadata/proto/metadata_store.proto and metadata_store_service.proto, what is needed; an
# enum is a number.
MESSAGES: dict[str, Fields] = {
    **PARTS,
    "Artifact": [
        ("id", 1, INT),
        ("uri", 3, STRING),
        ("custom_properties", 5, ["Property"]),
        ("type", 8, STRING),
    ],
    "Execution": [
        ("id", 1, INT),
        ("last_known_state", 3, INT),
        ("custom_properties", 5, ["Property"]),
        ("type", 7, STRING),
        ("create_time_since_epoch", 8, INT),
        ("last_update_time_since_epoch", 9, INT),
    ],
    "Event": [
        ("artifact_id", 1, INT),
        ("execution_id", 2, INT),
        ("path", 3, "Path"),
        ("type", 4, INT),
    ],
    "Context": [("id", 1, INT), ("custom_properties", 5, ["Property"])],
    "ContextRequest": [("type_name", 1, STRING), ("context_name", 2, STRING)],
    "ContextAnswer": [("context", 1, "Context")],
    "ByContextRequest": [("context_id", 1, INT)],
    "ArtifactsAnswer": [("artifacts", 1, ["Artifact"])],
    "ExecutionsAnswer": [("executions", 1, ["Execution"])],
    "EventsRequest": [("execution_ids", 1, [INT])],
    "EventsAnswer": [("events", 1, ["Event"])],
}


class NotInMetadataError(ClusterError):
    """The metadata store does not know what it was asked for."""


def call(connection: Connection, method: str, request, kind):
    """Calls a method of the store.

    Args:
        request: a message.
        kind: the class of the answer.

    Raises:
        NotOfferedError: this server has no metadata store.
        ClusterError: it refuses, or cannot be asked.
    """
    content = request.SerializeToString()
    answer = connection.request_page(
        "POST",
        f"{connection.root}{METADATA}/{method}",
        content=FRAME.pack(DATA, len(content)) + content,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
        timeout=SECONDS_TO_ANSWER,
    )
    if not answer.headers.get("content-type", "").startswith("application/grpc"):
        raise _explain_absence(answer.status_code)
    message, status = kind(), dict(answer.headers)
    for frame, body in read_frames(answer.content):
        if frame == DATA:
            try:
                message.ParseFromString(body)
            except DecodeError as error:
                raise ClusterError(f"{METADATA}/{method} answers in another form") from error
        elif frame == TRAILERS:
            lines = body.decode("latin-1").lower().splitlines()
            status |= {
                name: text.strip() for name, _, text in (one.partition(":") for one in lines)
            }
    if (code := status.get("grpc-status", "0")) != "0":
        fault = f"{METADATA}/{method}: {status.get('grpc-message') or 'refused'}"
        raise NotInMetadataError(fault) if code == NOT_FOUND else ClusterError(fault)
    return message


def _explain_absence(status: int) -> ClusterError:
    fault = f"{METADATA} is not there (it answers {status})"
    if status in (401, 403, 429) or status >= 500:
        kind = UnansweredError if status in NOT_UP else ClusterError
        return kind(fault, "look whether metadata-grpc and metadata-envoy are up")
    return NotOfferedError(
        fault,
        "the address of the pages (ml-pipeline-ui) has it, that of the API alone (ml-pipeline) "
        "has not",
    )


def make_messages() -> dict:
    """The messages of MESSAGES as protobuf classes."""
    return grpc_web.make_messages("fastkf", MESSAGES)
