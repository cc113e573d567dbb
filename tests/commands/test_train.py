"""The replicas of a TFJob as processes: what they get, how they restart, how a job ends."""

import io
import json
import os
import signal
import socket
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psutil
import pytest
import yaml
from conftest import start
from rich.console import Console
from waiting import wait_until_gone

from fastkf.base.errors import UsageError
from fastkf.base.mounts import can_mount
from fastkf.cli.display import Display
from fastkf.engine import process_places
from fastkf.runs.record import read_run
from fastkf.train.job import Options, run_job
from fastkf.train.loopback import Loopback

pytestmark = pytest.mark.slow

SHOW = """
import json, os, sys
config = json.loads(os.environ.get("TF_CONFIG", "null"))
print(json.dumps({"config": config, "words": sys.argv[1:], "folder": os.getcwd()}))
"""
FAIL_ONCE = """
import os, pathlib, sys
mark = pathlib.Path(sys.argv[1], os.environ["HOSTNAME"])
if not mark.exists():
    mark.touch()
    print("cannot go on")
    sys.exit(int(sys.argv[2]))
"""
SLEEP = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(100)"


def container(program, *args, **fields):
    return {
        "name": "tensorflow",
        "image": "example:1.0",
        "command": ["python", "-c", program],
        "args": [str(word) for word in args],
        "env": [{"name": "HOSTNAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        **fields,
    }


def replicas(program, *args, count=1, policy="Never", volumes=(), **fields):
    pod = {"containers": [container(program, *args, **fields)]}
    if volumes:
        pod["volumes"] = [{"name": name, source: {}} for name, source, _ in volumes]
        mounts = [{"name": name, "mountPath": path} for name, _, path in volumes]
        pod["containers"][0]["volumeMounts"] = mounts
    return {"replicas": count, "restartPolicy": policy, "template": {"spec": pod}}


OUTPUT = [("output", "persistentVolumeClaim", "/output")]


class Job:
    """Writes a TFJob and runs it; afterwards, what it has left."""

    def __init__(self, folder):
        self.path, self.folder = folder / "job.yaml", folder / "run"
        self.console = Console(file=io.StringIO(), width=200)

    def write(self, specs, annotations=None, success_policy=None, **run_policy):
        claims = {"claimName": "some-claim"}
        for spec in specs.values():
            for volume in spec["template"]["spec"].get("volumes", []):
                if "persistentVolumeClaim" in volume:
                    volume["persistentVolumeClaim"] = claims
        spec = {"tfReplicaSpecs": specs, "runPolicy": run_policy}
        if success_policy is not None:
            spec["successPolicy"] = success_policy
        manifest = {
            "apiVersion": "kubeflow.org/v1",
            "kind": "TFJob",
            "metadata": {"name": "example", "annotations": annotations or {}},
            "spec": spec,
        }
        self.path.write_text(yaml.safe_dump(manifest))
        return self

    def run(self, volumes=None, variables=None, **options):
        asked = Options(volumes or {}, variables or {}, output=self.folder, **options)
        run = run_job(self.path, asked, Display(self.console))
        self.record = json.loads((self.folder / "run.json").read_text())
        assert read_run(self.folder).state is run.state
        assert self.record["status"] == run.state.value
        return self.record["status"]

    @property
    def output(self):
        return self.console.file.getvalue()

    @property
    def status(self):
        return yaml.safe_load((self.folder / "tfjob.yaml").read_text())["status"]

    def log(self, name):
        return (self.folder / "logs" / f"{name}.log").read_text()

    def shown(self, name):
        return json.loads(self.log(name))

    def restarts(self):
        return {one["name"]: one["restarts"] for one in self.record["replicas"]}


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


def test_each_replica_gets_its_tf_config(job):
    names = {"Chief": 1, "PS": 1, "Worker": 2, "Evaluator": 1}
    specs = {name: replicas(SHOW, count=count) for name, count in names.items()}
    assert job.write(specs).run() == "succeeded"
    configs = {
        f"{name.lower()}-{index}": job.shown(f"{name.lower()}-{index}")["config"]
        for name, count in names.items()
        for index in range(count)
    }
    cluster = configs["chief-0"]["cluster"]
    assert {name: len(hosts) for name, hosts in cluster.items()} == {
        "chief": 1,
        "ps": 1,
        "worker": 2,
    }
    addresses = [address for hosts in cluster.values() for address in hosts]
    assert len(set(addresses)) == 4
    assert all(address.startswith("127.0.0.1:") for address in addresses)
    for name, config in configs.items():
        kind, index = name.split("-")
        assert config["cluster"] == cluster
        assert config["task"] == {"type": kind, "index": int(index)}
        assert config["environment"] == "cloud"


def test_one_replica_gets_no_tf_config(job, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["elsewhere:1"]}}')
    assert job.write({"Worker": replicas(SHOW)}).run() == "succeeded"
    assert job.shown("worker-0")["config"] is None


def test_words_variables_and_paths_become_local(job, tmp_path):
    (tmp_path / "digits").mkdir()
    volumes = [("data", "persistentVolumeClaim", "/data"), ("scratch", "emptyDir", "/scratch")]
    env = [
        {"name": "NAME", "value": "digits"},
        {"name": "FILE", "value": "/data/$(NAME).csv"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "some", "key": "token"}}},
    ]
    args = ["--data=$(FILE)", "/database", "$(ELSEWHERE) $$(NAME)", "/data:/scratch", "$(TOKEN)"]
    spec = replicas(SHOW, *args, count=2, volumes=volumes, env=env)
    job.write({"Worker": spec}, annotations={"fastkf/volume.data": "digits"})
    assert job.run(variables={"TOKEN": "s3cret"}) == "succeeded"
    data, scratch = tmp_path / "digits", job.folder / "volumes" / "scratch"
    for index in range(2):
        shown = job.shown(f"worker-{index}")
        assert shown["folder"] == str(tmp_path)
        assert shown["words"] == [
            f"--data={data}/digits.csv",
            "/database",
            "$(ELSEWHERE) $(NAME)",
            f"{data}:{scratch}/worker-{index}",
            "s3cret",
        ]
        assert (scratch / f"worker-{index}").is_dir()
    assert "image example:1.0: not used" in job.output


