"""Trains a small neural network on handwritten digits, and prints how well it does.

    python train.py --learning-rate 0.01 --hidden-units 32

After each epoch it prints a line like `epoch 3 validation_accuracy=0.9412 loss=0.2541`, which Katib
reads. With --test it also prints test_accuracy, of digits that play no part in the tuning.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

SEED = 42


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--hidden-units", type=int, default=32)
    parser.add_argument("--activation", choices=["relu", "tanh"], default="relu")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--test", action="store_true", help="test the trained network, once")
    arguments = parser.parse_args()
    if arguments.learning_rate <= 0 or arguments.hidden_units < 1 or arguments.epochs < 1:
        parser.error("the learning rate, the units and the epochs must be more than 0")
    return arguments


def load_data() -> list[np.ndarray]:
    """Images (n, 64) and digits (n,) for training, validation and test: 1079, 359 and 359."""
    images, digits = load_digits(return_X_y=True)
    rest_images, test_images, rest_digits, test_digits = train_test_split(
        images / 16, digits, test_size=359, stratify=digits, random_state=SEED
    )
    train_images, valid_images, train_digits, valid_digits = train_test_split(
        rest_images, rest_digits, test_size=359, stratify=rest_digits, random_state=SEED
    )
    return [train_images, train_digits, valid_images, valid_digits, test_images, test_digits]


def main() -> None:
    arguments = read_arguments()
    train_images, train_digits, valid_images, valid_digits, test_images, test_digits = load_data()
    network = MLPClassifier(
        hidden_layer_sizes=[arguments.hidden_units],
        activation=arguments.activation,
        learning_rate_init=arguments.learning_rate,
        batch_size=32,
        random_state=SEED,
    )
    for epoch in range(1, arguments.epochs + 1):
        network.partial_fit(train_images, train_digits, classes=np.arange(10))
        accuracy = network.score(valid_images, valid_digits)
        loss = log_loss(valid_digits, network.predict_proba(valid_images))
        # Flushed, so that the line is there while the training goes on: early stopping needs it.
        print(f"epoch {epoch} validation_accuracy={accuracy:.4f} loss={loss:.4f}", flush=True)
    if arguments.test:
        print(f"test_accuracy={network.score(test_images, test_digits):.4f}", flush=True)


if __name__ == "__main__":
    main()
