from support_vector_machine import main


def test_the_kernel_and_the_strength_are_the_ones_asked_for(train):
    model, metrics = train(main, "--kernel", "linear", "--strength", 0.5)
    assert (model[-1].kernel, model[-1].C) == ("linear", 0.5)
    assert 0.9 < metrics["cv_accuracy"] < 1


def test_an_unknown_kernel_is_refused(refuses):
    assert "--kernel: invalid choice: 'round'" in refuses(main, "--kernel", "round")
