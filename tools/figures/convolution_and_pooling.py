"""A filter slides over an image, and the largest of each four numbers stays: all computed."""

import numpy as np

from tools.figures.kit import Figure

IMAGE = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1, 0],
    ]
)
FILTER = np.array([[-1, -1, -1], [2, 2, 2], [-1, -1, -1]])
CELL, SMALL = (26, 26), (32, 26)
PLACE = (2, 1)  # the place that the figure shows: row and column


def convolve(image: np.ndarray, stencil: np.ndarray) -> np.ndarray:
    """The sum of products at each place where the whole stencil lies on the image."""
    places = np.lib.stride_tricks.sliding_window_view(image, stencil.shape)
    return np.einsum("ijkl,kl->ij", places, stencil)


def pool(image: np.ndarray) -> np.ndarray:
    """The largest of each two by two."""
    rows, columns = image.shape
    return image.reshape(rows // 2, 2, columns // 2, 2).max(axis=(1, 3))


def draw() -> Figure:
    found = convolve(IMAGE, FILTER)
    pooled = pool(found)
    row, column = PLACE
    window = IMAGE[row : row + 3, column : column + 3]
    figure = Figure(
        "convolution_and_pooling",
        "Convolution and max pooling",
        "A 6 by 6 image of a 4. A 3 by 3 filter with -1, 2 and -1 in its rows slides over it. The "
        f"sums are a 4 by 4 feature map, largest, {found.max()}, on the bar of the 4. Of each 2 by "
        f"2 numbers of the map, max pooling keeps the largest: {pooled.tolist()}.",
        height=480,
    )
    figure.text((15, 24), "Image: a 4", style="strong")
    figure.cells((15, 34), IMAGE, CELL, _mark(IMAGE, row, column, 3))
    figure.text((228, 24), "Filter", style="strong")
    figure.cells((228, 34), [map(_sign, some) for some in FILTER], SMALL, [["warm"] * 3] * 3)
    figure.text((228, 136), "It looks for", style="soft")
    figure.text((228, 153), "horizontal strokes.", style="soft")

    figure.text((15, 218), "At the marked place: products, added up", style="strong")
    for line, (pixels, weights) in enumerate(zip(window, FILTER, strict=True)):
        terms = "  +  ".join(
            f"{one}·{_sign(two)}" for one, two in zip(pixels, weights, strict=True)
        )
        figure.text((15, 240 + 18 * line), terms + (f"  =  {found[PLACE]}" if line == 2 else "  +"))

    figure.text((15, 316), "Feature map", style="strong")
    figure.cells(
        (15, 326), [map(_sign, some) for some in found], SMALL, _mark(found, row, column, 1)
    )
    figure.text((15, 452), "one number for each place", style="soft")
    figure.text((15, 469), "of the filter: 4 by 4", style="soft")
    figure.line((79, 322), (79, 434))
    figure.line((11, 378), (147, 378))
    figure.arrow((158, 378), (220, 378))
    figure.text((228, 316), "Max pooling", style="strong")
    figure.cells((228, 352), [map(_sign, some) for some in pooled], SMALL, [["good"] * 2] * 2)
    figure.text((228, 425), "of each 2 by 2", style="soft")
    figure.text((228, 442), "the largest", style="soft")
    return figure


def _mark(table: np.ndarray, row: int, column: int, size: int) -> list[list[str]]:
    """The kind of each cell: the marked square, ink, and paper."""
    kinds = [["plain" if value > 0 else "grey" for value in some] for some in table]
    for some in kinds[row : row + size]:
        some[column : column + size] = ["warm"] * size
    return kinds


def _sign(value: int) -> str:
    return str(value).replace("-", "\N{MINUS SIGN}")
