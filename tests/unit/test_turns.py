import threading
from concurrent.futures import ThreadPoolExecutor

from fastkf.base.turns import take_turn


def test_whoever_waits_says_so_and_has_the_next_turn(tmp_path):
    order, said, waits = [], [], threading.Event()

    def say(message: str) -> None:
        said.append(message)
        waits.set()

    def make(name: str) -> None:
        with take_turn(tmp_path / "lock", "the layer", say):
            order.append(name)

    with ThreadPoolExecutor(1) as other:
        with take_turn(tmp_path / "lock", "the layer", say):
            assert said == []
            second = other.submit(make, "second")
            assert waits.wait(60)
            order.append("first")
        second.result()
    assert order == ["first", "second"]
    assert said == ["another process makes the layer; waiting for it"]


def test_a_turn_ends_with_its_block(tmp_path):
    for _ in range(2):
        with take_turn(tmp_path / "lock", "the layer", print):
            pass
