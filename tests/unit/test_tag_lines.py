"""The line above a cell that says its tags, for readers without Kale."""

import pytest
from build import make_cell

from fastkf.course.tag_lines import remove_line, write_lines

LOAD = "<sub>Tags of the next cell: `step:load`, `prev:a`</sub>"


def cells(*pairs):
    return [make_cell(number, *pair) for number, pair in enumerate(pairs, start=1)]


def texts(written):
    return ["".join(cell["source"]) for cell in written if cell["cell_type"] == "markdown"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([("markdown", "Load."), (["step:load", "prev:a"], "x = 1")], [f"Load.\n\n{LOAD}"]),
        ([(["step:load", "prev:a"], "x = 1")], [LOAD]),
        (
            [("markdown", "P."), (["pipeline-parameters", "parameters"], "n = 1")],
            ["P.\n\n<sub>Tags of the next cell: `pipeline-parameters`</sub>"],
        ),
        ([("markdown", "Look."), ("skip", "x")], ["Look."]),
        ([("markdown", "Go on."), ("", "x")], ["Go on."]),
        ([("markdown", f"Old.\n\n{LOAD}"), ("skip", "x")], ["Old."]),
        ([("markdown", LOAD), ("skip", "x")], []),
        ([("markdown", ""), ("skip", "x")], [""]),
    ],
)
def test_lines_say_what_the_tags_are(given, expected):
    written = write_lines(cells(*given))
    assert texts(written) == expected
    assert write_lines(written) == written


def test_the_code_stays_as_it_is():
    given = cells(("step:a", "x = 1"), ("step:b", "y = x"))
    assert [one for one in write_lines(given) if one["cell_type"] == "code"] == given


def test_a_line_is_taken_away_at_the_end_only():
    assert remove_line(f"Above.\n\n{LOAD}\n") == "Above."
    assert remove_line(f"{LOAD}\n\nBelow.") == f"{LOAD}\n\nBelow."
