"""The NLP lab: how good its networks are, and that what it says of them is so."""

from fastkf.course import places
from fastkf.engine.notebook import read_metrics

LAB = places.NOTEBOOKS / "04_nlp_lstm.ipynb"


def test_the_network_is_as_good_as_the_lab_says():
    metrics = read_metrics(LAB)
    assert metrics["test_accuracy"] >= 0.960
    assert metrics["validation_rnn"] < metrics["validation_lstm"]
    assert metrics["validation_rnn"] < metrics["validation_bilstm"]


def test_recurrence_is_not_needed_as_the_lab_says():
    metrics = read_metrics(LAB)
    one_standard_error = 0.006
    recurrent = ("validation_rnn", "validation_lstm", "validation_bilstm")
    best = max(metrics[name] for name in recurrent)
    assert metrics["validation_plain"] >= best - one_standard_error
