"""Runs the replicas of a job as processes of this machine, as a cluster runs its pods."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fastkf.base import clock, processes
from fastkf.base.files import shown_path
from fastkf.runs.folder import LOGS
from fastkf.runs.model import Run, State
from fastkf.runs.progress import Progress
from fastkf.train.manifest import TrainingJob
from fastkf.train.pods import Pod
from fastkf.train.record import write_record
from fastkf.train.replica import Replica
from fastkf.train.status import JobStatus

RETRYABLE = 128  # the policy ExitCode starts again what exits with this or more
RESTARTS_WITHOUT_LIMIT = 6
LONGEST_DELAY = 30.0
SECONDS_TO_FINISH = 20.0
SECONDS_BETWEEN_LOOKS = 0.1

Wrap = Callable[[list[str]], list[str]]


class JobController:
    """A job while it runs.

    Args:
        pods: its replicas.
        run: the run, whose folder gets run.json, logs/, and the TFJob with its status.
        wrap: makes the command that runs a replica's command in the job's network.
    """

    def __init__(self, job: TrainingJob, pods: list[Pod], run: Run, progress: Progress, wrap: Wrap):
        self.job, self.run, self.progress, self.wrap = job, run, progress, wrap
        logs = run.folder / LOGS
        logs.mkdir(exist_ok=True)
        self.replicas = [Replica(pod, logs / f"{pod.name}.log") for pod in pods]
        self.status = JobStatus(job.kind.name)
        self.began = time.monotonic()
        self.error: str | None = None

    def work(self) -> Run:
        """Runs the job to its end, whatever that is."""
        self.status.set("Created", f"{self.job.title} is created.")
        try:
            while not self.status.has_ended:
                self._advance()
                time.sleep(SECONDS_BETWEEN_LOOKS)
            if self.status.last == "Succeeded" and self.job.clean_pod_policy == "None":
                self._let_finish()
        except KeyboardInterrupt:
            self.error = "interrupted; the processes of the job were ended"
        finally:
            self._end()
        return self.run

    def _advance(self) -> None:
        for replica in self.replicas:
            if replica.state == "pending" and time.monotonic() >= replica.start_at:
                replica.start(self.wrap([]), self.job.path.resolve().parent, self.progress)
                self._write(State.RUNNING)
            elif replica.has_ended():
                self._settle(replica)
                self._write(State.RUNNING)
        if self.status.last != "Failed":
            self._judge()

    def _settle(self, replica: Replica) -> None:
        """Decides what follows on the end of a replica's process."""
        policy, code = replica.pod.restart_policy, replica.exit_code or 0
        if code == 0 and policy != "Always":
            replica.state = "succeeded"
            return
        again = policy in ("Always", "OnFailure") or (policy == "ExitCode" and code >= RETRYABLE)
        if not again:
            self._fail(replica, _describe_failure(replica))
        elif self._has_reached_limit():
            restarts = sum(one.restarts for one in self.replicas)
            limit = f"backoffLimit is {self.job.backoff_limit}"
            if self.job.backoff_limit is None:
                limit = "without a backoffLimit, a cluster would go on for ever"
            self._fail(
                replica,
                f"{_describe_failure(replica)}, and replicas were started again {restarts} times "
                f"already ({limit})",
            )
        else:
            self._start_again(replica, code)

    def _start_again(self, replica: Replica, code: int) -> None:
        replica.state, replica.restarts = "pending", replica.restarts + 1
        replica.start_at = time.monotonic() + min(2.0 ** (replica.restarts - 1), LONGEST_DELAY)
        name, pod = replica.pod.name, replica.pod
        self.progress.relay(name, f"ended with exit code {code}; it will be started again")
        if pod.restart_policy == "ExitCode":
            message = f"{pod.type} replica {pod.index} failed: exit code {code}"
            self.status.set("Restarting", f"{self.job.title} is restarting: {message}.")

    def _has_reached_limit(self) -> bool:
        """Whether one more restart is too many; the operator ends a job that reaches its limit."""
        limit = self.job.backoff_limit
        limit = RESTARTS_WITHOUT_LIMIT + 1 if limit is None else max(limit, 1)
        return sum(one.restarts for one in self.replicas) + 1 >= limit

    def _fail(self, replica: Replica, message: str) -> None:
        replica.state = "failed"
        lines = "".join(f"\n  {line}" for line in replica.tail)
        self.error = f"{message}; its last lines (all of them: {shown_path(replica.log)}):{lines}"
        if reason := replica.explain():
            self.error += f"\n  {reason}"
        self.status.set("Failed", f"{self.job.title} has failed because {message}.")

    def _judge(self) -> None:
        """Whether the job runs, has succeeded, or has taken too long."""
        if all(replica.state != "pending" for replica in self.replicas):
            self.status.set("Running", f"{self.job.title} is running.")
        deciding = [one for one in self.replicas if one.pod.type == self.job.deciding_type]
        if self.job.deciding_type == "Worker" and self.job.success_policy != "AllWorkers":
            deciding = [one for one in deciding if one.pod.index == 0]
        if deciding and all(one.state == "succeeded" for one in deciding):
            self.status.set("Succeeded", f"{self.job.title} successfully completed.")
        deadline = self.job.run_policy.get("activeDeadlineSeconds")
        if deadline and self.status.last != "Succeeded" and self._seconds >= deadline:
            self.error = f"still active after {deadline} s (activeDeadlineSeconds)"
            self.status.set("Failed", f"{self.job.title} has failed: {self.error}.")

    def _let_finish(self) -> None:
        """With cleanPodPolicy None, the pods beside the deciding ones run on; here not for long."""
        until = time.monotonic() + SECONDS_TO_FINISH
        running = [one for one in self.replicas if one.state == "running"]
        while any(one.state == "running" for one in running) and time.monotonic() < until:
            for replica in running:
                if replica.has_ended():
                    replica.state = "succeeded" if replica.exit_code == 0 else "failed"
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _end(self) -> None:
        """Ends what still runs, and writes down how the job has ended."""
        running = [one for one in self.replicas if one.state == "running"]
        processes.end([one.process for one in running if one.process])
        for replica in self.replicas:
            replica.note_end()
        succeeded = self.status.last == "Succeeded" and self.error is None
        if not succeeded and self.error is None:
            self.error = "the run did not end"
        self._write(State.SUCCEEDED if succeeded else State.FAILED)

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self.began

    def _write(self, state: State) -> None:
        self.run = replace(self.run, state=state, seconds=self._seconds, error=self.error)
        write_record(self.run, self.job, self.status, self.replicas)


def _describe_failure(replica: Replica) -> str:
    """In the operator's words, and the cause in this project's."""
    cause = replica.ending.cause if replica.ending else None
    said = f"{replica.pod.name} failed with exit code {replica.exit_code}"
    return f"{said} ({cause})" if cause else said


def new_run(job: TrainingJob, folder: Path) -> Run:
    """The run of a job that starts now."""
    return Run(folder=folder, name=job.name, title=job.title, started=clock.now())
