"""What YAML from outside means, and how much of it is read."""

import contextlib
import time

import pytest
import yaml
from fuzz import holds
from hypothesis import strategies as st

from fastkf.base.yaml_text import Limits, YamlError, read_yaml

pytestmark = [pytest.mark.security, pytest.mark.slow]
OF_TEST = Limits(letters=2**20, values=10_000, levels=50, seconds=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
# Text that looks like something else in one of YAML's versions.
ALIKE = st.text("-+.0123456789eExXoObB_:abcdfABCDF<=~yYnNtT", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("1:30:15.5", "1:30:15.5"),
        ("-190:20:30", "-190:20:30"),
        ("no", "no"),
        ("On", "On"),
        ("2026-11-29", "2026-11-29"),
        ("2026-11-29 10:00:00", "2026-11-29 10:00:00"),
        ("1_000", "1_000"),
        ("012", "012"),
        ("08001", "08001"),
        ("0b11", "0b11"),
        ("1e-3", "1e-3"),
        ("0x1F", 31),
        ("-12", -12),
        ("+1.5", 1.5),
        ("1.5e+3", 1500.0),
        ("TRUE", True),
        ("~", None),
        ("", None),
        ("!!str 12", "12"),
        ("!!float 12", 12.0),
        ("{1: a, true: b}", {"1": "a", "true": "b"}),
        ("{<<: {a: 1, b: 1}, b: 2}", {"a": 1, "b": 2}),
        ("=", "="),
    ],
)
def test_a_value_is_what_both_versions_of_yaml_take_it_for(text, value):
    [read] = read_yaml(f"- {text}")
    assert read == [value]
    assert type(read[0]) is type(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("!!int 1:30", "no number"),
        ("!!float x", "no number"),
        ("!!bool yes", "no boolean"),
        ("!!timestamp 2026-11-29", "!!timestamp"),
        ("!!binary aGk=", "!!binary"),
        ("!!set {a, b}", "!!set"),
        ("!!python/name:os.system x", "a tag that is not read here"),
        ("!local x", "!local"),
        ("!!map x", "a mapping is expected"),
        ("? [a]\n: b", "a key that is no text (line 1, column 3)"),
        ("a: 1\nb: 2\na: 3", "the key 'a' stands twice here (line 3, column 1)"),
        ("x: [{1: a, '1': b}]", "stands twice"),
        ("{<<: {a: 1}, <<: {a: 2}}", "stands twice"),
        ("{<<: [{a: 1}, b]}", "a mapping is expected to merge"),
        ("{<<: {[a]: 1}}", "a key that is no text"),
        ("9" * 500, "a number that is too long"),
        ("a: \ud800", "surrogate"),
        ('"\\ud800"', "invalid Unicode"),
        ("a: [", "line 2"),
        ("&a [*a]", "more than"),
        ("[" * 60, "50 levels"),
        ("- a\n" * 10_001, "10000 values"),
        ("x" * (2**20 + 1), "characters"),
        *(
            (end.join([*(f"%TAG !{n}! x:" for n in range(50)), "--- a"]), "directives")
            for end in ("\n", "\r", "\x85", "\u2028", "\u2029")
        ),
        ("\n".join(["- &a [x]", *["- [*a, *a, *a]"] * 5000]), "10000 values"),
    ],
    ids=lambda text: text[:12].encode("unicode_escape").decode(),
)
def test_what_json_cannot_hold_or_is_too_much_is_refused_in_one_line(text, problem):
    with pytest.raises(YamlError, match="^[^\n]*$") as caught:
        read_yaml(text, OF_TEST)
    assert problem in str(caught.value)


def test_what_is_merged_may_stand_in_the_mapping_too():
    """In whatever order they are read: the one that is merged may be looked at first."""
    text = "a: {b: &b {<<: {x: 1, y: 1}, x: 2}}\nc: {<<: *b, y: 3}\nd: *b"
    [read] = read_yaml(text)
    assert read == {"a": {"b": {"x": 2, "y": 1}}, "c": {"x": 2, "y": 3}, "d": {"x": 2, "y": 1}}


def test_of_what_is_merged_the_first_counts():
    [read] = read_yaml("a: &a {name: 1}\nb: &b {name: 2, more: 2}\nc: {<<: [*a, *b]}")
    assert read["c"] == {"name": 1, "more": 2}


COLLIDING = ",".join(f"{number * (2**61 - 1)}: 1" for number in range(4500))
COSTLY = {
    "base 60": "a: " + "59:" * 300_000 + "1",
    "many in base 60": "[" + ",".join(["59:" * 60 + "1"] * 4500) + "]",
    "hexadecimal": "a: 0x" + "f" * 900_000,
    "keys of one hash": "{" + COLLIDING + "}",
    "flow": "[" * 1_000_000,
    "sequences": "- " * 500_000,
    "keys": "? " * 500_000,
    "directives": "".join(f"%TAG !{number}! b:\n" for number in range(60_000)) + "--- a",
    "documents": "--- a\n" * 150_000,
    "line ends": "a: |\n" + "\n" * 1_000_000,
    "merges": "a: &a {" + ",".join(f"k{n}: 1" for n in range(900)) + "}\nb: {<<: [*a, *a, *a]}",
}


@pytest.mark.parametrize("text", COSTLY.values(), ids=COSTLY)
def test_no_text_takes_long(text):
    began = time.thread_time()  # of the processor: a busy machine changes nothing
    with contextlib.suppress(YamlError):
        read_yaml(text, OF_TEST)
    assert time.thread_time() - began < 2


def test_the_time_is_limited():
    with pytest.raises(YamlError, match="takes more than -1 seconds"):
        read_yaml("a: 1", Limits(seconds=-1))


@holds(60, JSON | st.lists(ALIKE) | st.dictionaries(ALIKE, ALIKE))
def test_what_pyyaml_writes_comes_back(value):
    assert read_yaml(yaml.safe_dump(value, allow_unicode=True)) == [value]


@holds(
    150, st.text(st.sampled_from("-?:,[]{}#&*!|>%@`'\"\\ \n\t0.1aeo<=~\x00\x85\ud800"), max_size=40)
)
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(YamlError):
        read_yaml(text, OF_TEST)
