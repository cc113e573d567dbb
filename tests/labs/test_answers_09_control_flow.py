"""Answers to the exercises of the lab on control flow, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

# What takes long, and what no exercise needs.
lab = fixture_of(
    "09_control_flow",
    without=(
        "list_steps(",
        "late_flights",
        "getsource",
        "log = next",
        "display(",
        "kubernetes.",
        "unsteady",
        "confusionMatrix",
        "kale_metrics_artifact",
    ),
)

PIPELINE = """
@dsl.pipeline(name="mine")
def my_pipeline(months: list[int], limit: float):
    {}
"""
DAILY = """
@dsl.pipeline(name="my-daily")
def my_daily(path: str, version: str):
    {}
"""
OWN_READER = """
@dsl.component(base_image="python:3.12")
def read_version(path: str, version: str) -> float:
    with open(path) as file:
        return float(file.read())

"""


def pipeline(*lines):
    return PIPELINE.format("\n    ".join(lines))


def daily(*lines):
    return DAILY.format("\n    ".join(lines))


LOOP, SHARE = "with dsl.ParallelFor(months) as month:", "    share = look_up_share(month=month)"
WARN = "        warn(month=month)"
RATE = "rate = read_rate(path=path)"

WRONG = [
    (1, "count_pods = 13", "a function of two numbers"),
    (1, "def count_pods(airports, enough): return 15", "depends on how many airports"),
    (1, "def count_pods(airports, enough): return 3 * airports + 2 * enough", "outside the loop"),
    (1, "def count_pods(airports, enough): return 3 * airports + 2 * enough + 1", "outside the"),
    (1, "def count_pods(airports, enough): return 3 * airports + 2", "how many steps are inside"),
    (1, "def count_pods(airports, enough): return 7 * airports + 2", "for one without"),
    (1, "def count_pods(airports, enough): return airports / 0", "ZeroDivisionError"),
    (1, "def count_pods(airports): return 3 * airports", "TypeError"),
    (1, "def count_pods(airports, enough): return 'many'", "'many'"),
    (2, "my_pipeline = 12", "@dsl.pipeline"),
    (2, "def my_pipeline(months, limit): pass", "@dsl.pipeline"),
    (2, pipeline("look_up_share(month=6)"), "ran for [6]"),
    (2, pipeline(LOOP, SHARE, "    warn(month=month)"), "every month"),
    (2, pipeline(LOOP, SHARE), "no month"),
    (2, pipeline(LOOP, SHARE, "    with dsl.If(share.output >= limit):", WARN),
     "equals the limit"),
    (2, pipeline(LOOP, SHARE, "    with dsl.If(share.output < limit):", WARN),
     "only 12 has more"),
    (2, pipeline(LOOP, SHARE, "    with dsl.If(share.output > 0.3):", WARN),
     "only 12 has more"),
    (2, pipeline(LOOP, SHARE, "    with dsl.If(share.output > 0.314):", WARN), "another limit"),
    (2, pipeline(LOOP, SHARE, "    with dsl.If(share.output > limit):", WARN).replace("[int]", ""),
     "a list[int]?"),
    (2, pipeline(LOOP.replace("months", "all_months"), SHARE).replace("(months:", "(all_months:"),
     "no parameter months"),
    (2, pipeline(LOOP, SHARE).replace("limit: float", "limit: float, most: int"),
     "most has no default"),
    (3, "my_daily = 'daily'", "@dsl.pipeline"),
    (3, daily(RATE, "slow_report(rate=rate.output)").replace("version:", "edition:"),
     "no parameter version"),
    (3, "my_daily = daily", "the file has changed"),
    (3, daily("slow_report(rate=1.25)"), "the file has changed"),
    (3, daily(RATE), "no report"),
    (3, daily("slow_report(rate=2.0)"), "the rate of the file"),
    (3, daily(RATE, "rate.set_caching_options(False)",
              "slow_report(rate=rate.output).set_caching_options(False)"), "nothing had changed"),
    (3, daily(RATE, "slow_report(rate=rate.output).set_caching_options(False)"), "has changed"),
]  # fmt: skip
RIGHT = [
    (1, "def count_pods(airports, enough): return 3 * airports + 2 * enough + 2"),
    (1, "def count_pods(airports, enough): return 5 * enough + 3 * (airports - enough) + 2"),
    (1, "count_pods = lambda airports, enough: float(2 + 3 * airports + 2 * enough)"),
    (2, pipeline(LOOP, SHARE, "    with dsl.If(share.output > limit):", WARN)),
    (2, pipeline("with dsl.ParallelFor(months, parallelism=1) as one:",
                 "    found = look_up_share(month=one)",
                 "    with dsl.If(found.outputs['Output'] > limit, name='bad'):",
                 "        warn(month=one)")),
    (2, pipeline(LOOP, SHARE, "    with dsl.If(share.output <= limit):",
                 "        look_up_share(month=month)", "    with dsl.Else():",
                 WARN)),
    (3, daily(RATE, "rate.set_caching_options(False)", "slow_report(rate=rate.output)")),
    (3, OWN_READER + daily("slow_report(rate=read_version(path=path, version=version).output)")),
    (3, daily("rate = read_rate(path=path).set_caching_options(enable_caching=False)",
              "report = slow_report(rate=rate.output)", "report.set_display_name('report')")),
]  # fmt: skip


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
    assert_questions("09_control_flow")
