"""Two points for the README: that it says what matters, and the numbers of the run."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from fastkf.course.project.folder import Refused, as_number
from fastkf.course.project.project import Found, Project
from fastkf.course.project.running import RUN_IT, find_run, name_of

README = "README.md"
FEWEST_WORDS = 30  # of a section, without code and without the hints of the start
FEWEST_DIFFERENT = 15
RUN = 3  # words that follow each other: two texts of one's own have few such runs in common
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
HEADING = re.compile(r"^(#+)\s+(.*)$", re.M)
NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|<!--.*?(?:-->|\Z)|^>[^\n]*", re.S | re.M)
THOUSANDS = re.compile(r"(?<=\d)[,'\u202f](?=\d{3}(?!\d))")
COMMA = re.compile(r"(?<![\d.])0,(?=\d)")  # 0,69 as many languages write it
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w]|\.\d)(?:\s*%)?")


def sections(project: Project) -> Found:
    """The question, data, leaks, result, service, drift and limits, each in words of one's own."""
    parts = _divide(project.folder.read(_find(project)))
    taken: set[int] = set()
    # Who has few headings to choose from chooses first: each heading stands for one of them.
    for about in sorted(SECTIONS, key=lambda one: len(_list_headings(parts, one))):
        fitting = [n for n in _list_headings(parts, about) if n not in taken]
        lengths = {n: _count_words(parts, n, taken) for n in fitting}
        best = max(fitting, key=lambda n: lengths[n], default=None)
        if best is None or lengths[best] < FEWEST_WORDS:
            found = "no section of its own" if best is None else f"{lengths[best]} words"
            raise Refused(
                README,
                f"{found} on {about}",
                f'a heading with "{SECTIONS[about][0]}", and at least {FEWEST_WORDS} words of your '
                'own below it (lines that begin with ">" are hints, and do not count)',
            )
        taken.add(best)
    _check_different(parts, taken)
    return Found(README, f"{len(SECTIONS)} sections")


def numbers(project: Project) -> Found:
    """The metrics of the run, as the run has them, rounded as you like."""
    run = find_run(project)
    text = NOT_PROSE.sub("", project.folder.read(_find(project)))
    text = THOUSANDS.sub("", COMMA.sub("0.", text.replace("\u2212", "-")))
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


@dataclass(frozen=True)
class _Part:
    """A heading, and the words below it, as far as the next heading of any level."""

    level: int
    heading: str
    words: tuple[str, ...]


def _divide(text: str) -> list[_Part]:
    """The parts of a page, but for its title."""
    plain = NOT_PROSE.sub("", text)
    found = list(HEADING.finditer(plain))
    ends = [*(one.start() for one in found[1:]), len(plain)]
    parts = [
        _Part(len(one[1]), one[2].lower(), tuple(re.findall(r"\w+", plain[one.end() : end])))
        for one, end in zip(found, ends, strict=False)
    ]
    has_title = [part.level for part in parts].count(1) == 1
    return [part for part in parts if part.level > 1 or not has_title]


def _list_headings(parts: list[_Part], about: str) -> list[int]:
    return [
        number
        for number, part in enumerate(parts)
        if any(word in part.heading for word in SECTIONS[about])
    ]


def _count_words(parts: list[_Part], number: int, taken: Collection[int]) -> int:
    """Few words said again and again are few."""
    words = _list_words(parts, number, taken)
    different = len({word.lower() for word in words})
    return len(words) if different >= FEWEST_DIFFERENT else min(different, len(words))


def _list_words(parts: list[_Part], number: int, taken: Collection[int]) -> list[str]:
    """The words below a heading, and below those within it that stand for nothing else."""
    words = list(parts[number].words)
    for inner in range(number + 1, len(parts)):
        if parts[inner].level <= parts[number].level:
            break
        own = any(inner in _list_headings(parts, about) for about in SECTIONS)
        if inner not in taken and not (own and len(words) >= FEWEST_WORDS):
            words += parts[inner].words
    return words


def _check_different(parts: list[_Part], taken: Collection[int]) -> None:
    """No section says what another one says already."""
    said: dict[int, set[tuple[str, ...]]] = {}
    for number in sorted(taken):
        words = [word.lower() for word in _list_words(parts, number, taken)]
        runs = set(zip(*(words[first:] for first in range(RUN)), strict=False))
        for other, known in said.items():
            if len(runs & known) > len(runs) / 2:
                raise Refused(
                    README,
                    f'"{parts[number].heading}" says what "{parts[other].heading}" says',
                    "write of each what is to be said of it alone",
                )
        said[number] = runs
