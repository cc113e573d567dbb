"""One cell of an LSTM, with numbers, and how long its memory lasts: computed."""

import math

from tools.figures.kit import Figure

BEFORE, FORGET, INPUT, NEW, OUTPUT = 0.8, 0.9, 0.3, 0.5, 0.7
WORDS = 50
GATES = {"forget": (60, FORGET), "input": (147, INPUT), "new": (222, NEW), "output": (303, OUTPUT)}
WIRE, GATE, TIMES = 62, 178, 120  # heights: the memory, the gates, the products


def draw() -> Figure:
    after = FORGET * BEFORE + INPUT * NEW
    state = OUTPUT * math.tanh(after)
    figure = Figure(
        "lstm_memory",
        "The memory of an LSTM",
        f"The old memory, {BEFORE}, is multiplied by the forget gate, {FORGET}. The input gate, "
        f"{INPUT}, times the new content, {NEW}, is added: the new memory is {after:.2f}. The "
        f"output gate, {OUTPUT}, times the tanh of the memory is the state, {state:.2f}. The gates "
        "are computed from the word and the state before. Below: what is left of a memory after "
        f"{WORDS} words, with a forget gate of 1, 0.99 and 0.9.",
        height=466,
    )
    _draw_wires(figure)
    figure.text((10, 26), "memory before")
    figure.text((10, 46), f"{BEFORE:.2f}", style="strong")
    figure.text((350, 26), "memory after", anchor="end")
    figure.text((350, 46), f"{after:.2f}", style="strong", anchor="end")
    figure.text((350, 142), f"{state:.2f}", style="strong", anchor="end")
    for name, (x, value) in GATES.items():
        kind = "warm" if name == "new" else "violet"
        figure.box((x - 34, GATE, 68, 42), name, f"{value:.2f}", kind=kind)
        figure.arrow((x, 250), (x, GATE + 42))
    figure.box((26, 250, 311, 30), "the word, and the state before", kind="grey")
    _draw_memory(figure, 310)
    return figure


def _draw_wires(figure: Figure) -> None:
    between = (GATES["input"][0] + GATES["new"][0]) / 2
    out = GATES["output"][0]
    figure.arrow((10, WIRE), (350, WIRE))
    figure.arrow((60, GATE), (60, WIRE + 11))
    figure.sign((60, WIRE), "×")
    for name in ("input", "new"):
        x = GATES[name][0]
        figure.line((x, GATE), (x, 150), (between, 150))
    figure.arrow((between, 150), (between, TIMES + 11))
    figure.arrow((between, TIMES - 11), (between, WIRE + 11))
    figure.sign((between, TIMES), "×")
    figure.sign((between, WIRE), "+")
    figure.arrow((out - 30, WIRE), (out - 30, TIMES), (out - 11, TIMES))
    figure.text((out - 26, 95), "tanh", style="soft")
    figure.arrow((out, GATE), (out, TIMES + 11))
    figure.arrow((out + 11, TIMES), (350, TIMES))
    figure.sign((out, TIMES), "×")
    figure.text((350, 108), "state", anchor="end")


def _draw_memory(figure: Figure, top: float) -> None:
    figure.text((15, top), f"What is left of a memory after {WORDS} words", style="strong")
    for row, forget in enumerate((1.0, 0.99, 0.9)):
        left = forget**WORDS
        upper = top + 12 + 36 * row
        figure.text((15, upper + 18), f"forget {forget:g}")
        figure.box((108, upper, 180, 26), kind="open", round=3)
        figure.box(
            (108, upper, max(1.5, 180 * left), 26), kind="violet", round=3 if left > 0.1 else 0
        )
        figure.text((296, upper + 18), f"{left:.1%}")
    figure.text((15, top + 140), "(When nothing new comes in.)", style="soft")
