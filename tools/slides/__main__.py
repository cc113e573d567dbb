"""Writes a deck for each lab, one HTML file each, with everything in it.

    python -m tools.slides [NOTEBOOK]...

reveal.js, which nbconvert makes slides with, comes from another host each time they are shown. A
lecture room may have no network, so these have a few lines of CSS and JavaScript of their own.
"""

import sys
from pathlib import Path

import nbformat

from fastkf.course.labs import read_labs
from tools.slides.divide import divide
from tools.slides.page import write_page

PROJECT = Path(__file__).resolve().parents[2]
SLIDES = PROJECT / "site" / "_build" / "slides"


def main(names: list[str]) -> int:
    if missing := [name for name in names if not Path(name).is_file()]:
        print(f"{missing[0]}: no such file; name a notebook by its path", file=sys.stderr)
        return 2
    SLIDES.mkdir(parents=True, exist_ok=True)
    for path in map(Path, names) if names else read_labs(PROJECT / "notebooks").notebooks:
        slides = divide(nbformat.read(path, as_version=4))
        made = SLIDES / f"{path.stem}.html"
        made.write_text(write_page(path, slides), encoding="utf-8")
        print(f"{made}: {len(slides)} slides")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
