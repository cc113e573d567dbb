"""One trial: its resource, in the shape of Katib's Trial, and the process that is its work."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fastkf.base import clock, processes
from fastkf.base.expansion import read_command, read_variables
from fastkf.base.files import read_end, read_lines, write_text
from fastkf.base.yaml_text import read_yaml
from fastkf.engine.variables import as_in_pod
from fastkf.runs.text import clean_text
from fastkf.tune.early_stopping import Watch
from fastkf.tune.experiment import API_VERSION, Experiment
from fastkf.tune.files import write_yaml
from fastkf.tune.metrics import Record, observe, pick_value, read_records
from fastkf.tune.trial_places import make_places

PYTHON = re.compile(r"(.*/)?python(3(\.\d+)?)?")
TRIAL_FOLDER = "FASTKF_TRIAL_FOLDER"
TRIAL_NOTEBOOK = "FASTKF_TRIAL_NOTEBOOK"
# Katib's conditions of a trial that has ended, with their reasons.
ENDED = {
    "Succeeded": "TrialSucceeded",
    "Failed": "TrialFailed",
    "EarlyStopped": "TrialEarlyStopped",
    "MetricsUnavailable": "MetricsUnavailable",
    "Killed": "TrialKilled",
}
DEADLINE_EXCEEDED = "Job was active longer than specified deadline (activeDeadlineSeconds)"


@dataclass
class Trial:
    """A trial and its folder, which holds trial.yaml, output.log and metrics.csv."""

    resource: dict
    folder: Path

    @property
    def name(self) -> str:
        return self.resource["metadata"]["name"]

    @property
    def assignments(self) -> dict[str, str]:
        given = self.resource["spec"]["parameterAssignments"]
        return {one["name"]: one["value"] for one in given}

    @property
    def state(self) -> str:
        """The type of its newest condition that holds."""
        holding = [one for one in self.resource["status"]["conditions"] if one["status"] == "True"]
        return holding[-1]["type"]

    @property
    def message(self) -> str:
        return self.resource["status"]["conditions"][-1]["message"]

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def seconds(self) -> float:
        status = self.resource["status"]
        began, ended = (
            datetime.fromisoformat(status[key]) for key in ("startTime", "completionTime")
        )
        return (ended - began).total_seconds()

    def value(self, experiment: Experiment, metric: str | None = None) -> float | None:
        """The objective's value, or another metric's; None when the trial has none."""
        metric = metric or experiment.metric
        observation = self.resource["status"].get("observation") or {"metrics": []}
        return pick_value(observation["metrics"], metric, experiment.strategies[metric])

    def read_records(self, experiment: Experiment) -> list[Record]:
        lines = read_lines(self.folder / "output.log")
        return read_records(lines, experiment.metrics, experiment.filters)

    def conclude(self, state: str, message: str, experiment: Experiment) -> None:
        """Sets the trial's end, with what it printed by then, and writes its files."""
        records, now = self.read_records(experiment), clock.format_utc(clock.now())
        if state == "Succeeded":
            observation = observe(records, experiment.metrics)
            strategy = experiment.strategies[experiment.metric]
            if pick_value(observation, experiment.metric, strategy) is None:
                state = "MetricsUnavailable"
                message = f"it printed no {experiment.metric}=<a number>"
        status = self.resource["status"]
        if state in ("Succeeded", "EarlyStopped"):
            status["observation"] = {"metrics": observe(records, experiment.metrics)}
        for one in status["conditions"]:
            if one["type"] == "Running":
                one.update(status="False", lastUpdateTime=now, lastTransitionTime=now)
        status["conditions"].append(make_condition(state, ENDED[state], message, now))
        status["completionTime"] = now
        self._write_metrics(records)
        write_yaml(self.folder / "trial.yaml", self.resource)

    def _write_metrics(self, records: list[Record]) -> None:
        rows = [f"{record.name},{record.value}\n" for record in records]
        write_text(self.folder / "metrics.csv", "".join(["metric,value\n", *rows]))


