"""What the rules have in common."""

from collections import Counter
from collections.abc import Callable, Iterator

Problems = Iterator[str]
RULES: list[Callable[[dict], Problems]] = []


def rule(function: Callable[[dict], Problems]) -> Callable[[dict], Problems]:
    """Adds a rule: from the manifest, whose fields have their types, to what is wrong with it."""
    RULES.append(function)
    return function


def find_repeated(names: list, where: str) -> Problems:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{where}: {name} stands there {times} times"
