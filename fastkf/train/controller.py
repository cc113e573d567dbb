"""Runs the replicas of a TFJob as processes of this machine, as the Training Operator runs pods."""

import json
import re
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from fastkf.base import processes
from fastkf.base.errors import UsageError
from fastkf.base.files import shown_path
from fastkf.base.ports import free_ports
from fastkf.course import data, places
from fastkf.runs.folder import make_run_folder
from fastkf.runs.model import State
from fastkf.runs.progress import Progress
from fastkf.train.loopback import Loopback
from fastkf.train.manifest import TFJob, read_tfjob
from fastkf.train.pods import Pod, Volume, find_volumes, plan_pods
from fastkf.train.status import JobStatus, now

RETRYABLE = 128  # the policy ExitCode starts again what exits with this or more
RESTARTS_WITHOUT_LIMIT = 6
LONGEST_DELAY = 30.0
SECONDS_TO_FINISH = 20.0
LINES_OF_AN_ERROR = 20
# What TensorFlow's C++ code writes before it has read how much it should write.
NOISE = re.compile(r"WARNING: All log messages before absl::|[IWE]\d{4} ?\d")


def run_job(
    path: Path,
    display: Progress,
    volumes: Mapping[str, Path],
    variables: Mapping[str, str],
    output: Path | None = None,
    private: bool = True,
) -> dict:
    """Runs a TFJob; returns the content of run.json.

    Args:
        path: the manifest.
        display: where progress is shown.
        volumes: folders that are the volumes here, by the volumes' names.
        variables: environment variables, beside the manifest's or in their place.
        output: the run's folder; runs/<name>/<time>/ when None.
        private: whether the replicas get a network of their own, where the system allows it.

    Raises:
        UsageError: the manifest is not right, or asks for what is not here.
    """
    job = read_tfjob(path)
    _check_can_run(job)
    ports = free_ports(sum(spec.count for spec in job.specs))
    folder = make_run_folder(job.name, output, places.RUNS)
    try:
        found = find_volumes(job, volumes, folder / "volumes")
        pods = plan_pods(job, found, variables, ports)
        _bring_data(job, found, pods, display)
    except UsageError:
        folder.rmdir()
        raise
    if not private:
        return JobRun(job, pods, folder, display, list).run(_describe(job, found, False))
    with Loopback() as network:
        run = JobRun(job, pods, folder, display, network.wrap)
        return run.run(_describe(job, found, network.is_private))


@dataclass
class Replica:
    """A pod and its process.

    Attributes:
        state: pending (to be started), running, succeeded or failed.
        restarts: how often its process was started again.
        tail: the last lines that it wrote.
    """

    pod: Pod
    log: Path
    state: str = "pending"
    restarts: int = 0
    exit_code: int | None = None
    start_at: float = 0.0
    process: subprocess.Popen | None = None
    reader: threading.Thread | None = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_OF_AN_ERROR))

    def start(self, command: list, folder: Path, show: Callable[[str, str], None]) -> None:
        for mount in self.pod.mounts:
            if mount.per_pod and self.pod.restart_policy == "ExitCode" and mount.folder.exists():
                shutil.rmtree(mount.folder)  # the operator makes a new pod, with a new emptyDir
            if not mount.read_only:
                mount.folder.mkdir(parents=True, exist_ok=True)
        self.tail.clear()
        self.process = processes.start(command, subprocess.PIPE, folder, self.pod.environment)
        again = f" again ({self.restarts})" if self.restarts else ""
        show(self.pod.name, f"started{again}, process group {self.process.pid}")
        self.state = "running"
        self.reader = threading.Thread(target=self._read, args=[self.process, show], daemon=True)
        self.reader.start()

    def has_ended(self) -> bool:
        if self.state != "running" or self.process.poll() is None:
            return False
        code = self.process.returncode
        self.exit_code = code if code >= 0 else 128 - code
        processes.end([self.process])
        self.reader.join(timeout=5)
        return True

    def _read(self, process: subprocess.Popen, show: Callable[[str, str], None]) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            for line in process.stdout:
                text = line.decode("utf-8", errors="replace").rstrip()
                print(text, file=log, flush=True)
                if not NOISE.match(text):
                    self.tail.append(text)
                    show(self.pod.name, text)


