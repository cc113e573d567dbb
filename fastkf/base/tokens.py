"""Bearer tokens in files that only one user can read."""

import secrets
from pathlib import Path

from fastkf.base import files
from fastkf.base.errors import FastkfError
from fastkf.base.files import NotPrivateError


def read_token(path: Path) -> str:
    """The token in a file that is this user's alone.

    Raises:
        NotPrivateError: the file is another user's, or open to others.
        FastkfError: there is no token in it, or no file.
    """
    token = (files.read_private(path) or "").strip()
    if not is_token(token):
        raise FastkfError(
            f"{path}: holds no token", "delete it and start the server again: that makes a new one"
        )
    return token


def make_token(path: Path) -> str:
    """The token in a file; a new one where there is no file, or others could read it.

    Raises:
        NotPrivateError: the file is another user's.
        FastkfError: there is no token in it.
    """
    try:
        is_there = bool((files.read_private(path) or "").strip())
    except NotPrivateError as error:
        if not error.is_own:
            raise
        is_there = False
    if not is_there:
        files.write_text(path, new_token() + "\n", mode=0o600)
    return read_token(path)


def new_token() -> str:
    """A token that nobody can guess: 256 random bits."""
    return secrets.token_urlsafe(32)


def is_token(text: str) -> bool:
    """Whether a header can carry it: one word of printable ASCII (RFC 6750, 2.1)."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
