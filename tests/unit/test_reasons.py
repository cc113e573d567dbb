"""A step that fails over a file: the finding that foretold it stands beside the error."""

import pytest
from build import write_notebook

from fastkf.notebook.model import read
from fastkf.run.reasons import Reasons
from fastkf.runs.model import Failure, Step

CELLS = [
    ("step:make", "frame.to_csv('made.csv')"),
    (["step:use", "prev:make"], "con = sqlite3.connect('a.db')\nframe = pd.read_csv('made.csv')"),
]
BETWEEN = "file-between-steps: cell 1 (step `make`) writes `made.csv` and step `use` reads it"
RELATIVE = "relative-file: step `use` writes `a.db` into its folder"


@pytest.mark.parametrize(
    ("step", "name", "message", "line", "said"),
    [
        ("use", "FileNotFoundError", "[Errno 2] No such file: 'made.csv'", 2, BETWEEN),
        ("use", "OperationalError", "unable to open database file", 1, RELATIVE),
        ("use", "ParserError", "expected 1 field, saw 2", 2, None),
        ("make", "FileNotFoundError", "[Errno 2] No such file: 'other.csv'", None, None),
        ("make", "PermissionError", "[Errno 13] Permission denied: 'made.csv'", 1, BETWEEN),
    ],
)
def test_what_a_rule_says_of_the_file_stands_beside_the_error(
    tmp_path, step, name, message, line, said
):
    notebook = read(write_notebook(tmp_path / "own.ipynb", CELLS))
    source = CELLS[0][1] if step == "make" else CELLS[1][1]
    failure = Failure(name, message, source, line, remedy="the step's own remedy")
    error = Reasons(notebook).explain(Step(step, step, failure=failure)).error
    assert error.startswith(f"{name}: {message} (cell ")
    assert (said or "the step's own remedy") in error