class JobRun:
    """A job while it runs. Its folder gets run.json, logs/, and the TFJob with its status."""

    def __init__(
        self, job: TFJob, pods: list[Pod], folder: Path, display: Progress, wrap: Callable
    ):
        self.job, self.folder, self.display, self.wrap = job, folder, display, wrap
        logs = folder / "logs"
        logs.mkdir()
        self.replicas = [Replica(pod, logs / f"{pod.name}.log") for pod in pods]
        self.status = JobStatus("TFJob")
        self.started, self.began = now(), time.monotonic()
        self.error: str | None = None

    def run(self, description: list[str]) -> dict:
        """Runs to the end, whatever that is; returns the content of run.json."""
        for line in description:
            self.display.say(line)
        self.status.set("Created", f"TFJob {self.job.name} is created.")
        try:
            while self.status.last not in ("Succeeded", "Failed"):
                self._advance()
                time.sleep(0.1)
            if self.status.last == "Succeeded" and self.job.clean_pod_policy == "None":
                self._let_finish()
        except KeyboardInterrupt:
            self.error = "interrupted; the processes of the job were ended"
        finally:
            self._end()
            record = self._write()
        self._show(record)
        return record

    def _advance(self) -> None:
        for replica in self.replicas:
            if replica.state == "pending" and time.monotonic() >= replica.start_at:
                replica.start(self.wrap(replica.pod.command), self.job.path.parent, self._say)
                self._write()
            elif replica.has_ended():
                self._settle(replica)
                self._write()
        if self.status.last != "Failed":
            self._judge()

    def _settle(self, replica: Replica) -> None:
        """Decides what follows on the end of a replica's process."""
        policy, code = replica.pod.restart_policy, replica.exit_code
        if code == 0 and policy != "Always":
            replica.state = "succeeded"
            return
        again = policy in ("Always", "OnFailure") or (policy == "ExitCode" and code >= RETRYABLE)
        if not again:
            self._fail(replica, f"{replica.pod.name} failed with exit code {code}")
        elif self._has_reached_limit():
            restarts = sum(one.restarts for one in self.replicas)
            limit = f"backoffLimit is {self.job.backoff_limit}"
            if self.job.backoff_limit is None:
                limit = "without a backoffLimit, a cluster would go on for ever"
            self._fail(
                replica,
                f"{replica.pod.name} failed with exit code {code}, and replicas were started again "
                f"{restarts} times already ({limit})",
            )
        else:
            replica.state, replica.restarts = "pending", replica.restarts + 1
            replica.start_at = time.monotonic() + min(2.0 ** (replica.restarts - 1), LONGEST_DELAY)
            self._say(replica.pod.name, f"ended with exit code {code}; it will be started again")
            if policy == "ExitCode":
                message = f"{replica.pod.type} replica {replica.pod.index} failed: exit code {code}"
                self.status.set("Restarting", f"TFJob {self.job.name} is restarting: {message}.")

    def _has_reached_limit(self) -> bool:
        """Whether one more restart is too many; the operator ends a job that reaches its limit."""
        limit = self.job.backoff_limit
        limit = RESTARTS_WITHOUT_LIMIT + 1 if limit is None else max(limit, 1)
        return sum(one.restarts for one in self.replicas) + 1 >= limit

    def _fail(self, replica: Replica, message: str) -> None:
        replica.state = "failed"
        lines = "".join(f"\n  {line}" for line in replica.tail)
        self.error = f"{message}; its last lines (all of them: {shown_path(replica.log)}):{lines}"
        self.status.set("Failed", f"TFJob {self.job.name} has failed because {message}.")

    def _judge(self) -> None:
        """Whether the job runs, has succeeded, or has taken too long."""
        if all(replica.state != "pending" for replica in self.replicas):
            self.status.set("Running", f"TFJob {self.job.name} is running.")
        deciding = [one for one in self.replicas if one.pod.type == self.job.deciding_type]
        if self.job.deciding_type == "Worker" and self.job.success_policy != "AllWorkers":
            deciding = [one for one in deciding if one.pod.index == 0]
        if deciding and all(one.state == "succeeded" for one in deciding):
            self.status.set("Succeeded", f"TFJob {self.job.name} successfully completed.")
        deadline = self.job.run_policy.get("activeDeadlineSeconds")
        if deadline and self.status.last != "Succeeded" and self.seconds >= deadline:
            self.error = f"still active after {deadline} s (activeDeadlineSeconds)"
            self.status.set("Failed", f"TFJob {self.job.name} has failed: {self.error}.")

    def _let_finish(self) -> None:
        """With cleanPodPolicy None, the pods beside the deciding ones run on; here not for long."""
        until = time.monotonic() + SECONDS_TO_FINISH
        running = [one for one in self.replicas if one.state == "running"]
        while any(one.state == "running" for one in running) and time.monotonic() < until:
            for replica in running:
                if replica.has_ended():
                    replica.state = "succeeded" if replica.exit_code == 0 else "failed"
            time.sleep(0.1)

    def _end(self) -> None:
        running = [one for one in self.replicas if one.state == "running"]
        processes.end([one.process for one in running])
        for replica in running:
            replica.reader.join(timeout=5)
            replica.exit_code, replica.state = replica.process.returncode, "ended"
        for replica in self.replicas:
            if replica.state == "pending":
                replica.state = "ended"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def _count(self) -> dict[str, dict[str, int]]:
        """The counts of a status: what waits for its start counts as active, as a pod does."""
        names = {"pending": "active", "running": "active", "ended": "failed"}
        if self.status.last == "Succeeded":
            names = {"pending": "succeeded", "running": "succeeded", "ended": "succeeded"}
        counts: dict[str, dict[str, int]] = {}
        for replica in self.replicas:
            one = counts.setdefault(replica.pod.type, {})
            name = names.get(replica.state, replica.state)
            one[name] = one.get(name, 0) + 1
        return counts

    def _write(self) -> dict:
        status = self.status.to_dict(self._count())
        manifest = yaml.safe_dump({**self.job.manifest, "status": status}, sort_keys=False)
        (self.folder / "tfjob.yaml").write_text(manifest, encoding="utf-8")
        succeeded = self.status.last == "Succeeded" and self.error is None
        record = {
            "name": self.job.name,
            "status": "succeeded" if succeeded else "failed",
            "started": self.started,
            "seconds": round(self.seconds, 1),
            "error": self.error or (None if succeeded else "the run did not end"),
            "replicas": [
                {
                    "name": one.pod.name,
                    "state": one.state,
                    "restarts": one.restarts,
                    "exit_code": one.exit_code,
                    "log": f"logs/{one.log.name}",
                }
                for one in self.replicas
            ],
        }
        (self.folder / "run.json").write_text(json.dumps(record, indent=2) + "\n")
        return record

    def _say(self, name: str, text: str) -> None:
        self.display.relay(name, text)

    def _show(self, record: dict) -> None:
        rows = [
            (
                State(one["state"]) if one["state"] in list(State) else State.SKIPPED,
                one["name"],
                one["state"],
                str(one["restarts"]),
                "–" if one["exit_code"] is None else str(one["exit_code"]),
            )
            for one in record["replicas"]
        ]
        self.display.show_table(["", "replica", "state", "restarts", "exit code"], rows)
        if record["error"]:
            self.display.failed(record["error"])
        succeeded = record["status"] == "succeeded"
        outcome = f"{self.job.name} {record['status']}"
        self.display.conclude(outcome, succeeded, f"{record['seconds']} s")
        self.display.say(f"Folder: {shown_path(self.folder)}")


