"""Katib's median stopping: ends a trial that is behind where the others were.

Katib 0.19 (pkg/earlystopping/v1beta1/medianstop/service.py and file-metricscollector/main.go): the
bar is the mean, over the trials that have succeeded, of the average of each one's first start_step
values. A new trial takes the bar along as a rule. At its own value number start_step, its best one
so far is compared with the bar, once.
"""

from collections.abc import Iterable
from pathlib import Path
from statistics import mean

from fastkf.tune.experiment import Experiment
from fastkf.tune.metrics import Record, as_number, read_records

MOST_AT_ONCE = 2**24  # bytes of a log
MIN_TRIALS, START_STEP = 3, 4  # Katib's defaults


def make_rules(experiment: Experiment, succeeded: Iterable) -> list[dict]:
    """The rules that a new trial takes along, in the shape of Katib's earlyStoppingRules.

    Args:
        succeeded: the trials that have succeeded (`fastkf.tune.trials.Trial`).
    """
    settings = experiment.early_stopping
    if settings is None:
        return []
    step = int(settings.get("start_step", START_STEP))
    averages = [
        mean(values[:step])
        for trial in succeeded
        if (values := read_values(trial.read_records(experiment), experiment.metric))
    ]
    if len(averages) < int(settings.get("min_trials_required", MIN_TRIALS)):
        return []
    return [
        {
            "name": experiment.metric,
            "value": repr(mean(averages)),
            "comparison": "less" if experiment.maximize else "greater",
            "startStep": step,
        }
    ]


def read_values(records: Iterable[Record], metric: str) -> list[float]:
    """The numbers that a trial printed for a metric, in their order."""
    numbers = (as_number(record.value) for record in records if record.name == metric)
    return [number for number in numbers if number is not None]


class Watch:
    """Reads a trial's log as it grows and holds its values against a rule."""

    def __init__(self, log: Path, rule: dict, experiment: Experiment):
        self._log, self._rule, self._experiment = log, rule, experiment
        self._position = 0
        self._values: list[float] = []

    def says_stop(self) -> bool:
        """Whether the trial has just come to the step of the rule, and is behind it."""
        step = self._rule["startStep"]
        if len(self._values) >= step:
            return False
        for line in self._read_new_lines():
            records = read_records([line], self._experiment.metrics, self._experiment.filters)
            self._values += read_values(records, self._rule["name"])
        if len(self._values) < step:
            return False
        bar, seen = float(self._rule["value"]), self._values[:step]
        return max(seen) < bar if self._experiment.maximize else min(seen) > bar

    def _read_new_lines(self) -> list[str]:
        with self._log.open("rb") as log:
            log.seek(self._position)
            read = log.read(MOST_AT_ONCE)
        whole, newline, _ = read.rpartition(b"\n")
        if len(read) == MOST_AT_ONCE and not newline:  # its end is not waited for
            whole = read
        self._position += len(whole + newline)
        return whole.decode(errors="replace").splitlines()
