"""What the doctor looks at on a cluster: each line shown to be right on a real one, and to find."""

import json
import re

import pytest
from conftest import fastkf
from faulty import Proxy, answer

from fastkf.base import endpoint
from fastkf.cluster import examine
from fastkf.cluster.errors import ForbiddenError, RejectedError, Response, find_error
from fastkf.cluster.look import deployments, images, labs, parts, room, store, users
from fastkf.cluster.look.kubectl import Kubectl, NotSeenError
from fastkf.cluster.look.labs import Seen, judge_labs
from fastkf.cluster.target import Endpoint, connect

pytestmark = pytest.mark.slow

COMMAND = re.compile(r"\b(kubectl|fastkf|docker|sed) [-\w]")
IMAGE = "localhost/fast-kubeflow/step:1.0"
# As Kubeflow Pipelines 2.17.0 calls them.
DEPLOYMENTS = (
    *("cache-deployer-deployment", "cache-server", "metadata-envoy-deployment"),
    *("metadata-grpc-deployment", "metadata-writer", "ml-pipeline", "ml-pipeline-ui", "mysql"),
    *("ml-pipeline-persistenceagent", "ml-pipeline-scheduledworkflow", "seaweedfs"),
    *("ml-pipeline-viewer-crd", "ml-pipeline-visualizationserver", "workflow-controller"),
)
KINDS = {
    "katib": "experiments.kubeflow.org",
    "kserve": "inferenceservices.serving.kserve.io",
    "trainer": "trainjobs.trainer.kubeflow.org",
    "operator": "tfjobs.kubeflow.org",
    "notebooks": "notebooks.kubeflow.org",
    "pod defaults": "poddefaults.kubeflow.org",
    "profiles": users.PROFILES,
    "istio": "requestauthentications.security.istio.io",
}
MISSING = NotSeenError('Error from server (NotFound): secrets "object-store" not found')
FORBIDDEN = NotSeenError("Error from server (Forbidden): nodes is forbidden")


def items(*found: dict) -> str:
    return json.dumps({"items": list(found)})


def up(*names: str, replicas: int = 1) -> str:
    status = {"availableReplicas": replicas} if replicas else {}
    made = (
        {"metadata": {"name": name}, "spec": {"replicas": 1}, "status": status} for name in names
    )
    return items(*made)


# As nodes call those that the guides have one build.
BUILT = (
    "docker.io/fast-kubeflow/mnist-training:1.0",
    "docker.io/library/katib-digits:1.0",
    "localhost/fast-kubeflow/notebook:1.0",
)


def node(name="node", cpu="2", loaded=(IMAGE, *BUILT), more=0) -> dict:
    listed = [{"names": [one]} for one in (*loaded, *(f"other/{n}:1" for n in range(more)))]
    status = {"allocatable": {"cpu": cpu}, "images": listed}
    return {"metadata": {"name": name}, "status": status}


def pod(cpu: str, phase="Running", on="node") -> dict:
    container = {"resources": {"requests": {"cpu": cpu}}}
    return {"spec": {"nodeName": on, "containers": [container]}, "status": {"phase": phase}}


class Told(Kubectl):
    """A kubectl that answers as a cluster with all of Kubeflow does, but for what a test says."""

    FULL = {
        "-n kubeflow get deployments": up(
            *DEPLOYMENTS, "katib-controller", "training-operator", "notebook-controller-deployment"
        ),
        "-n kserve get deployments": up("kserve-controller-manager"),
        "-n kubeflow-system get deployments": up("kubeflow-trainer-controller-manager"),
        "get customresourcedefinitions": "\n".join(f"crd/{kind}" for kind in KINDS.values()),
        "get namespaces -l katib": "namespace/kubeflow\n",
        "get clusterservingruntimes": "\n".join(f"runtime/{one}" for one in parts.RUNTIMES),
        "get configmap inferenceservice-config": '{"defaultDeploymentMode": "Standard"}',
        "get poddefaults": "poddefault/access-ml-pipeline",
        "get nodes": items(node()),
        "get pods --all-namespaces": items(pod("670m"), pod("1", "Succeeded")),
        "get storageclasses": items({"metadata": {"annotations": {room.DEFAULT_CLASS: "true"}}}),
        "get secret object-store": " ".join(labs.ENTRIES),
        "get secret models-s3": "AWS_ACCESS_KEY_ID",
        "get profiles.kubeflow.org me": "me@example.com",
        "get secret mlpipeline-minio-artifact": "accesskey secretkey",
        "get requestauthentications": "http://dex.auth.svc.cluster.local:5556/dex",
        "get authorizationpolicies": items(),
        "config current-context": "kind-kubeflow\n",
    }

    def __init__(self, **told):
        super().__init__()
        self.told, self.asked = {**self.FULL, **told}, []

    def _ask(self, words):
        asked = " ".join(words)
        self.asked.append(asked)
        found = [text for part, text in self.told.items() if part in asked]
        return found[-1] if found else NotSeenError(f"nobody expects {asked}")


