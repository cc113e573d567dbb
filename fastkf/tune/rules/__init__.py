"""The rules of an Experiment's manifest, checked without a cluster.

They are those of Katib 0.19 (pkg/webhook/v1beta1/experiment/validator and the settings of the
suggestion services), and what else would fail here or on a cluster.
"""

from fastkf.base.manifests import find_misfits
from fastkf.tune.experiment import API_VERSION
from fastkf.tune.rules.algorithm import early_stopping, search_algorithm
from fastkf.tune.rules.cluster import find_differences
from fastkf.tune.rules.parameters import search_parameters
from fastkf.tune.rules.rule import Manifest, Rule
from fastkf.tune.rules.spec import collector, counts, name, objective, resume_policy
from fastkf.tune.rules.trial import trial_parameters, trial_spec

__all__ = ["check_experiment", "find_differences"]

# In the order in which their fields stand in a manifest.
RULES: tuple[Rule, ...] = (
    name,
    objective,
    search_algorithm,
    early_stopping,
    counts,
    resume_policy,
    search_parameters,
    trial_parameters,
    trial_spec,
    collector,
)


def check_experiment(manifest: Manifest) -> list[str]:
    """What is wrong with an Experiment: for each problem the field, and what to do."""
    from kubeflow_katib_api.models import V1beta1Experiment

    if (manifest.get("apiVersion"), manifest.get("kind")) != (API_VERSION, "Experiment"):
        return [f"apiVersion, kind: must be {API_VERSION} and Experiment"]
    misfits = find_misfits(manifest, V1beta1Experiment)
    if not misfits and not manifest.get("spec"):
        return ["spec: missing"]
    # The rules read fields, so they need fields that are what they should be.
    return misfits or [problem for rule in RULES for problem in rule(manifest)]
