"""Where a run on a cluster would differ from one on this machine."""

import re

from fastkf.base.expansion import read_command
from fastkf.tune import algorithms
from fastkf.tune.experiment import PLACEHOLDER

# Katib's collector, which ends a trial early, and the trial's shell write the same file.
STALLS = (
    "spec.trialTemplate: with early stopping, Katib's search stands still where the trial's user "
    "is neither root nor the collector's; give the pod, under template.spec, securityContext: "
    "{runAsUser: 65534, runAsGroup: 65534, runAsNonRoot: true}, which both then have"
)


def find_differences(manifest: dict) -> list[str]:
    """Where a run of a checked Experiment on a cluster would differ from one here."""
    spec, notes = manifest["spec"], []
    own = spec["algorithm"]
    name = own["algorithmName"]
    given = [one["name"] for one in own.get("algorithmSettings") or []]
    if refused := [one for one in given if one in algorithms.ONLY_OPTUNA.get(name, ())]:
        notes.append(
            f"spec.algorithm: as it is installed, Katib runs {name} with hyperopt, which has no "
            f"{', '.join(refused)}; multivariate-tpe takes it"
        )
    if "restart_strategy" in given:
        notes.append("spec.algorithm: restart_strategy has no effect here: Optuna 5 restarts none")
    logarithmic = [
        one["name"]
        for one in spec["parameters"]
        if (one["feasibleSpace"].get("distribution")) == "logUniform"
    ]
    if name in algorithms.GOPTUNA and logarithmic:
        notes.append(
            f"spec.parameters: Katib's {name} draws {', '.join(logarithmic)} uniformly: it does "
            "not read the distribution"
        )
    return [*notes, *_compare_trial(spec)]


def _compare_trial(spec: dict) -> list[str]:
    """The trial's pod; of a resource that is no Job, nothing is known here but that."""
    template = spec["trialTemplate"]
    trial = template.get("trialSpec") or {}
    if trial.get("kind") != "Job":
        kind = trial.get("kind") or "template of a ConfigMap"
        return [f"spec.trialTemplate: a {kind} as a trial runs on a cluster only, not here"]
    notes = []
    pod, primary = trial["spec"]["template"]["spec"], template["primaryContainerName"]
    containers = [one["name"] for one in pod["containers"] + (pod.get("initContainers") or [])]
    if others := [one for one in containers if one != primary]:
        notes.append(f"spec.trialTemplate: the container {others[0]} does not run here")
    if spec.get("earlyStopping") and not _shares_user(pod, primary):
        notes.append(STALLS)
    command = _command(pod, primary)
    if command[:2] not in (["sh", "-c"], ["bash", "-c"]):
        for word in command:
            if re.search(r"[^\w@%+=:,./{}-]", PLACEHOLDER.sub("", word), re.ASCII):
                notes.append(
                    f"spec.trialTemplate: Katib hands the command to sh -c as one line, which will "
                    f"not leave {word!r} as it is"
                )
    return notes


def _shares_user(pod: dict, primary: str) -> bool:
    """Whether the trial's container is known to run as root, or as the injected collector does."""
    of_pod = (pod.get("securityContext") or {}).get("runAsUser")
    container = next(one for one in pod["containers"] if one["name"] == primary)
    user = (container.get("securityContext") or {}).get("runAsUser", of_pod)
    return user == 0 or (user is not None and user == of_pod)


def _command(pod: dict, primary: str) -> list[str]:
    """The words of the trial's container, as the kubelet has expanded them."""
    container = next(one for one in pod["containers"] if one["name"] == primary)
    return read_command(container)
