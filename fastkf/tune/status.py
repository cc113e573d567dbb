"""The status of an Experiment, as Katib's controller makes it from the trials.

Katib 0.19: pkg/controller.v1beta1/experiment/util/status_util.go.
"""

from dataclasses import dataclass

from fastkf.base import clock
from fastkf.tune.experiment import Experiment
from fastkf.tune.trials import ENDED, Trial, make_condition

# Katib's fields for the trials of each state: the list of names, and their number.
FIELDS = {
    "Succeeded": ("succeededTrialList", "trialsSucceeded"),
    "Failed": ("failedTrialList", "trialsFailed"),
    "Killed": ("killedTrialList", "trialsKilled"),
    "EarlyStopped": ("earlyStoppedTrialList", "trialsEarlyStopped"),
    "MetricsUnavailable": ("metricsUnavailableTrialList", "trialMetricsUnavailable"),
    "Running": ("runningTrialList", "trialsRunning"),
}


@dataclass(frozen=True)
class Ending:
    """How an Experiment ended: `type` is "Succeeded" or "Failed"."""

    type: str
    reason: str
    message: str


def find_ending(experiment: Experiment, trials: list[Trial], exhausted: bool) -> Ending | None:
    """How the Experiment ends with these trials; None while it goes on.

    Args:
        trials: those that have ended.
        exhausted: the search has no more trials to propose.
    """
    best = find_best(experiment, trials)
    if best and _reaches_goal(experiment, best.value(experiment)):
        return _end("Succeeded", "ExperimentGoalReached", "Objective goal has reached")
    failed = sum(trial.state in ("Failed", "MetricsUnavailable") for trial in trials)
    if experiment.max_failed is not None and failed and failed >= experiment.max_failed:
        return _end("Failed", "ExperimentFailed", "max failed count has reached")
    if experiment.max_trials is not None and len(trials) >= experiment.max_trials:
        return _end("Succeeded", "ExperimentMaxTrialsReached", "max trial count has reached")
    if exhausted:
        reached = "suggestion service has reached the end"
        return _end("Succeeded", "ExperimentSuggestionEndReached", reached)
    return None


def find_best(experiment: Experiment, trials: list[Trial]) -> Trial | None:
    """The trial with the best objective, the earliest of equals; None when none has one."""
    best: tuple[float, Trial] | None = None
    for trial in sorted(trials, key=lambda trial: trial.name):
        value = trial.value(experiment)
        if value is None:
            continue
        if best is None or (value > best[0] if experiment.maximize else value < best[0]):
            best = value, trial
    return best[1] if best else None


def make_status(
    experiment: Experiment, trials: list[Trial], ending: Ending | None, since: str
) -> dict:
    """The status in Katib's shape.

    Args:
        trials: those that have ended or are running.
        since: when the Experiment began.
    """
    conditions = [
        make_condition("Created", "ExperimentCreated", "Experiment is created", since),
        make_condition("Running", "ExperimentRunning", "Experiment is running", since),
    ]
    status = {"startTime": since, "conditions": conditions, "trials": len(trials)}
    if ending:
        now = clock.format_utc(clock.now())
        conditions[1].update(status="False", lastUpdateTime=now, lastTransitionTime=now)
        conditions.append(make_condition(ending.type, ending.reason, ending.message, now))
        status["completionTime"] = now
    if best := find_best(experiment, trials):
        status["currentOptimalTrial"] = {
            "bestTrialName": best.name,
            "parameterAssignments": best.resource["spec"]["parameterAssignments"],
            "observation": best.resource["status"]["observation"],
        }
    for state, (names_field, count_field) in FIELDS.items():
        if names := sorted(trial.name for trial in trials if trial.state == state):
            status |= {names_field: names, count_field: len(names)}
    return status


def count_states(trials: list[Trial]) -> str:
    """How the trials ended, in words."""
    states = [trial.state for trial in trials]
    words = {state: states.count(state) for state in ENDED if state in states}
    return ", ".join(f"{count} {state}" for state, count in words.items()) or "none"


def _end(kind: str, reason: str, what: str) -> Ending:
    return Ending(kind, reason, f"Experiment has {kind.lower()} because {what}")


def _reaches_goal(experiment: Experiment, value: float | None) -> bool:
    goal = experiment.goal
    if goal is None or value is None:
        return False
    return value >= goal if experiment.maximize else value <= goal
