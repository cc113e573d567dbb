"""Rules on the name, the objective, the counts and the collector of an Experiment."""

import re

from fastkf.tune.experiment import DEFAULT_PARALLEL
from fastkf.tune.patterns import Pattern, PatternError
from fastkf.tune.rules.rule import Manifest, Problems, find_repeated

LONGEST_NAME = 40  # the suggestion's service has the algorithm's name behind it
NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
METRIC = re.compile(r"[\w|-]+", re.ASCII)
STRATEGIES = ("min", "max", "latest")
RESUME_POLICIES = ("Never", "LongRunning", "FromVolume")


def name(manifest: Manifest) -> Problems:
    own = (manifest.get("metadata") or {}).get("name") or ""
    if not NAME.fullmatch(own) or len(own) > LONGEST_NAME:
        yield (
            f"metadata.name: {own!r} is no name for Katib: at most {LONGEST_NAME} small letters, "
            "digits and -, a letter first, no - at the end"
        )


def objective(manifest: Manifest) -> Problems:
    own, where = manifest["spec"].get("objective") or {}, "spec.objective"
    if own.get("type") not in ("maximize", "minimize"):
        yield f"{where}.type: {own.get('type')!r}; must be maximize or minimize"
    metric, more = own.get("objectiveMetricName"), own.get("additionalMetricNames") or []
    if not metric:
        yield f"{where}.objectiveMetricName: missing"
    for one in [metric, *more]:
        if one and not METRIC.fullmatch(one):
            yield f"{where}: the collector reads no metric {one!r}; use letters, digits, _ and -"
    if metric in more:
        yield f"{where}.additionalMetricNames: {metric} is the objective already"
    yield from find_repeated(more, f"{where}.additionalMetricNames")
    for position, strategy in enumerate(own.get("metricStrategies") or []):
        place = f"{where}.metricStrategies[{position}]"
        if strategy.get("name") not in [metric, *more]:
            yield f"{place}.name: {strategy.get('name')!r} is none of the metrics"
        if strategy.get("value") not in STRATEGIES:
            yield f"{place}.value: {strategy.get('value')!r}; must be min, max or latest"


def counts(manifest: Manifest) -> Problems:
    spec = manifest["spec"]
    most, failed = spec.get("maxTrialCount"), spec.get("maxFailedTrialCount")
    parallel = spec.get("parallelTrialCount")
    if most is not None and most < 1:
        yield f"spec.maxTrialCount: {most}; must be 1 or more"
    if parallel is not None and parallel < 1:
        yield f"spec.parallelTrialCount: {parallel}; must be 1 or more"
    if failed is not None and failed < 0:
        yield f"spec.maxFailedTrialCount: {failed}; must be 0 or more"
    for field, count in (("maxFailedTrialCount", failed), ("parallelTrialCount", parallel)):
        if most is not None and count is not None and count > most >= 1:
            yield f"spec.{field}: {count} is more than maxTrialCount, {most}"
    if parallel is None and most is not None and DEFAULT_PARALLEL > most >= 1:
        yield (
            f"spec.parallelTrialCount: missing, so Katib takes {DEFAULT_PARALLEL}, which is more "
            f"than maxTrialCount, {most}; write {most}"
        )
    endless = most is None and (spec.get("objective") or {}).get("goal") is None
    if endless and (spec.get("algorithm") or {}).get("algorithmName") != "grid":
        yield "spec.maxTrialCount: missing, and there is no goal: this would never end"


def collector(manifest: Manifest) -> Problems:
    own = manifest["spec"].get("metricsCollectorSpec") or {}
    kind = (own.get("collector") or {}).get("kind") or "StdOut"
    where = "spec.metricsCollectorSpec"
    if kind != "StdOut":
        yield f"{where}.collector.kind: {kind} does not run here; print the metrics and use StdOut"
    formats = ((own.get("source") or {}).get("filter") or {}).get("metricsFormat") or []
    for position, pattern in enumerate(formats):
        place = f"{where}.source.filter.metricsFormat[{position}]"
        try:
            groups = Pattern(pattern).groups
        except PatternError as error:
            yield f"{place}: {error}; it is a regular expression of Go (RE2), as Katib reads it"
        else:
            if groups < 2:
                yield f"{place}: needs two groups in brackets, the name and the value"


def resume_policy(manifest: Manifest) -> Problems:
    own = manifest["spec"].get("resumePolicy")
    if own and own not in RESUME_POLICIES:
        yield f"spec.resumePolicy: {own!r}; must be one of {', '.join(RESUME_POLICIES)}"