class RunningTrial:
    """A trial whose process runs."""

    def __init__(self, trial: Trial, experiment: Experiment):
        self.trial, self.experiment = trial, experiment
        status = trial.resource["status"]
        now = clock.format_utc(clock.now())
        status["startTime"] = now
        status["conditions"] = [
            make_condition("Created", "TrialCreated", "Trial is created", now),
            make_condition("Running", "TrialRunning", "Trial is running", now),
        ]
        trial.folder.mkdir(parents=True, exist_ok=True)
        write_yaml(trial.folder / "trial.yaml", trial.resource)
        rules = trial.resource["spec"].get("earlyStoppingRules")
        self._log = (trial.folder / "output.log").open("wb")
        self._watch = Watch(trial.folder / "output.log", rules[0], experiment) if rules else None
        self._memory = processes.MemoryWatch()
        self._deadline = time.monotonic() + experiment.longest(trial.resource["spec"]["runSpec"])
        container = experiment.primary_container(trial.resource["spec"]["runSpec"])
        self._places = make_places(experiment, container, trial.folder)
        self.process = self._start(container)

    def poll(self) -> bool:
        """Looks after the trial; True when it has ended and its end is written down."""
        code = self.process.poll()
        if code is None and self._watch and self._watch.says_stop():
            processes.end([self.process])
            self._close("EarlyStopped", "Trial is early stopped")
            return True
        if code is None and time.monotonic() >= self._deadline:
            processes.end([self.process])
            self._close("Failed", DEADLINE_EXCEEDED)
            return True
        if code is None:
            return False
        processes.end([self.process])  # what the command left running
        if code == 0:
            self._close("Succeeded", "Trial has succeeded")
        else:
            said = self._last_line()
            reason = self._places.explain(said)
            ending = f"{self._memory.ending(code)}: {said}"
            self._close("Failed", f"{ending} ({reason})" if reason else ending)
        return True

    def kill(self, message: str) -> None:
        processes.end([self.process])
        self._close("Killed", message)

    def abandon(self) -> None:
        """Leaves a trial whose process has ended to be run again: nothing of its own stays."""
        self._log.close()
        self._places.remove()

    def _close(self, state: str, message: str) -> None:
        self.abandon()
        self.trial.conclude(state, message, self.experiment)

    def _start(self, container: dict) -> subprocess.Popen:
        given, command = read_variables(container), read_command(container)
        if PYTHON.fullmatch(command[0]):
            command[0] = sys.executable
        environment = {
            **processes.with_own_python(as_in_pod(os.environ)),
            **self._places.variables(),
            TRIAL_FOLDER: str(self.trial.folder.resolve()),
            TRIAL_NOTEBOOK: self.experiment.notebook or "",
            **given,
        }
        words = self._places.wrap(command)
        return processes.start(words, self._log, self.experiment.folder, environment)

    def _last_line(self) -> str:
        text = clean_text(read_end(self.trial.folder / "output.log"))
        lines = [line for line in text.splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it printed nothing"


def make_trial(
    experiment: Experiment, name: str, assignments: dict[str, str], rules: list[dict], folder: Path
) -> Trial:
    """A trial that has not started.

    Args:
        assignments: parameter to value, as text.
        rules: Katib's early-stopping rules for it.
        folder: where the folders of the trials are.
    """
    spec = experiment.spec
    metadata = {"name": name, "labels": {"katib.kubeflow.org/experiment": experiment.name}}
    if namespace := experiment.manifest["metadata"].get("namespace"):
        metadata["namespace"] = namespace
    given = [{"name": key, "value": value} for key, value in assignments.items()]
    resource = {
        "apiVersion": API_VERSION,
        "kind": "Trial",
        "metadata": metadata,
        "spec": {
            "objective": spec["objective"],
            "parameterAssignments": given,
            "primaryContainerName": spec["trialTemplate"]["primaryContainerName"],
            "runSpec": experiment.make_run_spec(name, assignments),
            **({"earlyStoppingRules": rules} if rules else {}),
        },
        "status": {"conditions": []},
    }
    return Trial(resource, folder / name)


def read_trial(folder: Path) -> Trial | None:
    """The trial of a folder; None when the folder has none."""
    try:
        [resource] = read_yaml((folder / "trial.yaml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Trial(resource, folder)


def make_condition(kind: str, reason: str, message: str, time: str) -> dict[str, str]:
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastUpdateTime": time,
        "lastTransitionTime": time,
    }
