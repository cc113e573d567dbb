"""What the rules have in common."""

from collections import Counter
from collections.abc import Callable, Iterator

from fastkf.tune.fields import explain_unknown

Problems = Iterator[str]
RULES: list[Callable[[dict], Problems]] = []


def rule(function: Callable[[dict], Problems]) -> Callable[[dict], Problems]:
    """Adds a rule: from the manifest, whose fields have their types, to what is wrong with it."""
    RULES.append(function)
    return function


def find_unknown(given: dict, known: list[str], where: str) -> Problems:
    for name in given:
        if name not in known:
            yield f"{where}.{name}: there is no such field; {explain_unknown(name, known)}"


def find_repeated(names: list, where: str) -> Problems:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{where}: {name} stands there {times} times"
