"""Finds where the course names something that labs/versions.yaml pins, and with which version."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from fastkf.course import places

PINS_FILE = places.PROJECT / "labs" / "versions.yaml"
PINS = yaml.safe_load(PINS_FILE.read_text(encoding="utf-8"))
FOLDERS = (".github", "fastkf", "labs", "notebooks")
ENDINGS = {".ipynb", ".md", ".py", ".sh", ".yaml", ".yml", ""}

V = r"v?(\d[\w.]*\w)"
IMAGE = r"[:@][^\s\"'`)]+"
HASH = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True)
class Rule:
    """How a pinned thing is named in a text.

    Attributes:
        pins: the pins ("kind.version") that the named version must be one of.
        pattern: finds the version, in its only group.
        example: a text that names it; {} stands for the version.
        wrong: a version that is not pinned.
    """

    pins: str
    pattern: str
    example: str
    wrong: str = "0.1.2"

    @property
    def allowed(self) -> list[str]:
        found: list[str] = []
        for name in self.pins.split():
            value: object = PINS
            for part in name.split("."):
                value = value[part]
            found += value if isinstance(value, list) else [str(value)]
        return found


RULES = [
    Rule("kubernetes.version kubernetes.tried",
         r"Kubernetes (\d+\.\d+\.\d+)", "on Kubernetes {}"),
    Rule("kubernetes.version", rf"--kubernetes-version[= ]{V}", "--kubernetes-version=v{}"),
    Rule("kubectl.version", rf"dl\.k8s\.io/(?:release/)?{V}/bin", "dl.k8s.io/release/v{}/bin/x"),
    Rule("kind.version", rf"kind/releases/download/{V}/", "kind/releases/download/v{}/kind"),
    Rule("kind.version", rf"kind\.sigs\.k8s\.io/dl/{V}/", "https://kind.sigs.k8s.io/dl/v{}/kind"),
    Rule("kind.version", r"\bkind,? (?:version )?v?(\d+\.\d+\.\d+)", "with kind, version {}"),
    Rule("kind.version", rf"KIND_VERSION[=:] ?[\"']?{V}", "KIND_VERSION: v{}"),
    Rule("kind.version", rf"helm/kind-action@(?:.*\n){{1,4}}?\s+version: {V}",
         "uses: helm/kind-action@v1\n  with:\n    version: v{}\n"),
    Rule("kind.node_image", rf"(kindest/node{IMAGE})", "--image {}", "kindest/node:v1.30.0"),
    Rule("k3d.version", r"\bk3d,? (?:version )?v?(\d+\.\d+\.\d+)", "k3d, version {}"),
    Rule("k3d.version", rf"k3d/releases/download/{V}/", "k3d/releases/download/v{}/k3d"),
    Rule("k3d.image", rf"(rancher/k3s{IMAGE})", "--image {}", "rancher/k3s:v1.30.0-k3s1"),
    Rule("minikube.version", r"minikube,? (?:version )?v?(\d+\.\d+\.\d+)", "minikube, version {}"),
    Rule("minikube.version", rf"minikube/releases/(?:download/)?{V}/", "minikube/releases/v{}/m"),
    Rule("kubeflow_pipelines.version", rf"PIPELINES?_VERSION[=:] ?[\"']?{V}",
         "export PIPELINE_VERSION={}"),
    Rule("kubeflow_pipelines.version", rf"kubeflow/pipelines[^\s\"']*[?&]ref={V}",
         "github.com/kubeflow/pipelines/manifests/kustomize/env/x?ref={}"),
    Rule("kubeflow_pipelines.version", r"Kubeflow Pipelines (\d+\.\d+\.\d+)",
         "Kubeflow Pipelines {}"),
    Rule("kubeflow_pipelines.version", rf"ghcr\.io/kubeflow/kfp-[\w-]+:{V}",
         "ghcr.io/kubeflow/kfp-launcher:{}"),
    Rule("community_distribution.version", rf"--branch {V} \S*/community-distribution",
         "git clone --branch {} https://github.com/kubeflow/community-distribution.git"),
    Rule("community_distribution.version", r"distribution,? (?:version )?(\d\d\.\d\d\.\d+)",
         "the community distribution {}", "25.03.0"),
    Rule("katib.version", rf"kubeflow/katib[^\s\"']*[?&]ref={V}", "kubeflow/katib.git/x?ref=v{}"),
    Rule("katib.version", r"\bKatib (\d+\.\d+\.\d+)", "Katib {}"),
    Rule("kserve.version", rf"kserve/kserve/releases/download/{V}/",
         "kserve/kserve/releases/download/v{}/kserve.yaml"),
    Rule("kserve.version", r"\bKServe (\d+\.\d+\.\d+)", "KServe {}"),
    Rule("cert_manager.version", rf"cert-manager/releases/download/{V}/",
         "cert-manager/releases/download/v{}/cert-manager.yaml"),
    Rule("training_operator.version",
         rf"kubeflow/(?:trainer|training-operator)[^\s\"']*/standalone[?&]ref={V}",
         "kubeflow/trainer.git/manifests/overlays/standalone?ref=v{}"),
    Rule("trainer.version", rf"kubeflow/trainer[^\s\"']*/(?:manager|runtimes)[?&]ref={V}",
         "kubeflow/trainer.git/manifests/overlays/manager?ref=v{}"),
    Rule("training_operator.version", rf"\btrainer/{V}/manifests/base/crds/kubeflow\.org",
         "trainer/v{}/manifests/base/crds/kubeflow.org_tfjobs.yaml"),
    Rule("trainer.version", rf"\btrainer/{V}/manifests/base/crds/trainer\.",
         "trainer/v{}/manifests/base/crds/trainer.kubeflow.org_trainjobs.yaml"),
    Rule("notebook_server_image.version", rf"\bnotebooks/{V}/components",
         "notebooks/v{}/components/x"),
    Rule("tensorflow_serving.version", rf"tensorflow/serving:{V}", "tensorflow/serving:{}"),
    Rule("tensorflow_serving.version", rf"runtimeVersion: [\"']?{V}", "runtimeVersion: {}"),
    Rule("notebook_server_image.version", rf"notebook-servers/[\w-]+:{V}",
         "kubeflow/notebook-servers/jupyter:v{}"),
    Rule("seaweedfs.version", rf"chrislusf/seaweedfs:{V}", "chrislusf/seaweedfs:{}"),
    Rule("microk8s.channel", r"install microk8s .*--channel[= ](\S+)",
         "snap install microk8s --classic --channel={}", "1.28/stable"),
    Rule("juju.channel", r"install juju .*--channel[= ](\S+)", "snap install juju --channel {}",
         "2.9/stable"),
    Rule("juju.channel", r"^juju:\n\s+channel: (\S+)", "juju:\n  channel: {}\n", "2.9/stable"),
    Rule("terraform.channel", r"install terraform .*--channel[= ](\S+)",
         "snap install terraform --channel={}", "1.2/stable"),
    Rule("canonical_kubernetes.channel", r"k8s:\n(?:.*\n){0,3}?\s+channel: (\S+)",
         "k8s:\n  enable: true\n  channel: {}\n", "1.30-classic/stable"),
    Rule("charmed_kubeflow.channels", r"juju deploy kubeflow .*--channel[= ](\S+)",
         "juju deploy kubeflow --trust --channel={}", "1.8/stable"),
    Rule("microk8s.channel charmed_kubeflow.channels", r"`(\d\.\d+/stable)`",
         "the channel `{}`", "1.8/stable"),
    Rule("charmed_kubeflow.track", r"(track/\d[\d.]*\d)", "git checkout {}", "track/1.8"),
    Rule("vagrant.version vagrant.oldest", r"Vagrant,? (?:version )?(\d+\.\d+\.\d+)", "Vagrant {}"),
    Rule("virtualbox.version minikf.virtualbox", r"VirtualBox,? (?:version )?(\d[\d.]*\d)",
         "VirtualBox {}"),
    Rule("ubuntu_box.version minikf.version", r"\b(20\d{6}\.\d+(?:\.\d+)?)\b", "box {}",
         "20200101.0.0"),
    Rule("minikf.box", r"(?<!gcr.io/)(arrikto/[\w.-]+)", "vagrant init {}", "arrikto/other"),
]  # fmt: skip

# What would take the newest version, whatever that is: a pattern and a text that it finds.
UNPINNED = {
    r"[\w./-]+:latest\b": "image: name/of:latest",
    r"[?&]ref=(?:master|main|HEAD)\b": "github.com/a/b/c?ref=master",
    r"apply (?:--\S+ )*-k [\"']?github\.com/[^\s\"'?]+(?=[\"'\s])": "apply -k github.com/a ",
    r"releases/latest\b": "https://github.com/a/b/releases/latest/download/c",
    r"release/stable\.txt": "https://dl.k8s.io/release/stable.txt",
    r"\buses: [^@\s]+@(?:main|master|HEAD)\b": "uses: a/b@main",
    r"(?<=--channel[= ])latest/\S+": "snap install x --channel=latest/edge",
    r"^\s*(?:- )?image: (?!str$)[\"']?[\w./-]+[\"']?$": "    image: python\n",
    r"^FROM (?!\$)[\w./-]+$": "FROM python\n",
}


def find_files() -> list[Path]:
    """The files of the course that may name a version; not the pins themselves."""
    found = [*places.PROJECT.glob("*.md"), places.PROJECT / "Vagrantfile"]
    for folder in FOLDERS:
        found += [path for path in (places.PROJECT / folder).rglob("*") if path.suffix in ENDINGS]
    return sorted(path for path in found if path.is_file() and path != PINS_FILE)


def read_text(path: Path) -> str:
    """The text of a file; of a notebook, that of its cells without their outputs."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix != ".ipynb":
        return text
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def find_named(text: str) -> Iterator[tuple[Rule, str]]:
    """Each pinned thing that a text names, with the version that it names."""
    for rule in RULES:
        for match in re.finditer(rule.pattern, text, re.M):
            yield rule, match[1]


def find_disagreements(text: str) -> list[str]:
    """Where a text names another version than the pinned one, or a hash that nobody pinned."""
    problems = [
        f"{rule.pins}: {named}, pinned is {' or '.join(rule.allowed)}"
        for rule, named in find_named(text)
        if named not in rule.allowed
    ]
    known = PINS_FILE.read_text(encoding="utf-8")
    return problems + [f"unknown hash {one}" for one in HASH.findall(text) if one not in known]


def find_unpinned(text: str) -> list[str]:
    """What a text takes in whatever version is the newest."""
    matches = [match[0] for one in UNPINNED for match in re.finditer(one, text, re.M)]
    return [one.strip() for one in matches if one != PINS["terraform"]["channel"]]
