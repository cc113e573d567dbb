"""KFP's own API as an OpenAPI document, put together from kfp-server-api, which is made of it."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp_server_api as kfp

BRACES = re.compile(r"\{[^}]*\}")  # the names of parameters in paths, some with dots
SIMPLE = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "file": {"type": "string", "format": "binary"},
    "object": {},
}
FUNCTION = re.compile(r"    def (\w+)_with_http_info\(.*?(?=\n    def |\Z)", re.DOTALL)
CALL = re.compile(r"call_api\(\s*'([^']+)', '(\w+)'")
ANSWER = re.compile(r"response_type='([^']+)'")
TYPES = re.compile(r":type (\w+): (\S+)")
NAMED = {
    "query": re.compile(r"query_params\.append\(\('([^']+)', local_var_params\['(\w+)'\]"),
    "path": re.compile(r"path_params\['([^']+)'\] = local_var_params\['(\w+)'\]"),
}


def schema_of(kind: str) -> dict[str, Any]:
    """The schema of a type, as the client names it."""
    if kind.startswith("list["):
        return {"type": "array", "items": schema_of(kind[5:-1])}
    if kind.startswith("dict(str, "):
        return {"type": "object", "additionalProperties": schema_of(kind[10:-1])}
    return SIMPLE.get(kind, {"$ref": f"#/components/schemas/{kind}"})


def _describe_model(model: type) -> dict[str, Any]:
    if allowed := getattr(model, "allowable_values", None):
        return {"type": "string", "enum": list(allowed)}
    fields = {
        model.attribute_map[name]: schema_of(kind) for name, kind in model.openapi_types.items()
    }
    return {"type": "object", "properties": fields, "additionalProperties": False}


def _list_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path in Path(kfp.__file__).parent.glob("api/*_api.py"):
        for found in FUNCTION.finditer(path.read_text(encoding="utf-8")):
            text = found.group()
            place, method = CALL.search(text).groups()
            yield BRACES.sub(_without_dots, place), method.lower(), _describe_operation(text)


def _describe_operation(text: str) -> dict[str, Any]:
    types = dict(TYPES.findall(text))
    answer = ANSWER.search(text)
    operation: dict[str, Any] = {
        "parameters": [
            {
                "name": name.replace(".", "_"),
                "in": where,
                "required": where == "path",
                "schema": schema_of(types[key]),
            }
            for where, pattern in NAMED.items()
            for name, key in pattern.findall(text)
        ],
        "responses": {"200": {"description": answer.group(1) if answer else ""}},
    }
    if body := re.search(r"body_params = local_var_params\['(\w+)'\]", text):
        schema = schema_of(types[body.group(1)])
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}
    elif files := re.findall(r"local_var_files\['(\w+)'\]", text):
        fields = {name: SIMPLE["file"] for name in files}
        content = {"multipart/form-data": {"schema": {"type": "object", "properties": fields}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _without_dots(found: re.Match[str]) -> str:
    return found.group().replace(".", "_")


def make_document() -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for place, method, operation in _list_operations():
        paths.setdefault(place, {})[method] = operation
    models = {
        name: model
        for name, model in inspect.getmembers(kfp, inspect.isclass)
        if hasattr(model, "openapi_types")
    }
    return {
        "openapi": "3.0.3",
        "info": {"title": "Kubeflow Pipelines", "version": kfp.__version__},
        "paths": paths,
        "components": {"schemas": {name: _describe_model(one) for name, one in models.items()}},
    }
