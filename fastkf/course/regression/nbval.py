"""A pytest plugin beside nbval, for the lab that is executed once (see `once.py`).

The metrics cell is compared as numbers, within the tolerance: nbval compares text, and takes no
marker in a metrics cell, since Kale allows no comment there. And after the lab's last exercise, in
the same kernel, come the solution's cells of each exercise, whose outputs are written down.

A cell whose kernel ends fails at once: nbval waits 2,000 seconds for it, its time limit of a cell.
"""

import json
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastkf.base.iri import import_jsonschema

import_jsonschema()  # quickly, before nbval imports nbformat

import nbformat  # noqa: E402
import pytest  # noqa: E402

from fastkf.base.errors import FastkfError  # noqa: E402
from fastkf.base.processes import SIGNALLED, MemoryWatch  # noqa: E402
from fastkf.course.exercises import group_cells  # noqa: E402
from fastkf.course.regression.checks import CheckError, compare_metrics  # noqa: E402
from fastkf.engine.notebook import printed_metrics  # noqa: E402
from fastkf.notebook.model import read  # noqa: E402

TAG = "pipeline-metrics"
BETWEEN_LOOKS = 0.5  # seconds


def pytest_addoption(parser):
    parser.addoption("--kale-solution", default=None, help="the notebook with the answers")
    parser.addoption("--kale-answers", default=None, help="gets what they print, as JSON")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if TAG in item.cell.metadata.get("tags", []):
            item.options["check"] = False
    if items and config.getoption("--kale-solution"):
        config.pluginmanager.register(answers := Answers(config, items[0].parent))
        end = 1 + max(
            (number for number, item in enumerate(items) if item.cell in answers.exercises),
            default=len(items) - 1,
        )
        items[end:end] = answers.items


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with fails_with_its_kernel(item.parent.kernel):
        result = yield
    if TAG in item.cell.metadata.get("tags", []):
        committed, now = (
            printed_metrics(item.cell.source, outputs)
            for outputs in (item.cell.outputs, item.test_outputs)
        )
        try:
            compare_metrics(read(item.path), committed, now)
        except CheckError as error:
            pytest.fail(str(error), pytrace=False)
    return result


@contextmanager
def fails_with_its_kernel(kernel) -> Iterator[None]:
    """Fails a cell whose kernel's process ends; `kernel` is nbval's.

    The alarm interrupts the wait for the kernel's answer, which is in this thread.
    """
    memory, process = MemoryWatch(), kernel.km.provisioner.process

    def look(*_):
        code = process.poll()
        if code is not None:
            ending = memory.ending(SIGNALLED - code if code < 0 else code)
            pytest.fail(f"the notebook's kernel has died: it {ending}", pytrace=False)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, BETWEEN_LOOKS, BETWEEN_LOOKS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Answers:
    """The solution's cells of the exercises, executed in the lab's kernel.

    Attributes:
        exercises: the lab's own cells of its exercises.
        items: the solution's; none of them fails, whatever it prints or raises.
    """

    def __init__(self, config, file):
        from nbval.plugin import IPyNbCell  # pytest must import it first, to rewrite its asserts

        self.path = Path(config.getoption("--kale-answers"))
        self.exercises = sum(group_cells(file.nb.cells), [])
        solution = Path(config.getoption("--kale-solution"))
        self.items = [
            IPyNbCell.from_parent(
                file,
                name=f"Answer {number}",
                cell_num=number,
                cell=cell,
                options=defaultdict(bool),
            )
            for number, cell in enumerate(read_answers(solution), start=1)
        ]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item):
        try:
            return (yield)
        except Exception:
            if item not in self.items:
                raise

    def pytest_sessionfinish(self):
        printed = [item.test_outputs or [] for item in self.items]
        self.path.write_text(json.dumps(printed))


def read_answers(solution: Path) -> list:
    """The solution's cells; none of one that cannot be read, which `exercises` says of it."""
    try:
        read(solution)
    except FastkfError:
        return []
    return sum(group_cells(nbformat.read(solution, as_version=4).cells), [])
