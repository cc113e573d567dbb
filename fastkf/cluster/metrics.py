"""The metrics of a run: what its steps logged to artifacts of the type system.Metrics.

Kubeflow Pipelines up to 2.17 keeps them in ML Metadata only, which its pages read through gRPC-Web
at the root of their address (not of the API's): `ml_metadata.MetadataStoreService`. fastkf's own
server, and the version of Kubeflow Pipelines after 2.17, answer `GET /apis/v2beta1/artifacts/ID`.
"""

import json
import struct

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from fastkf.cluster.connection import Connection
from fastkf.cluster.errors import ClusterError

ARTIFACTS = "/apis/v2beta1/artifacts"
METADATA = "/ml_metadata.MetadataStoreService"
METRIC_TYPES = ("system.Metrics", "Metric")
MOST_ARTIFACTS = 200
DATA, TRAILERS = 0x00, 0x80  # kinds of gRPC-Web frames
NOT_FOUND = "5"  # of google.rpc.Code
FRAME = struct.Struct(">BI")  # kind, length of what follows

# Of ml_metadata/proto/metadata_store.proto and metadata_store_service.proto, what is needed.
INT, DOUBLE, STRING = 3, 1, 9  # FieldDescriptorProto.Type
MESSAGES: dict[str, list[tuple[str, int, int | str | list[str]]]] = {
    "Value": [("int_value", 1, INT), ("double_value", 2, DOUBLE)],
    "Property": [("key", 1, STRING), ("value", 2, "Value")],
    "Artifact": [("id", 1, INT), ("custom_properties", 5, ["Property"]), ("type", 8, STRING)],
    "Context": [("id", 1, INT)],
    "ContextRequest": [("type_name", 1, STRING), ("context_name", 2, STRING)],
    "ContextAnswer": [("context", 1, "Context")],
    "ArtifactsRequest": [("context_id", 1, INT)],
    "ArtifactsAnswer": [("artifacts", 1, ["Artifact"])],
}


class NotInMetadataError(ClusterError):
    """The metadata store does not know what it was asked for."""


def fetch_metrics(connection: Connection, run_id: str, artifacts: list[str]) -> dict[str, float]:
    """The metrics of a run, by name.

    Args:
        artifacts: the ids of the artifacts that the API lists for the run's tasks.

    Raises:
        ClusterError: this server does not let them be read; the text says why.
    """
    if artifacts:
        found = [_read_artifact(connection, id) for id in artifacts[:MOST_ARTIFACTS]]
        return {name: value for metrics in found for name, value in metrics.items()}
    return _read_metadata(connection, run_id)


def _read_artifact(connection: Connection, id: str) -> dict[str, float]:
    answer = connection.request_page("GET", f"{connection.host}{ARTIFACTS}/{id}")
    if answer.status_code != 200:
        raise ClusterError(f"{ARTIFACTS}/{id} answers {answer.status_code}")
    try:
        artifact = json.loads(answer.text)
        if artifact.get("type") not in METRIC_TYPES:
            return {}
        values = dict(artifact.get("metadata") or {})
        if "number_value" in artifact:
            values[artifact["name"]] = artifact["number_value"]
        return _name_metrics(values)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ClusterError(f"{ARTIFACTS}/{id} answers no artifact") from error


def _read_metadata(connection: Connection, run_id: str) -> dict[str, float]:
    messages = make_messages()
    asked = messages["ContextRequest"](type_name="system.PipelineRun", context_name=run_id)
    try:
        answer = _call(connection, "GetContextByTypeAndName", asked, messages["ContextAnswer"])
    except NotInMetadataError:
        return {}
    if not answer.HasField("context"):
        return {}
    asked = messages["ArtifactsRequest"](context_id=answer.context.id)
    answer = _call(connection, "GetArtifactsByContext", asked, messages["ArtifactsAnswer"])
    values: dict[str, int | float | str] = {}
    for artifact in sorted(answer.artifacts, key=lambda one: one.id):
        if artifact.type in METRIC_TYPES:
            for entry in artifact.custom_properties:
                values.update((entry.key, value) for _, value in entry.value.ListFields())
    return _name_metrics(values)


def _call(connection: Connection, method: str, request, kind):
    """One call of gRPC-Web: a frame with the request; frames with the answer and its status."""
    content = request.SerializeToString()
    answer = connection.request_page(
        "POST",
        f"{connection.root}{METADATA}/{method}",
        content=FRAME.pack(DATA, len(content)) + content,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
    )
    if not answer.headers.get("content-type", "").startswith("application/grpc"):
        raise ClusterError(
            f"{METADATA} is not there (it answers {answer.status_code})",
            "the address of the pages (ml-pipeline-ui) has it, that of the API alone (ml-pipeline) "
            "has not",
        )
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


def read_frames(content: bytes) -> list[tuple[int, bytes]]:
    """The frames of a gRPC-Web body: their kind and what they hold."""
    frames, at = [], 0
    while at + FRAME.size <= len(content):
        kind, length = FRAME.unpack_from(content, at)
        at += FRAME.size
        frames.append((kind, content[at : at + length]))
        at += length
    return frames


def make_messages() -> dict:
    """The messages of MESSAGES as protobuf classes."""
    file = descriptor_pb2.FileDescriptorProto(name="fastkf_metadata.proto", package="fastkf")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            repeated, one = isinstance(kind, list), kind[0] if isinstance(kind, list) else kind
            added = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(one, str):
                added.type, added.type_name = added.TYPE_MESSAGE, f".fastkf.{one}"
            else:
                added.type = one
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    named = {name: pool.FindMessageTypeByName(f"fastkf.{name}") for name in MESSAGES}
    return {name: message_factory.GetMessageClass(found) for name, found in named.items()}


def _name_metrics(values: dict) -> dict[str, float]:
    """The numbers, named as in the notebook: Kale writes a dash for an underscore."""
    numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
    return {name.replace("-", "_"): value for name, value in numbers.items()}
