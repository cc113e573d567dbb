"""KFP's own API as an OpenAPI document, put together from kfp-server-api, which is made of it.

What the client does not keep of KFP's kfp_api_single_file.swagger.json stands here: formats, which
values some parameters may have, and the answer to what went wrong.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp_server_api as kfp

BRACES = re.compile(r"\{[^}]*\}")  # the names of parameters in paths, some with dots
SIMPLE = {
    "str": {"type": "string"},
    "int": {"type": "integer", "format": "int32"},  # longer ones are strings in the API
    "bool": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "file": {"type": "string", "format": "binary"},
    "object": {},
}
FUNCTION = re.compile(r"    def (\w+)_with_http_info\(.*?(?=\n    def |\Z)", re.DOTALL)
CALL = re.compile(r"call_api\(\s*'([^']+)', '(\w+)'")
ANSWER = re.compile(r"response_type='([^']+)'")
TYPES = re.compile(r":type (\w+): (\S+)")
LONG = {  # strings of 64 bits
    "artifact_ids",
    "execution_id",
    "interval_second",
    "long_value",
    "max_concurrency",
    "pipeline_context_id",
    "pipeline_run_context_id",
}
# What the client takes for anything, or for any text.
FIELDS = {
    ("InlineObject1", "pipeline_spec"): {"type": "object"},
    ("PredicateLongValues", "values"): {
        "type": "array",
        "items": {"type": "string", "format": "int64"},
    },
    ("ProtobufAny", "value"): {"type": "string", "format": "byte"},
    ("V2beta1PipelineVersion", "pipeline_spec"): {"type": "object"},
    ("V2beta1RecurringRun", "namespace"): {"type": "string", "readOnly": True},
    ("V2beta1RecurringRun", "pipeline_spec"): {"type": "object"},
    ("V2beta1RecurringRun", "plugins_input"): {
        "type": "object",
        "additionalProperties": {"type": "object"},
    },
    ("V2beta1Run", "pipeline_spec"): {"type": "object"},
    ("V2beta1Run", "plugins_input"): {
        "type": "object",
        "additionalProperties": {"type": "object"},
    },
}
ENUMS = {
    "propagation_policy": "V2beta1DeletePropagationPolicy",
    "resources": "AuthorizeRequestResources",
    "verb": "AuthorizeRequestVerb",
}
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
    return dict(SIMPLE.get(kind, {"$ref": f"#/components/schemas/{kind}"}))


def _describe_model(model: type) -> dict[str, Any]:
    if allowed := getattr(model, "allowable_values", None):
        return {"type": "string", "enum": list(allowed)}
    fields = {
        model.attribute_map[name]: _describe_field(model.__name__, model.attribute_map[name], kind)
        for name, kind in model.openapi_types.items()
    }
    # Any value of protobuf has the fields of what it is.
    more = {} if model is kfp.ProtobufAny else False
    return {"type": "object", "properties": fields, "additionalProperties": more}


def _describe_field(model: str, name: str, kind: str) -> dict[str, Any]:
    if (model, name) in FIELDS:
        return FIELDS[model, name]
    schema = schema_of(kind)
    if name in LONG:
        (schema.get("items") or schema)["format"] = "int64"
    return schema


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
                "schema": schema_of(ENUMS.get(name, types[key])),
            }
            for where, pattern in NAMED.items()
            for name, key in pattern.findall(text)
        ],
        "responses": {
            "200": _describe_answer(answer.group(1) if answer else ""),
            "default": _describe_answer("GoogleRpcStatus"),
        },
    }
    if body := re.search(r"body_params = local_var_params\['(\w+)'\]", text):
        schema = schema_of(types[body.group(1)])
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}
    elif files := re.findall(r"local_var_files\['(\w+)'\]", text):
        fields = {name: SIMPLE["file"] for name in files}
        form = {"type": "object", "properties": fields, "required": files}
        content = {"multipart/form-data": {"schema": form}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _describe_answer(kind: str) -> dict[str, Any]:
    return {"description": kind, "content": {"application/json": {"schema": schema_of(kind)}}}


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
