"""A manifest against models as Kubernetes' generated ones are: each misfit once, by its place."""

import pytest

from fastkf.base.manifests import find_misfits, suggest

MOUNT = {"name": "data", "mountPath": "/data"}


def pod(**container) -> dict:
    return {"spec": {"containers": [{"name": "main", **container}]}}


@pytest.mark.parametrize(
    "container",
    [
        {"resources": {"limits": {"cpu": 1, "memory": "2Gi"}, "requests": {"cpu": 0.5}}},
        {"livenessProbe": {"httpGet": {"port": 80}}},
        {"livenessProbe": {"httpGet": {"port": "http", "scheme": "HTTPS"}}},
        {"env": None, "volumeMounts": [MOUNT]},
    ],
)
def test_what_kubernetes_takes_has_no_misfits(container):
    from kubeflow_katib_api.models import IoK8sApiCoreV1PodTemplateSpec

    assert find_misfits(pod(**container), IoK8sApiCoreV1PodTemplateSpec) == []


@pytest.mark.parametrize(
    ("container", "misfit"),
    [
        ({"volume_mounts": [MOUNT]}, ".volume_mounts: there is no such field; did you mean vol"),
        (
            {"livenessProbe": {"httpGet": {"port": [80]}}},
            ".livenessProbe.httpGet.port: takes a text or",
        ),
        (
            {"livenessProbe": {"httpGet": {"port": 80, "scheme": "https"}}},
            ".livenessProbe.httpGet.scheme: 'https': must be one of enum values ('HTTP', 'HTTPS')",
        ),
        ({"volumeMounts": [{**MOUNT, "readOnly": "yes"}]}, ".volumeMounts[0].readOnly: takes true"),
        ({"volumeMounts": [None]}, ".volumeMounts[0]: takes fields, not None"),
        ({"env": {"A": "1"}}, ".env: takes a list, not {'A': '1'}"),
        ({"resources": {"limits": ["cpu"]}}, ".resources.limits: takes names with values"),
        ({"ports": [{"containerPort": 80.0}]}, ".ports[0].containerPort: takes a whole number"),
    ],
)
def test_a_misfit_is_told_once_with_its_place(container, misfit):
    from kubeflow_katib_api.models import IoK8sApiCoreV1PodTemplateSpec

    [text] = find_misfits(pod(**container), IoK8sApiCoreV1PodTemplateSpec, "template")
    assert text.startswith("template.spec.containers[0]" + misfit)


def test_a_manifest_that_is_no_fields_at_all():
    from kubeflow_katib_api.models import IoK8sApiCoreV1PodTemplateSpec

    assert find_misfits([], IoK8sApiCoreV1PodTemplateSpec, "spec") == ["spec: takes fields, not []"]


def test_a_name_that_is_like_no_other_lists_them_all():
    assert suggest("x", ["list", "max"]) == "there are: list, max"
    assert suggest("lst", ["list", "max"]) == "did you mean list?"
