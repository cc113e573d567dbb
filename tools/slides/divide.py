"""A notebook as slides: each heading begins one, and what is only read goes to the notes.

A slide has room for some nineteen lines of code, or what takes as much. Prose is what the speaker
says: its first sentences stand on the slide, and all of it in the notes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from nbformat import NotebookNode

ROOM = 19.0  # lines of code
LITTLE = 2.5  # what still goes on a full slide, which is made smaller then
IMAGE = 13.0
ROW = 1.2
WORDS_A_LINE = 12
WORDS_OF_PROSE = 45
MOST_ROWS = 12
SHORT = 3  # lines
LEFT_OUT = {"three ways to run this lab", "references", "next"}
SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z`*])")
FOLDED = re.compile(r"(<details.*?</details>)", re.S)
SUMMARY = re.compile(r"<summary>(.*?)</summary>", re.S)
CONTINUED = " (continued)"
ANSI = re.compile(r"\x1b\[[0-9;]*m")

markdown = MarkdownIt("commonmark", {"html": True}).enable("table")


@dataclass
class Part:
    """What stands on a slide.

    Attributes:
        kind: "markdown", "code", "output", "html" or "image".
        content: its source; of an image, the data in Base64.
        label: the tags of a cell.
        size: in lines of code.
    """

    kind: str
    content: str
    size: float
    label: str = ""


@dataclass
class Slide:
    """A slide.

    Attributes:
        level: of its heading; 1 is the title of the lab.
        notes: what the speaker sees, as Markdown.
    """

    title: str
    level: int = 2
    parts: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> float:
        return sum(part.size for part in self.parts)


class Deck:
    """The slides of a notebook, as they come."""

    def __init__(self) -> None:
        self.slides: list[Slide] = []
        self.is_left_out = False
        self.words = 0

    def begin(self, title: str, level: int) -> None:
        self.is_left_out = title.lower() in LEFT_OUT
        self.words = 0
        if not self.is_left_out:
            self.slides.append(Slide(title, level))

    def add(self, part: Part) -> None:
        """Puts a part on the slide, or on another of the same title when there is no room."""
        last = self.slides[-1]
        room = ROOM + LITTLE if part.size <= LITTLE else ROOM
        if last.parts and last.size + part.size > room:
            last = Slide(f"{last.title.removesuffix(CONTINUED)}{CONTINUED}")
            self.slides.append(last)
        last.parts.append(part)

    def note(self, text: str) -> None:
        self.slides[-1].notes.append(text)

    def say(self, text: str) -> None:
        """A paragraph: as much of it as the slide takes, and all of it in the notes."""
        shown = []
        *first, last = SENTENCE.split(" ".join(text.split()))
        for sentence in (*first, last):
            length = len(sentence.split())
            if self.words and self.words + length > WORDS_OF_PROSE:
                # What leads to a list, a table or code is wanted where that is shown.
                shown += [last] if last.endswith(":") else []
                break
            shown.append(sentence)
            self.words += length
        if shown:
            said = " ".join(shown)
            self.add(Part("markdown", said, 1 + len(said.split()) / WORDS_A_LINE))
        self.note(text)


def divide(notebook: NotebookNode) -> list[Slide]:
    """The slides of a notebook that has been executed."""
    deck = Deck()
    deck.begin("", 1)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            add_text(deck, cell.source)
        elif cell.cell_type == "code" and not deck.is_left_out:
            add_code(deck, cell)
    return [slide for slide in deck.slides if slide.parts or slide.level == 1 and slide.title]


def add_text(deck: Deck, source: str) -> None:
    for kind, block in list_blocks(source):
        if kind == "heading":
            deck.begin(block.lstrip("# ").strip(), len(block) - len(block.lstrip("#")))
        elif deck.is_left_out or block.startswith("<sub>"):
            continue
        elif kind == "html":
            add_folded(deck, block)
        elif kind == "list":
            add_list(deck, block)
        elif kind == "table":
            rows = len(block.splitlines())
            deck.add(Part("markdown", block, ROW * rows * (2 if len(block) > 90 * rows else 1)))
        elif block.startswith("!["):
            deck.add(Part("markdown", block, IMAGE))
        elif kind in ("fence", "code"):
            deck.add(Part("markdown", block, len(block.splitlines())))
        else:
            deck.say(block)


def add_list(deck: Deck, block: str) -> None:
    """The items of a list, as many on a slide as there is room for."""
    for item in re.split(r"\n(?=(?:[-*]|\d+\.) )", block.rstrip()):
        deck.add(Part("markdown", item, 0.5 + len(item.split()) / WORDS_A_LINE))


def add_folded(deck: Deck, block: str) -> None:
    """What is folded in the lab: choices are read out, and the explanations are the speaker's."""
    for summary in SUMMARY.findall(block):
        if summary.strip() != "Answer" and block.startswith("<details"):
            deck.add(Part("html", f"<p>{summary.strip()}</p>", 1.3))
    deck.note(re.sub(r"</?(details|summary)>", "", block))


