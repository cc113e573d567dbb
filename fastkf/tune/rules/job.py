"""The fields of a Job (batch/v1 of the Kubernetes API reference), for which Katib has no model."""

from typing import Any

from kubeflow_katib_api.models import (
    IoK8sApiCoreV1PodSpec,
    IoK8sApimachineryPkgApisMetaV1ObjectMeta,
)
from pydantic import BaseModel, StrictStr
from pydantic.alias_generators import to_camel


class PodTemplate(BaseModel):
    """The pod; the API lets its `spec` be left out, but runs no such pod."""

    metadata: IoK8sApimachineryPkgApisMetaV1ObjectMeta | None = None
    spec: IoK8sApiCoreV1PodSpec


class JobSpec(BaseModel, alias_generator=to_camel):
    """The pod, and what Kubernetes checks when it makes the Job."""

    active_deadline_seconds: Any = None
    backoff_limit: Any = None
    backoff_limit_per_index: Any = None
    completion_mode: Any = None
    completions: Any = None
    managed_by: Any = None
    manual_selector: Any = None
    max_failed_indexes: Any = None
    parallelism: Any = None
    pod_failure_policy: Any = None
    pod_replacement_policy: Any = None
    selector: Any = None
    success_policy: Any = None
    suspend: Any = None
    template: PodTemplate
    ttl_seconds_after_finished: Any = None


class Job(BaseModel, alias_generator=to_camel):
    """A trial's resource."""

    api_version: StrictStr
    kind: StrictStr
    metadata: IoK8sApimachineryPkgApisMetaV1ObjectMeta | None = None
    spec: JobSpec
