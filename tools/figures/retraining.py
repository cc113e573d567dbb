"""The loop of a model that stays right: what a month of new data leads to."""

from tools.figures.kit import Figure

STEPS = (
    ("check the data", "what cannot be stops the run"),
    ("measure the drift", "of the inputs and of the score"),
    ("train a challenger", "on all months before"),
    ("compare on the newest month", "with a confidence interval"),
    ("promote", "registry, then a canary"),
)
LEFT, WIDE, HIGH, STEP = 15, 215, 46, 84


def draw() -> Figure:
    figure = Figure(
        "retraining",
        "The loop of retraining",
        "Each month new data arrive. They are checked, and drift is measured. Only if it drifts, a "
        "challenger is trained and compared with the champion on the newest month. Only if it is "
        "better, it is promoted. Otherwise the champion stays, until the next month.",
        height=484,
    )
    figure.box((LEFT, 15, WIDE, 32), "a month of new data", kind="grey")
    for number, (name, what) in enumerate(STEPS):
        top = 75 + STEP * number
        figure.arrow((LEFT + WIDE / 2, top - (28 if number == 0 else STEP - HIGH)),
                     (LEFT + WIDE / 2, top))  # fmt: skip
        kind = "good" if name == "promote" else "warm" if "challenger" in name else "plain"
        figure.box((LEFT, top, WIDE, HIGH), name, what, kind=kind)
    for number, (yes, no) in {1: ("it drifts", "no"), 3: ("it is better", "no")}.items():
        top = 75 + STEP * number
        figure.text((LEFT + WIDE / 2 + 10, top + HIGH + 24), yes, style="strong")
        figure.arrow((LEFT + WIDE, top + HIGH / 2), (288, top + HIGH / 2))
        figure.text((236, top + HIGH / 2 - 7), no, style="soft")
    figure.box((288, 75 + STEP, 60, STEP * 2 + HIGH), "keep", "the", "cham-", "pion", kind="violet")
    return figure
