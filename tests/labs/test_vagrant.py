"""The Vagrantfile: `vagrant validate` for both providers, and what it makes of the pins."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from fastkf.course import places

VAGRANTFILE = places.PROJECT / "Vagrantfile"
PINS = yaml.safe_load((places.PROJECT / "labs" / "versions.yaml").read_text(encoding="utf-8"))
SCRIPT = (places.PROJECT / "labs" / "kubeflow_vm.sh").read_text(encoding="utf-8")

# Prints what Vagrant has made of the Vagrantfile, and ends before anything is started.
DUMP = f"""
load {str(VAGRANTFILE)!r}
Vagrant.configure("2") do |config|
  config.vm.define("kubeflow") do |kubeflow|
    kubeflow.trigger.before :up do |trigger|
      trigger.ruby do |env, machine|
        vm = machine.config.vm
        puts "DUMP " + {{
          networks: vm.networks, env: vm.provisioners.map {{ |one| one.config.env }},
          box: [vm.box, vm.box_version], settings: machine.provider_config.customizations,
          machines: env.vagrantfile.machine_names_and_options,
        }}.to_json
        $stdout.flush
        exit!(0)
      end
    end
  end
end
"""

pytestmark = pytest.mark.skipif(not shutil.which("vagrant"), reason="vagrant is not installed")


@pytest.fixture(scope="module")
def libvirt_plugin(tmp_path_factory):
    listed = vagrant(tmp_path_factory.mktemp("plugins"), "plugin", "list")
    if "vagrant-libvirt" not in listed.stdout:
        pytest.skip("the plugin vagrant-libvirt is not installed")


def vagrant(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs vagrant apart from the user's own boxes, with a stand-in for VirtualBox's program."""
    program = folder / "bin" / "VBoxManage"
    if not program.exists():
        program.parent.mkdir()
        program.write_text('#!/bin/sh\n[ "$1" = --version ] && echo 7.0.8r156879\nexit 0\n')
        program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "VAGRANT_HOME": str(folder / "home"),
        "VAGRANT_DOTFILE_PATH": str(folder / "dot"),
        "VAGRANT_CWD": str(places.PROJECT),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_DEFAULT_PROVIDER": "virtualbox",
        **variables,
    }
    command = ["vagrant", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def validate(folder: Path, provider: str, old: str = "", new: str = ""):
    """Validates the Vagrantfile, with `new` in the place of `old`."""
    copy = folder / "project"
    (copy / "labs").mkdir(parents=True)
    text = VAGRANTFILE.read_text(encoding="utf-8")
    assert old in text
    (copy / "Vagrantfile").write_text(text.replace(old, new, 1) if old else text)
    for name in ("versions.yaml", "kubeflow_vm.sh"):
        shutil.copy(places.PROJECT / "labs" / name, copy / "labs")
    return vagrant(folder, "validate", VAGRANT_CWD=str(copy), VAGRANT_DEFAULT_PROVIDER=provider)


def test_is_valid_for_virtualbox(tmp_path):
    result = validate(tmp_path, "virtualbox")
    assert result.returncode == 0, result.stderr
    assert "validated successfully" in result.stdout


def test_is_valid_for_libvirt(tmp_path, libvirt_plugin):
    result = validate(tmp_path, "libvirt")
    assert result.returncode == 0, result.stderr
    assert "validated successfully" in result.stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("virtualbox.memory", "virtualbox.memori", "memori"),
        ("kubeflow.vm.hostname", "kubeflow.vm.hostnam", "hostnam"),
        ('labs/kubeflow_vm.sh", env', 'labs/kubeflow.sh", env', "does not exist"),
        ("primary: true\n    end", "primery: true\n    end", "primery"),
    ],
)
def test_a_wrong_setting_is_found(tmp_path, old, new, message):
    result = validate(tmp_path, "virtualbox", old, new)
    assert result.returncode == 1
    assert message in result.stderr


def test_a_wrong_setting_for_libvirt_is_found(tmp_path, libvirt_plugin):
    result = validate(tmp_path, "libvirt", "machine_virtual_size", "machine_size")
    assert result.returncode == 1
    assert "machine_size" in result.stderr


@pytest.fixture(scope="module")
def dumped(tmp_path_factory):
    """The settings of the machine `kubeflow`, with a size of the learner's own."""
    folder = tmp_path_factory.mktemp("dump")
    (folder / "Vagrantfile").write_text(DUMP)
    size = {"FASTKF_VM_MEMORY": "7000", "VAGRANT_CWD": str(folder)}
    result = vagrant(folder, "up", "kubeflow", "--provider", "virtualbox", **size)
    found = re.search(r"DUMP (\{.*\})", result.stdout)
    assert found, result.stdout + result.stderr
    return json.loads(found[1])


def test_ports_are_open_on_this_computer_alone(dumped):
    forwarded = [one for kind, one in dumped["networks"] if kind == "forwarded_port"]
    ours = {one["host"]: one["host_ip"] for one in forwarded if one["id"] != "ssh"}
    assert ours == {8080: "127.0.0.1", 8333: "127.0.0.1"}
    assert {one["host_ip"] for one in forwarded} == {"127.0.0.1"}


def test_the_script_gets_the_pins(dumped):
    wanted = set(re.findall(r'"\$\{([A-Z0-9_]+):\?\}"', SCRIPT))
    (given,) = dumped["env"]
    assert set(given) == wanted
    assert given["KIND_NODE_IMAGE"] == PINS["kind"]["node_image"]
    assert given["KIND_SHA256"] == PINS["kind"]["sha256"]["linux-amd64"]
    assert given["KUBECTL_SHA256"] == PINS["kubectl"]["sha256"]["linux-amd64"]
    assert given["PIPELINES_VERSION"] == PINS["kubeflow_pipelines"]["version"]


def test_box_and_size(dumped):
    assert dumped["box"] == [PINS["ubuntu_box"]["box"], PINS["ubuntu_box"]["version"]]
    assert ["--memory", "7000"] in [words[-2:] for _, words in dumped["settings"]]


def test_minikf_is_not_started_by_default(dumped):
    started = {name for name, one in dumped["machines"].items() if one.get("autostart", True)}
    assert started == {"kubeflow"}


def test_a_size_that_is_no_number_is_refused(tmp_path):
    result = vagrant(tmp_path, "validate", FASTKF_VM_MEMORY="8 GB")
    assert result.returncode == 1
    assert "must be whole numbers" in result.stderr


def test_minikf_without_its_box_says_so(tmp_path):
    result = vagrant(tmp_path, "up", "minikf", "--provider", "virtualbox")
    assert result.returncode == 1
    assert "can no longer be downloaded" in result.stderr
    assert "vagrant box add --name arrikto/minikf" in result.stderr
