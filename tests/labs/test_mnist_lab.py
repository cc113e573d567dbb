"""The parameter `dataset` of the MNIST lab, with a stand-in for the download."""

from types import SimpleNamespace

import pytest

from fastkf.course import places
from fastkf.course.data import fetch
from fastkf.engine.notebook import read_metrics
from fastkf.notebook.model import read


def make_load_digits(load_data):
    """The lab's function, where `keras.datasets.mnist.load_data` is the given one."""
    import pandas as pd
    from sklearn.model_selection import train_test_split

    notebook = read(places.NOTEBOOKS / "03_mnist_cnn.ipynb")
    cells = notebook.cells_with_role("functions")
    source = next(cell.source for cell in cells if "def load_digits" in cell.source)
    mnist = SimpleNamespace(load_data=load_data)
    names = {
        "keras": SimpleNamespace(datasets=SimpleNamespace(mnist=mnist)),
        "pd": pd,
        "train_test_split": train_test_split,
    }
    exec(source, names)
    return names["load_digits"]


def fail_to_download():
    raise OSError("no route to host")


def test_small_takes_what_is_in_the_folder():
    import numpy as np

    folder = fetch(["mnist_5k"])["mnist_5k"]
    train, test, train_labels, test_labels = make_load_digits(fail_to_download)("small", folder, 1)
    assert (train.shape, test.shape) == ((4000, 28, 28), (1000, 28, 28))
    assert np.bincount(test_labels).tolist() == [100] * 10
    assert len(train_labels) == 4000


def test_full_takes_the_downloaded_split():
    def load_data():
        return ("images", "labels"), ("test images", "test labels")

    parts = make_load_digits(load_data)("full", "nowhere", 1)
    assert parts == ("images", "test images", "labels", "test labels")


def test_full_without_internet_says_what_to_do():
    with pytest.raises(RuntimeError, match="no route to host.*Use dataset='small'"):
        make_load_digits(fail_to_download)("full", "nowhere", 1)


def test_another_word_is_refused():
    with pytest.raises(ValueError, match="'small' or 'full', not 'large'"):
        make_load_digits(fail_to_download)("large", "nowhere", 1)


def test_the_network_beats_the_strong_baseline_too():
    metrics = read_metrics(places.NOTEBOOKS / "03_mnist_cnn.ipynb")
    assert metrics["baseline_accuracy"] < metrics["svm_accuracy"] < metrics["test_accuracy"] - 0.01
    assert abs(metrics["validation_accuracy"] - metrics["test_accuracy"]) < 0.015
