"""The causal mask, and what a key-value cache saves, on four words."""

from math import exp

from tools.figures.kit import Figure

WORDS = ["opec", "oil", "ministers", "said"]
SCORES = [[0.2, 1.5, 0.3, 0.1], [1.2, 0.4, 0.9, 0.2], [0.7, 1.6, 0.2, 1.1], [1.0, 0.3, 1.7, 0.5]]
CELL = (62, 30)
LEFT = 97


def draw() -> Figure:
    rows = [[f"{weight:.2f}" if weight else "" for weight in row] for row in attend(SCORES)]
    last = len(WORDS) - 1
    figure = Figure(
        "causal_attention",
        "Causal attention on four words, without and with a key-value cache",
        "A square of attention weights. Each row belongs to a word that looks, each column to a "
        f"word that is looked at. The first row is {' '.join(rows[0][:1])}: the first word sees "
        f"itself alone. The last row is {', '.join(rows[last])}. Above the diagonal everything is "
        "masked, and each row adds up to 1. With a cache only the last row is computed, from the "
        "kept keys and values of the words before.",
        height=470,
    )
    figure.text((15, 26), "In training: all rows, no look ahead", style="strong")
    _draw_square(figure, 38, rows, lambda row, column: "plain" if column <= row else "grey")
    figure.text((15, 238), "Writing with a cache: only the newest row", style="strong")
    newest = [["", "", "", ""]] * last + [rows[last]]
    _draw_square(figure, 250, newest, lambda row, _: "warm" if row == last else "grey")
    figure.box((15, 428, 14, 14), kind="warm", round=2)
    figure.text((35, 440), "computed now", style="soft")
    figure.box((145, 428, 14, 14), kind="grey", round=2)
    figure.text((165, 440), "masked, or not needed", style="soft")
    return figure


def attend(scores: list[list[float]]) -> list[list[float]]:
    """Softmax of each row over the columns up to its own; 0 above the diagonal."""
    rows = []
    for place, row in enumerate(scores):
        powers = [exp(score) if column <= place else 0.0 for column, score in enumerate(row)]
        rows.append([power / sum(powers) for power in powers])
    return rows


def _draw_square(figure: Figure, top: float, rows: list[list[str]], kind_of) -> None:
    for column, word in enumerate(WORDS):
        figure.text((LEFT + CELL[0] * (column + 0.5), top + 14), word, anchor="middle")
    kinds = [[kind_of(row, column) for column in range(len(WORDS))] for row in range(len(WORDS))]
    figure.cells((LEFT, top + 24), rows, CELL, kinds)
    for row, word in enumerate(WORDS):
        figure.text((LEFT - 8, top + 24 + CELL[1] * (row + 0.65)), word, anchor="end")
