"""The fields of a TFJob and their types, as kubeflow.org/v1 of the Training Operator 1.9 has them.

https://github.com/kubeflow/trainer/blob/release-1.9/manifests/base/crds/kubeflow.org_tfjobs.yaml
"""

from typing import Any

from kubeflow_katib_api.models import (
    IoK8sApiCoreV1PodTemplateSpec,
    IoK8sApimachineryPkgApisMetaV1ObjectMeta,
)
from pydantic import BaseModel, StrictBool, StrictInt, StrictStr
from pydantic.alias_generators import to_camel


class Fields(BaseModel, alias_generator=to_camel):
    """Fields that may all be left out."""


class SchedulingPolicy(Fields):
    min_available: StrictInt | None = None
    min_resources: dict[str, Any] | None = None
    priority_class: StrictStr | None = None
    queue: StrictStr | None = None
    schedule_timeout_seconds: StrictInt | None = None


class RunPolicy(Fields):
    active_deadline_seconds: StrictInt | None = None
    backoff_limit: StrictInt | None = None
    clean_pod_policy: StrictStr | None = None
    managed_by: StrictStr | None = None
    scheduling_policy: SchedulingPolicy | None = None
    suspend: StrictBool | None = None
    ttl_seconds_after_finished: StrictInt | None = None


class Replicas(Fields):
    replicas: StrictInt | None = None
    restart_policy: StrictStr | None = None
    template: IoK8sApiCoreV1PodTemplateSpec | None = None


class Spec(Fields):
    run_policy: RunPolicy | None = None
    success_policy: StrictStr | None = None
    tf_replica_specs: dict[str, Replicas] | None = None
    enable_dynamic_worker: StrictBool | None = None


class Manifest(Fields):
    api_version: StrictStr | None = None
    kind: StrictStr | None = None
    metadata: IoK8sApimachineryPkgApisMetaV1ObjectMeta | None = None
    spec: Spec | None = None
    status: Any = None
