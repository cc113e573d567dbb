"""The page of each rule: its wrong example breaks the rule, and its right one keeps all rules."""

import json
import re

import pytest
from build import notebook_metadata, write_notebook

from fastkf.notebook.check import RULES, check
from fastkf.notebook.check.finding import PAGES
from fastkf.notebook.model import read

GOES_ON = ' ..."'  # a text that has no place on a page
CELL = re.compile(r"^# %%(?: tags=(\[.*\]))?$", re.M)


def read_example(rule, heading, folder):
    """The notebook of a page's section: its cells, and the metadata where there are some."""
    section = rule.page.split(f"## {heading}\n")[1].split("\n## ")[0]
    blocks = dict(re.findall(r"```(python|json)\n(.*?)```", section, re.S))
    pieces = CELL.split(blocks["python"])[1:]
    cells = [
        (json.loads(tags or "[]") or "", source.strip("\n").replace(GOES_ON, f'{"0" * 2**17}"'))
        for tags, source in zip(pieces[::2], pieces[1::2], strict=True)
    ]
    metadata = notebook_metadata() | json.loads(blocks.get("json", "{}"))
    return read(write_notebook(folder / "example.ipynb", cells, metadata=metadata))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_examples_of_a_page_are_true(rule, tmp_path):
    wrong = check(read_example(rule, "Wrong", tmp_path))
    assert rule.name in {finding.rule for finding in wrong}
    right = check(read_example(rule, "Right", tmp_path))
    metadata = {"metadata-missing", "metadata-not-normalised"}
    assert [str(one) for one in right if one.rule == rule.name or one.rule not in metadata] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_page_begins_with_what_the_rule_says(rule):
    first = f"# {rule.name}\n\n*{rule.severity.value.capitalize()}.* {rule.explanation}\n\n"
    assert rule.page.startswith(first)


def test_there_is_a_page_for_each_rule_and_no_other():
    assert {page.stem for page in PAGES.iterdir()} == {rule.name for rule in RULES}