@pytest.fixture
def pages(monkeypatch, tmp_path):
    """A server of pages as 2.17.0 answers, and no kubectl but the tests'."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(images.IMAGE_VARIABLE, raising=False)
    monkeypatch.setenv("FASTKF_SERVER", str(tmp_path / "no-server"))
    health = {"tag_name": "2.17.0", "multi_user": False}
    with Proxy() as proxy:
        proxy.hinder("healthz", answer(200, json.dumps(health)))
        proxy.hinder(r"v2beta1/", answer(200, "{}"))
        grpc = {"content_type": "application/grpc-web+proto", "grpc_status": "5"}
        proxy.hinder("ml_metadata", answer(200, b"", **grpc))
        proxy.hinder("/artifacts/get.*key=(datasets|models)", answer(200, "name,age"))
        proxy.hinder("/artifacts/get", no_object("fastkf-doctor"))
        yield proxy


def first(proxy, pattern, do):
    proxy.rules.insert(0, proxy.hinder(pattern, do))


def no_object(key):
    """What express sends of a text: text/html."""
    said = f"No objects found at mlpipeline/{key}"
    return answer(404, said, content_type="text/html; charset=utf-8")


def look(proxy, told, image=IMAGE, **options):
    seen = Seen(cluster=told)
    found = {one.name: one for one in examine.examine(Endpoint(proxy.url, **options), image, seen)}
    return found, {one.lab: one for one in judge_labs(seen)}


def shared(proxy):
    first(proxy, "healthz", answer(200, '{"tag_name": "2.17.0", "multi_user": true}'))


# The whole.


def test_a_whole_kubeflow_has_no_red_line_and_runs_every_lab(pages):
    found, table = look(pages, Told())
    assert [one for one in found.values() if not one.ok] == []
    names = ("Katib", "KServe", "Trainer", "Training Operator", "Notebooks", "Notebook access")
    assert set(names) <= set(found)
    assert "14 of Kubeflow Pipelines are up (in kubectl's cluster kind-kubeflow)" in str(found)
    table.pop("01b_custom_images")
    assert {lab: one.lacks for lab, one in table.items() if not one.runs} == {}


def test_pipelines_alone_is_fine_and_the_table_says_what_the_other_labs_lack(pages):
    told = Told(**{"get customresourcedefinitions": "crd/workflows.argoproj.io"})
    found, table = look(pages, told)
    assert [one for one in found.values() if one.ok is False] == []
    assert not {"Katib", "KServe", "Trainer", "Notebooks"} & set(found)
    lacking = {lab: one.lacks for lab, one in table.items() if one.runs is False}
    assert "Trainer (labs/distributed_training/README.md)" in lacking["05, its TrainJob"]
    assert "Katib" in lacking["06, its Experiment"]
    assert "KServe" in lacking["07, its service"]
    assert "Notebooks" in lacking["notebook server"]
    assert all(table[lab].runs for lab in ("01_first_pipeline", "02_titanic", "08_object_storage"))


def test_without_kubectl_it_says_what_it_cannot_know(pages):
    found, table = look(pages, Kubectl())
    assert [one for one in found.values() if one.ok is False] == []
    assert "not known: there is no kubectl" in found["Step image"].detail
    assert table["01_first_pipeline"].runs
    for lab in ("05, its TrainJob", "06, its Experiment", "07, its service", "08_object_storage"):
        assert table[lab].runs is None
        assert "not" in table[lab].lacks


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("exec /bin/sleep 9", "does not answer"),
        ("echo 'The connection to the server was refused' >&2; exit 1", "refused"),
    ],
)
def test_a_cluster_that_is_away_is_asked_once(monkeypatch, tmp_path, does, says):
    (tmp_path / "kubectl").write_text(f"#!/bin/sh\necho >> {tmp_path}/asked\n{does}\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("fastkf.cluster.look.kubectl.SECONDS", 1 if "sleep" in does else 15)
    cluster = Kubectl()
    for words in (("get", "nodes"), ("get", "pods")):
        with pytest.raises(NotSeenError, match=says):
            cluster.ask(*words)
    assert (tmp_path / "asked").read_text() == "\n"


RED = {
    "the API is down": ("v2beta1/runs", answer(500, '{"message": "away"}'), {}),
    "the store is down": ("artifacts/get", answer(500, "Error: connect ECONNREFUSED"), {}),
    "no bucket": ("artifacts/get", answer(500, "NoSuchBucket: it"), {}),
    "an old version": ("healthz", answer(200, '{"tag_name": "2.15.0", "multi_user": false}'), {}),
    "version 1": ("healthz", answer(200, '{"tag_name": "1.8.0", "multi_user": false}'), {}),
    "a page to sign in": ("healthz", answer(302, location="/dex/auth"), {}),
    "nobody": ("healthz", answer(401, "no"), {}),
    "not yours": ("v2beta1/pipelines", answer(403, '{"message": "no"}'), {}),
    "pods are down": ("nothing", None, {"-n kubeflow get": up(*DEPLOYMENTS, replicas=0)}),
    "Katib is down": (
        "nothing",
        None,
        {"-n kubeflow get deployments": up("katib-controller", replicas=0)},
    ),
    "no runtimes": ("nothing", None, {"get clusterservingruntimes": ""}),
    "Knative's mode": ("nothing", None, {"get configmap": '{"defaultDeploymentMode": "Knative"}'}),
    "no image": ("nothing", None, {"get nodes": items(node(loaded=()))}),
}


@pytest.mark.parametrize("fault", RED)
def test_every_red_line_has_its_command(pages, fault):
    pattern, do, told = RED[fault]
    if do:
        first(pages, pattern, do)
    found, _ = look(pages, Told(**told))
    red = [one for one in found.values() if one.ok is False]
    assert red
    assert [one for one in red if not COMMAND.search(one.remedy)] == []


# The store.


@pytest.mark.parametrize(
    ("said", "status", "ok"),
    [
        ("No objects found at mlpipeline/fastkf-doctor", 404, True),  # 2.17.0
        ("Failed to get object in bucket mlpipeline: S3Error: NoSuchKey", 500, True),  # 2.15, 2.16
        ("The specified key does not exist.", 500, True),
        ("Error: connect ECONNREFUSED 10.96.0.9:8333", 500, False),
        ("NoSuchBucket: The specified bucket does not exist", 500, False),
        ("<Error><Code>NoSuchBucket</Code></Error>", 404, False),
        ("<!doctype html><title>Kubeflow Pipelines</title>", 200, None),
        ('{"error": "Not Found", "code": 5}', 404, None),
        ("Artifact does not belong to the requested namespace", 403, None),
    ],
)
@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "text/plain"])
def test_the_store_is_judged_by_status_and_text(pages, said, status, ok, kind):
    first(pages, "artifacts/get", answer(status, said, content_type=kind))
    check = store.check_store(connect(Endpoint(pages.url)))
    assert check.ok is ok
    assert ok or COMMAND.search(check.remedy)


def test_with_users_the_store_is_asked_where_they_may_look(pages):
    shared(pages)
    check = store.check_store(connect(Endpoint(pages.url, namespace="me")))
    assert check.ok
    assert "s3://mlpipeline/private/me/ only" in check.detail
    asked = [one.path for one in pages.seen if "artifacts" in one.path]
    assert "key=private-artifacts%2Fme%2Ffastkf-doctor" in asked[0]
    assert "namespace=me" in asked[0]


# Images.


@pytest.mark.parametrize(
    ("nodes", "ok", "told"),
    [
        ([node()], True, "1 of 1 nodes have it"),
        ([node(loaded=())], False, "0 of 1 nodes"),
        ([node(loaded=(), more=50)], None, "reports 50 images only"),
        ([node(), node("b", loaded=())], None, "1 of 2 nodes"),
        ([], None, "0 of 0 nodes"),
    ],
)
def test_an_image_that_was_loaded_is_looked_for_in_the_nodes(pages, nodes, ok, told):
    client = connect(Endpoint(pages.url))
    check = images.check_image(client, IMAGE, Told(**{"get nodes": items(*nodes)}))
    assert check.ok is ok
    assert told in check.detail
    assert ok or "kind load image-archive image.tar --name kubeflow" in check.remedy


def test_an_image_that_the_nodes_have_needs_no_registry(pages):
    loaded = ("docker.io/library/python:3.12",)
    told = Told(**{"get nodes": items(node(loaded=loaded))})
    assert images.check_image(connect(Endpoint(pages.url)), "python:3.12", told).ok


def test_nodes_that_may_not_be_seen_prove_nothing(pages):
    check = images.check_image(
        connect(Endpoint(pages.url)), IMAGE, Told(**{"get nodes": FORBIDDEN})
    )
    assert check.ok is None
    assert "nodes is forbidden" in check.detail


# Deployments and parts.


def test_versions_after_the_metadata_store_do_not_miss_it(pages):
    first(pages, "healthz", answer(200, '{"tag_name": "2.18.0", "multi_user": false}'))
    first(pages, "ml_metadata", answer(404, "not here"))
    without = [one for one in DEPLOYMENTS if not one.startswith("metadata")]
    found, _ = look(pages, Told(**{"-n kubeflow get deployments": up(*without)}))
    assert found["Deployments"].ok
    assert found["Metadata"].ok


def test_another_cluster_of_kubectls_is_suspected(pages):
    found, _ = look(pages, Told(**{"-n kubeflow get deployments": items()}))
    assert found["Deployments"].ok is None
    assert "kind-kubeflow" in found["Deployments"].detail


def test_katib_without_the_label_is_said(pages):
    found, table = look(pages, Told(**{"get namespaces -l katib": "namespace/other"}))
    assert found["Katib metrics"].ok is None
    assert "kubectl label namespace kubeflow katib" in found["Katib metrics"].remedy
    assert table["06, its Experiment"].runs is None


def test_a_part_of_unknown_names_is_not_called_down(pages):
    found, _ = look(pages, Told(**{"-n kserve get deployments": up("kserve-of-another-vendor")}))
    assert found["KServe"].ok is None


def test_kinds_are_asked_for_in_two_ways():
    told = Told(
        **{"get customresourcedefinitions": FORBIDDEN, "api-resources": "tfjobs.kubeflow.org"}
    )
    assert told.list_kinds() == ["tfjobs.kubeflow.org"]


# With users: tokens, and calls to models.


def policy(name="rule", action="ALLOW", rules=({},), label="serving.kserve.io/inferenceservice"):
    selector = {"matchLabels": {label: "titanic"}}
    spec = {"action": action, "rules": list(rules), "selector": selector}
    return {"metadata": {"name": name}, "spec": spec}


def test_with_users_tokens_and_calls_from_outside_are_looked_at(pages):
    shared(pages)
    found, _ = look(pages, Told(), namespace="me")
    assert found["Tokens"].ok is None
    assert "dex" in found["Tokens"].detail
    assert found["Calls to models"].ok is None
    allowed = {
        "get requestauthentications": f"http://dex {users.KUBERNETES_ISSUER}",
        "get authorizationpolicies": items(policy()),
    }
    found, _ = look(pages, Told(**allowed), namespace="me")
    assert found["Tokens"].ok
    assert found["Calls to models"].ok


def test_with_users_the_profile_and_its_keys_are_looked_at(pages):
    shared(pages)
    found, _ = look(pages, Told(), namespace="me")
    assert found["Profile"].detail == "me, of me@example.com"
    assert "s3://mlpipeline/private/me/ only" in found["Store keys"].detail
    absent = {"get profiles": MISSING, "get secret mlpipeline": MISSING}
    found, _ = look(pages, Told(**absent), namespace="me")
    assert [found[name].ok for name in ("Profile", "Store keys")] == [False, False]
    hidden = {"get profiles": FORBIDDEN, "get secret mlpipeline": FORBIDDEN}
    found, _ = look(pages, Told(**hidden), namespace="me")
    assert [found[name].ok for name in ("Profile", "Store keys")] == [None, None]
    assert all(COMMAND.search(found[name].remedy) for name in ("Profile", "Store keys"))


@pytest.mark.parametrize(
    "other", [policy(action="DENY"), policy(rules=()), policy(label="app")], ids=str
)
def test_other_rules_let_no_calls_in(other):
    told = Told(**{"get authorizationpolicies": items(other)})
    assert users.check_calls(told, "me").ok is None


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            "Failed to create a pipeline: PermissionDenied desc = User 'ada' is not authorized to",
            ForbiddenError,
        ),
        ("Failed to create a pipeline: the package is no YAML", RejectedError),
    ],
)
def test_an_upload_without_the_right_to_it_is_forbidden_though_its_status_is_400(said, kind):
    body = json.dumps({"error_message": said, "error_details": "at pipeline_upload_server.go"})
    error = find_error("http://kubeflow.example", Response(400, body))
    assert type(error) is kind
    assert ("--namespace" in (error.remedy or "")) is (kind is ForbiddenError)


# Each lab.


@pytest.mark.parametrize(
    ("told", "lab", "runs", "lacks"),
    [
        (
            {"get secret object-store": MISSING},
            "08_object_storage",
            False,
            "the Secret object-store",
        ),
        (
            {"get secret object-store": "AWS_ACCESS_KEY_ID"},
            "08_object_storage",
            False,
            "entries AWS_",
        ),
        ({"get secret object-store": FORBIDDEN}, "08_object_storage", None, "was not told"),
        ({"get secret models-s3": MISSING}, "07, its service", False, "models-s3"),
        ({"get storageclasses": items()}, "05, its TrainJob", False, "class of volumes"),
        ({"get storageclasses": FORBIDDEN}, "05, its TrainJob", None, "class of volumes"),
        ({"get pods --all": items(pod("1800m"))}, "05, its TrainJob", False, "0.20 are free"),
        ({"get pods --all": FORBIDDEN}, "05, its TrainJob", None, "not looked at"),
        ({"get nodes": items(node(loaded=()))}, "02_titanic", False, "the step image"),
        ({"get nodes": items(node(loaded=()))}, "01b_custom_images", False, "its images"),
        ({"get nodes": items(node(loaded=()))}, "05, its TrainJob", False, "mnist-training:1.0"),
        ({"get nodes": items(node(loaded=()))}, "06, its Experiment", False, "katib-digits:1.0"),
        ({"get nodes": FORBIDDEN}, "notebook server", None, "whether the nodes have its image"),
        ({"get nodes": items(node(loaded=()))}, "notebook server", False, "notebook:1.0"),
    ],
)
def test_what_a_lab_lacks_is_in_the_table(pages, told, lab, runs, lacks):
    _, table = look(pages, Told(**told))
    assert table[lab].runs is runs
    assert lacks in table[lab].lacks


def test_the_table_of_the_titanic_and_the_models_are_looked_for_in_the_bucket(pages):
    first(pages, "key=(datasets|models)", no_object("x"))
    _, table = look(pages, Told())
    assert "s3://mlpipeline/datasets/titanic/titanic.csv" in table["08_object_storage"].lacks
    assert "s3://mlpipeline/models/titanic/model.joblib" in table["07, its service"].lacks


def test_of_a_store_that_cannot_be_asked_nothing_is_promised(pages):
    first(pages, "artifacts/get", answer(404, '{"error": "Not Found", "code": 5}'))
    _, table = look(pages, Told())
    lab = table["01_first_pipeline"]
    assert (lab.runs, lab.lacks) == (None, "Artifact store: see above")
    assert table["08_object_storage"].runs is None
    assert len([one for one in pages.seen if "artifacts/get" in one.path]) == 1


def test_with_users_they_are_below_the_users_own_prefix(pages):
    shared(pages)
    _, table = look(pages, Told(), namespace="me")
    lab = table["08_object_storage"]
    assert lab.runs is None
    assert "s3://mlpipeline/private/me/datasets/titanic/titanic.csv" in lab.lacks


def test_without_an_image_of_ones_own_the_labs_with_data_are_not_promised(pages):
    _, table = look(
        pages, Told(**{"get nodes": items(node(loaded=("docker.io/library/python:3.12",)))}), None
    )
    assert table["01_first_pipeline"].runs
    assert table["02_titanic"].runs is None
    assert "--image" in table["02_titanic"].lacks


def test_no_value_of_a_secret_is_asked_for(pages):
    told = Told()
    look(pages, told)
    asked = [one for one in told.asked if " secret " in f" {one} "]
    assert asked
    assert all("go-template" in one and "$name}} " in one for one in asked)


@pytest.mark.parametrize(
    ("text", "number"), [("250m", 0.25), ("2", 2), ("0.5", 0.5), ("1500m", 1.5)]
)
def test_processors_are_read_as_kubernetes_writes_them(text, number):
    assert room.read_processors(text) == number


def test_the_command_ends_with_the_table(pages, monkeypatch, tmp_path):
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\necho 'Unable to connect to the server' >&2\nexit 1\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv(endpoint.KALE_CONFIG_VARIABLE, str(tmp_path / "none"))
    result = fastkf("doctor", "--cluster", "--host", pages.url, "--image", IMAGE)
    assert result.code == 0, result.output
    after = result.output.partition("Deployments: not looked at")[2]
    assert "The labs on this cluster" in after
    assert re.search(r"01_first_pipeline +✓", after)
    assert re.search(r"07, its service +–", after)


def test_names_of_deployments_are_those_of_kubeflow_pipelines():
    known = {*deployments.NEEDED, *deployments.METADATA, *deployments.OTHERS, "seaweedfs"}
    assert known == set(DEPLOYMENTS)
