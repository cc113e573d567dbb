"""A Katib Experiment (kubeflow.org/v1beta1), read from its manifest."""

import copy
import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fastkf.base.errors import UsageError
from fastkf.base.manifests import without_nulls
from fastkf.base.yaml_text import read_yaml

API_VERSION = "kubeflow.org/v1beta1"
PLACEHOLDER = re.compile(r"\$\{trialParameters\.(.+?)\}")
META_REFERENCE = re.compile(r"\$\{trialSpec\.(.+?)\}")
# The annotation that names the folder in which trials run here, seen from the manifest's folder.
FOLDER = "fastkf/folder"
# And the one that names the notebook there, whose name on a cluster may be another.
NOTEBOOK = "fastkf/notebook"
DEFAULT_PARALLEL = 3  # Katib's
DEFAULT_STRATEGIES = {"maximize": "max", "minimize": "min"}


@dataclass(frozen=True)
class Experiment:
    """A manifest that `fastkf.tune.rules` has passed, with Katib's defaults filled in.

    Attributes:
        manifest: the Experiment as it stands in the file.
        home: the folder that the manifest's relative paths are seen from.
    """

    manifest: dict
    home: Path

    @property
    def name(self) -> str:
        return self.manifest["metadata"]["name"]

    @property
    def spec(self) -> dict:
        return self.manifest["spec"]

    @property
    def metric(self) -> str:
        return self.spec["objective"]["objectiveMetricName"]

    @property
    def metrics(self) -> list[str]:
        """The metrics that are collected, the objective first."""
        return [self.metric, *(self.spec["objective"].get("additionalMetricNames") or [])]

    @property
    def maximize(self) -> bool:
        return self.spec["objective"]["type"] == "maximize"

    @property
    def goal(self) -> float | None:
        return self.spec["objective"].get("goal")

    @property
    def strategies(self) -> dict[str, str]:
        """Metric to "min", "max" or "latest"; by default the best value that the trial printed."""
        given = self.spec["objective"].get("metricStrategies") or []
        default = DEFAULT_STRATEGIES[self.spec["objective"]["type"]]
        return dict.fromkeys(self.metrics, default) | {one["name"]: one["value"] for one in given}

    @property
    def filters(self) -> list[str]:
        """The collector's own regular expressions, if it has any."""
        source = (self.spec.get("metricsCollectorSpec") or {}).get("source") or {}
        return (source.get("filter") or {}).get("metricsFormat") or []

    @property
    def algorithm(self) -> str:
        return self.spec["algorithm"]["algorithmName"]

    @property
    def settings(self) -> dict[str, str]:
        return read_settings(self.spec["algorithm"])

    @property
    def early_stopping(self) -> dict[str, str] | None:
        """The settings of early stopping; None without it."""
        return read_settings(self.spec["earlyStopping"]) if self.spec.get("earlyStopping") else None

    @property
    def parallel(self) -> int:
        return self.spec.get("parallelTrialCount") or DEFAULT_PARALLEL

    @property
    def max_trials(self) -> int | None:
        return self.spec.get("maxTrialCount")

    @property
    def max_failed(self) -> int | None:
        return self.spec.get("maxFailedTrialCount")

    @property
    def parameters(self) -> list[dict]:
        return self.spec["parameters"]

    @cached_property
    def folder(self) -> Path:
        """The folder in which the trials' commands run."""
        annotations = self.manifest["metadata"].get("annotations") or {}
        return (self.home / annotations.get(FOLDER, ".")).resolve()

    @property
    def notebook(self) -> str | None:
        """The file in that folder that each trial runs, where it is a notebook."""
        return (self.manifest["metadata"].get("annotations") or {}).get(NOTEBOOK)

    def make_run_spec(self, trial: str, assignments: dict[str, str]) -> dict:
        """The trial's resource, with the values in place of the placeholders."""
        template = self.spec["trialTemplate"]
        source = template["trialSpec"]
        values = {}
        for parameter in template["trialParameters"]:
            meta = META_REFERENCE.fullmatch(parameter["reference"])
            value = _read_meta(meta[1], trial, self.manifest, source) if meta else None
            values[parameter["name"]] = value or assignments[parameter["reference"]]
        spec = substitute(source, values)
        namespace = self.manifest["metadata"].get("namespace")
        own = {"name": trial} | ({"namespace": namespace} if namespace else {})
        return {**spec, "metadata": {**(spec.get("metadata") or {}), **own}}

    def longest(self, run_spec: dict) -> float:
        """The seconds that a trial may take by its Job, and by its pod."""
        job, field = run_spec["spec"], "activeDeadlineSeconds"
        given = [job.get(field), job["template"]["spec"].get(field)]
        return min((one for one in given if one is not None), default=math.inf)

    def primary_container(self, run_spec: dict) -> dict:
        wanted = self.spec["trialTemplate"]["primaryContainerName"]
        containers = run_spec["spec"]["template"]["spec"]["containers"]
        return next(one for one in containers if one["name"] == wanted)


def read_manifest(path: Path) -> dict:
    """The Experiment of a YAML file, which may hold other resources beside it.

    Raises:
        UsageError: there is no such file, it is not YAML, or it has no Experiment, or several.
    """
    try:
        documents = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: not a readable YAML file ({reason})") from error
    found = [one for one in documents if isinstance(one, dict) and one.get("kind") == "Experiment"]
    found = [without_nulls(one) for one in found]
    if len(found) != 1:
        raise UsageError(
            f"{path}: {len(found) or 'no'} resources of kind Experiment",
            "the file must have one",
        )
    return found[0]


def substitute(value, values: dict[str, str]):
    """A copy of plain data with `${trialParameters.NAME}` replaced in every text."""
    if isinstance(value, dict):
        return {name: substitute(item, values) for name, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, values) for item in value]
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: values[found[1]], value)
    return copy.deepcopy(value)


def read_settings(algorithm: dict) -> dict[str, str]:
    return {one["name"]: one["value"] for one in algorithm.get("algorithmSettings") or []}


def _read_meta(key: str, trial: str, manifest: dict, source: dict) -> str:
    """What a reference like `${trialSpec.Name}` stands for."""
    found = re.fullmatch(r"(Labels|Annotations)\[(.+)\]", key)
    if found:
        return source["metadata"][found[1].lower()][found[2]]
    return {
        "Name": trial,
        "Namespace": manifest["metadata"].get("namespace", "default"),
        "Kind": source["kind"],
        "APIVersion": source["apiVersion"],
    }[key]
