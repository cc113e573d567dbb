"""What requests hold, in the words of OpenAPI: `@router.post("", **takes(RUN))`.

No client is sent this. The tests make requests from it, right ones and wrong ones.
The shapes are those of the Kubeflow Pipelines API, as far as this server reads them:
https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/
"""

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
FREE: Schema = {"type": "object"}


def table(*required: str, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


TAGS: Schema = {"type": "object", "additionalProperties": TEXT}
EXPERIMENT = table("display_name", display_name=TEXT, description=TEXT, namespace=TEXT)
PIPELINE = table(
    "display_name", name=TEXT, display_name=TEXT, description=TEXT, namespace=TEXT, tags=TAGS
)
VERSION = table(
    name=TEXT,
    display_name=TEXT,
    description=TEXT,
    code_source_url=TEXT,
    tags=TAGS,
    pipeline_spec=FREE,
    package_url=table(pipeline_url=TEXT),
)
PIPELINE_CHANGE = table(display_name=TEXT, tags=TAGS)
VERSION_CHANGE = table(display_name=TEXT, tags=TAGS)
PIPELINE_AND_VERSION = table(
    "pipeline", "pipeline_version", pipeline=PIPELINE, pipeline_version=VERSION
)
RUN = table(
    "display_name",
    display_name=TEXT,
    description=TEXT,
    service_account=TEXT,
    experiment_id=TEXT,
    pipeline_spec=FREE,
    pipeline_version_reference=table(pipeline_id=TEXT, pipeline_version_id=TEXT),
    runtime_config=table(parameters=FREE, pipeline_root=TEXT),
)
TRIGGER = table(
    cron_schedule=table(cron=TEXT, start_time=TEXT, end_time=TEXT),
    periodic_schedule=table(interval_second=TEXT, start_time=TEXT, end_time=TEXT),
)
RECURRING_RUN = table(
    "display_name",
    "trigger",
    **RUN["properties"],
    trigger=TRIGGER,
    max_concurrency=TEXT,
    no_catchup={"type": "boolean"},
    mode={"type": "string", "enum": ["ENABLE", "DISABLE"]},
)
UPLOAD = table("uploadfile", uploadfile={"type": "string", "format": "binary"})


def takes(schema: Schema, kind: str = "application/json") -> dict[str, Any]:
    """The argument of a route that says what its body is."""
    body = {"required": True, "content": {kind: {"schema": schema}}}
    return {"openapi_extra": {"requestBody": body}}


def takes_form(schema: Schema) -> dict[str, Any]:
    return takes(schema, "multipart/form-data")
