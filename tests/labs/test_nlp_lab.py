"""The NLP lab: what its exercises say to wrong answers, and how good its network is."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fastkf.course import places
from fastkf.engine.notebook import read_metrics
from fastkf.notebook.model import read

LAB = places.NOTEBOOKS / "04_nlp_lstm.ipynb"
LAYERS = ["InputLayer", "Embedding", "SpatialDropout1D", "Dropout", "{}", "Dense"]
EPOCHS = 2


def make_network(name):
    layers = [type(layer.format(name), (), {})() for layer in LAYERS]
    return SimpleNamespace(layers=layers, output_shape=(None, 3))


def make_variables():
    """What the lab's steps would have made, small."""
    return {
        "np": np,
        "encode": lambda texts, vocabulary, words: np.array([[1, 7, 5, 9, 0, 0]]),
        "headline": "kubeflow cuts oil prices",
        "vocabulary": [],
        "validation_stories": pd.DataFrame({"topic": ["earn", "earn", "acq", "grain"]}),
        "validation": pd.Series([0.9]),
        "topics": ["acq", "earn", "grain"],
        "epochs": EPOCHS,
        "best_name": "LSTM",
        "rnn_network": make_network("SimpleRNN"),
    }


def check_answer(number, capsys, **answers):
    """What the check cell of an exercise prints."""
    marker = {1: "right_numbers =", 2: "share_of_earn =", 3: "plain_layers ="}[number]
    cells = [cell for cell in read(LAB).code_cells if marker in cell.source]
    assert len(cells) == 1
    exec(cells[0].source, make_variables() | answers)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([1, 7, 5, 9, 0, 0], "Right"),
        (np.array([1, 7, 5, 9, 0, 0]), "Right"),
        (None, "Write a list"),
        ("1 7 5 9", "Write a list"),
        ([1, 7, 5, 9], "Not yet: 4 integers"),
        ([2, 7, 5, 9, 0, 0], "is kubeflow in the vocabulary"),
        ([1, 7, 5, 9, 1, 1], "the headline has four words"),
        ([1, 7, 5, "oil", 0, 0], "vocabulary.index(word)"),
    ],
)
def test_exercise_1(answer, says, capsys):
    assert says in check_answer(1, capsys, my_numbers=answer)


@pytest.mark.parametrize(
    ("accuracy", "macro_f1", "says"),
    [
        (0.5, 2 / 9, "Right"),
        (np.float64(0.5), np.float64(2 / 9), "Right"),
        (None, None, "Compute"),
        ("half", 0.2, "Compute"),
        (0.3, 2 / 9, "Hint for the accuracy"),
        (0.5, 2 / 3, "this is the F1 of the topic earn"),
        (0.5, 0.5, "The accuracy is right"),
    ],
)
def test_exercise_2(accuracy, macro_f1, says, capsys):
    answers = {"earn_accuracy": accuracy, "earn_macro_f1": macro_f1}
    assert says in check_answer(2, capsys, **answers)


@pytest.mark.parametrize(
    ("network", "history", "tags", "says"),
    [
        ("Identity", [0.8, 0.9], ["step:train_plain", "prev:prepare"], "Right: 0.900"),
        ("Identity", [0.8, 0.9], ["prev:prepare", "step:plain"], "Right: 0.900"),
        (None, [0.8, 0.9], [], "Train the fourth network"),
        ("Bidirectional", [0.8, 0.9], [], "should have no recurrent layer"),
        ("Conv1D", [0.8, 0.9], [], "build_network(layers.Identity(), ...)"),
        ("Identity", [0.9], [], "plain_history is what train_network returns"),
        ("Identity", "a History", [], "plain_history is what train_network returns"),
        ("Identity", [0.8, 0.9], None, "one tag step:NAME"),
        ("Identity", [0.8, 0.9], "step:plain", "one tag step:NAME"),
        ("Identity", [0.8, 0.9], ["step:train_rnn", "prev:prepare"], "there is a step train_rnn"),
        ("Identity", [0.8, 0.9], ["step:plain", "prev:train_rnn"], "follows the same step"),
    ],
)
def test_exercise_3(network, history, tags, says, capsys):
    answers = {
        "plain_network": make_network(network) if network else None,
        "plain_history": history if isinstance(history, str) else {"val_accuracy": history},
        "my_tags": tags,
    }
    assert says in check_answer(3, capsys, **answers)


def test_the_network_is_as_good_as_the_lab_says():
    metrics = read_metrics(LAB)
    assert metrics["test_accuracy"] >= 0.960
    assert metrics["validation_rnn"] < metrics["validation_lstm"]
    assert metrics["validation_rnn"] < metrics["validation_bilstm"]
