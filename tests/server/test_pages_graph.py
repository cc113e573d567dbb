"""The graph of a run with its groups: folded and unfolded, with the branch that was taken."""

import dataclasses
import re
from datetime import UTC, datetime

import pytest
from bs4 import BeautifulSoup

from fastkf.package.model import Package
from fastkf.runs.model import State, Step
from fastkf.server.executions import Execution, list_executions
from fastkf.server.pages.graph import MOST_ITERATIONS, Look, draw_package, draw_run
from fastkf.server.pages.run_page import make_address, read_folds

START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def task(component: str, *after: str, **content) -> dict:
    name = {"taskInfo": {"name": content.pop("name")}} if "name" in content else {}
    return {"componentRef": {"name": component}, "dependentTasks": list(after), **name, **content}


def dag(**tasks) -> dict:
    return {"dag": {"tasks": tasks}}


def condition(component: str, text: str, *after: str) -> dict:
    return task(component, *after, triggerPolicy={"condition": text})


LOOP = {"parameterIterator": {"items": {"raw": "[1, 2]"}, "itemInput": "x"}}
HEADS = "inputs.parameter_values['pipelinechannel--flip-Output'] == 'heads'"
SPEC = {
    "pipelineInfo": {"name": "all"},
    "deploymentSpec": {"executors": {"exec-get": {"importer": {}}}},
    "root": dag(
        **{
            "exit-handler-1": task("guarded", name="guarded"),
            "bye": task(
                "leaf", "exit-handler-1", triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
            ),
            "get": task("get"),
        }
    ),
    "components": {
        "leaf": {"executorLabel": "exec-leaf"},
        "get": {"executorLabel": "exec-get"},
        "guarded": dag(
            **{
                "flip": task("leaf"),
                "condition-branches-1": task("branches", "flip"),
                "for-loop-1": task("loop", "flip", name="each <depth>", **LOOP),
            }
        ),
        "branches": dag(
            **{
                "condition-2": condition("won", HEADS),
                "condition-3": condition("lost", f"!({HEADS})"),
            }
        ),
        "won": dag(cheer=task("leaf")),
        "lost": dag(weep=task("leaf")),
        "loop": dag(**{"train": task("leaf"), "for-loop-2": task("inner", "train", **LOOP)}),
        "inner": dag(test=task("leaf")),
    },
}


def ran(name: str, state: State = State.SUCCEEDED, **fields) -> Step:
    return Step(name, name.partition(".")[0], state=state, started=START, seconds=2.0, **fields)


def loop_of(name: str, *turns: str, state: State = State.SUCCEEDED) -> Step:
    return ran(name, state, steps=tuple(ran(f"{name}.{turn}", state) for turn in turns))


STEPS = [
    ran("flip"),
    ran("cheer"),
    ran("weep", State.SKIPPED),
    loop_of("train", "0", "1"),
    loop_of("test", "0.0", "0.1", "1.0"),
    ran("bye"),
    ran("get"),
]


class Row:
    is_going = True


def draw(steps=STEPS, toggled=(), current=None) -> BeautifulSoup:
    run = type("Kept", (), {"steps": steps})
    look = Look(lambda step, folds: make_address("#/x", step, folds), frozenset(toggled), current)
    picture = draw_run(Package(SPEC), list_executions(Row, run), "all", look)
    return BeautifulSoup(str(picture), "html.parser")


def groups(page) -> dict[str, str]:
    return {one["data-group"]: one.title.string for one in page.select("[data-group]")}


def steps_of(page) -> list[str]:
    return [one["data-step"] for one in page.select("[data-step]")]


def test_groups_are_drawn_around_what_is_in_them():
    found = groups(draw())
    assert found["exit-handler-1"] == "guarded: exit handler"
    assert found["exit-handler-1/condition-branches-1/condition-2"] == (
        "condition-2: if flip-Output == 'heads': taken"
    )
    assert (
        found["exit-handler-1/condition-branches-1/condition-3"] == "condition-3: else: not taken"
    )
    assert found["exit-handler-1/for-loop-1"] == "each <depth>: 2 iterations"
    assert {"flip", "cheer", "weep", "bye", "get"} <= set(steps_of(draw()))
    titles = [one.title.string for one in draw().select("[data-step]")]
    assert "bye: exit task, 2.0 s" in titles
    assert "get: importer, 2.0 s" in titles


