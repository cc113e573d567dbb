"""A pytest plugin beside nbval: the metrics cell is compared as numbers, within the tolerance.

nbval compares text, and takes no marker in a metrics cell, since Kale allows no comment there.
"""

import pytest

from fastkf.course.regression.checks import CheckError, compare_metrics
from fastkf.engine.notebook import printed_metrics
from fastkf.notebook.model import read

TAG = "pipeline-metrics"


def pytest_collection_modifyitems(items):
    for item in items:
        if TAG in item.cell.metadata.get("tags", []):
            item.options["check"] = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield
    if TAG in item.cell.metadata.get("tags", []):
        committed, now = (
            printed_metrics(item.cell.source, outputs)
            for outputs in (item.cell.outputs, item.test_outputs)
        )
        try:
            compare_metrics(read(item.path), committed, now)
        except CheckError as error:
            pytest.fail(str(error), pytrace=False)
    return result
