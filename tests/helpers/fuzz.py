"""Generated input for tests: the same in each run, with nothing kept on the disk."""

import functools
import inspect
import tempfile

import hypothesis.configuration
from hypothesis import HealthCheck, given, settings

# What hypothesis would keep between runs goes with the process.
HOME = tempfile.TemporaryDirectory(prefix="hypothesis-")
hypothesis.configuration.set_hypothesis_home_dir(HOME.name)


def bounded(examples: int) -> settings:
    """Settings for a property: so many examples, no clock."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def holds(examples: int, *strategies):
    """Makes a test of a property: it is tried with so many examples of the strategies.

    The last parameters take the examples, those before them are fixtures. It is no test of
    hypothesis' own: for the first of those in a session, each worker would read the constants in
    all modules of the project, whether it runs one or not.
    """

    def decorate(check):
        @functools.wraps(check)
        def test(**fixtures):
            bounded(examples)(given(*strategies)(check))(**fixtures)

        fixtures = list(inspect.signature(check).parameters.values())[: -len(strategies)]
        test.__signature__ = inspect.Signature(fixtures)
        return test

    return decorate