def _check_can_run(job: TFJob) -> None:
    if job.run_policy.get("suspend"):
        raise UsageError(f"{job.path}: spec.runPolicy.suspend is true, so no replica would start")
    if job.deciding_type not in [spec.type for spec in job.specs]:
        raise UsageError(f"{job.path}: without a Chief, Master or Worker a job never succeeds")
    for spec in job.specs:
        if spec.type == job.deciding_type and spec.restart_policy == "Always":
            raise UsageError(
                f"{job.path}: with restartPolicy Always a {spec.type} is started again when it has "
                "succeeded too, so the job would never end; write OnFailure"
            )


def _bring_data(
    job: TFJob, volumes: Mapping[str, Volume], pods: list[Pod], display: Progress
) -> None:
    """Fetches the data sets of the course that are volumes; what is only read must be there.

    Raises:
        UsageError: the folder of a volume that is only read is not there.
    """
    for volume in volumes.values():
        name = volume.folder.name
        if volume.folder.parent == places.DATA and name in data.read_sources():
            data.fetch([name], progress=display.say)
    for mount in [mount for pod in pods for mount in pod.mounts]:
        if mount.read_only and not mount.folder.exists():
            raise UsageError(
                f"{job.path}: {mount.path} is only read, and its folder here is not there: "
                f"{mount.folder}; name another with --volume NAME=FOLDER"
            )


def _describe(job: TFJob, volumes: Mapping[str, Volume], is_private: bool) -> list[str]:
    """What the user should know of how this run differs from a cluster's."""
    counts = ", ".join(f"{spec.count} {spec.type}" for spec in job.specs)
    images = ", ".join(dict.fromkeys(spec.container["image"] for spec in job.specs))
    lines = [f"TFJob {job.name}: {counts}", f"  image {images}: not used; programs of this machine"]
    for name, volume in volumes.items():
        lines.append(f"  volume {name}: {shown_path(volume.folder)}")
    if is_private:
        lines.append("  network: the replicas have one of their own, and reach nothing else")
    else:
        lines.append("  network: this machine's; TensorFlow listens on all its devices")
    return lines
