"""Writes small Katib Experiments for tests.

path = write_experiment(tmp_path, "print(f'score={x}')", spec={"maxTrialCount": 4})
"""

import copy
import textwrap
from pathlib import Path

import yaml

X = {
    "name": "x",
    "parameterType": "double",
    "feasibleSpace": {"min": "0", "max": "1"},
}
UNITS = {
    "name": "units",
    "parameterType": "int",
    "feasibleSpace": {"min": "2", "max": "8", "step": "2"},
}
COLOUR = {
    "name": "colour",
    "parameterType": "categorical",
    "feasibleSpace": {"list": ["red", "blue"]},
}
PROGRAM = """
import argparse, os, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--units", type=int)
parser.add_argument("--colour")
arguments = parser.parse_args()
x, units, colour = arguments.x, arguments.units, arguments.colour
"""


def make_experiment(parameters: list[dict] | None = None, spec: dict | None = None) -> dict:
    """An Experiment whose trial runs program.py with a `--NAME=` for each parameter.

    Args:
        parameters: those of the search; X when None.
        spec: replaces fields of the spec.
    """
    parameters = [X] if parameters is None else parameters
    names = [one["name"] for one in parameters]
    words = [f"--{name}=${{trialParameters.{name}}}" for name in names]
    container = {"name": "main", "image": "python:3.12", "command": ["python3", "program.py"]}
    pod = {"restartPolicy": "Never", "containers": [{**container, "args": words}]}
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": pod}}}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "example"},
        "spec": {
            "objective": {"type": "maximize", "objectiveMetricName": "score"},
            "algorithm": {
                "algorithmName": "random",
                "algorithmSettings": [{"name": "random_state", "value": "1"}],
            },
            "parallelTrialCount": 2,
            "maxTrialCount": 4,
            "maxFailedTrialCount": 3,
            "parameters": copy.deepcopy(parameters),  # a test may change its Experiment
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": name, "reference": name} for name in names],
                "trialSpec": job,
            },
            **(spec or {}),
        },
    }


def write_experiment(folder: Path, code: str, parameters=None, spec: dict | None = None) -> Path:
    """Writes an Experiment and the program of its trials, and returns the manifest's path.

    Args:
        code: what the program does with `x`, `units` and `colour`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "program.py").write_text(PROGRAM + textwrap.dedent(code))
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(make_experiment(parameters, spec), sort_keys=False))
    return path
