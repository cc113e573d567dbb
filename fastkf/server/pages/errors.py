"""What a page cannot show."""


class NotFoundError(Exception):
    """There is no such thing; says which."""
