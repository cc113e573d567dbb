"""What each package of small_packages and sdk_packages comes to on Kubeflow Pipelines 2.17.

Without KFP, which takes seconds to make them: each process that collects tests reads this table.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

IMAGE = "registry.local/tools:1"


@dataclass(frozen=True)
class Case:
    """A package and what becomes of it.

    Attributes:
        pipeline: the name of what KFP compiles.
        outputs: of the pipeline, when it succeeds.
        states: step to state, of those that have not succeeded.
        error: what the reason says, when it fails.
        edit: what is done to the compiled text.
        arguments: parameters of the run.
    """

    pipeline: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    edit: Callable[[str], str] = lambda text: text
    arguments: Mapping[str, Any] = field(default_factory=dict)


def of_another_release(text: str) -> str:
    return re.sub(r"kfp==[0-9.]+", "kfp==2.14.6", text)


def without_dependencies(text: str) -> str:
    return re.sub(r"\n +dependentTasks:\n(?: +- [\w-]+\n?)+", "\n", text)


TASK_CONFIG = {
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
                ]
            }
        }
    },
    "env": [
        {"name": "ONE", "value": "1"},
        {
            "name": "PASSWORD",
            "valueFrom": {
                "secretKeyRef": {"name": "db", "key": "password", "optional": False},
            },
        },
    ],
    "here": "1",
    "node_selector": {"disk": "ssd"},
    "resources": {
        "limits": {"cpu": "1", "nvidia.com/gpu": "2"},
        "requests": {"memory": "100Mi"},
    },
    "tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 60}],
    "volume_mounts": [
        {"name": "kfp-workspace", "mountPath": "/kfp-workspace"},
        {"name": "data", "mountPath": "/data"},
    ],
}

CASES = {
    "a component alone": Case("square", {"Output": 9}, arguments={"n": 3}),
    "a component alone that fails": Case("fail", states={"fail": "failed"}, error="ValueError: no"),
    "a pipeline called like another": Case("square_pipeline", {"Output": 9}),
    "numbers": Case(
        "numbers",
        {
            "Output": '{"n": "n=3", "rate": "1", "text": "python3 in /tmp/marshal"} '
            '{"epochs": 3, "rates": [1, 0.5]}'
        },
    ),
    "a loop after a loop": Case("loops", {"Output": 14}),
    "loops in loops": Case("nested_loops", {"Output": 10}),
    "a loop over what a step makes": Case("dynamic_loop", {"Output": 1}),
    "one iteration fails": Case(
        "one_iteration_fails", states={"check": "failed"}, error="item 2 is bad"
    ),
    "an empty loop": Case(
        "empty_loop",
        states={"square": "skipped", "total": "failed"},
        error="no iteration of the loop has",
    ),
    "parts of an item in a text": Case(
        "parts_in_a_text", states={"show": "skipped"}, error="subvar-"
    ),
    "branches": Case(
        "branches",
        {"Output": "many"},
        {"show-2": "skipped", "show-4": "skipped", "show-6": "skipped"},
    ),
    "an exit handler": Case("exits"),
    "an exit handler after a failure": Case(
        "exits_after_failure", states={"fail": "failed"}, error="ValueError: no"
    ),
    "a failure that is ignored": Case(
        "ignoring", states={"fail": "failed"}, error="ValueError: no"
    ),
    "optional inputs": Case("optional", {"Output": "None 9"}),
    "artifacts": Case("artifacts", {"Output": "a b elsewhere"}),
    "artifacts of some iterations": Case("collected", {"Output": "L R"}),
    "a pipeline as exit task": Case(
        "exit_pipeline", states={"fail": "failed"}, error="ValueError: no"
    ),
    "loops over items of items": Case("items_of_items"),
    "values as long as a step may take": Case("long_values", {"Output": 126_000}),
    "values with which no pod starts": Case(
        "long_values",
        states={"length": "failed"},
        error="what it takes, most of it in text, has 133,",
        arguments={"text": "x" * 70_000},
    ),
    "packages of another release": Case(
        "other_release", {"Output": "ok, in a venv"}, edit=of_another_release
    ),
    "placeholders": Case("names"),
    "a step that is tried again": Case(
        "tried_again", states={"fail": "failed"}, error="ValueError: always"
    ),
    "texts": Case(
        "texts", {"Output": "{{$.inputs.parameters['text']}} $HOME `id` \"python3\" it's {{$}}"}
    ),
    "an output that is not written": Case(
        "no_output",
        states={"writes-nothing": "failed"},
        error="has not written its output parameter Output",
    ),
    "settings for Kubernetes": Case("settings", {"Output": "ran"}),
    "what a task asks of Kubernetes": Case("task_configs"),
    "an imported file": Case("imported", {"Output": "brought"}, arguments={"place": "PLACE"}),
    "order from data alone": Case("ordered_by_data", {"Output": 81}, edit=without_dependencies),
    "files and folders by their paths": Case("paths", {"Output": "parts: 0.txt 1.txt"}),
    "artifacts that a step returns": Case("returned_artifacts", {"Output": "abcd 6"}),
    "what is drawn": Case("drawn"),
    "a notebook, a file and functions in a component": Case(
        "brought", {"Output": "from a file, cells"}
    ),
    "placeholders of a step": Case("job_words"),
    "containers": Case(
        "containers", {"Output": "first=a --none | first=b --second c | of version 1"}
    ),
    "an imported file in the workspace": Case(
        "copied", {"Output": "brought"}, arguments={"place": "PLACE"}
    ),
    "components from files": Case("loaded", {"Output": 9}),
    "volumes": Case("kept", {"Output": "of the first"}),
    "a volume that is removed twice": Case(
        "removed_twice", states={"deletepvc-2": "failed"}, error="there is no volume data"
    ),
    "empty folders": Case("scratch", {"Output": ""}),
    "all that only a cluster does": Case("asking", {"Output": 4}),
}
# What depends on what is given to a run: its package is made, and looked at.
UNRUN = {"secrets and ConfigMaps": Case("provided")}
