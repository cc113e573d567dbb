"""The form of gRPC-Web, and messages of protobuf from a table: no generated code is needed.

A body is a row of frames: the message, and the trailers with the call's status.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DATA, TRAILERS = 0x00, 0x80  # kinds of frames
FRAME = struct.Struct(">BI")  # kind, length of what follows
DOUBLE, INT, BOOL, STRING = 1, 3, 8, 9  # FieldDescriptorProto.Type

# Fields by name and number; of a type above, or of another message; in a list where repeated.
Fields = Sequence[tuple[str, int, int | str | list[str] | list[int]]]


def make_messages(package: str, table: Mapping[str, Fields]) -> dict[str, Any]:
    """The messages of a table as protobuf classes. A map is a list of its entries."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    for name, fields in table.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            repeated, one = isinstance(kind, list), kind[0] if isinstance(kind, list) else kind
            added = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(one, str):
                added.type, added.type_name = added.TYPE_MESSAGE, f".{package}.{one}"
            else:
                added.type = one
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    named = {name: pool.FindMessageTypeByName(f"{package}.{name}") for name in table}
    return {name: message_factory.GetMessageClass(found) for name, found in named.items()}


def frame(kind: int, content: bytes) -> bytes:
    return FRAME.pack(kind, len(content)) + content


def read_frames(content: bytes) -> list[tuple[int, bytes]]:
    """The frames of a body: their kind and what they hold."""
    frames, at = [], 0
    while at + FRAME.size <= len(content):
        kind, length = FRAME.unpack_from(content, at)
        at += FRAME.size
        frames.append((kind, content[at : at + length]))
        at += length
    return frames
