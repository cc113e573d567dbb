from gradient_boosting import main


def test_there_are_as_many_trees_as_asked_for(train):
    model, metrics = train(main, "--trees", 7, "--learning-rate", 0.5)
    assert (model.n_estimators_, model.learning_rate) == (7, 0.5)
    assert 0.85 < metrics["cv_accuracy"] < 1


def test_no_trees_are_refused(refuses):
    assert "--trees: invalid positive_int value: '0'" in refuses(main, "--trees", 0)