def list_blocks(source: str) -> Iterator[tuple[str, str]]:
    """The blocks of a Markdown text, each with its kind; what is folded is one block."""
    for piece in FOLDED.split(source):
        if piece.startswith("<details"):
            yield "html", piece
            continue
        lines = piece.splitlines()
        for token in markdown.parse(piece):
            if not token.level and token.map:
                kind = token.type.removesuffix("_open").removesuffix("_block")
                text = "\n".join(lines[slice(*token.map)]).strip()
                yield kind.replace("bullet_", "").replace("ordered_", ""), text


def add_code(deck: Deck, cell: NotebookNode) -> None:
    if cell.metadata.get("jupyter", {}).get("source_hidden") or is_answer(cell):
        return
    lines = [line for line in cell.source.splitlines() if "NBVAL_IGNORE_OUTPUT" not in line]
    label = " ".join(cell.metadata.get("tags", []))
    for number, piece in enumerate(cut(lines, int(ROOM) - 1)):
        size = len(piece) + 1.0
        deck.add(Part("code", "\n".join(piece), size, label if number == 0 else ""))
    for output in join_streams(cell.get("outputs", [])):
        add_output(deck, output)


def join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """What was printed in pieces, one after the other, is one text."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and {output.output_type, last.output_type} == {"stream"}:
            joined[-1] = NotebookNode({**last, "text": last.text + output.text})
        else:
            joined.append(output)
    return joined


def is_answer(cell: NotebookNode) -> bool:
    """Whether it is the empty cell of an exercise, such as `my_steps = None`."""
    return re.match(r"\w+ = None\s*$|# your|def my_", cell.source) is not None


def add_output(deck: Deck, output: NotebookNode) -> None:
    data = output.get("data", {})
    if "image/png" in data:
        deck.add(Part("image", "".join(data["image/png"]).replace("\n", ""), IMAGE))
    elif "text/html" in data and (rows := data["text/html"].count("<tr")) <= MOST_ROWS:
        deck.add(Part("html", data["text/html"], ROW * rows))
    elif "text/markdown" in data:
        deck.add(Part("markdown", data["text/markdown"], ROOM / 2))
    else:
        text = output.get("text") or data.get("text/plain") or ""
        lines = [line for line in ANSI.sub("", text).rstrip().splitlines()]
        for piece in cut(lines, int(ROOM) - 2):
            deck.add(Part("output", "\n".join(piece), len(piece) + 0.5))


def cut(lines: list[str], most: int) -> Iterator[list[str]]:
    """The lines in pieces, cut at empty lines where there are some; a short end is not cut off."""
    while len(lines) > most + SHORT:
        gaps = [n for n in range(most // 2, most) if not lines[n].strip()]
        end = gaps[-1] if gaps else most
        yield lines[:end]
        lines = lines[end:]
        while lines and not lines[0].strip():
            lines = lines[1:]
    if any(line.strip() for line in lines):
        yield lines
