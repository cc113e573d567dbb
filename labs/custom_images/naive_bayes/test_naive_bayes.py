from naive_bayes import main


def test_the_smoothing_is_the_one_asked_for(train):
    model, metrics = train(main, "--smoothing", 1e-5)
    assert model.var_smoothing == 1e-5
    assert 0.85 < metrics["cv_accuracy"] < 1


def test_a_negative_smoothing_is_refused(refuses):
    assert "--smoothing: invalid positive_float value" in refuses(main, "--smoothing", -1)
