"""What the rules have in common."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

Manifest = dict[str, Any]
Problems = Iterator[str]
# A rule: from the manifest, whose fields have their types, to what is wrong with it.
Rule = Callable[[Manifest], Problems]


def find_repeated(names: list, where: str) -> Problems:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{where}: {name} stands there {times} times"
