"""Draws the figures of concepts into the notebooks' folder of pictures.

python -m tools.figures
"""

from pathlib import Path

from tools.figures import FIGURES

IMAGES = Path(__file__).resolve().parents[2] / "notebooks" / "images"


def main() -> None:
    for module in FIGURES:
        figure = module.draw()
        path = IMAGES / f"concept_{figure.name}.svg"
        path.write_text(figure.svg(), encoding="utf-8")
        print(path.relative_to(IMAGES.parent.parent))


if __name__ == "__main__":
    main()
