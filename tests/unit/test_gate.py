"""Whether a notebook is the pipeline that it looks like."""

import pytest
from build import write_notebook

from fastkf.notebook.check import Severity
from fastkf.notebook.gate import NotAPipelineError, check_tags
from fastkf.notebook.model import read

LOAD = ("step:load", "x = 1")


def test_a_pipeline_passes_with_its_warnings(tmp_path):
    cells = [LOAD, (["step:show", "prev:load"], "print(x, open('x.txt'))")]
    notebook = read(write_notebook(tmp_path / "a.ipynb", cells, metadata={}))
    found = check_tags(notebook)
    assert [finding.rule for finding in found] == ["metadata-missing", "relative-file"]
    assert {finding.severity for finding in found} == {Severity.WARNING}


def test_what_is_no_pipeline_does_not(tmp_path):
    cells = [LOAD, (["step:show", "prev:missing"], "print(x, open('x.txt'))")]
    notebook = read(write_notebook(tmp_path / "a.ipynb", cells))
    with pytest.raises(NotAPipelineError, match="is not the pipeline it looks like; fix") as error:
        check_tags(notebook)
    severities = {finding.rule: finding.severity for finding in error.value.findings}
    assert severities["prev-unknown"] is Severity.ERROR
    assert severities["relative-file"] is Severity.WARNING
