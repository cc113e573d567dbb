"""The pipeline of this lab: container components, each with an image of its own.

python pipeline.py writes pipeline.yaml, the package that Kubeflow Pipelines takes.

REGISTRY and TAG say where the images are, as for build.sh:

REGISTRY=registry.example.com/me TAG=1.0 python pipeline.py my_pipeline.yaml
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from kfp import compiler, dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output

REGISTRY = os.environ.get("REGISTRY", "localhost/fast-kubeflow")
TAG = os.environ.get("TAG", "1.0")
# KFP puts in here what it knows of a task; a program answers in the file that is named in it.
EXECUTOR_INPUT = "{{$}}"


def container(component: str, *arguments) -> dsl.ContainerSpec:
    """The container of a component: the image and the program that are named like it."""
    return dsl.ContainerSpec(
        image=f"{REGISTRY}/{component}:{TAG}",
        command=["python3", f"{component}.py"],
        args=list(arguments),
    )


def training(component: str, train_data, model, metrics, random_state, *own) -> dsl.ContainerSpec:
    """The container of a component that trains a model; `own` are arguments only it has."""
    return container(
        component,
        *("--input", train_data.path, "--output", model.path, "--metrics", metrics.path),
        *("--random-state", random_state, "--executor-input", EXECUTOR_INPUT),
        *own,
    )


@dsl.container_component
def fetch_data(
    test_size: float, random_state: int, train_data: Output[Dataset], test_data: Output[Dataset]
):
    return container(
        "fetch_data",
        *("--test-size", test_size, "--random-state", random_state),
        *("--output-train", train_data.path, "--output-test", test_data.path),
    )


@dsl.container_component
def decision_tree(
    train_data: Input[Dataset],
    max_depth: int,
    random_state: int,
    model: Output[Model],
    metrics: Output[Metrics],
):
    own = ("--max-depth", max_depth)
    return training("decision_tree", train_data, model, metrics, random_state, *own)


@dsl.container_component
def logistic_regression(
    train_data: Input[Dataset],
    strength: float,
    random_state: int,
    model: Output[Model],
    metrics: Output[Metrics],
):
    own = ("--strength", strength)
    return training("logistic_regression", train_data, model, metrics, random_state, *own)


@dsl.container_component
def compare(
    test_data: Input[Dataset],
    tree_model: Input[Model],
    tree_metrics: Input[Metrics],
    logistic_model: Input[Model],
    logistic_metrics: Input[Metrics],
    best_model: Output[Model],
    metrics: Output[Metrics],
    report: Output[HTML],
    best: dsl.OutputPath(str),
):
    return container(
        "compare",
        *("--input", test_data.path),
        *("--candidate", "decision_tree", tree_model.path, tree_metrics.path),
        *("--candidate", "logistic_regression", logistic_model.path, logistic_metrics.path),
        *("--output", best_model.path, "--metrics", metrics.path),
        *("--report", report.path, "--best", best),
        *("--executor-input", EXECUTOR_INPUT),
    )


class Outputs(NamedTuple):
    best: str


@dsl.pipeline(
    name="custom-images",
    description="Two models learn side by side to find breast cancer; the better one is tested",
)
def custom_images(
    test_size: float = 0.25, max_depth: int = 4, strength: float = 1.0, random_state: int = 42
) -> Outputs:
    data = fetch_data(test_size=test_size, random_state=random_state)
    train_data = data.outputs["train_data"]
    tree = decision_tree(train_data=train_data, max_depth=max_depth, random_state=random_state)
    logistic = logistic_regression(
        train_data=train_data, strength=strength, random_state=random_state
    )
    compared = compare(
        test_data=data.outputs["test_data"],
        tree_model=tree.outputs["model"],
        tree_metrics=tree.outputs["metrics"],
        logistic_model=logistic.outputs["model"],
        logistic_metrics=logistic.outputs["metrics"],
    )
    return Outputs(best=compared.outputs["best"])


def main(pipeline, default: Path) -> None:
    """Compiles a pipeline to the file that is named on the command line."""
    path = sys.argv[1] if sys.argv[1:] else str(default)
    compiler.Compiler().compile(pipeline_func=pipeline, package_path=path)
    print(path)


if __name__ == "__main__":
    main(custom_images, default=Path(__file__).with_suffix(".yaml"))
