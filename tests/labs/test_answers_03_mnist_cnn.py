"""Answers to the exercises of the MNIST lab, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

# Neither plots nor what is measured on the test images; a network that learns in seconds.
lab = fixture_of(
    "03_mnist_cnn",
    without=("plt.show()", "show_images(", "train_images[first", "svm_validation", "svm_accuracy"),
    changed={
        "*build_block(24, size=5), *build_block(48, size=3), *build_block(96, size=3)": (
            "keras.layers.AveragePooling2D(2), *build_block(12, size=3)"
        ),
        "epochs * steps_per_epoch": "6 * steps_per_epoch",
        "epochs=epochs": "epochs=6",
    },
)

COUNT = "def count_parameters(filters, size, channels, bias):\n    "
MEASURE = "def measure_moved(images, labels, shift):\n    "
BOTH = """
    flat = moved.reshape(len(moved), -1)
    return baseline.score(flat, labels), cnn.evaluate(moved, labels, verbose=0)[1]
"""
DROPS = """
def find_drops(image, digit):
    covered = np.repeat(image[np.newaxis], 16, axis=0)
    for square in range(16):
        top, left = square // 4 * 7, square % 4 * 7
        covered[square, top : top + 7, left : left + 7] = 0
    whole = cnn.predict(image[np.newaxis], verbose=0)[0, digit]
    return (whole - cnn.predict(covered, verbose=0)[:, digit]).reshape(4, 4)
