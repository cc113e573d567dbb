"""`fastkf doctor --cluster`: each check shown to be fine, and shown to find what is wrong."""

import json
import os

import faulty
import pytest
from conftest import fastkf
from faulty import Proxy, answer, page

from fastkf.base import endpoint
from fastkf.base.errors import UsageError
from fastkf.cluster import examine, registry
from fastkf.cluster.target import Endpoint

pytestmark = pytest.mark.slow

HEALTH = {"tag_name": "2.17.0", "commit_sha": "c", "multi_user": False}
FORBIDDEN = answer(403, '{"error":"e","code":7,"message":"not authorized to do it"}')
NO_KEY = answer(500, "Failed to get object in bucket: NoSuchKey", content_type="text/plain")
GRPC = {"content_type": "application/grpc-web+proto", "grpc_status": "0"}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No kubectl, no endpoint and no credentials but the test's."""
    (tmp_path / "bin").mkdir()
    os.symlink("/bin/sh", tmp_path / "bin" / "sh")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv(endpoint.ENDPOINT_VARIABLE, raising=False)
    monkeypatch.delenv("KFP_EXISTING_TOKEN", raising=False)
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path / "no-server"))
    monkeypatch.setattr(registry, "DOCKER_HUB", "localhost:1")
    return tmp_path / "bin"


@pytest.fixture
def kubeflow():
    """A Kubeflow Pipelines that is as it should be; rules that a test adds come first."""
    with Proxy() as proxy:
        fine = {
            "healthz": answer(200, json.dumps(HEALTH)),
            r"v2beta1/(pipelines|runs|experiments)\?": answer(200, "{}"),
            r"v2beta1/auth\?": answer(200, "{}"),
            "ml_metadata": answer(200, b"", **GRPC),
            "/artifacts/get": NO_KEY,
            "/v2/course/steps/manifests/1.0": answer(200, "{}"),
        }
        for pattern, do in fine.items():
            proxy.hinder(pattern, do)
        yield proxy


def first(proxy, pattern, do):
    proxy.rules.insert(0, proxy.hinder(pattern, do))


def shared(proxy):
    first(proxy, "healthz", answer(200, json.dumps({**HEALTH, "multi_user": True})))


def look(proxy, image=None, **options) -> dict:
    options.setdefault("namespace", "me")
    image = image or f"{proxy.url[7:]}/course/steps:1.0"
    return {check.name: check for check in examine.examine(Endpoint(proxy.url, **options), image)}


@pytest.mark.parametrize("many_users", [False, True])
def test_a_kubeflow_that_is_ready(kubeflow, many_users):
    if many_users:
        shared(kubeflow)
    found = look(kubeflow)
    assert list(found) == [
        *("Kubeflow", "Namespace", "Permissions", "Metadata", "Artifact store"),
        *("Step image", "Deployments"),
    ]
    assert all(check.ok for name, check in found.items() if name != "Deployments")
    assert found["Deployments"].ok is None
    assert "no kubectl" in found["Deployments"].detail
    assert "2.17.0" in found["Kubeflow"].detail
    assert ("me" in found["Namespace"].detail) is many_users


@pytest.mark.parametrize(
    ("version", "ok"),
    [
        *(("2.15.0", False), ("2.14.3", False), ("v2.16.1", True), ("2.17.0", True)),
        *(("2.5.0", None), ("1.8.5", False), ("of an unknown version", None)),
    ],
)
def test_an_old_version_is_told(kubeflow, version, ok):
    first(kubeflow, "healthz", answer(200, json.dumps({**HEALTH, "tag_name": version})))
    check = look(kubeflow)["Kubeflow"]
    assert check.ok is ok
    assert ok or "2.16 or newer" in check.remedy


@pytest.mark.parametrize(
    ("do", "name", "told", "remedy"),
    [
        (faulty.drop, "Kubeflow", "no answer", "port-forward"),
        (answer(503, "no"), "Kubeflow", "answers 503", "Check --host"),
        (page(200, "dashboard"), "Kubeflow", "web page", "/pipeline"),
        (answer(401, "no"), "Sign-in", "does not know who you are", "--token-file"),
        (answer(302, location="/dex/auth"), "Sign-in", "/dex/auth", "--dex-user"),
        (FORBIDDEN, "Sign-in", "not authorized", "--namespace"),
    ],
)
def test_what_hinders_everything_is_one_finding(kubeflow, do, name, told, remedy):
    first(kubeflow, ".", do)
    found = look(kubeflow)
    assert set(found) == {name, "Deployments"}
    assert found[name].ok is False
    assert told in found[name].detail
    assert kubeflow.url in found[name].detail
    assert remedy in found[name].remedy


