"""Why a notebook is not read here."""


class NotPlainError(Exception):
    """Something in the notebook is for Kale itself to judge; the text says what."""