def test_a_volume_may_be_any_folder(job, tmp_path):
    program = "import pathlib, sys; pathlib.Path(sys.argv[1], 'made').touch()"
    job.write({"Worker": replicas(program, "/output", volumes=OUTPUT)})
    assert job.run(volumes={"output": tmp_path / "kept"}) == "succeeded"
    assert (tmp_path / "kept" / "made").exists()


@pytest.mark.parametrize(
    ("policy", "code", "succeeds"),
    [
        ("OnFailure", 1, True),
        ("ExitCode", 130, True),
        ("ExitCode", 127, False),
        ("Never", 130, False),
    ],
)
def test_restart_policy_is_obeyed(job, policy, code, succeeds):
    spec = replicas(FAIL_ONCE, "/output", code, count=2, policy=policy, volumes=OUTPUT)
    assert job.write({"Worker": spec}).run() == ("succeeded" if succeeds else "failed")
    if succeeds:
        assert job.restarts() == {"worker-0": 1, "worker-1": 1}
        assert job.log("worker-0") == "cannot go on\n"
    else:
        assert sum(job.restarts().values()) == 0
        assert f"failed with exit code {code}" in job.record["error"]
        assert "\n  cannot go on" in job.record["error"]
        assert "cannot go on" in job.output
    conditions = {one["type"]: one["status"] for one in job.status["conditions"]}
    assert list(conditions)[-1] == ("Succeeded" if succeeds else "Failed")


def test_only_exit_code_makes_the_job_restart(job):
    """The kubelet restarts containers by itself; the operator sees it with ExitCode only."""
    slow = FAIL_ONCE + "\nimport time; time.sleep(1.5)"
    spec = replicas(slow, "/output", 137, count=1, policy="ExitCode", volumes=OUTPUT)
    seen = []
    job.write({"Worker": spec})
    job.console.print = lambda text="", **_: seen.append(
        [one["type"] for one in job.status["conditions"]]
        if "started again (" in str(text)
        else None
    )
    assert job.run() == "succeeded"
    assert ["Created", "Restarting"] in seen


def test_backoff_limit_ends_the_job(job):
    spec = replicas("print('wrong'); exit(3)", policy="OnFailure")
    assert job.write({"Worker": spec}, backoffLimit=3).run() == "failed"
    assert job.restarts() == {"worker-0": 2}  # the operator ends a job whose third restart is due
    assert "2 times already (backoffLimit is 3)" in job.record["error"]
    assert job.status["replicaStatuses"] == {"Worker": {"failed": 1}}


