"""A canary: one request in ten goes to the new version."""

import random

from tools.figures.kit import Figure

SHARE = 10  # per cent, `canaryTrafficPercent`
REQUESTS, IN_A_ROW = 100, 20
SEED = 1


def draw() -> Figure:
    to_new = send(REQUESTS, SHARE)
    figure = Figure(
        "canary",
        "A canary",
        f"With canaryTrafficPercent: {SHARE}, each request goes to the new version with a "
        f"probability of {SHARE} %. Of the {REQUESTS} requests drawn here it got {sum(to_new)}. "
        "Their errors and times are compared. Then the new version is promoted and gets all "
        "requests, or rolled back and gets none.",
        height=492,
    )
    figure.box((105, 15, 150, 32), f"{REQUESTS} requests", kind="grey")
    figure.arrow((180, 47), (180, 75))
    figure.box((60, 75, 240, 46), "InferenceService titanic", f"canaryTrafficPercent: {SHARE}")
    figure.arrow((180, 121), (95, 160))
    figure.arrow((180, 121), (280, 160))
    figure.box((15, 160, 160, 62), "version 1", f"{100 - SHARE} %: as before", kind="violet")
    figure.box((215, 160, 130, 62), "version 2", f"{SHARE} %: the canary", kind="warm")
    _draw_requests(figure, to_new)
    figure.text((15, 366), "Compare errors and times of both. Then:", style="strong")
    figure.arrow((95, 376), (95, 398))
    figure.arrow((265, 376), (265, 398))
    figure.box(
        (15, 398, 160, 80), "promote it", "remove the field:", "version 2 gets all", kind="good"
    )
    figure.box(
        (185, 398, 160, 80), "roll it back", "set it to 0:", "version 1 gets all", kind="bad"
    )
    return figure


def send(requests: int, share: int) -> list[bool]:
    """For each request, whether the new version gets it: by chance, as a router does."""
    chance = random.Random(SEED)
    return [chance.random() * 100 < share for _ in range(requests)]


def _draw_requests(figure: Figure, to_new: list[bool]) -> None:
    for count, is_new in enumerate(to_new):
        row, column = divmod(count, IN_A_ROW)
        place = (15 + 16.6 * column, 236 + 16.6 * row, 14, 14)
        figure.box(place, kind="warm" if is_new else "violet", round=3)
    words = f"By chance: version 2 got {sum(to_new)} of these {REQUESTS}."
    figure.text((15, 338), words, style="soft")