def test_a_loop_is_unfolded_to_its_iterations_and_the_loops_in_them():
    assert "train" not in " ".join(steps_of(draw()))
    loop = "exit-handler-1/for-loop-1"
    page = draw(toggled=[loop])
    assert [one for one in steps_of(page) if one.startswith("train")] == ["train.0", "train.1"]
    inner = "exit-handler-1/for-loop-1/for-loop-2.0"
    assert groups(page)[inner] == "for-loop-2: 2 iterations"
    page = draw(toggled=[loop, inner])
    assert [one for one in steps_of(page) if one.startswith("test")] == ["test.0.0", "test.0.1"]
    ids = [one["id"] for one in page.select("[id]")]
    assert len(ids) == len(set(ids))


def test_the_head_of_a_group_leads_to_where_it_is_folded_the_other_way():
    head = draw().find(id="fold-exit-handler-1/for-loop-1")
    folds = re.search(r"fold=([^&]*)", head["href"])[1]
    assert folds == "exit-handler-1%2Ffor-loop-1"
    assert read_folds({"fold": "a,b,"}) == {"a", "b"}


def test_the_step_that_is_shown_is_unfolded():
    page = draw(current="test.1.0")
    assert page.select_one("[aria-current] [data-step]")["data-step"] == "test.1.0"
    assert "test.0.0" not in steps_of(page)


def test_what_shows_the_step_can_be_folded_and_what_was_unfolded_stays_so():
    loop = "exit-handler-1/for-loop-1"
    assert "train.1" in steps_of(draw(toggled=[loop], current="train.1"))
    head = draw(current="train.1").find(id=f"fold-{loop}")
    assert f"fold={'-' + loop.replace('/', '%2F')}&step=train.1" in head["href"]
    assert "train.1" not in steps_of(draw(toggled=[f"-{loop}"], current="train.1"))
    assert "flip" not in steps_of(draw(toggled=["-exit-handler-1"]))


def test_of_a_long_loop_those_that_failed_are_drawn():
    turns = [ran(f"train.{n}", State.FAILED if n == 777 else State.SUCCEEDED) for n in range(1000)]
    steps = [dataclasses.replace(ran("train"), steps=tuple(turns))]
    page = draw(steps, ["exit-handler-1/for-loop-1"])
    drawn = [one for one in steps_of(page) if one.startswith("train")]
    assert len(drawn) == MOST_ITERATIONS
    assert "train.777" in drawn
    assert "1,000 iterations, 1 failed, 20 drawn" in groups(page)["exit-handler-1/for-loop-1"]


def test_a_branch_that_a_failure_kept_from_running_was_not_decided():
    steps = [ran("flip", State.FAILED), ran("cheer", State.SKIPPED), ran("weep", State.SKIPPED)]
    found = groups(draw(steps))
    assert found["exit-handler-1/condition-branches-1/condition-2"].endswith(": not run")


def test_the_graph_of_a_package_has_its_groups_too():
    page = BeautifulSoup(str(draw_package(Package(SPEC), "all")), "html.parser")
    assert groups(page)["exit-handler-1/for-loop-1"] == "each <depth>: loop"
    assert "<depth>" not in str(draw_package(Package(SPEC), "all"))


def test_steps_that_are_not_the_packages_are_not_drawn_in_its_groups():
    stranger = [Execution("other", ran("other"))]
    assert draw_run(Package(SPEC), stranger, "all", Look()) is None


@pytest.mark.parametrize("address", ["#/x", "#/x?fold=a%2Fb&step=s%261"])
def test_an_address_keeps_the_step_and_the_folds(address):
    step, folds = (None, []) if address == "#/x" else ("s&1", ["a/b"])
    assert make_address("#/x", step, folds) == address
