"""The search algorithms and their settings, as Katib 0.19 names them, for Optuna.

Katib's katib-config runs random and tpe with hyperopt, grid and multivariate-tpe with Optuna, cmaes
and sobol with goptuna; the settings are those of these services (pkg/suggestion/v1beta1).
"""

import itertools
import math
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fastkf.tune.experiment import Experiment
from fastkf.tune.metrics import as_number

Check = Callable[[str], str | None]


def _at_least(least: int) -> Check:
    def check(text: str) -> str | None:
        fits = text.lstrip("+-").isdigit() and int(text) >= least
        return None if fits else f"must be a whole number, {least} or more"

    return check


def _between(low: float, high: float) -> Check:
    def check(text: str) -> str | None:
        number = as_number(text)
        fits = number is not None and low < number < high
        return (
            None
            if fits
            else f"must be a number above {low:g}"
            + (f" and below {high:g}" if math.isfinite(high) else "")
        )

    return check


def _one_of(*words: str) -> Check:
    return lambda text: None if text in words else f"must be one of {', '.join(words)}"


SEED = {"random_state": _at_least(0)}
HYPEROPT = {
    "gamma": _between(0, 1),
    "prior_weight": _between(0, math.inf),
    "n_EI_candidates": _at_least(1),
}
OPTUNA = {"n_startup_trials": _at_least(0), "n_ei_candidates": _at_least(1)}
CMAES = {
    "sigma": _between(0, math.inf),
    "restart_strategy": _one_of("none", "None", "ipop", "bipop"),
}
SETTINGS: dict[str, dict[str, Check]] = {
    "random": SEED,
    "grid": SEED,
    "tpe": SEED | HYPEROPT | OPTUNA,
    "multivariate-tpe": SEED | OPTUNA,
    "cmaes": SEED | CMAES,
    "sobol": {},
}
MEDIAN_STOP = {"min_trials_required": _at_least(1), "start_step": _at_least(1)}
ONLY_OPTUNA = {"tpe": tuple(OPTUNA)}
GOPTUNA = ("cmaes", "sobol")
ONLY_ON_A_CLUSTER = ("bayesianoptimization", "hyperband", "pbt", "enas", "darts")
LISTED = ", ".join(SETTINGS)


class SobolSampler(optuna.samplers.QMCSampler):
    """Takes the first trial from the sequence too, where Optuna would draw it at random."""

    def __init__(self, space: dict[str, BaseDistribution]):
        super().__init__(qmc_type="sobol", scramble=False)
        self._space = space

    def infer_relative_search_space(self, study, trial) -> dict[str, BaseDistribution]:
        return self._space


def propose(study: optuna.Study, experiment: Experiment) -> optuna.Trial | None:
    """The next trial; None when the grid has no more points.

    The sampler's seed follows from `random_state` and the count of trials. So a tuning that was
    interrupted goes on with the trials that it would have had.
    """
    space = make_space(experiment.parameters)
    waiting = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.WAITING])
    if experiment.algorithm == "grid" and not waiting:
        point = _next_point(study, experiment)
        if point is None:
            return None
        study.enqueue_trial(point)
    count = sum(is_proposed(one, experiment) for one in study.get_trials(deepcopy=False))
    with warnings.catch_warnings(action="ignore"):  # what is experimental or deprecated
        study.sampler = make_sampler(experiment, space, count)
        return study.ask(fixed_distributions=space)


def is_proposed(trial: optuna.trial.FrozenTrial, experiment: Experiment) -> bool:
    """Whether it has all its parameters: it was not cut off while they were being written."""
    return len(trial.params) == len(experiment.parameters)


def make_space(parameters: list[dict]) -> dict[str, BaseDistribution]:
    return {one["name"]: _distribution(one) for one in parameters}


def make_sampler(
    experiment: Experiment, space: dict[str, BaseDistribution], count: int
) -> optuna.samplers.BaseSampler:
    """Optuna's sampler for an algorithm of Katib's, for the trial after so many."""
    settings, seed = experiment.settings, None
    if "random_state" in settings:
        entropy = [int(settings["random_state"]), count]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    match experiment.algorithm:
        case "tpe" | "multivariate-tpe":
            return _make_tpe(experiment, settings, seed)
        case "cmaes":
            sigma = settings.get("sigma")
            return optuna.samplers.CmaEsSampler(
                sigma0=float(sigma) if sigma else None, seed=seed, warn_independent_sampling=False
            )
        case "sobol":
            return SobolSampler(space)
    return optuna.samplers.RandomSampler(seed=seed)  # a grid's points come from the queue


def make_grid(parameters: list[dict]) -> list[dict]:
    """All points of the parameters' grid, the last parameter changing fastest."""
    names = [one["name"] for one in parameters]
    return [
        dict(zip(names, values, strict=True))
        for values in itertools.product(*map(_grid_values, parameters))
    ]


def _make_tpe(
    experiment: Experiment, settings: dict[str, str], seed: int | None
) -> optuna.samplers.TPESampler:
    # Katib's hyperopt service draws at random only the trials that it is asked for first.
    startup = experiment.parallel if experiment.algorithm == "tpe" else 10
    options: dict[str, Any] = {}
    if "gamma" in settings:
        gamma = float(settings["gamma"])
        options["gamma"] = lambda n: min(math.ceil(gamma * math.sqrt(n)), 25)  # hyperopt's
    if "prior_weight" in settings:
        options["prior_weight"] = float(settings["prior_weight"])
    candidates = settings.get("n_ei_candidates") or settings.get("n_EI_candidates") or 24
    return optuna.samplers.TPESampler(
        n_startup_trials=int(settings.get("n_startup_trials", startup)),
        n_ei_candidates=int(candidates),
        multivariate=experiment.algorithm == "multivariate-tpe",
        constant_liar=True,
        warn_independent_sampling=False,
        seed=seed,
        **options,
    )


def _next_point(study: optuna.Study, experiment: Experiment) -> dict | None:
    points = make_grid(experiment.parameters)
    if "random_state" in experiment.settings:
        np.random.default_rng(int(experiment.settings["random_state"])).shuffle(points)
    tried = [trial.params for trial in study.get_trials(deepcopy=False)]
    return next((point for point in points if point not in tried), None)


def _distribution(parameter: dict) -> BaseDistribution:
    space = parameter["feasibleSpace"]
    if parameter["parameterType"] in ("discrete", "categorical"):
        return CategoricalDistribution(space["list"])
    log = space.get("distribution") == "logUniform"
    if parameter["parameterType"] == "int":
        step = int(space.get("step") or 1)
        return IntDistribution(int(space["min"]), int(space["max"]), log=log, step=step)
    width = float(space["step"]) if space.get("step") else None
    return FloatDistribution(float(space["min"]), float(space["max"]), log=log, step=width)


def _grid_values(parameter: dict) -> list:
    space = parameter["feasibleSpace"]
    if parameter["parameterType"] in ("discrete", "categorical"):
        return space["list"]
    low, high = Decimal(space["min"]), Decimal(space["max"])
    step = Decimal(space.get("step") or 1)
    number = int if parameter["parameterType"] == "int" else float
    return [number(low + i * step) for i in range(int((high - low) / step) + 1)]
