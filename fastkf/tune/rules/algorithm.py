"""Rules on the search algorithm and on early stopping."""

from fastkf.base.manifests import suggest
from fastkf.tune import algorithms
from fastkf.tune.rules.parameters import NUMBERS, search_parameters
from fastkf.tune.rules.rule import Manifest, Problems, find_repeated


def search_algorithm(manifest: Manifest) -> Problems:
    own = manifest["spec"].get("algorithm") or {}
    name, where = own.get("algorithmName"), "spec.algorithm"
    if name in algorithms.ONLY_ON_A_CLUSTER:
        yield f"{where}.algorithmName: {name} does not run here; use {algorithms.LISTED}"
    elif name not in algorithms.SETTINGS:
        yield (
            f"{where}.algorithmName: no algorithm {name!r}; "
            + suggest(str(name), list(algorithms.SETTINGS))
        )
    else:
        known = algorithms.SETTINGS[name]
        yield from _settings(own, known, f"{where}.algorithmSettings", name)
        yield from _search_space(manifest["spec"], name)


def _search_space(spec: dict, name: str) -> Problems:
    """What an algorithm asks of the parameters."""
    own = [one for one in spec.get("parameters") or [] if one.get("parameterType")]
    if name == "cmaes" and sum(one["parameterType"] in NUMBERS for one in own) < 2:
        yield "spec.algorithm: cmaes needs two or more parameters of type double or int"
    if name == "grid":
        stepless = [
            str(one.get("name"))
            for one in own
            if one["parameterType"] == "double" and not (one.get("feasibleSpace") or {}).get("step")
        ]
        if stepless:
            yield f"spec.parameters: grid needs a step for {', '.join(stepless)}"
        elif not list(search_parameters({"spec": spec})):
            size, most = len(algorithms.make_grid(own)), spec.get("maxTrialCount") or 0
            if most > size:
                yield f"spec.maxTrialCount: {most} is more than the grid's {size} points"


def early_stopping(manifest: Manifest) -> Problems:
    own, where = manifest["spec"].get("earlyStopping"), "spec.earlyStopping"
    if own is None:
        return
    if own.get("algorithmName") != "medianstop":
        yield f"{where}.algorithmName: {own.get('algorithmName')!r}; Katib has medianstop only"
        return
    known = algorithms.MEDIAN_STOP
    yield from _settings(own, known, f"{where}.algorithmSettings", "medianstop")


def _settings(own: dict, known: dict, where: str, algorithm: str) -> Problems:
    given = own.get("algorithmSettings") or []
    yield from find_repeated([one.get("name") for one in given], where)
    for position, setting in enumerate(given):
        name, value = setting.get("name"), setting.get("value") or ""
        place = f"{where}[{position}]"
        if name not in known:
            what = suggest(str(name), list(known)) if known else "it has none"
            yield f"{place}: {algorithm} has no setting {name!r}; {what}"
        elif problem := known[name](value):
            yield f"{place}: {name} is {value!r}; {problem}"
