"""Regular expressions as Katib's collector reads them: in the syntax of Go, which is RE2's."""

import re
from collections.abc import Iterator

import re2

NOT_IN_GO = r"\C"  # one byte, which RE2 has all the same


class PatternError(ValueError):
    """Go's package regexp does not take it; says why."""


class Pattern:
    """A regular expression of a metricsFormat.

    Attributes:
        groups: how many groups in brackets it has.

    Raises:
        PatternError: Go would not compile it.
    """

    def __init__(self, text: str):
        options = re2.Options()
        options.log_errors = False
        try:
            self._compiled = re2.compile(text, options)
        except (re2.error, UnicodeEncodeError) as error:
            reason = error.args[0]
            shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(error)
            raise PatternError(shown) from error
        if NOT_IN_GO in re.findall(r"\\.", text):
            raise PatternError(f"invalid escape sequence: {NOT_IN_GO}")
        self.groups: int = self._compiled.groups

    def find_all(self, line: str) -> Iterator[tuple[str, str]]:
        """The first two groups of each place that matches; "" for one that takes no part."""
        for found in self._compiled.finditer(line):
            yield found[1] or "", found[2] or ""