def test_an_unknown_namespace_is_a_finding(kubeflow, monkeypatch, tmp_path):
    shared(kubeflow)
    monkeypatch.setattr("fastkf.cluster.target.KFP_CONTEXT", str(tmp_path / "none"))
    found = look(kubeflow, namespace=None)
    assert list(found) == ["Namespace"]
    assert found["Namespace"].ok is False
    assert "--namespace" in found["Namespace"].remedy


def test_someone_elses_namespace_is_a_finding(kubeflow):
    shared(kubeflow)
    first(kubeflow, r"experiments\?", FORBIDDEN)
    check = look(kubeflow)["Namespace"]
    assert check.ok is False
    assert "not authorized" in check.detail
    assert "Manage Contributors" in check.remedy


@pytest.mark.parametrize("what", ["pipelines", "runs"])
def test_what_may_not_be_read_is_a_finding(kubeflow, what):
    first(kubeflow, rf"{what}\?", FORBIDDEN)
    check = look(kubeflow)["Permissions"]
    assert check.ok is False
    assert what in check.detail
    assert "kubeflow-edit" in check.remedy


def test_reading_only_is_a_finding(kubeflow):
    shared(kubeflow)
    first(kubeflow, r"auth\?", FORBIDDEN)
    check = look(kubeflow)["Permissions"]
    assert check.ok is False
    assert "only reading" in check.detail
    assert "verb=CREATE" in kubeflow.seen[-4].path or any(
        "verb=CREATE" in request.path and "namespace=me" in request.path
        for request in kubeflow.seen
    )


def test_a_list_that_fails_is_a_finding(kubeflow):
    first(kubeflow, r"runs\?", answer(500, '{"message":"the database is away"}'))
    check = look(kubeflow)["Permissions"]
    assert check.ok is False
    assert "the database is away" in check.detail


def test_an_address_of_the_api_alone_has_no_metadata(kubeflow):
    first(kubeflow, "ml_metadata|artifacts/get", answer(404, "404 page not found"))
    found = look(kubeflow)
    for name in ("Metadata", "Artifact store"):
        assert found[name].ok is None
        assert "pages" in found[name].remedy


@pytest.mark.parametrize(("status", "ok"), [("5", True), ("13", None)])
def test_metadata_that_does_not_know_the_run_can_be_read(kubeflow, status, ok):
    """What counts is the status, 5 for NOT_FOUND, not the words that come with it."""
    words = {"grpc_status": status, "grpc_message": "the table was not found"}
    first(kubeflow, "ml_metadata", answer(200, b"", **{**GRPC, **words}))
    assert look(kubeflow)["Metadata"].ok is ok


@pytest.mark.parametrize(
    "said", ["connect ECONNREFUSED 10.0.0.9:9000", "The specified bucket does not exist"]
)
def test_a_store_that_is_down_is_a_finding(kubeflow, said):
    first(kubeflow, "/artifacts/get", answer(500, said, content_type="text/plain"))
    check = look(kubeflow)["Artifact store"]
    assert check.ok is False
    assert said in check.detail
    assert "seaweedfs" in check.remedy


@pytest.mark.parametrize(
    ("do", "ok", "told"),
    [
        (answer(404, "{}"), False, "has no course/steps with the tag 1.0"),
        (answer(403, "{}"), None, "does not show it"),
        (answer(429, "{}"), None, "answers 429"),
        (faulty.drop, None, "cannot be asked"),
    ],
)
def test_an_image_that_is_not_there_is_a_finding(kubeflow, do, ok, told):
    first(kubeflow, "/v2/", do)
    check = look(kubeflow)["Step image"]
    assert check.ok is ok
    assert told in check.detail
    assert ("Push it" if ok is False else "kubectl run") in check.remedy


def test_a_registry_that_asks_for_a_token_gets_one(kubeflow):
    challenge = f'Bearer realm="{kubeflow.url}/token",service="r",scope="repository:course:pull"'
    first(kubeflow, "/token", answer(200, '{"token":"anyone"}'))

    def guard(handler, request):
        known = request.headers.get("authorization") == "Bearer anyone"
        do = answer(200, "{}") if known else answer(401, "", www_authenticate=challenge)
        do(handler, request)

    first(kubeflow, "/v2/", guard)
    assert look(kubeflow)["Step image"].ok
    asked = [request.path for request in kubeflow.seen if "/token" in request.path]
    assert asked == ["/token?service=r&scope=repository%3Acourse%3Apull"]


