"""Whether an answer has the form that kfp-server-api's models, made of KFP's swagger, describe."""

from typing import Any

import kfp_server_api as kfp

TYPES = {"str": str, "int": int, "bool": bool, "datetime": str}


def check_form(value: Any, kind: str) -> None:
    """That each field is one of the model's, of its type, and one of its values."""
    if kind.startswith("list["):
        assert isinstance(value, list), (kind, value)
        for one in value:
            check_form(one, kind[5:-1])
    elif kind.startswith("dict(str, "):
        assert isinstance(value, dict), (kind, value)
        for one in value.values():
            check_form(one, kind[10:-1])
    elif kind in TYPES or kind == "object":
        assert isinstance(value, TYPES.get(kind, object)), (kind, value)
    elif allowed := getattr(getattr(kfp, kind), "allowable_values", None):
        assert value in allowed
    else:
        model = getattr(kfp, kind)
        fields = {model.attribute_map[name]: type for name, type in model.openapi_types.items()}
        assert isinstance(value, dict), (kind, value)
        for field, inner in value.items():
            if kind != "ProtobufAny" or field in fields:
                assert field in fields, (kind, field)
                check_form(inner, fields[field])
