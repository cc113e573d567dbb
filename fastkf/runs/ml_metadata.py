"""What messages of ML Metadata consist of: Kubeflow Pipelines keeps in them what its runs do.

Of ml_metadata/proto/metadata_store.proto, and of protobuf's own struct.proto, what is needed. A map
is a list of its entries.
"""

from fastkf.base.grpc_web import BOOL, DOUBLE, INT, STRING, Fields

PARTS: dict[str, Fields] = {
    "Value": [
        ("int_value", 1, INT),
        ("double_value", 2, DOUBLE),
        ("string_value", 3, STRING),
        ("struct_value", 4, "Struct"),
        ("bool_value", 6, BOOL),
    ],
    "Property": [("key", 1, STRING), ("value", 2, "Value")],
    "Struct": [("fields", 1, ["Field"])],
    "Field": [("key", 1, STRING), ("value", 2, "Any")],
    "Any": [
        ("null_value", 1, INT),
        ("number_value", 2, DOUBLE),
        ("string_value", 3, STRING),
        ("bool_value", 4, BOOL),
        ("struct_value", 5, "Struct"),
        ("list_value", 6, "List"),
    ],
    "List": [("values", 1, ["Any"])],
    "PathStep": [("index", 1, INT), ("key", 2, STRING)],
    "Path": [("steps", 1, ["PathStep"])],
}
