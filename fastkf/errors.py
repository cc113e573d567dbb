"""The one exception that reaches a user as a message instead of a traceback."""


class FastkfError(Exception):
    """Something a user can put right.

    The text says what is wrong, in which file and cell, and what to do.
    """
