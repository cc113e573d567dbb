"""Two points for the README: that it says what matters, and the numbers of the run."""

import re

from fastkf.course.project.folder import Refused, as_number
from fastkf.course.project.project import Found, Project
from fastkf.course.project.running import RUN_IT, find_run, name_of

README = "README.md"
FEWEST_WORDS = 30  # of a section, without code and without the hints of the start
# What a section is about, and the beginnings of words one of which its heading has.
SECTIONS = {
    "the question": ("question", "problem"),
    "the data": ("data", "table"),
    "what must not be known": ("leak", "known", "must not"),
    "the result": ("result", "evaluation", "how good"),
    "the service": ("serv", "deploy", "load"),
    "drift": ("drift", "watch", "monitor"),
    "limits": ("limit", "not tried", "not verified", "open"),
}
HEADING = re.compile(r"^##+\s+(.*)$", re.M)
NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|<!--.*?(?:-->|\Z)|^>[^\n]*", re.S | re.M)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w]|\.\d)(?:\s*%)?")


def sections(project: Project) -> Found:
    """The question, data, leaks, result, service, drift and limits, each in words of one's own."""
    text = project.folder.read(_find(project))
    parts = _divide(text)
    for about, words in SECTIONS.items():
        lengths = [
            len(re.findall(r"\w+", body))
            for heading, body in parts
            if any(word in heading.lower() for word in words)
        ]
        if max(lengths, default=0) < FEWEST_WORDS:
            found = f"{max(lengths)} words" if lengths else "no section"
            raise Refused(
                README,
                f"{found} on {about}",
                f'a heading with "{words[0]}", and at least {FEWEST_WORDS} words below it (lines '
                'that begin with ">" are hints, and do not count)',
            )
    return Found(README, f"{len(SECTIONS)} sections")


def numbers(project: Project) -> Found:
    """The metrics of the run, as the run has them, rounded as you like."""
    run = find_run(project)
    text = NOT_PROSE.sub("", project.folder.read(_find(project)))
    said = [one.group() for one in NUMBER.finditer(text)]
    metrics = run.notebook.metrics if run.notebook else {}
    for name in project.notebook.metrics:
        value = as_number(metrics.get(name))
        if value is None:
            found = f"the run has no value of {name}"
            raise Refused(name_of(project, run), found, f"correct it, then {RUN_IT}")
        if not any(_means(word, value) for word in said):
            raise Refused(
                README,
                f"{name} ({value:g} in the run) is not there",
                "state it with two decimals or more, as the newest run has it",
            )
    return Found(README, f"{len(project.notebook.metrics)} metrics, as the run has them")


def _means(word: str, value: float) -> bool:
    """Whether a number in a text is this one, rounded to the digits that it has."""
    digits = word.rstrip("% ")
    decimals = len(digits.partition(".")[2]) + (2 if word.endswith("%") else 0)
    number = float(digits) / (100 if word.endswith("%") else 1)
    if decimals < 2 and not value.is_integer():
        return False
    return abs(number - value) <= 0.5 * 10**-decimals + 1e-12


def _find(project: Project) -> str:
    if README not in project.folder.files:
        raise Refused(
            README, "there is no README.md", "write one; `fastkf project new` has a start"
        )
    return README


def _divide(text: str) -> list[tuple[str, str]]:
    """The headings, each with the prose below it."""
    plain = NOT_PROSE.sub("", text)
    found = list(HEADING.finditer(plain))
    ends = [*(one.start() for one in found[1:]), len(plain)]
    return [(one[1], plain[one.end() : end]) for one, end in zip(found, ends, strict=False)]
