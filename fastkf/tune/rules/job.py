"""The fields of a Job (batch/v1 of the Kubernetes API reference), for which Katib has no model."""

from typing import Any

from kubeflow_katib_api.models import (
    IoK8sApiCoreV1PodSpec,
    IoK8sApimachineryPkgApisMetaV1ObjectMeta,
)
from pydantic import BaseModel, StrictBool, StrictInt, StrictStr
from pydantic.alias_generators import to_camel


class PodTemplate(BaseModel):
    """The pod; the API lets its `spec` be left out, but runs no such pod."""

    metadata: IoK8sApimachineryPkgApisMetaV1ObjectMeta | None = None
    spec: IoK8sApiCoreV1PodSpec


class JobSpec(BaseModel, alias_generator=to_camel):
    """The pod, and what Kubernetes checks when it makes the Job."""

    active_deadline_seconds: StrictInt | None = None
    backoff_limit: StrictInt | None = None
    backoff_limit_per_index: StrictInt | None = None
    completion_mode: StrictStr | None = None
    completions: StrictInt | None = None
    managed_by: StrictStr | None = None
    manual_selector: StrictBool | None = None
    max_failed_indexes: StrictInt | None = None
    parallelism: StrictInt | None = None
    pod_failure_policy: Any = None
    pod_replacement_policy: StrictStr | None = None
    selector: Any = None
    success_policy: Any = None
    suspend: StrictBool | None = None
    template: PodTemplate
    ttl_seconds_after_finished: StrictInt | None = None


class Job(BaseModel, alias_generator=to_camel):
    """A trial's resource."""

    api_version: StrictStr
    kind: StrictStr
    metadata: IoK8sApimachineryPkgApisMetaV1ObjectMeta | None = None
    spec: JobSpec
