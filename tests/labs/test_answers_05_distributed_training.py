"""Answers to the exercises of the lab on distributed training, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

# What the exercises need is the program and the digits; no training, and no server.
COSTLY = ("one_history", "two_model", "two_history", "loss_difference", "speed_up =", "httpx")
COSTLY += ("imshow", '"fastkf.cli"', "server.terminate")
lab = fixture_of("05_distributed_training", without=COSTLY)

CONFIG = "def my_config(hosts, index):\n    return "
TASK = '"task": {"type": "worker", "index": index}'
SPEED = "my_speed_up = lambda workers, compute, exchange: "
LIMIT = "\nmy_limit = lambda compute, exchange: "
RIGHT_SPEED = SPEED + "compute / (compute / workers + exchange)"
RIGHT_LIMIT = LIMIT + "compute / exchange"


def shares(first="0::2", second="1::2", loss="tf.reduce_sum(losses) / len(images)", add="{}"):
    """An answer to exercise 3: how the batch is cut, each share's loss, and what is returned."""
    return f"""
def my_gradients(model, images, labels):
    measure = keras.losses.SparseCategoricalCrossentropy(reduction="none")
    found = []
    for mine in (np.s_[{first}], np.s_[{second}]):
        with tf.GradientTape() as tape:
            losses = measure(labels[mine], model(images[mine], training=True))
            loss = {loss}
        found.append(tape.gradient(loss, model.trainable_variables))
    return {add.format("[one + other for one, other in zip(*found)]")}
"""


