"""The exceptions that reach a user as a message instead of a traceback."""


class FastkfError(Exception):
    """Something a user can put right.

    The text says what is wrong, in which file and cell, and what to do.
    """

    exit_code = 1


class UsageError(FastkfError):
    """The command was called with something it cannot take."""

    exit_code = 2
