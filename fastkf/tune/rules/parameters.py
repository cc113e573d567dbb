"""Rules on the parameters of an Experiment and their feasible spaces."""

from fastkf.tune.metrics import as_number
from fastkf.tune.rules.rule import Manifest, Problems, find_repeated

NUMBERS = ("double", "int")
LISTS = ("discrete", "categorical")
DISTRIBUTIONS = ("uniform", "logUniform")
ONLY_ON_A_CLUSTER = ("normal", "logNormal")


def search_parameters(manifest: Manifest) -> Problems:
    own = manifest["spec"].get("parameters") or []
    if manifest["spec"].get("nasConfig"):
        yield "spec.nasConfig: the search for architectures does not run here; give parameters"
    elif not own:
        yield "spec.parameters: missing"
    yield from find_repeated([one.get("name") for one in own], "spec.parameters")
    for position, parameter in enumerate(own):
        where = f"spec.parameters[{position}]"
        space, kind = parameter.get("feasibleSpace") or {}, parameter.get("parameterType")
        if not parameter.get("name"):
            yield f"{where}.name: missing"
        elif kind not in NUMBERS + LISTS:
            yield f"{where}.parameterType: {kind!r}; must be one of {', '.join(NUMBERS + LISTS)}"
        else:
            place = f"{where}.feasibleSpace ({parameter['name']})"
            yield from (_range if kind in NUMBERS else _list)(kind, space, place)


def _range(kind: str, space: dict, where: str) -> Problems:
    if space.get("list"):
        yield f"{where}.list: {kind} takes min and max; use discrete for a list of numbers"
        return
    read = int if kind == "int" else float
    values = {}
    for field in ("min", "max", "step"):
        text = space.get(field)
        if text in (None, ""):
            if field != "step":
                yield f"{where}.{field}: missing"
        elif (number := _read_number(text, read)) is None:
            yield f"{where}.{field}: {text!r} is no {kind}"
        else:
            values[field] = number
    if "min" in values and "max" in values and values["min"] > values["max"]:
        yield f"{where}: min {space['min']} is more than max {space['max']}"
    if values.get("step", 1) <= 0:
        yield f"{where}.step: {space['step']}; must be more than 0"
    yield from _distribution(space, values, where)


def _distribution(space: dict, values: dict, where: str) -> Problems:
    distribution = space.get("distribution")
    if distribution in ONLY_ON_A_CLUSTER:
        yield f"{where}.distribution: {distribution} does not run here; use uniform or logUniform"
    elif distribution and distribution not in DISTRIBUTIONS:
        yield f"{where}.distribution: {distribution!r}; must be uniform or logUniform"
    elif distribution == "logUniform":
        if values.get("min", 1) <= 0:
            yield f"{where}.min: {space['min']}; logUniform needs a min above 0"
        if "step" in values:
            yield f"{where}.step: logUniform takes no step"


def _list(kind: str, space: dict, where: str) -> Problems:
    if extra := [field for field in ("min", "max", "step", "distribution") if space.get(field)]:
        yield f"{where}.{extra[0]}: {kind} takes a list only"
    values = space.get("list") or []
    if not values:
        yield f"{where}.list: missing"
    yield from find_repeated(values, f"{where}.list")
    for value in values if kind == "discrete" else []:
        if as_number(value) is None:
            yield f"{where}.list: {value!r} is no number; use categorical"


def _read_number(text: str, kind: type) -> float | None:
    try:
        return kind(text) if as_number(text) is not None else None
    except ValueError:
        return None
