"""The script that provisions the virtual machine, with stand-ins for what it calls.

They show what it does, in which order, and that it can be run again; not that a real kind and a
real Kubeflow take it so.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import guides
import pytest

from fastkf.course import places

SCRIPT = places.PROJECT / "labs" / "kubeflow_vm.sh"
STAND_IN = Path(__file__).parents[1] / "helpers" / "stand_in.py"
PLAIN = "awk bash cat chmod cmp cut dirname env getopt git grep install mkdir mktemp rm sha256sum"
STOOD_FOR = "apt-get chown curl df free getent id sleep sysctl systemctl uname usermod"
DOWNLOADS = {"kubectl": "KUBECTL", "kind-linux-amd64": "KIND"}

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


class Machine:
    """A folder that the script takes for an Ubuntu machine."""

    def __init__(self, folder: Path):
        self.folder, self.root = folder, folder / "root"
        self.bin, self.state = folder / "bin", folder / "state"
        for one in (self.root, self.bin, self.state, self.state / "downloads"):
            one.mkdir()
        program = STAND_IN.read_text().replace(
            "#!/usr/bin/env python3", f"#!{sys.executable} -ISB", 1
        )
        self.stand_in = self.state / "stand_in.py"
        self.stand_in.write_text(program)
        self.stand_in.chmod(0o755)
        for name in STOOD_FOR.split():
            (self.bin / name).symlink_to(self.stand_in)
        for name in PLAIN.split():
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)
        for name in DOWNLOADS:
            (self.state / "downloads" / name).write_text(program)
        for name in ("calls", "clusters", "failing"):
            (self.state / name).touch()
        self.hash = hashlib.sha256(program.encode()).hexdigest()

    def run(self, failing: str = "", **variables: str) -> subprocess.CompletedProcess:
        (self.state / "failing").write_text(failing)
        (self.state / "calls").write_text("")
        environment = {
            "PATH": str(self.bin),
            "TMPDIR": str(self.folder),
            "STAND_IN": str(self.state),
            "DESTDIR": str(self.root),
            "SUDO_USER": "ada",
            "KUBECTL_VERSION": "1.2.3",
            "KUBECTL_SHA256": self.hash,
            "KIND_VERSION": "0.4.5",
            "KIND_SHA256": self.hash,
            "KIND_NODE_IMAGE": "kindest/node:v1.2.3@sha256:abc",
            "PIPELINES_VERSION": "6.7.8",
            **variables,
        }
        command = [shutil.which("bash"), str(SCRIPT)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    @property
    def calls(self) -> list[str]:
        return (self.state / "calls").read_text().splitlines()

    def called(self, pattern: str) -> list[str]:
        return [call for call in self.calls if re.search(pattern, call)]

    def files(self) -> dict[str, bytes]:
        """What the script has put on the machine."""
        found = {str(p.relative_to(self.root)): p for p in self.root.rglob("*") if p.is_file()}
        return {name: path.read_bytes() for name, path in sorted(found.items())}


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A machine on which the script ran once, without trouble."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    result = machine.run()
    assert result.returncode == 0, result.stderr
    return machine


def test_installs_the_pinned_versions_in_order(finished):
    words = " ".join(finished.calls)
    steps = [
        "apt-get install",
        "https://dl.k8s.io/release/v1.2.3/bin/linux/amd64/kubectl",
        "https://github.com/kubernetes-sigs/kind/releases/download/v0.4.5/kind-linux-amd64",
        "kind create cluster --name kubeflow --image kindest/node:v1.2.3@sha256:abc",
        "cluster-scoped-resources?ref=6.7.8&",
        "crd/applications.app.k8s.io",
        "env/platform-agnostic?ref=6.7.8&",
        "deployment --all",
        "enable --now forward-ml-pipeline-ui.service",
        "enable --now forward-seaweedfs.service",
        "usermod -aG docker ada",
        "http://127.0.0.1:8080/apis/v2beta1/healthz",
    ]
    positions = [words.find(step) for step in steps]
    assert -1 not in positions
    assert positions == sorted(positions)


def test_the_guide_types_what_the_script_does(finished):
    typed = "\n".join(guides.shell_blocks(places.PROJECT / "labs" / "kubeflow_on_kind.md"))
    typed = typed.replace("$PIPELINE_VERSION", "6.7.8").replace('"', "")
    applied = finished.called("kubectl apply")
    assert len(applied) == 2
    assert [one for one in applied if one not in typed] == []
    assert set(re.findall(r"fs\.inotify\.\w+ = \d+", typed)) == set(
        re.findall(r"fs\.inotify\.\w+ = \d+", SCRIPT.read_text())
    )


def test_the_ports_are_led_to_the_page_and_the_store(finished):
    units = {name: text for name, text in finished.files().items() if name.endswith(".service")}
    commands = [re.search(rb"ExecStart=(.*)", text)[1].decode() for text in units.values()]
    assert [one.split("service/")[1] for one in commands] == [
        "ml-pipeline-ui 8080:80",
        "seaweedfs 8333:8333",
    ]
    assert all(one.startswith(f"{finished.root}/usr/local/bin/kubectl ") for one in commands)


def test_secrets_are_for_root_alone(finished):
    assert (finished.root / "etc/kubeflow").stat().st_mode & 0o777 == 0o700


def test_leaves_no_temporary_files(finished):
    assert list(finished.folder.glob("tmp.*")) == []


def test_a_second_run_changes_nothing(machine):
    assert machine.run().returncode == 0
    before = machine.files()
    result = machine.run()
    assert result.returncode == 0, result.stderr
    assert machine.files() == before
    assert (
        machine.called(r"apt-get|create cluster|curl .*(kubectl|kind)|restart|daemon-reload") == []
    )
    assert machine.called(r"docker start kubeflow-control-plane")


def test_tries_again_what_may_fail_for_a_moment(machine):
    calls = [
        "apt-get update",
        "apt-get install",
        "curl .*kind-linux-amd64",
        "kubectl wait .*node",
        "kubectl apply .*cluster-scoped",
        "kubectl wait .*crd",
        "kubectl apply .*platform-agnostic",
        "curl .*healthz",
    ]
    result = machine.run(failing="".join(f"2 {call}\n" for call in calls))
    assert result.returncode == 0, result.stderr
    tries = re.findall(r"did not work \(try \d\): (.*)", result.stdout)
    assert [sum(bool(re.search(call, one)) for one in tries) for call in calls] == [2] * len(calls)


@pytest.mark.parametrize(
    "call",
    [
        "sysctl",
        "curl .*kind",
        "kind create",
        "kubectl apply .*platform-agnostic",
        "systemctl enable .*seaweedfs",
        "curl .*healthz",
    ],
)
def test_goes_on_after_a_failure(machine, finished, call):
    failed = machine.run(failing=f"ever {call}")
    assert failed.returncode != 0
    assert "is ready" not in failed.stdout
    assert list(machine.folder.glob("tmp.*")) == []
    again = machine.run()
    assert again.returncode == 0, again.stderr
    same = str(machine.root).encode(), str(finished.root).encode()
    here = {name: text.replace(*same) for name, text in machine.files().items()}
    assert here == finished.files()
    assert (machine.state / "clusters").read_text() == "kubeflow"


def test_a_download_with_another_hash_is_not_installed(machine):
    (machine.state / "downloads" / "kind-linux-amd64").write_text("something else")
    result = machine.run()
    assert result.returncode == 1
    assert "another hash than labs/versions.yaml says" in result.stderr
    assert not (machine.root / "usr/local/bin/kind").exists()
    assert machine.called("kind create") == []


def test_an_older_program_is_replaced(machine):
    old = machine.root / "usr/local/bin/kubectl"
    old.parent.mkdir(parents=True)
    old.write_text("an older kubectl")
    assert machine.run().returncode == 0
    assert hashlib.sha256(old.read_bytes()).hexdigest() == machine.hash


def test_pods_that_do_not_start_are_shown(machine):
    result = machine.run(failing="ever kubectl wait .*deployment")
    assert result.returncode == 1
    assert "some pods above are not ready" in result.stderr
    assert machine.called("kubectl get pods -n kubeflow")
    assert machine.called("forward-") == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ANSWER_id": "1000"}, "as root"),
        ({"ANSWER_uname": "aarch64"}, "is aarch64"),
        ({"ANSWER_df": "Avail\n  7"}, "only 7 GB are free"),
        ({"ANSWER_free": "Mem:  2000  1"}, "has 2000 MB of memory"),
        ({"KIND_SHA256": ""}, "KIND_SHA256"),
    ],
)
def test_says_what_is_missing_before_it_changes_anything(machine, variables, message):
    result = machine.run(**variables)
    assert result.returncode != 0
    assert message in result.stderr
    assert machine.files() == {}


def test_without_sudo_nobody_is_let_in(machine):
    assert machine.run(SUDO_USER="").returncode == 0
    assert machine.called("usermod") == []


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_passes_shellcheck():
    assert os.access(SCRIPT, os.X_OK)
    result = subprocess.run(["shellcheck", SCRIPT], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
