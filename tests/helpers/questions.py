"""The questions along the way of a lab: plain cells of text, with their answers folded."""

import re
from dataclasses import dataclass

from fastkf.course import places
from fastkf.notebook.model import read

HEADING = re.compile(r"^#### Question (\d+): (.+)$", re.M)
ANSWER = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.S)
SHORTEST = 8  # words that explain an answer


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        answers: what is folded, by what one clicks on: the choices, or the answer alone.
        section: the heading above it.
    """

    number: int
    answers: dict[str, str]
    section: str


def questions_of(name: str) -> list[Question]:
    """The questions of a lab, in their order, those below "Exercises" included."""
    found, section = [], ""
    for cell in read(places.NOTEBOOKS / f"{name}.ipynb").text_cells:
        if heading := HEADING.search(cell.source):
            answers = {one.strip(): text.strip() for one, text in ANSWER.findall(cell.source)}
            found.append(Question(int(heading[1]), answers, section))
        elif headings := re.findall(r"^##+ (.+)$", cell.source, re.M):
            section = headings[-1]
    return found


def assert_questions(name: str) -> None:
    """Three to five, each below a section of its own; each answer and each choice is explained."""
    questions = questions_of(name)
    assert [one.number for one in questions] == list(range(1, len(questions) + 1))
    assert 3 <= len(questions) <= 5
    assert len({one.section for one in questions}) == len(questions)
    for one in questions:
        assert one.answers, f"question {one.number} has no folded answer"
        for text in one.answers.values():
            assert len(text.split()) >= SHORTEST, f"question {one.number}: {text!r}"
        if len(one.answers) > 1:
            right = [text for text in one.answers.values() if text.startswith("Right")]
            assert len(right) == 1, f"question {one.number} needs one choice that is right"
    assert any(len(one.answers) > 1 for one in questions), "no question has choices"
