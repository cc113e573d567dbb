"""What plain data may hold that comes from outside: what JSON, SQLite and a page can hold too."""

import math
import sys
from typing import Any

DEEPEST = 100  # values inside each other
SHOWN = 60  # characters of a name in a message
LARGEST_NUMBER = int(sys.float_info.max)  # JSON's numbers are doubles on a cluster


class DataError(ValueError):
    """Data that cannot be kept or shown; says what is wrong, and where."""


def check_data(data: Any, name: str, largest_whole: int = LARGEST_NUMBER) -> None:
    """Sees that data are text, numbers, booleans, None, lists, and dictionaries of them by text.

    Args:
        name: what the data are called in messages.
        largest_whole: how large a whole number may be.

    Raises:
        DataError: a text has a character that is none, a number is not finite or too large, a value
            is of another type, or they are deeper than DEEPEST.
    """
    open_values: list[tuple[Any, str, int]] = [(data, name, 0)]
    while open_values:
        value, place, depth = open_values.pop()
        if depth > DEEPEST:
            raise DataError(f"{name}: more than {DEEPEST} values inside each other")
        if isinstance(value, str):
            check_text(value, place)
        elif isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise DataError(f"{place}: a key that is no text")
                check_text(key, f"a name in {place}")
                open_values.append((inner, f"{place}.{key}"[:SHOWN], depth + 1))
        elif isinstance(value, list):
            open_values += [(inner, place, depth + 1) for inner in value]
        else:
            _check_number(value, place, largest_whole)


def check_text(text: str, name: str) -> None:
    """Raises DataError for a lone surrogate, and for NUL, which ends a text in C."""
    if "\0" in text:
        raise DataError(f"{name}: has the character NUL (U+0000)")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            found = ord(text[error.start])
            raise DataError(
                f"{name}: has half of a surrogate pair (U+{found:04X}), which is no character"
            ) from error


def show_text(text: str) -> str:
    """A text of which nothing is known, so that each page and terminal can show it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def spell_numbers(value: Any) -> Any:
    """A value in which NaN and the infinities are texts, since JSON has no such numbers."""
    if isinstance(value, dict):
        return {name: spell_numbers(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [spell_numbers(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    return value


def _check_number(value: Any, place: str, largest_whole: int) -> None:
    if value is None or isinstance(value, bool):
        return
    if not isinstance(value, int | float):
        raise DataError(f"{place}: a value of the type {type(value).__name__}")
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise DataError(f"{place}: a number that is too large")
    if isinstance(value, int) and abs(value) > largest_whole:
        raise DataError(f"{place}: whole numbers are kept up to {largest_whole} only")
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{place}: a number that is not finite, or too large")
