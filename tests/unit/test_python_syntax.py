import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastkf.base.python_syntax import parse_expression, parse_python

EXPRESSION = f"[{'(1 + 2) * 3, ' * 200}]"
SOURCE = f"total = {EXPRESSION}"


@pytest.fixture
def threads_that_take_turns():
    """Another thread has its turn at each collection of garbage, so within a tree, too."""

    def give_turn(phase: str, info: dict[str, int]) -> None:
        time.sleep(0)

    thresholds = gc.get_threshold()
    gc.callbacks.append(give_turn)
    gc.set_threshold(50)
    with ThreadPoolExecutor(4) as threads:
        yield threads
    gc.set_threshold(*thresholds)
    gc.callbacks.remove(give_turn)


@pytest.mark.parametrize(
    ("parse", "code"), [(parse_python, SOURCE), (parse_expression, EXPRESSION)]
)
def test_threads_read_code_at_once(threads_that_take_turns, parse, code):
    trees = list(threads_that_take_turns.map(parse, [code] * 40))
    assert len(trees) == 40


def test_an_expression_is_no_statement():
    with pytest.raises(SyntaxError):
        parse_expression("a = 1")
