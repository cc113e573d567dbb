"""The manifests of the labs are right, as far as can be told without a cluster."""

import pytest
from manifests import check_manifest, read_manifests

from fastkf.course import places

FILES = [
    path
    for path in sorted((places.PROJECT / "labs").rglob("*.y*ml"))
    if path.suffix in (".yaml", ".yml") and read_manifests(path)
]
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "example"},
    "spec": {"containers": [{"name": "main", "image": "python:3.12"}]},
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(places.PROJECT)))
def test_manifests_are_valid(path):
    assert [problem for one in read_manifests(path) for problem in check_manifest(one)] == []


def test_a_misspelled_field_is_found():
    assert check_manifest(POD) == []
    misspelled = {**POD, "spec": {"container": POD["spec"]["containers"]}}
    assert "container" in str(check_manifest(misspelled))


def test_a_misspelled_field_of_a_language_model_is_found():
    path = places.PROJECT / "labs" / "language_model" / "manifests" / "llm-inference-service.yaml"
    [manifest] = read_manifests(path)
    assert check_manifest(manifest) == []
    spec = manifest["spec"]
    assert "routes" in str(check_manifest({**manifest, "spec": {**spec, "routes": {}}}))
    assert "uri" in str(check_manifest({**manifest, "spec": {**spec, "model": {"name": "qwen"}}}))
    pods = {**spec["template"], "tolerationz": []}
    assert "tolerationz" in str(check_manifest({**manifest, "spec": {**spec, "template": pods}}))
