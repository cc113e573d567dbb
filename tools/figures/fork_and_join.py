"""Two steps side by side, and what that saves: the pipeline of the first lab."""

from tools.figures.kit import Figure

SECONDS = {"load": 10, "tree": 20, "neighbours": 30, "test": 10}
SCALE = 4.7  # units a second
LEFT = 15


def draw() -> Figure:
    one_by_one = sum(SECONDS.values())
    beside = one_by_one - min(SECONDS["tree"], SECONDS["neighbours"])
    figure = Figure(
        "fork_and_join",
        "Fork and join",
        "load_data comes first. train_tree and train_neighbours both come after it and wait for "
        "nothing else: the fork. evaluate waits for both: the join. With steps of 10, 20, 30 and "
        f"10 seconds, one after the other takes {one_by_one} seconds, the fork {beside}.",
        height=420,
    )
    _draw_graph(figure)
    figure.text((LEFT, 230), "One after the other", style="strong")
    _draw_bars(figure, 240, {"load": 0, "tree": 10, "neighbours": 30, "test": 60}, {})
    figure.text((LEFT + one_by_one * SCALE, 230), f"{one_by_one} s", anchor="end")
    figure.text((LEFT, 308), "Side by side", style="strong")
    starts = {"load": 0, "tree": 10, "neighbours": 10, "test": 40}
    _draw_bars(figure, 318, starts, {"neighbours": 1, "test": 0.5, "load": 0.5})
    figure.text((LEFT + beside * SCALE, 308), f"{beside} s", anchor="end")
    figure.text((LEFT, 405), "The join waits for the slower of the two.", style="soft")
    return figure


def _draw_graph(figure: Figure) -> None:
    figure.box((125, 15, 110, 34), "load_data", style="code")
    figure.box((15, 88, 140, 34), "train_tree", kind="warm", style="code")
    figure.box((201, 88, 144, 34), "train_neighbours", kind="violet", style="code")
    figure.box((125, 161, 110, 34), "evaluate", kind="good", style="code")
    for x in (85, 273):
        figure.arrow((180, 49), (x, 88))
        figure.arrow((x, 122), (180, 161))
    figure.text((250, 37), "the fork", style="soft")
    figure.text((250, 183), "the join", style="soft")


def _draw_bars(figure: Figure, top: float, starts: dict, rows: dict) -> None:
    """A bar for each step, from its start to its end; `rows` are those that are not on top."""
    kinds = {"load": "plain", "tree": "warm", "neighbours": "violet", "test": "good"}
    for name, start in starts.items():
        place = (LEFT + start * SCALE, top + 34 * rows.get(name, 0))
        figure.box((*place, SECONDS[name] * SCALE, 28), name, kind=kinds[name], round=4)
