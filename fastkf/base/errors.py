"""The exceptions that reach a user as a message instead of a traceback."""

import re

# What a line of text does not have: controls, which a terminal would obey, line and paragraph
# separators, and halves of characters (lone surrogates), which no file or terminal takes.
CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
LONGEST_VALUE = 80  # characters of a value in a message


class FastkfError(Exception):
    """Something a user can put right.

    Attributes:
        problem: what is wrong, in which file and cell.
        remedy: what to do about it; None where the problem says it all.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str | None = None):
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}" if self.remedy else self.problem


class UsageError(FastkfError):
    """The command was called with something it cannot take."""

    exit_code = 2


def first_line(error: BaseException | str) -> str:
    """The first line of an error's text that says something; of an error without one, its type."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), "" if isinstance(error, str) else type(error).__name__)


def shorten(text: str, longest: int = 500) -> str:
    """A text for a message: its beginning, where it is long."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def show_value(value: object) -> str:
    """A value for a message, as Python writes it."""
    return shorten(repr(value), LONGEST_VALUE)


def one_line(text: str) -> str:
    """A text from elsewhere as part of a message: on one line, its controls written out."""
    return write_controls(" ".join(text.split()))


def write_controls(text: str) -> str:
    """A text, such as the name of a file, with its controls and line breaks written out."""
    return re.sub(f"[{CONTROLS}]", lambda found: repr(found[0])[1:-1], text)
