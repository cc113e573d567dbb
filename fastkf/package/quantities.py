"""Amounts of memory and of processors, as Kubernetes writes them: 512Mi, 1.5G, 250m."""

import re

QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,2}))?(m|[kKMGTPE]i?)?")
LETTERS = "KMGTPE"


def read_quantity(text: str) -> float:
    """The number that a quantity stands for.

    Raises:
        ValueError: it is none.
    """
    found = QUANTITY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no quantity such as 512Mi, 2G or 0.5")
    number = float(found[1]) * 10.0 ** int(found[2] or 0)
    unit = found[3] or ""
    if unit == "m":
        return number / 1000
    base = 1024 if unit.endswith("i") else 1000
    power = LETTERS.index(unit[0].upper()) + 1 if unit else 0
    return float(number * base**power)


def show_bytes(count: float) -> str:
    """A number of bytes for people: 623 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