def test_a_failing_worker_ends_the_others(job):
    program = f"import os\nif '-1' in os.environ['HOSTNAME']: print(1 / 0)\n{SLEEP}"
    assert job.write({"Worker": replicas(program, count=3)}).run() == "failed"
    assert "ZeroDivisionError: division by zero" in job.record["error"]
    assert "logs/worker-1.log" in job.record["error"]
    pids = [int(job.log(name).split()[1]) for name in ("worker-0", "worker-2") if job.log(name)]
    assert wait_until_gone(pids) == set()
    states = {one["name"]: one["state"] for one in job.record["replicas"]}
    assert states == {"worker-0": "ended", "worker-1": "failed", "worker-2": "ended"}


FIRST_ENDS = "import os, time; time.sleep(0 if '-0' in os.environ['HOSTNAME'] else {seconds})"


def test_the_first_worker_decides(job):
    spec = replicas(FIRST_ENDS.format(seconds=100), count=2)
    assert job.write({"Worker": spec}, cleanPodPolicy="Running").run() == "succeeded"
    assert job.status["replicaStatuses"] == {"Worker": {"succeeded": 2}}


def test_all_workers_decide_when_asked_to(job):
    program = FIRST_ENDS.format(seconds=1) + "; print(5)"
    spec = replicas(program, count=2)
    job.write({"Worker": spec}, success_policy="AllWorkers", cleanPodPolicy="Running")
    assert job.run() == "succeeded"
    assert job.log("worker-1") == "5\n"


def test_the_chief_decides_where_there_is_one(job):
    specs = {"Chief": replicas(""), "Worker": replicas(SLEEP, count=2)}
    assert job.write(specs, cleanPodPolicy="All").run() == "succeeded"


def test_a_deadline_ends_the_job(job):
    assert job.write({"Worker": replicas(SLEEP)}, activeDeadlineSeconds=1).run() == "failed"
    assert "still active after 1 s (activeDeadlineSeconds)" in job.record["error"]


def test_the_status_has_the_operators_shape(job):
    assert job.write({"Worker": replicas("", count=2)}).run() == "succeeded"
    assert set(job.status) == {"conditions", "replicaStatuses", "startTime", "completionTime"}
    conditions = job.status["conditions"]
    assert [(one["type"], one["status"], one["reason"]) for one in conditions] == [
        ("Created", "True", "TFJobCreated"),
        ("Running", "False", "TFJobRunning"),
        ("Succeeded", "True", "TFJobSucceeded"),
    ]
    fields = {"type", "status", "reason", "message", "lastUpdateTime", "lastTransitionTime"}
    assert all(set(one) == fields for one in conditions)


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        ({"command": None}, {}, "has no command"),
        ({}, {"volumes": {"data": "x"}}, "no volume data; its volumes: output"),
        ({"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "some", "key": "t"}}}]},
         {}, "--env TOKEN=VALUE"),
        ({"volumeMounts": [{"name": "output", "mountPath": "/output", "readOnly": True}]},
         {}, "/output is only read, and its folder here is not there"),
    ],
)  # fmt: skip
def test_what_cannot_be_here_is_said(job, change, options, expected):
    spec = replicas(SHOW, volumes=OUTPUT)
    fields = spec["template"]["spec"]["containers"][0]
    fields.update(change)
    job.write({"Worker": spec})
    with pytest.raises(UsageError, match=".") as failure:
        job.run(**options)
    assert expected in str(failure.value)
    assert not job.folder.exists()


def test_volumes_that_only_a_cluster_knows_are_asked_for(job):
    job.write({"Worker": replicas(SHOW, volumes=[("settings", "configMap", "/settings")])})
    with pytest.raises(UsageError, match="--volume settings=FOLDER"):
        job.run()


def test_a_job_that_could_never_end_is_refused(job):
    job.write({"Worker": replicas(SHOW, policy="Always")})
    with pytest.raises(UsageError, match="the job would never end; write OnFailure"):
        job.run()
    job.write({"PS": replicas(SHOW)})
    with pytest.raises(UsageError, match="a job never succeeds"):
        job.run()
    job.write({"Worker": replicas(SHOW)}, suspend=True)
    with pytest.raises(UsageError, match="suspend is true"):
        job.run()


def has_private_networks():
    with Loopback() as network:
        return network.is_private


LISTEN = """
import os, socket, time
with socket.create_server(("0.0.0.0", 0)) as server:
    print(server.getsockname()[1], flush=True)
    time.sleep(100)
"""


