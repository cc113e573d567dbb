"""What a tuning shows in the terminal."""

from pathlib import Path

from fastkf.base.files import shown_path
from fastkf.runs.model import State
from fastkf.runs.progress import Progress
from fastkf.tune import status
from fastkf.tune.experiment import Experiment
from fastkf.tune.trials import Trial

STATE_OF = {
    "Succeeded": State.SUCCEEDED,
    "EarlyStopped": State.SKIPPED,
    "Killed": State.SKIPPED,
}


def format_value(text: str) -> str:
    """A parameter's value, a long number shortened."""
    try:
        return f"{float(text):.4g}" if "." in text or "e" in text else text
    except ValueError:
        return text


def format_assignments(trial: Trial) -> str:
    return " ".join(f"{name}={format_value(value)}" for name, value in trial.assignments.items())


def show_start(experiment: Experiment, folder: str, kept: int, display: Progress) -> None:
    limit = f"{experiment.max_trials} trials" if experiment.max_trials else "trials"
    display.done(
        f"{experiment.name}: manifest checked; {limit}, {experiment.algorithm}, "
        f"{experiment.parallel} at a time"
    )
    place = "this folder" if experiment.folder == Path.cwd() else shown_path(experiment.folder)
    container = experiment.primary_container(experiment.spec["trialTemplate"]["trialSpec"])
    display.say(
        f"The trials are processes of this machine, in {place}; "
        f"the image {container['image']} is not used. Files: {folder}"
    )
    if kept:
        display.say(f"{kept} finished trials are kept")


def show_trial(experiment: Experiment, trial: Trial, display: Progress) -> None:
    """One line for a trial that has ended."""
    value = trial.value(experiment)
    result = f"{experiment.metric} {value:.4f}" if value is not None else trial.message
    early = " (stopped early)" if trial.state == "EarlyStopped" else ""
    display.show_outcome(
        STATE_OF.get(trial.state, State.FAILED),
        f"{trial.name}  {result}{early} ",
        f"{format_assignments(trial)}  {trial.seconds:.1f} s",
    )


def show_summary(
    experiment: Experiment,
    trials: list[Trial],
    ending: status.Ending,
    folder: str,
    display: Progress,
) -> None:
    best = status.find_best(experiment, trials)
    if best:
        rows = [(experiment.metric, f"{best.value(experiment):.4f}")]
        rows += [(name, format_value(value)) for name, value in best.assignments.items()]
        display.show_table(["the best", best.name], rows)
    succeeded = best is not None and ending.type == "Succeeded"
    display.conclude(f"{ending.message};", succeeded, f"trials: {status.count_states(trials)}")
    if not best:
        display.failed(f"no trial has succeeded; their logs: {folder}/trials/*/output.log")
    display.say(f"Result: {folder}/experiment.yaml, report.html, trials.csv")
