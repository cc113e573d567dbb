import numpy as np
from logistic_regression import main


def test_a_small_strength_holds_the_weights_back(train):
    free, metrics = train(main, "--strength", 1)
    held, _ = train(main, "--strength", 0.001)
    assert 0.9 < metrics["cv_accuracy"] < 1
    assert np.abs(held[-1].coef_).max() < np.abs(free[-1].coef_).max()


def test_a_strength_of_nothing_is_refused(refuses):
    assert "--strength: invalid positive_float value" in refuses(main, "--strength", 0)
