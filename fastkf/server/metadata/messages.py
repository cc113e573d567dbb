"""The messages of ML Metadata: metadata_store.proto and metadata_store_service.proto, in part.

A map is a list of its entries, an enumeration a number.
"""

import json
from typing import Any

from fastkf.base.grpc_web import INT, STRING, Fields, make_messages
from fastkf.base.plain_data import show_text
from fastkf.runs.ml_metadata import PARTS

LARGEST = 2**63  # what an int_value has no room for

OF_CONTEXT: Fields = [("context_id", 1, INT), ("options", 2, "Options")]
OPTIONS: Fields = [("options", 1, "Options")]
TYPE: Fields = [("id", 1, INT), ("name", 2, STRING)]
TABLE: dict[str, Fields] = {
    **PARTS,
    "Artifact": [
        ("id", 1, INT),
        ("type_id", 2, INT),
        ("uri", 3, STRING),
        ("custom_properties", 5, ["Property"]),
        ("state", 6, INT),
        ("type", 8, STRING),
        ("create_time_since_epoch", 9, INT),
        ("last_update_time_since_epoch", 10, INT),
    ],
    "Execution": [
        ("id", 1, INT),
        ("type_id", 2, INT),
        ("last_known_state", 3, INT),
        ("custom_properties", 5, ["Property"]),
        ("name", 6, STRING),
        ("type", 7, STRING),
        ("create_time_since_epoch", 8, INT),
        ("last_update_time_since_epoch", 9, INT),
    ],
    "Context": [
        ("id", 1, INT),
        ("type_id", 2, INT),
        ("name", 3, STRING),
        ("custom_properties", 5, ["Property"]),
        ("type", 6, STRING),
        ("create_time_since_epoch", 7, INT),
        ("last_update_time_since_epoch", 8, INT),
    ],
    "Event": [
        ("artifact_id", 1, INT),
        ("execution_id", 2, INT),
        ("path", 3, "Path"),
        ("type", 4, INT),
        ("milliseconds_since_epoch", 5, INT),
    ],
    "ArtifactType": TYPE,
    "ExecutionType": TYPE,
    "ContextType": TYPE,
    "Options": [
        ("max_result_size", 1, INT),
        ("next_page_token", 3, STRING),
        ("filter_query", 4, STRING),
    ],
    "GetContextByTypeAndNameRequest": [("type_name", 1, STRING), ("context_name", 2, STRING)],
    "GetContextByTypeAndNameResponse": [("context", 1, "Context")],
    "GetContextsByExecutionRequest": [("execution_id", 1, INT)],
    "GetContextsByExecutionResponse": [("contexts", 1, ["Context"])],
    "GetContextsByArtifactRequest": [("artifact_id", 1, INT)],
    "GetContextsByArtifactResponse": [("contexts", 1, ["Context"])],
    "GetExecutionsByContextRequest": OF_CONTEXT,
    "GetExecutionsByContextResponse": [("executions", 1, ["Execution"])],
    "GetArtifactsByContextRequest": OF_CONTEXT,
    "GetArtifactsByContextResponse": [("artifacts", 1, ["Artifact"])],
    "GetExecutionsByIDRequest": [("execution_ids", 1, [INT])],
    "GetExecutionsByIDResponse": [("executions", 1, ["Execution"])],
    "GetArtifactsByIDRequest": [("artifact_ids", 1, [INT])],
    "GetArtifactsByIDResponse": [("artifacts", 1, ["Artifact"])],
    "GetEventsByExecutionIDsRequest": [("execution_ids", 1, [INT])],
    "GetEventsByExecutionIDsResponse": [("events", 1, ["Event"])],
    "GetEventsByArtifactIDsRequest": [("artifact_ids", 1, [INT])],
    "GetEventsByArtifactIDsResponse": [("events", 1, ["Event"])],
    "GetExecutionsRequest": OPTIONS,
    "GetExecutionsResponse": [("executions", 1, ["Execution"]), ("next_page_token", 2, STRING)],
    "GetArtifactsRequest": OPTIONS,
    "GetArtifactsResponse": [("artifacts", 1, ["Artifact"]), ("next_page_token", 2, STRING)],
    "GetArtifactTypesRequest": [],
    "GetArtifactTypesResponse": [("artifact_types", 1, ["ArtifactType"])],
    "GetExecutionTypesRequest": [],
    "GetExecutionTypesResponse": [("execution_types", 1, ["ExecutionType"])],
    "GetContextTypesRequest": [],
    "GetContextTypesResponse": [("context_types", 1, ["ContextType"])],
}
MESSAGES: dict[str, Any] = make_messages("ml_metadata", TABLE)


def make(kind: str, **fields: Any) -> Any:
    """A message; what has no value is left out."""
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    return MESSAGES[kind](**given)


def make_properties(values: dict[str, Any]) -> list[Any]:
    return [make("Property", key=key, value=_value(value)) for key, value in values.items()]


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return MESSAGES["Value"](struct_value=_struct(value))
    if isinstance(value, bool):
        return MESSAGES["Value"](bool_value=value)
    if isinstance(value, int) and abs(value) < LARGEST:
        return MESSAGES["Value"](int_value=value)
    if isinstance(value, int | float):
        return MESSAGES["Value"](double_value=float(value))
    text = value if isinstance(value, str) else json.dumps(value)
    return MESSAGES["Value"](string_value=show_text(text))


def _struct(values: dict[str, Any]) -> Any:
    fields = [make("Field", key=key, value=_any(value)) for key, value in values.items()]
    return make("Struct", fields=fields)


def _any(value: Any) -> Any:
    """All numbers travel as floats."""
    if isinstance(value, dict):
        return MESSAGES["Any"](struct_value=_struct(value))
    if isinstance(value, list):
        return MESSAGES["Any"](list_value=make("List", values=[_any(one) for one in value]))
    if value is None:
        return MESSAGES["Any"](null_value=0)
    if isinstance(value, bool):
        return MESSAGES["Any"](bool_value=value)
    if isinstance(value, int | float):
        return MESSAGES["Any"](number_value=float(value))
    return MESSAGES["Any"](string_value=show_text(str(value)))