@pytest.mark.parametrize("network", ["private", "host"])
def test_who_can_reach_a_replica(job, network):
    if network == "private" and not has_private_networks():
        pytest.skip("this system allows users no network namespaces")
    process = start_job(job.write({"Worker": replicas(LISTEN)}), "--network", network)
    try:
        port = int(wait_for_log(job, process))
        with socket.socket() as client:
            client.settimeout(5)
            reached = client.connect_ex(("127.0.0.1", port)) == 0
    finally:
        process.kill()
        process.communicate()
    assert reached == (network == "host")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_command(job, number):
    process = start_job(job.write({"Worker": replicas(SLEEP, count=2)}))
    wait_for_log(job, process)
    family = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    assert len(family) >= 4
    os.kill(process.pid, number)
    output = process.communicate()[0]
    assert wait_until_gone(family) == set()
    if number == signal.SIGKILL:
        return
    assert process.returncode == 1
    assert "interrupted" in output
    assert "Traceback" not in output
    assert json.loads((job.folder / "run.json").read_text())["status"] == "failed"


def start_job(job, *options):
    return start("train", job.path, "--output", job.folder, *options)


def wait_for_log(job, process, seconds=60):
    """What the first worker writes first."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if (job.folder / "logs" / "worker-0.log").exists() and job.log("worker-0"):
            return job.log("worker-0")
        time.sleep(0.1)
    raise AssertionError(process.communicate()[0])


def test_private_networks_need_no_linux_to_be_left_out(job, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert job.write({"Worker": replicas(SHOW)}).run() == "succeeded"
    assert "TensorFlow listens on all its devices" in job.output


LEAVE = """
import os, pathlib, sys, time
place = pathlib.Path(os.path.expanduser(sys.argv[1]))
print("found", place.exists())
place.write_text("a checkpoint")
pathlib.Path(sys.argv[2], os.environ["HOSTNAME"]).touch()
while len(os.listdir(sys.argv[2])) < 2:
    time.sleep(0.05)
"""
needs_mounts = pytest.mark.skipif(not can_mount(), reason="nobody may mount anything here")
HERE = f"/tmp/{uuid.uuid4()}"  # that nobody else has


@pytest.mark.parametrize(
    "place", [pytest.param(HERE, marks=needs_mounts, id="tmp"), "~/checkpoint"]
)
@pytest.mark.parametrize("private", [False, True])
def test_what_one_replica_leaves_no_other_finds(job, place, private, monkeypatch):
    temporary = job.path.parent / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    specs = {"Worker": replicas(LEAVE, place, "/output", count=2, volumes=OUTPUT)}
    assert job.write(specs, success_policy="AllWorkers").run(private=private) == "succeeded"
    assert [job.log(f"worker-{one}") for one in (0, 1)] == ["found False\n"] * 2
    assert not os.path.lexists(HERE)
    assert os.listdir(temporary) == []


@needs_mounts
def test_a_replica_that_starts_again_finds_nothing_of_before(job):
    program = f"""
import os, pathlib, sys
place, mark = pathlib.Path("{HERE}"), pathlib.Path(sys.argv[1], "mark")
print("found", place.exists())
place.touch()
if not mark.exists():
    mark.touch()
    sys.exit(1)
"""
    specs = {"Worker": replicas(program, "/output", policy="OnFailure", volumes=OUTPUT)}
    assert job.write(specs).run() == "succeeded"
    assert job.log("worker-0") == "found False\nfound False\n"


@needs_mounts
def test_a_replica_that_looks_for_what_this_machine_has_says_so(job):
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        specs = {"Worker": replicas("import sys; open(sys.argv[1])", file.name)}
        assert job.write(specs).run() == "failed"
    assert "this machine has it, and each replica has a /tmp of its own" in job.record["error"]


@needs_mounts
def test_what_is_given_for_a_replica_in_tmp_is_there(job):
    program = "import os; [open(os.environ[name]) for name in ('TABLE', 'SAME')]"
    env = [{"name": "TABLE", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]
    env.append({"name": "SAME", "value": "/data/table"})
    volumes = [("data", "persistentVolumeClaim", "/data")]
    job.write({"Worker": replicas(program, volumes=volumes, env=env)})
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        table = Path(folder) / "table"
        table.touch()
        assert job.run({"data": Path(folder)}, {"TABLE": str(table)}) == "succeeded", job.record


@pytest.mark.parametrize(("place", "told"), [("/tmp/none", True), ("/mnt/none", False)])
def test_where_nobody_may_mount_replicas_share_tmp_and_it_is_said(job, monkeypatch, place, told):
    monkeypatch.setattr(process_places, "can_mount", lambda before: False)
    specs = {"Worker": replicas("import os; print(os.environ['TMPDIR'])", place)}
    assert job.write(specs).run() == "succeeded"
    assert ("replicas share this machine's /tmp" in job.output) is told
    assert "fastkf-replica-" in job.log("worker-0")
