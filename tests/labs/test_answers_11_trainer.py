"""Answers to the exercises of the lab on Trainer, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

# What trains with two workers, and what no exercise needs.
COSTLY = (
    "_two",
    '{"mlPolicy"',
    "start_workers(2",
    "fastkf.cli",
    "print(equal",
    "share = min(",
)
lab = fixture_of("11_trainer", without=(*COSTLY, 'worker-0.log") as log:\n    print(next'))

PLACE = """
def my_place(job, workers, number):
    return {{"JAX_NUM_PROCESSES": {}, "JAX_PROCESS_ID": {}, "JAX_COORDINATOR_ADDRESS": {}}}
"""
ADDRESS = 'f"{job}-node-0-0.{job}:29500"'
SHARES = """
def my_share(speed_up, workers):
    return {}

def my_workers(share, wanted):
    {}
"""
SHARE = "(workers / speed_up - 1) / (workers - 1)"
COUNT = """n = 1
    while 1 / (share + (1 - share) / n) < wanted - 1e-9:
        n += 1
        if n > 10000:
            return None
    return n"""
LOOP = """if wanted > 1 and share and wanted >= 1 / share:
        return None
    n = 1
    while 1 / (share + (1 - share) / n) < wanted:
        n += 1
    return n"""
CEILING = """import math
    {}
    if share * wanted {} 1:
        return None
    return math.ceil((1 - share) / (1 / wanted - share))"""
ALONE = "if wanted <= 1: return 1"
REPORT = """
{}
def my_report(price):
    {}
"""


def place(workers, number, address):
    return PLACE.format(workers, number, address)


def report(*lines, before=""):
    return REPORT.format(before, "\n    ".join(lines))


NUMBER = 'number = os.environ.get("JAX_PROCESS_ID", "0")'
WORKERS = 'workers = os.environ.get("JAX_NUM_PROCESSES", "1")'
PRINT = 'print(f"worker {number} of {workers}: " + chr(36) + f"{price}")'

WRONG = [
    (1, "my_place = {'JAX_PROCESS_ID': '1'}", "TypeError"),
    (1, place("workers", "number", ADDRESS), "str(2)"),
    (1, place("str(workers)", "str(number + 1)", ADDRESS), "worker 1 of 2 gets 2"),
    (1, place("str(number)", "str(workers)", ADDRESS), "gets 2 of 1"),
    (
        1,
        place("str(workers)", "str(number)", 'f"{job}-node-0-{number}.{job}:29500"'),
        "meet at the same place",
    ),
    (1, place("str(workers)", "str(number)", '"127.0.0.1:29500"'), "the address should be"),
    (
        1,
        place("str(workers)", "str(number)", '"flights-node-0-0.flights:29500"'),
        "for the job a-b",
    ),
    (1, place("str(workers)", "str(number)", 'f"{job}-node-0-0.{job}"'), "the address should be"),
    (1, "def my_place(job, workers, number): return {'JAX_PROCESS_ID': '1'}", "the names should"),
    (1, "def my_place(job, workers, number): return 'JAX_PROCESS_ID=1'", "return a dictionary"),
    (2, SHARES.format("2 / speed_up - 1", COUNT), "right for two workers"),
    (2, SHARES.format("1 / speed_up", COUNT), "means a share of 0.25"),
    (2, SHARES.format("1 - speed_up / workers", COUNT), "means a share of 0.25"),
    (2, SHARES.format("'a quarter'", COUNT), "return a number"),
    (2, SHARES.format(SHARE, "return None"), "my_workers(0.25, 2) should be 3"),
    (2, SHARES.format(SHARE, "return int((1 - share) / (1 / wanted - share))"), "never reached"),
    (2, SHARES.format(SHARE, "return 2"), "my_workers(0.25, 2)"),
    (2, SHARES.format(SHARE, CEILING.format(ALONE, "==")), "my_workers(0.5, 3) should be None"),
    (2, SHARES.format(SHARE, CEILING.format("", ">=")), "one worker is as fast as one"),
    (2, SHARES.format(SHARE, LOOP.replace("wanted > 1 and ", "")), "one worker is as fast as one"),
    (2, SHARES.format("workers / 0", COUNT), "ZeroDivisionError"),
    (3, "my_report = 'worker 1 of 3: $5'", "it should print"),
    (3, "my_report = lambda price: print(price)", "begin it with def"),
    (3, report(NUMBER, WORKERS, PRINT, before="import os"), "import within it"),
    (3, report("import os", 'number = os.environ["JAX_PROCESS_ID"]', WORKERS, PRINT), "a default"),
    (
        3,
        report("import os", NUMBER, WORKERS, 'print(f"worker {number} of {workers}: ${price}")'),
        "before Python does",
    ),
    (
        3,
        report("import os", NUMBER, WORKERS, 'print(f"worker {number} of {workers}: {price}")'),
        "before Python does",
    ),
    (3, report("import os", NUMBER, WORKERS, "return number"), "prints nothing"),
    (3, report("print('worker 1 of 3: ' + chr(36) + '5')"), "it should print"),
    (
        3,
        report("import os", NUMBER, "workers = 3", PRINT),
        "'worker 0 of 2: $0.5'",
    ),
]
RIGHT = [
    (1, place("str(workers)", "str(number)", ADDRESS)),
    (1, place('f"{workers}"', 'f"{number}"', 'job + "-node-0-0." + job + ":29500"')),
    (
        1,
        "def my_place(job, workers, number):\n"
        "    values = [workers, number, '%s-node-0-0.%s:29500' % (job, job)]\n"
        "    names = ['NUM_PROCESSES', 'PROCESS_ID', 'COORDINATOR_ADDRESS']\n"
        "    return {f'JAX_{name}': str(value) for name, value in zip(names, values)}",
    ),
    (2, SHARES.format(SHARE, COUNT)),
    (2, SHARES.format(SHARE, LOOP)),
    (2, SHARES.format(SHARE, CEILING.format(ALONE, ">="))),
    (2, SHARES.format("(1 / speed_up - 1 / workers) / (1 - 1 / workers)", COUNT)),
    (
        2,
        SHARES.format(
            SHARE,
            f"{ALONE}\n    if share * wanted >= 1: return None\n"
            "    return -int(-(wanted * (1 - share) / (1 - share * wanted) - 1e-9) // 1)",
        ),
    ),
    (3, report("import os", NUMBER, WORKERS, PRINT)),
    (
        3,
        report(
            "from os import environ",
            'place = environ.get("JAX_PROCESS_ID", 0), environ.get("JAX_NUM_PROCESSES", 1)',
            'print("worker", place[0], "of", str(place[1]) + ":", chr(36) + str(price))',
        ),
    ),
    (
        3,
        report(
            "import os",
            NUMBER,
            WORKERS,
            'print("worker {} of {}: {}{}".format(number, workers, chr(0x24), price))',
        ),
    ),
]


@pytest.mark.parametrize(("exercise", "code", "hint"), WRONG)
def test_wrong_answer_gets_its_hint(lab, exercise, code, hint):
    assert_refused(lab.answer(exercise, code), hint)


@pytest.mark.parametrize(("exercise", "code"), RIGHT)
def test_right_answer_is_accepted(lab, exercise, code):
    assert_accepted(lab.answer(exercise, code))


@pytest.mark.parametrize("exercise", [1, 2, 3])
def test_empty_answer_is_told_what_to_do(lab, exercise):
    assert not lab.answer(exercise, None).startswith("Right")


def test_tries_enough():
    assert_enough(WRONG, RIGHT)


def test_asks_along_the_way():
    assert_questions("11_trainer")
