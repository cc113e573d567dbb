"""Whether a notebook and its pipeline have given the same metrics."""

import math
from collections.abc import Mapping

from fastkf.runs.model import Comparison

SAME = 1e-9  # relative, and absolute near 0


def compare(
    notebook: Mapping[str, object], pipeline: Mapping[str, object], tolerance: float = SAME
) -> dict[str, Comparison]:
    """Each metric of the notebook beside the pipeline's.

    Args:
        notebook, pipeline: metric to value.
        tolerance: how far two numbers may be apart, relative to the larger one.
    """
    return {
        name: Comparison(
            notebook.get(name),
            pipeline.get(name),
            is_equal(notebook.get(name), pipeline.get(name), tolerance),
        )
        for name in {**notebook, **pipeline}
    }


def is_equal(one: object, other: object, tolerance: float) -> bool:
    """Whether two values of a metric agree; numbers within the relative tolerance."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    return one is not None and one == other
