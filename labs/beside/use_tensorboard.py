"""A training whose curves TensorBoard draws: its log is an artifact of the step.

python use_tensorboard.py writes use_tensorboard.yaml, the package that Kubeflow Pipelines takes.
"""

import sys

from kfp import compiler, dsl
from kfp.dsl import Artifact, Output

PACKAGES = ["tensorflow==2.21.0", "tensorboard==2.21.0", "pandas==2.3.3"]


@dsl.component(base_image="python:3.12", packages_to_install=PACKAGES)
def train(data_dir: str, epochs: int, log: Output[Artifact]) -> float:
    """Trains a small network on handwritten digits, and writes what TensorBoard shows."""
    import keras
    import pandas as pd
    import tensorflow  # noqa: F401  Keras computes with it

    keras.utils.set_random_seed(1)
    digits = pd.read_csv(f"{data_dir}/mnist_5k.csv.gz", header=None).sample(frac=1, random_state=1)
    images, labels = digits.iloc[:, :784].to_numpy("float32") / 255, digits[784].to_numpy()
    model = keras.Sequential(
        [
            keras.layers.Input([784]),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    board = keras.callbacks.TensorBoard(log_dir=log.path, histogram_freq=1, write_graph=False)
    history = model.fit(
        images, labels, epochs=epochs, validation_split=0.2, callbacks=[board], verbose=2
    )
    return round(history.history["val_accuracy"][-1], 4)


@dsl.pipeline(name="curves-for-tensorboard")
def curves_for_tensorboard(data_dir: str, epochs: int = 5):
    train(data_dir=data_dir, epochs=epochs)


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "use_tensorboard.yaml"
    compiler.Compiler().compile(curves_for_tensorboard, target)
