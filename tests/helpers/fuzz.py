"""Generated input for tests: the same in each run, with nothing kept on the disk."""

import tempfile

import hypothesis.configuration
from hypothesis import HealthCheck, settings

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
