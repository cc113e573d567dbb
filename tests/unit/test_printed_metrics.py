"""The metrics of a notebook, as its metrics cells print them."""

import logging

import pytest

from fastkf.base.quiet import quiet_logging
from fastkf.engine.notebook import printed_metrics


def output(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


THREE = "print(first)\nprint(second)\nprint(third)"


@pytest.mark.parametrize(
    ("printed", "metrics"),
    [
        ("1\n0.5\nword\n", {"first": 1.0, "second": 0.5, "third": "word"}),
        ("1\n[[1 2]\n [3 4]]\n0.5\n", {"first": 1.0, "second": "[[1 2]\n [3 4]]", "third": 0.5}),
        ("a\nb\n1\n2\n", {"first": "a\nb", "second": 1.0, "third": 2.0}),
        ("1\n", {"first": 1.0}),
        ("1\n2\n3\n4\n", {}),
    ],
    ids=["a line each", "in the middle", "in front", "a cell that failed", "not to be told"],
)
def test_each_value_belongs_to_its_own_name(printed, metrics):
    assert printed_metrics(THREE, [output(printed)]) == metrics


def test_a_whole_number_stays_one():
    """So that a count is shown as the pipeline shows it: 1600, not 1600.0000."""
    read = printed_metrics(THREE, [output(f"1600\n1e3\n{'9' * 400}\n")])
    assert [repr(value) for value in read.values()] == ["1600", "1000.0", "inf"]


def test_what_is_printed_in_parts_is_one_text():
    assert printed_metrics("print(first)", [output("0."), output("25\n")]) == {"first": 0.25}


def test_warnings_are_no_values():
    outputs = [output("a warning\n", "stderr"), output("0.25\n")]
    assert printed_metrics("print(first)", outputs) == {"first": 0.25}


def test_logging_is_as_it_was_whatever_is_raised():
    logging.disable(logging.DEBUG)
    try:
        with pytest.raises(OSError, match="full"), quiet_logging():
            raise OSError("full")
        assert logging.root.manager.disable == logging.DEBUG
    finally:
        logging.disable(logging.NOTSET)
