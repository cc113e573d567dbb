"""The conditions of `dsl.If`, as the KFP compiler writes them."""

import pytest

from fastkf.base.errors import FastkfError
from fastkf.engine.conditions import holds

NUMBER = "pipelinechannel--one-Output"


def given(name: str) -> str:
    return f"inputs.parameter_values['{name}']"


@pytest.mark.parametrize(
    ("condition", "inputs", "expected"),
    [
        (f"int({given(NUMBER)}) > 5", {NUMBER: 6}, True),
        (f"!(int({given(NUMBER)}) > 5)", {NUMBER: 6}, False),
        (f"!(int({given('n')}) > 5) && int({given('n')}) != 3", {"n": 4.0}, True),
        (f"{given('w')} == 'a && !b'", {"w": "a && !b"}, True),
        (f"{given('w')} == 'it' || {given('w')} == 'that'", {"w": "that's"}, False),
        (f"{given('x')} >= 0.5", {"x": 0.5}, True),
        (f"double({given('x')}) < 1", {"x": "0.5"}, True),
        (f"{given('yes')} == true", {"yes": True}, True),
        (f"string({given('yes')}) == 'true'", {"yes": True}, True),
        (f"string({given('n')}) == '3'", {"n": 3.0}, True),
    ],
)
def test_a_condition_means_what_it_means_on_a_cluster(condition, inputs, expected):
    assert holds(condition, inputs) is expected


@pytest.mark.parametrize(
    "condition",
    ["", "size([1]) == 1", "__import__('os')", f"{given('other')} == 1", f"int({given('w')}) > 1"]
    # From each of its quotes, a search to the end would take hours.
    + ['"' + '\\"' * 200_000, "'" + "\\'" * 200_000 + "\\"],
    ids=range(7),
)
def test_what_cannot_be_judged_is_one_message(condition):
    with pytest.raises(FastkfError, match="cannot be judged"):
        holds(condition, {"w": "word"})


@pytest.mark.parametrize("text", ["it's", "a\nb", "a\\"])
def test_a_text_that_the_compiler_has_not_quoted_is_named_as_the_cause(text):
    with pytest.raises(FastkfError, match="compare with such a text in a step"):
        holds(f"{given('w')} == '{text}'", {"w": text})