"""


# Whatever they are given, `evaluate` and `predict` take a while to begin: right answers call them.
QUICK = {
    "cnn.evaluate(moved, labels, verbose=0)[1]": (
        "(cnn.predict_on_batch(moved).argmax(axis=1) == labels).mean()"
    ),
    "cnn.evaluate(images, labels, verbose=0)[1]": (
        "(cnn.predict_on_batch(images).argmax(axis=1) == labels).mean()"
    ),
    "cnn.predict(covered, verbose=0)": "cnn.predict_on_batch(covered)",
    "cnn.predict(image[np.newaxis], verbose=0)": "cnn.predict_on_batch(image[np.newaxis])",
}


def drops(old, new):
    assert old in DROPS
    return DROPS.replace(old, new)


WRONG = [
    (1, "count_parameters = [600, 10368]", "Write a function"),
    (1, COUNT + "return [600, 10368]", "Return one number"),
    (1, COUNT + "return 600", "multiply the weights of one filter"),
    (1, COUNT + "return {(24, 1): 600, (48, 24): 10368}[filters, channels]", "stops with KeyError"),
    (1, COUNT + "return filters * (size**2 + bias)", "weights of its own for each channel"),
    (1, COUNT + "return size**2 * channels + bias", "multiply the weights"),
    (1, COUNT + "return filters * (size * channels + bias)", "a filter is a square"),
    (1, COUNT + "return filters * size**2 * channels", "when bias is True"),
    (1, COUNT + "return filters * (size**2 * channels + 1)", "no bias when bias is False"),
    (1, COUNT + "return filters * size**2 * channels + bias", "one bias for each filter"),
    (1, COUNT + "return filters * size**2 * channels * (1 + bias)", "for each of its weights"),
    (1, COUNT + "return filters * channels * (size**2 + bias)", "not one for each channel"),
    (1, COUNT + "return filters * size**2 * channels * 784 + filters * bias", "in each place"),
    (1, COUNT + "return filters * size**2", "weights of its own for each channel. And"),
    (1, COUNT + "return str(filters * (size**2 * channels + bias))", "should return numbers"),
    (1, COUNT + "print(filters * (size**2 * channels + bias))", "end with return"),
    (1, "def count_parameters(filters, size): return filters * size**2", "stops with TypeError"),
    (2, "measure_moved = [0.43, 0.96]", "Write a function"),
    (2, MEASURE + "return [0.43, 0.96]", "that you are given to the right"),
    (2, MEASURE + "return 0.96", "Return an array of shape (2,)"),
    (2, MEASURE + "np.roll(images, shift, axis=2)\n    moved = images" + BOTH, "have not moved"),
    (2, MEASURE + "moved = np.roll(images, -shift, axis=2)" + BOTH, "to the left"),
    (2, MEASURE + "moved = np.roll(images, shift, axis=1)" + BOTH, "move the images down"),
    (2, MEASURE + "moved = np.roll(images, -shift, axis=1)" + BOTH, "that you are given"),
    (2, MEASURE + "moved = np.roll(images, shift, axis=0)" + BOTH, "the place of another"),
    (2, MEASURE + "moved = np.roll(images, 3, axis=2)" + BOTH, "always move by 3"),
    (
        2,
        MEASURE
        + "labels, moved = validation_labels, np.roll(validation_digits, shift, axis=2)"
        + BOTH,
        "that you are given",
    ),
    (
        2,
        MEASURE
        + "moved = np.roll(images, shift, axis=2)\n"
        + "    return cnn.evaluate(moved, labels, verbose=0)[1],"
        + " baseline.score(moved.reshape(len(moved), -1), labels)",
        "the baseline comes first",
    ),
    (
        2,
        MEASURE
        + "moved = np.roll(images, shift, axis=2)\n"
        + "    flat = moved.reshape(len(moved), -1)\n"
        + "    return baseline.score(flat, labels), cnn.evaluate(images, labels, verbose=0)[1]",
        "only the baseline",
    ),
    (
        2,
        MEASURE
        + "moved = np.roll(images, shift, axis=2)\n"
        + "    flat = images.reshape(len(moved), -1)\n"
        + "    return baseline.score(flat, labels), cnn.evaluate(moved, labels, verbose=0)[1]",
        "only the network",
    ),
    (2, MEASURE + "images[:] = moved = np.roll(images, shift, axis=2)" + BOTH, "on a copy"),
    (2, MEASURE + "moved = np.roll(images, shift, axis=2)\n    flat = moved" + BOTH[55:], "stops"),
    (3, "find_drops = np.zeros((4, 4))", "Write a function"),
    (3, "find_drops = 0.5", "Write a function"),
    (3, "def find_drops(image, digit): return np.zeros((4, 4))", "the first square is"),
    (3, "def find_drops(image, digit): pass", "end with return"),
    (3, "def find_drops(image): return np.zeros((4, 4))", "stops with TypeError"),
    (3, drops(".reshape(4, 4)", ""), "Return an array of shape (4, 4)"),
    (3, drops(".reshape(4, 4)", ".reshape(4, 4).T"), "rows and columns are exchanged"),
    (3, drops("(whole - ", "-(whole - "), "the sign"),
    (3, drops(".reshape(4, 4)", ".reshape(4, 4) / whole"), "a difference, not a share"),
    (3, drops("] = 0", "] = 1"), "Cover with paper"),
    (3, drops("covered[square, ", "covered[square:, "), "uncover each square"),
    (3, drops("    whole = ", "    digit = 4\n    whole = "), "not always that of 4"),
    (3, drops("cnn.predict(covered, verbose=0)", "cnn(covered).numpy()"), "turns and shifts"),
    (3, drops("[:, digit])", ".max(axis=1))"), "take the probability of digit"),
    (3, drops("(whole - cnn", "(cnn"), "By how much does it fall"),
    (3, drops("square // 4 * 7", "square // 4 * 6"), "the first square is"),
    (3, drops("np.repeat(image[np.newaxis], 16, axis=0)", "np.full((16, 28, 28, 1), 0.0)"), "Not"),
    (3, drops("    whole = ", "    image[:7] = 0\n    whole = "), "on a copy"),
]
"""Each: the exercise, the answer, and a part of the hint that it should get."""

RIGHT = [
    (1, COUNT + "return filters * (size * size * channels + int(bias))"),
    (1, COUNT + "weights = filters * channels * size**2\n    return weights + filters * bias"),
    (
        1,
        COUNT
        + "layer = keras.layers.Conv2D(filters, size, use_bias=bias)\n"
        + "    layer(keras.Input((28, 28, channels)))\n    return layer.count_params()",
    ),
    (1, "count_parameters = lambda f, s, c, b: float(f * (s**2 * c + (1 if b else 0)))"),
    (2, MEASURE + "moved = np.roll(images, shift, axis=2)" + BOTH),
    (
        2,
        MEASURE
        + "moved = np.roll(images, shift, axis=-2)"
        + BOTH.replace("return ", "return [*[").replace("[1]\n", "[1]]]\n"),
    ),
    (
        2,
        MEASURE
        + "moved = np.zeros_like(images)\n    moved[:, :, shift:] = images[:, :, :-shift]"
        + BOTH,
    ),
    (
        2,
        MEASURE
        + "pad = ((0, 0), (0, 0), (shift, 0), (0, 0))\n"
        + "    moved = np.pad(images, pad)[:, :, :28]\n"
        + "    said = cnn.predict(moved, verbose=0).argmax(axis=1)\n"
        + "    return np.float32([baseline.score(moved.reshape(-1, 784), labels),"
        + " (said == labels).mean()])",
    ),
    (3, DROPS),
    (3, DROPS.replace("cnn.predict(covered, verbose=0)", "cnn(covered, training=False).numpy()")),
    (
        3,
        """
def find_drops(image, digit):
    print("covering")
    drops = []
    for top in range(0, 28, 7):
        drops.append([])
        for left in range(0, 28, 7):
            copy = image.copy()
            copy[top : top + 7, left : left + 7] = 0
            both = cnn.predict_on_batch(np.stack([image, copy]))[:, digit]
            drops[-1].append(both[0] - both[1])
    return drops
""",
    ),
]


@pytest.mark.parametrize(("exercise", "code", "hint"), WRONG)
def test_wrong_answer_gets_its_hint(lab, exercise, code, hint):
    for slow, quick in QUICK.items():
        code = code.replace(slow, quick)
    assert_refused(lab.answer(exercise, code), hint)


@pytest.mark.parametrize(("exercise", "code"), RIGHT)
def test_right_answer_is_accepted(lab, exercise, code):
    assert_accepted(lab.answer(exercise, code))


@pytest.mark.parametrize("exercise", [1, 2, 3])
def test_empty_answer_is_told_what_to_do(lab, exercise):
    told = lab.answer(exercise, None)
    assert told.startswith("Write the function"), told


def test_tries_enough():
    assert_enough(WRONG, RIGHT)


def test_asks_along_the_way():
    assert_questions("03_mnist_cnn")