def test_without_an_image_it_is_kales_own(kubeflow):
    checks = examine.examine(Endpoint(kubeflow.url))
    image = next(check for check in checks if check.name == "Step image")
    assert image.detail.startswith("python:3.12: docker.io cannot be asked")


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("python:3.12", ("docker.io", "library/python", "3.12")),
        ("team/steps", ("docker.io", "team/steps", "latest")),
        ("localhost:5000/a/b:1", ("localhost:5000", "a/b", "1")),
        ("ghcr.io/x/y@sha256:00", ("ghcr.io", "x/y", "sha256:00")),
    ],
)
def test_names_of_images_are_read_as_docker_does(image, parts):
    assert registry.read_reference(image) == parts


@pytest.mark.parametrize("image", ["", "http://x/y", "Upper/Case", "a b"])
def test_what_is_no_image_is_a_finding(kubeflow, image):
    with pytest.raises(UsageError, match="not the name of an image"):
        registry.read_reference(image)
    check = examine.check_image(examine.connect(Endpoint(kubeflow.url)), image or "//")
    assert check.ok is False
    assert "--image" in check.remedy


def deployments(**replicas) -> str:
    items = [
        {
            "metadata": {"name": name.replace("_", "-")},
            "spec": {"replicas": 1},
            "status": {"availableReplicas": count} if count else {},
        }
        for name, count in replicas.items()
    ]
    return json.dumps({"items": items})


UP = {
    **dict(ml_pipeline=1, ml_pipeline_ui=1, workflow_controller=1),
    **dict(metadata_grpc_deployment=1, metadata_envoy_deployment=1),
}


@pytest.mark.parametrize(
    ("listed", "ok", "told"),
    [
        (deployments(**UP, seaweedfs=1), True, "6 of Kubeflow"),
        (deployments(**UP, minio=1), True, "6 of Kubeflow"),
        (deployments(**UP, seaweedfs=0), False, "down: seaweedfs"),
        (deployments(**UP), None, "missing: seaweedfs"),
        (deployments(), None, "missing: ml-pipeline"),
        ("no json", None, "not looked at"),
        ("[]", None, "not looked at"),
    ],
)
def test_deployments_are_looked_at_where_kubectl_is(kubeflow, alone, listed, ok, told):
    (alone / "kubectl").write_text(f"#!/bin/sh\necho '{listed}'\n")
    (alone / "kubectl").chmod(0o755)
    check = look(kubeflow)["Deployments"]
    assert check.ok is ok
    assert told in check.detail
    assert ok or "kubectl" in check.remedy


def test_a_kubectl_without_a_cluster_is_no_fault(kubeflow, alone):
    (alone / "kubectl").write_text("#!/bin/sh\necho 'connection refused' >&2\nexit 1\n")
    (alone / "kubectl").chmod(0o755)
    check = look(kubeflow)["Deployments"]
    assert check.ok is None
    assert "connection refused" in check.detail


def test_the_command_prints_findings_and_exits_by_them(kubeflow):
    words = [
        "doctor",
        "--cluster",
        "--host",
        kubeflow.url,
        "--image",
        f"{kubeflow.url[7:]}/course/steps:1.0",
    ]
    fine = fastkf(*words)
    assert fine.code == 0, fine.output
    assert "✓ Artifact store: answers" in fine.output
    assert "– Deployments: not looked at" in fine.output
    first(kubeflow, "/artifacts/get", answer(500, "down", content_type="text/plain"))
    broken = fastkf(*words)
    assert broken.code == 1
    assert "✗ Artifact store: down\n  → Look at it: kubectl" in broken.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--host", "http://localhost"], "--host: only with --cluster"),
        (["--cluster"], "--host URL"),
    ],
)
def test_wrong_use_exits_2(words, told, tmp_path, monkeypatch):
    monkeypatch.setenv(endpoint.KALE_CONFIG_VARIABLE, str(tmp_path / "none"))
    result = fastkf("doctor", *words)
    assert result.code == 2
    assert told in result.output
    assert "Traceback" not in result.output
