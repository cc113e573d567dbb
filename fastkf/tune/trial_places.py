"""The places that a trial has for itself, as its pod would (`fastkf.engine.process_places`)."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fastkf.engine.own_places import read_code
from fastkf.engine.process_places import ProcessPlaces, warn_of_shared
from fastkf.tune.experiment import Experiment

KIND = "trial"
VALUE = "--parameter="  # before NAME=VALUE, of the trials of a notebook


def make_places(experiment: Experiment, container: dict, folder: Path) -> ProcessPlaces:
    """The places of one trial.

    Args:
        container: what its pod runs, with its values filled in.
        folder: where its files go.
    """
    given = _list_given(experiment, container)
    return ProcessPlaces(KIND, experiment.folder, [folder.resolve()], given)


def warn(experiment: Experiment) -> Iterator[str]:
    """Says that trials share folders that they name, where they do."""
    yield from warn_of_shared(KIND, _list_code(experiment))


def _list_code(experiment: Experiment) -> Iterator[str]:
    template = experiment.spec["trialTemplate"]["trialSpec"]
    yield json.dumps(experiment.primary_container(template), default=str)
    if experiment.notebook:
        with suppress(OSError):  # the trials say that it is gone
            yield (experiment.folder / experiment.notebook).read_text(encoding="utf-8")
    else:
        yield from read_code(experiment.folder, "*")


def _list_given(experiment: Experiment, container: dict) -> Iterator[str]:
    """What may be paths of this machine: values of a notebook's parameters, places of volumes."""
    if experiment.notebook:
        for word in (*container.get("command", ()), *container.get("args", ())):
            yield word.removeprefix(VALUE).partition("=")[2] if word.startswith(VALUE) else ""
    template = experiment.spec["trialTemplate"]["trialSpec"]
    volumes = template["spec"]["template"]["spec"].get("volumes") or ()
    empty = {one["name"] for one in volumes if "emptyDir" in one or set(one) == {"name"}}
    for mount in container.get("volumeMounts") or ():
        if mount.get("name") not in empty:
            yield str(mount.get("mountPath", ""))
