from decision_tree import main


def test_the_tree_is_no_deeper_than_asked(train):
    model, metrics = train(main, "--max-depth", 2)
    assert model.get_depth() == 2
    assert 0.85 < metrics["cv_accuracy"] < 1


def test_a_depth_of_nothing_is_refused(refuses):
    assert "--max-depth: invalid positive_int value: '0'" in refuses(main, "--max-depth", 0)
