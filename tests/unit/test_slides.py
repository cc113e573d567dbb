"""The slides of the labs: what becomes a slide, and that a deck asks nobody for anything."""

import re
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fastkf.course import places
from fastkf.course.labs import read_labs

sys.path.insert(0, str(places.PROJECT))  # tools/ is no package that is installed

from tools.slides.divide import LITTLE, ROOM, divide
from tools.slides.page import write_page

pytestmark = pytest.mark.slow


def slides_of(*cells):
    return divide(new_notebook(cells=list(cells)))


def test_a_heading_begins_a_slide():
    made = slides_of(new_markdown_cell("# Lab\n\nWhy.\n\n## One\n\nText.\n\n## References\n\n- a"))
    assert [slide.title for slide in made] == ["Lab", "One"]


def test_long_code_goes_on_with_the_next_slide():
    code = new_code_cell("\n".join(f"line_{n} = {n}" for n in range(50)))
    made = slides_of(new_markdown_cell("## One"), code)
    assert [slide.title for slide in made] == ["One"] + ["One (continued)"] * 2
    shown = "\n".join(part.content for slide in made for part in slide.parts)
    assert [f"line_{n} = {n}" in shown for n in range(50)] == [True] * 50


def test_long_prose_goes_to_the_notes():
    text = "This is a sentence of seven words. " * 20
    (slide,) = slides_of(new_markdown_cell(f"## One\n\n{text}"))
    assert len(slide.parts[0].content.split()) <= 45
    assert slide.notes == [text.strip()]


def test_what_leads_to_a_list_stands_before_it():
    text = "This is a sentence of seven words. " * 20
    (slide, *_) = slides_of(
        new_markdown_cell(f"## One\n\n{text}\n\nIt does two things:\n\n- a\n- b")
    )
    assert [part.content for part in slide.parts][-3:] == ["It does two things:", "- a", "- b"]


@pytest.mark.parametrize("code", ["my_steps = None", "count_pods = None\n"])
def test_an_empty_answer_is_no_slide(code):
    (slide,) = slides_of(new_markdown_cell("## One\n\nText."), new_code_cell(code))
    assert [part.kind for part in slide.parts] == ["markdown"]


def test_answers_are_not_shown():
    folded = "<details><summary>A. This</summary>\n\nRight: so.\n\n</details>\n"
    folded += "<details><summary>B. That</summary>\n\nNot so.\n\n</details>"
    question = f"#### Question 1: one\n\nWhich?\n\n{folded}"
    check = new_code_cell("print('Right')", metadata={"jupyter": {"source_hidden": True}})
    (slide,) = slides_of(new_markdown_cell(question), new_code_cell("my_steps = None"), check)
    shown = " ".join(part.content for part in slide.parts)
    assert "A. This" in shown
    assert "B. That" in shown
    assert "Right" not in shown
    assert "Not so" not in shown
    assert "Right: so." in "\n".join(slide.notes)


def test_what_was_printed_in_pieces_is_one_text():
    pieces = [new_output("stream", name="stdout", text=text) for text in ("a|", "b|\n")]
    (slide,) = slides_of(new_markdown_cell("## One"), new_code_cell("x", outputs=pieces))
    assert slide.parts[-1].content == "a|b|"


def test_outputs_are_shown(tmp_path):
    picture = new_output("display_data", {"image/png": "iVBORw0KGgo="})
    text = new_output("stream", name="stdout", text="<b>42</b>\n")
    made = slides_of(new_markdown_cell('## "One"'), new_code_cell("x", outputs=[picture, text]))
    page = write_page(tmp_path / "lab.ipynb", made)
    assert 'alt="Plot: &quot;One&quot;"' in page
    assert "data:image/png;base64,iVBORw0KGgo=" in page
    assert "&lt;b&gt;42&lt;/b&gt;" in page


@pytest.mark.parametrize("path", read_labs().notebooks, ids=lambda path: path.stem)
def test_a_deck_holds_everything_in_itself(path):
    slides = divide(nbformat.read(path, as_version=4))
    page = write_page(path, slides)
    assert len(slides) >= 5
    assert re.findall(r'(?:src|srcset)="(?!data:)[^"]*"', page) == []
    assert "<link" not in page
    full = [slide.title for slide in slides if len(slide.parts) > 1 and slide.size > ROOM + LITTLE]
    assert full == []