WHOLE = """
def my_gradients(model, images, labels):
    with tf.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy()(labels, model(images))
    return tape.gradient(loss, model.trainable_variables)
"""
WRONG = [
    (1, "my_config = {'cluster': {'worker': ['a:2222']}}", "should be a function"),
    (1, "my_config = 5", "should be a function"),
    (1, f'{CONFIG}{{"cluster": {{"worker": hosts}}, {TASK}}}', "json.dumps turns one into it"),
    (1, f'{CONFIG}str({{"cluster": {{"worker": hosts}}, {TASK}}})', "is not JSON"),
    (1, f'{CONFIG}json.dumps({{"cluster": hosts, {TASK}}})', "must be a dictionary"),
    (1, f'{CONFIG}json.dumps({{"cluster": {{"workers": hosts}}, {TASK}}})', "with one entry"),
    (
        1,
        f'{CONFIG}json.dumps({{"cluster": {{"worker": hosts[:2]}}, {TASK}}})',
        "Each gets all, in the same order",
    ),
    (1, f'{CONFIG}json.dumps({{"cluster": {{"worker": hosts}}}})', "two entries is needed"),
    (
        1,
        f'{CONFIG}json.dumps({{"cluster": {{"worker": hosts}}, "task": {{"index": index}}}})',
        "has a 'type'",
    ),
    (
        1,
        CONFIG + 'json.dumps({"cluster": {"worker": hosts}, "task":'
        ' {"type": "worker", "index": index + 1}})',
        "Count from 0",
    ),
    (
        1,
        CONFIG + 'json.dumps({"cluster": {"worker": hosts}, "task": {"type": "worker", "index":'
        " 1}})",
        "Count from 0",
    ),
    (
        1,
        CONFIG + 'json.dumps({"cluster": {"worker": ["a:2222", "b:2222", "c:2222"]},' + TASK + "})",
        "Each gets all, in the same order",
    ),
    (
        1,
        CONFIG + 'json.dumps({"cluster": {"worker": hosts}, "task":'
        ' {"type": "chief" if index == 0 else "worker", "index": index}})',
        "this one is a worker",
    ),
    (1, "def my_config(hosts):\n    return hosts", "TypeError"),
    (1, "def my_config(hosts, index):\n    pass", "NoneType"),
    (1, CONFIG + "1 / 0", "ZeroDivisionError"),
    (1, CONFIG + "sys.exit(3)", "SystemExit"),
    (1, CONFIG + "json.dumps([hosts, index])", "a dictionary with two entries"),
    (2, "my_speed_up = 160 / 60\nmy_limit = 8", "both should be functions"),
    (2, "my_speed_up = '2.67'\nmy_limit = '8'", "both should be functions"),
    (2, SPEED + "160 / 60" + RIGHT_LIMIT, "for 2 workers, 14 and 3 ms you say 2.67"),
    (2, SPEED + "workers" + RIGHT_LIMIT, "without the exchange"),
    (2, SPEED + "(compute / workers + exchange) / compute" + RIGHT_LIMIT, "turn it over"),
    (2, SPEED + "compute / workers + exchange" + RIGHT_LIMIT, "the time of a step"),
    (2, SPEED + "compute / ((compute + exchange) / workers)" + RIGHT_LIMIT, "not shared"),
    (2, SPEED + "compute / (compute / workers + exchange * workers)" + RIGHT_LIMIT, "not grow"),
    (2, SPEED + "(compute + exchange) / (compute / workers + exchange)" + RIGHT_LIMIT, "alone"),
    (2, SPEED + "compute // (compute / workers + exchange)" + RIGHT_LIMIT, "you say"),
    (2, RIGHT_SPEED + LIMIT + "8", "only the exchange is left"),
    (2, RIGHT_SPEED + LIMIT + "exchange / compute", "only the exchange is left"),
    (2, RIGHT_SPEED + LIMIT + "float('inf')", "only the exchange is left"),
    (2, RIGHT_SPEED, "write the functions"),
    (2, "my_speed_up = my_limit = np.array([2.67, 8])", "both should be functions"),
    (2, SPEED + "float('nan')" + RIGHT_LIMIT, "you say nan"),
    (2, SPEED + "'fast'" + RIGHT_LIMIT, "ValueError"),
    (2, "my_speed_up = lambda workers: workers" + RIGHT_LIMIT, "TypeError"),
    (3, WHOLE, "sees the whole batch at once"),
    (3, shares(loss="tf.reduce_mean(losses)"), "2 times the right size"),
    (3, shares(loss="tf.reduce_sum(losses) / len(images)", add="[one / 2 for one in {}]"), "0.5"),
    (
        3,
        shares(loss="tf.reduce_mean(losses)", add="[one / 2 for one in {}]"),
        "unequal shares are right, too",
    ),
    (3, shares(second="0::2"), "belongs to exactly one share"),
    (3, shares(first=":10", second="10:20"), "belongs to exactly one share"),
    (3, shares(first="0::4", second="1::2"), "belongs to exactly one share"),
    (3, shares(loss="tf.reduce_sum(losses)"), "is not the gradient of the whole batch"),
    (3, shares(add="found[0]"), "is not the gradient of the whole batch"),
    (3, shares(add="{}[:-1]"), "is not the gradient of the whole batch"),
    (3, shares(add="list(reversed({}))"), "is not the gradient of the whole batch"),
    (3, shares(add="None"), "TypeError"),
    (3, "my_gradients = [0.0]", "not callable"),
    (3, "my_gradients = []", "not callable"),
    (3, "def my_gradients(model, images, labels):\n    return model.weights", "asked nothing"),
    (3, "def my_gradients(model):\n    pass", "TypeError"),
]
JSON = '{"cluster": {"worker": hosts}, ' + TASK + "}"
LATER = """
def my_gradients(model, images, labels):
    total = [tf.zeros_like(one) for one in model.trainable_variables]
    measure = keras.losses.SparseCategoricalCrossentropy()
    for mine in (slice(0, None, 2), slice(1, None, 2)):
        with tf.GradientTape() as tape:
            loss = measure(labels[mine], model(images[mine]))
        share = tape.gradient(loss, model.trainable_variables)
        part = len(labels[mine]) / len(labels)
        total = [one + part * other for one, other in zip(total, share)]
    return [one.numpy() for one in total]
"""
RIGHT = [
    (1, f"{CONFIG}json.dumps({JSON})"),
    (1, f"my_config = lambda hosts, index: json.dumps({JSON}, indent=2)"),
    (
        1,
        CONFIG + 'json.dumps({"task": {"index": str(index), "type": "worker"}, "cluster":'
        ' {"worker": tuple(hosts)}, "environment": "cloud"})',
    ),
    (
        1,
        "def my_config(hosts, index):\n"
        "    names = ', '.join(f'\"{host}\"' for host in hosts)\n"
        '    return \'{"cluster": {"worker": [\' + names + \']}, "task": {"type": "worker", \''
        " + f'\"index\": {index}' + '}}'",
    ),
    (2, RIGHT_SPEED + RIGHT_LIMIT),
    (
        2,
        SPEED
        + "1 / (1 / workers + exchange / compute)"
        + LIMIT
        + "my_speed_up(1e9, compute, exchange)",
    ),
    (2, SPEED + "np.float32(workers * compute / (compute + workers * exchange))" + RIGHT_LIMIT),
    (
        2,
        "def my_speed_up(workers, compute, exchange):\n"
        "    one = compute if workers == 1 else compute / workers + exchange\n"
        "    return str(round(compute / one, 6))" + RIGHT_LIMIT,
    ),
    (3, shares()),
    (3, shares(loss="tf.nn.compute_average_loss(losses, global_batch_size=len(labels))")),
    (3, shares(first=": len(images) // 2", second="len(images) // 2 :", add="tuple({})")),
    (3, LATER),
]


@pytest.mark.parametrize(("exercise", "code", "hint"), WRONG)
def test_wrong_answer_gets_its_hint(lab, exercise, code, hint):
    assert_refused(lab.answer(exercise, code), hint)


@pytest.mark.parametrize(("exercise", "code"), RIGHT)
def test_right_answer_is_accepted(lab, exercise, code):
    assert_accepted(lab.answer(exercise, code))


@pytest.mark.parametrize("exercise", [1, 2, 3])
def test_empty_answer_is_told_what_to_do(lab, exercise):
    assert lab.answer(exercise, None).startswith("Write the function")


def test_tries_enough():
    assert_enough(WRONG, RIGHT)


def test_asks_along_the_way():
    assert_questions("05_distributed_training")
