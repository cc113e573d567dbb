"""Starts a tuning from a manifest or a notebook, or takes up the one of a folder."""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import filelock

from fastkf.base.errors import FastkfError, UsageError
from fastkf.base.files import shown_path
from fastkf.base.yaml_text import read_yaml
from fastkf.notebook.brought import brought_files, with_files
from fastkf.notebook.model import Notebook
from fastkf.runs.folder import make_run_folder
from fastkf.runs.progress import Progress
from fastkf.tune import progress, status, trial_places
from fastkf.tune.experiment import (
    DEFAULT_PARALLEL,
    FOLDER,
    NOTEBOOK,
    Experiment,
    read_manifest,
)
from fastkf.tune.files import write_yaml
from fastkf.tune.notebook import Search, make_manifest
from fastkf.tune.report import write_report, write_table
from fastkf.tune.rules import check_experiment, find_differences
from fastkf.tune.tuning import Tuning

MANIFEST = "manifest.yaml"
LARGEST_ANNOTATION = 262_144  # bytes; without --server-side, kubectl keeps what it sends in one


@dataclass(frozen=True)
class Options:
    """What may be asked for with any target.

    Attributes:
        trials, parallel: counts, in place of the manifest's own.
        output: the tuning's folder; home/<name>/<time>/ when None.
        dry_run: check and write the manifest, but start no trial.
        home: where the folders of runs are.
    """

    trials: int | None = None
    parallel: int | None = None
    output: Path | None = None
    dry_run: bool = False
    home: Path = Path("runs")


def tune_manifest(path: Path, options: Options, display: Progress) -> bool:
    """Checks an Experiment's manifest and runs it; True when it succeeded.

    Raises:
        UsageError: the manifest is wrong; each problem has a line with the file and the field.
        FastkfError: the tuning was interrupted.
    """
    manifest = set_counts(read_checked(path), options)
    _show_differences(manifest, path, display)
    if options.dry_run:
        display.done(f"{path}: no problems")
        return True
    folder = make_run_folder(manifest["metadata"]["name"], options.output, options.home)
    there = Experiment(manifest, path.resolve().parent).folder
    annotations = manifest["metadata"].get("annotations") or {}
    annotations = {**annotations, FOLDER: os.path.relpath(there, folder.resolve())}
    manifest["metadata"] = {**manifest["metadata"], "annotations": annotations}
    write_yaml(folder / MANIFEST, manifest)
    return run_tuning(folder, display)


def tune_notebook(
    notebook: Notebook,
    search: Search,
    options: Options,
    display: Progress,
    bring: Callable[[Notebook], None] = lambda notebook: None,
) -> bool:
    """Makes the Experiment that tunes a notebook and runs it; True when it succeeded.

    Args:
        bring: called before the first trial; may put in place what the notebook needs.

    Raises:
        UsageError: the notebook cannot be tuned so.
        FastkfError: the tuning was interrupted.
    """
    notebook = with_files(notebook, search.brought)
    brought_files(notebook)  # or it says what is wrong with them before anything runs
    documents = make_manifest(notebook, search)
    if problems := check_experiment(documents[-1]):
        raise UsageError("\n".join(f"{notebook.path}: {problem}" for problem in problems))
    folder = make_run_folder(f"tune_{notebook.name}", options.output, options.home)
    there = os.path.relpath(notebook.path.resolve().parent, folder.resolve())
    documents[-1]["metadata"]["annotations"] = {FOLDER: there, NOTEBOOK: notebook.path.name}
    write_yaml(folder / MANIFEST, *documents)
    _show_differences(documents[-1], folder / MANIFEST, display)
    if (folder / MANIFEST).stat().st_size > LARGEST_ANNOTATION:
        display.warn(f"for a cluster: kubectl apply --server-side -f {folder / MANIFEST}")
    if options.dry_run:
        display.done(f"wrote {folder / MANIFEST}")
        return True
    bring(notebook)
    return run_tuning(folder, display)


def take_up(folder: Path, options: Options, display: Progress) -> bool:
    """Goes on with the tuning of a folder, whose finished trials are kept; True: it succeeded.

    Raises:
        UsageError: the folder has no tuning, or another process works in it.
        FastkfError: the tuning was interrupted.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise UsageError(f"{folder}: no {MANIFEST} in it, so it is not the folder of a tuning")
    if options.output or options.dry_run:
        raise UsageError(f"{folder}: only --trials and --parallel go with the folder of a tuning")
    changed = set_counts(read_checked(path), options)
    documents = read_yaml(path.read_text(encoding="utf-8"))
    others = (one for one in documents if isinstance(one, dict) and one.get("kind") != "Experiment")
    write_yaml(path, *others, changed)
    return run_tuning(folder, display)


def run_tuning(folder: Path, display: Progress) -> bool:
    """Runs the Experiment of a tuning's folder to its end and writes the report."""
    experiment = Experiment(read_checked(folder / MANIFEST), folder)
    if not experiment.folder.is_dir():
        raise UsageError(
            f"{experiment.folder}: no such folder; {folder / MANIFEST} names it in the "
            f"annotation {FOLDER}: the trials run there"
        )
    shown = shown_path(folder)
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            return _run(experiment, folder, shown, display)
    except filelock.Timeout:
        raise UsageError(f"{folder}: another process tunes in this folder") from None


def read_checked(path: Path) -> dict:
    """The Experiment of a file.

    Raises:
        UsageError: there is something wrong with it.
    """
    manifest = read_manifest(path)
    if problems := check_experiment(manifest):
        raise UsageError("\n".join(f"{path}: {problem}" for problem in problems))
    return manifest


def set_counts(manifest: dict, options: Options) -> dict:
    """A copy with other counts; those that would be more than the trials are made less."""
    manifest = copy.deepcopy(manifest)
    spec = manifest["spec"]
    if options.parallel is not None:
        spec["parallelTrialCount"] = options.parallel
    if options.trials is not None:
        spec["maxTrialCount"] = options.trials
        defaults = {"parallelTrialCount": DEFAULT_PARALLEL, "maxFailedTrialCount": 0}
        for count, default in defaults.items():
            if (spec.get(count) or default) > options.trials:
                spec[count] = options.trials
    if problems := check_experiment(manifest):
        raise UsageError("\n".join(problems))
    return manifest


def _run(experiment: Experiment, folder: Path, shown: str, display: Progress) -> bool:
    tuning = Tuning(experiment, folder, since=_read_start(folder))
    progress.show_start(experiment, shown, len(tuning.trials), display)
    for said in trial_places.warn(experiment):
        display.warn(said)
    try:
        ending = tuning.run(lambda trial: progress.show_trial(experiment, trial, display))
    except KeyboardInterrupt:
        write_table(experiment, tuning.trials, folder / "trials.csv")
        raise FastkfError(
            f"interrupted; {len(tuning.trials)} finished trials are kept. To go on: "
            f"fastkf tune {shown}"
        ) from None
    write_table(experiment, tuning.trials, folder / "trials.csv")
    write_report(experiment, tuning, ending, folder / "report.html")
    progress.show_summary(experiment, tuning.trials, ending, shown, display)
    return ending.type == "Succeeded" and bool(status.find_best(experiment, tuning.trials))


def _read_start(folder: Path) -> str | None:
    """When the tuning began; None when it begins now."""
    try:
        text = (folder / "experiment.yaml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    [document] = read_yaml(text)
    return document["status"]["startTime"]


def _show_differences(manifest: dict, path: Path, display: Progress) -> None:
    for note in find_differences(manifest):
        display.say(f"note: {path}: {note}")
