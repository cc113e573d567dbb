"""The pipeline of this lab with five models instead of two.

python extended_pipeline.py writes extended_pipeline.yaml; REGISTRY and TAG as for pipeline.py.
"""

from pathlib import Path

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output
from pipeline import (
    EXECUTOR_INPUT,
    Outputs,
    container,
    decision_tree,
    fetch_data,
    logistic_regression,
    main,
    training,
)


@dsl.container_component
def support_vector_machine(
    train_data: Input[Dataset],
    strength: float,
    random_state: int,
    model: Output[Model],
    metrics: Output[Metrics],
):
    own = ("--strength", strength)
    return training("support_vector_machine", train_data, model, metrics, random_state, *own)


@dsl.container_component
def naive_bayes(
    train_data: Input[Dataset], random_state: int, model: Output[Model], metrics: Output[Metrics]
):
    return training("naive_bayes", train_data, model, metrics, random_state)


@dsl.container_component
def gradient_boosting(
    train_data: Input[Dataset],
    trees: int,
    random_state: int,
    model: Output[Model],
    metrics: Output[Metrics],
):
    own = ("--trees", trees)
    return training("gradient_boosting", train_data, model, metrics, random_state, *own)


@dsl.container_component
def compare(
    test_data: Input[Dataset],
    tree_model: Input[Model],
    tree_metrics: Input[Metrics],
    logistic_model: Input[Model],
    logistic_metrics: Input[Metrics],
    vector_model: Input[Model],
    vector_metrics: Input[Metrics],
    bayes_model: Input[Model],
    bayes_metrics: Input[Metrics],
    boosting_model: Input[Model],
    boosting_metrics: Input[Metrics],
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
        *("--candidate", "support_vector_machine", vector_model.path, vector_metrics.path),
        *("--candidate", "naive_bayes", bayes_model.path, bayes_metrics.path),
        *("--candidate", "gradient_boosting", boosting_model.path, boosting_metrics.path),
        *("--output", best_model.path, "--metrics", metrics.path),
        *("--report", report.path, "--best", best),
        *("--executor-input", EXECUTOR_INPUT),
    )


@dsl.pipeline(
    name="custom-images-extended",
    description="Five models learn side by side to find breast cancer; the best one is tested",
)
def custom_images_extended(
    test_size: float = 0.25,
    max_depth: int = 4,
    strength: float = 1.0,
    trees: int = 50,
    random_state: int = 42,
) -> Outputs:
    data = fetch_data(test_size=test_size, random_state=random_state)
    shared = {"train_data": data.outputs["train_data"], "random_state": random_state}
    trained = {
        "tree": decision_tree(max_depth=max_depth, **shared),
        "logistic": logistic_regression(strength=strength, **shared),
        "vector": support_vector_machine(strength=strength, **shared),
        "bayes": naive_bayes(**shared),
        "boosting": gradient_boosting(trees=trees, **shared),
    }
    candidates = {
        f"{name}_{output}": task.outputs[output]
        for name, task in trained.items()
        for output in ("model", "metrics")
    }
    compared = compare(test_data=data.outputs["test_data"], **candidates)
    return Outputs(best=compared.outputs["best"])


if __name__ == "__main__":
    main(custom_images_extended, default=Path(__file__).with_suffix(".yaml"))
