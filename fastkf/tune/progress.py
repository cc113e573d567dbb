"""What a tuning shows in the terminal."""

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from fastkf.cli.display import MARKS, Display
from fastkf.tune import status
from fastkf.tune.experiment import Experiment
from fastkf.tune.trials import Trial

MARK_OF = {"Succeeded": "succeeded", "EarlyStopped": "skipped", "Killed": "skipped"}


def format_value(text: str) -> str:
    """A parameter's value, a long number shortened."""
    try:
        return f"{float(text):.4g}" if "." in text or "e" in text else text
    except ValueError:
        return text


def format_assignments(trial: Trial) -> str:
    return " ".join(f"{name}={format_value(value)}" for name, value in trial.assignments.items())


def show_start(experiment: Experiment, folder: str, kept: int, display: Display) -> None:
    limit = f"{experiment.max_trials} trials" if experiment.max_trials else "trials"
    display.done(
        f"{experiment.name}: manifest checked; {limit}, {experiment.algorithm}, "
        f"{experiment.parallel} at a time"
    )
    container = experiment.primary_container(experiment.spec["trialTemplate"]["trialSpec"])
    display.say(
        f"[dim]The trials are processes of this machine, in {escape(_shown(experiment.folder))}; "
        f"the image {escape(container['image'])} is not used. Files: {escape(folder)}[/]"
    )
    if kept:
        display.say(f"{kept} finished trials are kept")


def show_trial(experiment: Experiment, trial: Trial, display: Display) -> None:
    """One line for a trial that has ended."""
    value = trial.value(experiment)
    result = f"{experiment.metric} {value:.4f}" if value is not None else trial.message
    early = " (stopped early)" if trial.state == "EarlyStopped" else ""
    display.say(
        f"  {MARKS[MARK_OF.get(trial.state, 'failed')]} {trial.name}  {escape(result)}{early}  "
        f"[dim]{escape(format_assignments(trial))}  {trial.seconds:.1f} s[/]"
    )


def show_summary(
    experiment: Experiment, trials: list[Trial], ending: status.Ending, folder: str, display
) -> None:
    best = status.find_best(experiment, trials)
    if best:
        table = Table("the best", best.name)
        table.add_row(experiment.metric, f"{best.value(experiment):.4f}")
        for name, value in best.assignments.items():
            table.add_row(name, format_value(value))
        display.console.print(table)
    style = "bold green" if best and ending.type == "Succeeded" else "bold red"
    display.say(f"[{style}]{ending.message}[/]; trials: {status.count_states(trials)}")
    if not best:
        display.failed(f"no trial has succeeded; their logs: {folder}/trials/*/output.log")
    display.say(f"Result: {escape(folder)}/experiment.yaml, report.html, trials.csv")


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd())) if path != Path.cwd() else "this folder"
    except ValueError:
        return str(path)
