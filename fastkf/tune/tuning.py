"""Runs an Experiment: proposes trials, runs them side by side, obeys the goal and the counts.

The folder of a tuning:

    manifest.yaml       what was asked for
    experiment.yaml     the Experiment with its status, as Katib keeps it
    trials/<name>/      trial.yaml, output.log, metrics.csv
    study.db            Optuna's study (SQLite)
    trials.csv, report.html
"""

import time
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import TrialState

from fastkf.base import clock, processes
from fastkf.tune import algorithms, status
from fastkf.tune.early_stopping import make_rules, read_values
from fastkf.tune.experiment import Experiment
from fastkf.tune.files import write_yaml
from fastkf.tune.trials import RunningTrial, Trial, make_trial, read_trial

SECONDS_BETWEEN_LOOKS = 0.1


class Tuning:
    """A tuning in its folder, new or taken up again.

    Args:
        since: when it began; now when None.
    """

    def __init__(self, experiment: Experiment, folder: Path, since: str | None = None):
        self.experiment, self.folder = experiment, folder
        self.since = since or clock.format_utc(clock.now())
        self.storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / 'study.db').resolve()}")
        self.study = open_study(self.storage, experiment)
        self.trials: list[Trial] = []  # that have ended
        self._running: dict[int, RunningTrial] = {}
        self._interrupted: list[int] = []  # numbers of trials to run again
        self._exhausted = False
        self._saved: dict | None = None
        self._take_up()

    def run(self, on_trial: Callable[[Trial], None]) -> status.Ending:
        """Runs trials until the Experiment has ended.

        Args:
            on_trial: called with each trial that has ended.

        Raises:
            KeyboardInterrupt: as it came; the trials that ran are ended, and run again next time.
        """
        try:
            while (ending := self._find_ending()) is None:
                while self._may_start() and self._start_next():
                    pass
                self._save()
                self._look_after_running(on_trial)
        except BaseException:
            processes.end([running.process for running in self._running.values()])
            for running in self._running.values():
                running.abandon()
            raise
        for number, running in self._running.items():
            if not running.poll():
                running.kill("the experiment has ended")
            self._take_in(number, running.trial)
        self._running.clear()
        self._save(ending)
        return ending

    def _take_up(self) -> None:
        """Finds the trials of an earlier run: those that ended, and those to run again."""
        for frozen in self.study.get_trials(deepcopy=False):
            if not algorithms.is_proposed(frozen, self.experiment):
                if frozen.state == TrialState.RUNNING:
                    self.study.tell(frozen.number, state=TrialState.FAIL)
                continue
            trial = read_trial(self.folder / "trials" / self._name(frozen.number))
            if trial and trial.has_ended:
                self._take_in(frozen.number, trial)
            elif frozen.state == TrialState.RUNNING:
                self._interrupted.append(frozen.number)

    def _name(self, number: int) -> str:
        """The name of the trial that has this number in the study."""
        before = self.study.get_trials(deepcopy=False)[:number]
        rank = sum(algorithms.is_proposed(one, self.experiment) for one in before) + 1
        return f"{self.experiment.name}-{rank:03}"

    def _find_ending(self) -> status.Ending | None:
        active = bool(self._running or self._interrupted)
        return status.find_ending(self.experiment, self.trials, self._exhausted and not active)

    def _may_start(self) -> bool:
        most = self.experiment.max_trials
        room = most is None or len(self.trials) + len(self._running) < most
        return room and len(self._running) < self.experiment.parallel

    def _start_next(self) -> bool:
        """Starts a trial that was interrupted, or a new one; False when there is none."""
        proposal: optuna.Trial | None
        if self._interrupted:
            proposal = self._proposal(self._interrupted.pop(0))
        else:
            proposal = algorithms.propose(self.study, self.experiment)
        if proposal is None:
            self._exhausted = True
            return False
        names = [one["name"] for one in self.experiment.parameters]
        trial = make_trial(
            self.experiment,
            self._name(proposal.number),
            {name: str(proposal.params[name]) for name in names},
            make_rules(self.experiment, [one for one in self.trials if one.state == "Succeeded"]),
            self.folder / "trials",
        )
        self._running[proposal.number] = RunningTrial(trial, self.experiment)
        return True

    def _look_after_running(self, on_trial: Callable[[Trial], None]) -> None:
        """Waits for a moment; takes in the trials that have ended."""
        if self._running:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        for number, running in list(self._running.items()):
            if running.poll():
                del self._running[number]
                self._take_in(number, running.trial)
                on_trial(running.trial)

    def _take_in(self, number: int, trial: Trial) -> None:
        """Keeps a trial that has ended, and tells Optuna how."""
        self.trials.append(trial)
        frozen = self.study.get_trials(deepcopy=False)[number]
        if frozen.state.is_finished():
            return
        if trial.state in ("Succeeded", "EarlyStopped"):
            proposal = self._proposal(number)
            values = read_values(trial.read_records(self.experiment), self.experiment.metric)
            for step, value in enumerate(values, start=1):
                if step not in frozen.intermediate_values:
                    proposal.report(value, step)
        if trial.state == "Succeeded":
            self.study.tell(number, trial.value(self.experiment))
        elif trial.state == "EarlyStopped":
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, state=TrialState.FAIL)

    def _proposal(self, number: int) -> optuna.Trial:
        study_id = self.storage.get_study_id_from_name(self.experiment.name)
        trial_id = self.storage.get_trial_id_from_study_id_trial_number(study_id, number)
        return optuna.Trial(self.study, trial_id)

    def _save(self, ending: status.Ending | None = None) -> None:
        """Writes the Experiment with its status, when that has changed."""
        started = [running.trial for running in self._running.values()]
        current = status.make_status(self.experiment, [*self.trials, *started], ending, self.since)
        if current != self._saved:
            resource = {**self.experiment.manifest, "status": current}
            write_yaml(self.folder / "experiment.yaml", resource)
            self._saved = current


def open_study(storage: optuna.storages.BaseStorage, experiment: Experiment) -> optuna.Study:
    """Optuna's study of a tuning, made when the storage has none."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        study_name=experiment.name,
        storage=storage,
        direction="maximize" if experiment.maximize else "minimize",
        load_if_exists=True,
    )
