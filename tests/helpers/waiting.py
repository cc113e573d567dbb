"""Waiting in tests, with an end."""

import time


def wait_for(condition, seconds: float = 60):
    """Waits until the condition holds; returns what it then is."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found
