"""The components of the guide on GPUs: a training that survives the loss of its node."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Model, Output

IMAGE = "python:3.12"
PACKAGES = ["joblib>=1.4,<2", "pandas>=2.2,<4", "pyarrow==26.0.1", "scikit-learn>=1.9,<1.10"]


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def load_digits(digits: Output[Dataset]) -> int:
    """The small images of digits that come with scikit-learn, as Parquet."""
    from sklearn.datasets import load_digits

    table = load_digits(as_frame=True).frame
    table.to_parquet(digits.path)
    return len(table)


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def train(
    digits: Input[Dataset],
    epochs: int,
    checkpoints: str,
    lost_after: int,
    model: Output[Model],
    metrics: Output[Metrics],
) -> float:
    """Trains, and goes on from the last checkpoint if there is one; returns the accuracy.

    Args:
        checkpoints: a folder that outlives the step; "" keeps none.
        lost_after: plays the loss of a node, once: the step ends when it has trained for so many
            epochs. 0 does not.
    """
    import os
    import resource
    from pathlib import Path

    import joblib
    import pandas as pd
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    table = pd.read_parquet(digits.path)
    pixels, labels = table.drop(columns="target") / 16, table["target"]
    seen, kept, seen_labels, kept_labels = train_test_split(pixels, labels, random_state=1)

    last = Path(checkpoints, "last.joblib") if checkpoints else None
    done, network = 0, MLPClassifier([64], random_state=1)
    if last and last.exists():
        done, network = joblib.load(last)
        print(f"goes on after epoch {done}")
    for epoch in range(done + 1, epochs + 1):
        network.partial_fit(seen, seen_labels, classes=sorted(labels.unique()))
        if last:
            # First whole, then by its name: who ends in between leaves the old one.
            last.parent.mkdir(parents=True, exist_ok=True)
            joblib.dump((epoch, network), f"{last}.new")
            os.replace(f"{last}.new", last)
        if epoch == lost_after and done == 0:
            raise SystemExit(f"the node is lost after epoch {epoch}")

    joblib.dump(network, model.path)
    used = resource.getrusage(resource.RUSAGE_SELF)
    metrics.log_metric("cpu_seconds", round(used.ru_utime + used.ru_stime, 2))
    metrics.log_metric("epochs_here", epochs - done)
    return round(float(network.score(kept, kept_labels)), 4)


@dsl.component(base_image=IMAGE)
def tell_end(status: dsl.PipelineTaskFinalStatus):
    """Says how the run ended, also when a step has failed."""
    print(f"{status.pipeline_job_resource_name}: {status.state}")
