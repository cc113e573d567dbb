"""The drawn figures of concepts: what is committed is what the code draws, and can be read."""

import re
import sys
from statistics import mean
from xml.etree import ElementTree

import pytest

from fastkf.course import places

sys.path.insert(0, str(places.PROJECT))  # tools/ is no package that is installed

IMAGES = places.NOTEBOOKS / "images"
NAMES = sorted(path.stem.removeprefix("concept_") for path in IMAGES.glob("concept_*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
PHONE, READABLE = 360, 12  # pixels: the text's column on a phone, and the smallest text


@pytest.fixture(scope="module")
def figures():
    """Name to module; they import matplotlib and SciPy."""
    from tools.figures import FIGURES

    return {module.__name__.split(".")[-1]: module for module in FIGURES}


@pytest.mark.parametrize("name", NAMES)
def test_committed_figure_is_what_the_code_draws(figures, name):
    figure = figures[name].draw()
    assert figure.name == name
    committed = IMAGES / f"concept_{name}.svg"
    assert committed.read_text(encoding="utf-8") == figure.svg(), "run python -m tools.figures"
    root = ElementTree.fromstring(figure.svg())
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.text
    assert len(description.text.split()) > 20


def test_no_figure_is_left_over(figures):
    from tools.figures.__main__ import IMAGES as PLACE

    assert PLACE == IMAGES
    drawn = {f"concept_{name}.svg" for name in figures}
    assert {path.name for path in IMAGES.glob("concept_*")} == drawn


def test_text_can_be_read_on_a_phone(figures):
    from tools.figures.kit import SIZE, WIDTH

    assert SIZE * PHONE / WIDTH >= READABLE
    sizes = {
        size for module in figures.values() for size in re.findall(r"(\d+)px", module.draw().svg())
    }
    assert sizes == {str(SIZE)}


def test_text_stays_in_its_box_and_in_the_figure():
    from tools.figures.kit import Figure

    figure = Figure("small", "Small", "A small figure.", height=100)
    with pytest.raises(ValueError, match="wider than its box: evaluate"):
        figure.box((10, 10, 50, 30), "evaluate")
    with pytest.raises(ValueError, match="too many for their box"):
        figure.box((10, 10, 90, 30), "one", "two", "three")
    with pytest.raises(ValueError, match="out of the figure"):
        figure.text((300, 50), "a long line of text")
    with pytest.raises(ValueError, match="out of the figure"):
        figure.arrow((10, 10), (10, 98))


def test_numbers_are_computed():
    from tools.figures import all_reduce, convolution_and_pooling, shared_step

    rows, _ = all_reduce.reduce_in_ring(all_reduce.GRADIENTS)[-1]
    sums = [sum(some) for some in zip(*all_reduce.GRADIENTS, strict=True)]
    assert rows == [sums] * len(all_reduce.GRADIENTS)
    gradients = [shared_step.gradient(shared_step.WEIGHT, *one) for one in shared_step.BATCH]
    means = [mean(gradients[worker :: shared_step.WORKERS]) for worker in range(2)]
    assert mean(means) == mean(gradients) == -2.25
    found = convolution_and_pooling.convolve(
        convolution_and_pooling.IMAGE, convolution_and_pooling.FILTER
    )
    assert found[convolution_and_pooling.PLACE] == found.max() == 5
    assert convolution_and_pooling.pool(found).tolist() == [[1, 1], [5, 4]]
