"""One step of a training that two workers share, computed for a model with a single weight."""

from statistics import mean

from tools.figures.kit import Figure

BATCH = [(1, 3), (2, 3), (1, 2), (2, 4)]  # x and y
WORKERS, WEIGHT, RATE = 2, 1.0, 0.2
LEFTS, WIDE, MIDDLES = [15, 190], 155, [92.5, 267.5]


def draw() -> Figure:
    shares = [BATCH[worker::WORKERS] for worker in range(WORKERS)]
    gradients = [[gradient(WEIGHT, *one) for one in share] for share in shares]
    means = [mean(some) for some in gradients]
    average = mean(means)
    weight = WEIGHT - RATE * average
    figure = Figure(
        "shared_step",
        "One step of two workers",
        f"A batch of four examples is shared by two workers, which have the same weight "
        f"{WEIGHT:g}. Each computes the gradients of its own two examples and their mean, "
        f"{signed(means[0])} and {signed(means[1])}. All-reduce gives both the average, "
        f"{signed(average)}, and both change their weight to {weight:g}. One worker with the "
        "whole batch would do the same.",
        height=520,
    )
    figure.text((15, 27), "A batch: four examples (x, y)", style="strong")
    names = [f"({x}, {y})" for x, y in BATCH]
    kinds = ["plain" if place % WORKERS == 0 else "warm" for place in range(len(BATCH))]
    figure.cells((15, 37), [names], (82.5, 28), [kinds])
    _draw_shares(figure, shares)
    figure.text((15, 191), "1  compute: the mean gradient of the share", style="strong")
    for left, some, share_mean in zip(LEFTS, gradients, means, strict=True):
        numbers = ", ".join(map(signed, some))
        figure.box((left, 201, WIDE, 46), numbers, f"mean {signed(share_mean)}", kind="violet")
    figure.text((15, 287), "2  average over the workers: all-reduce", style="strong")
    figure.box((15, 297, 330, 34), f"the average is {signed(average)}", kind="good")
    figure.text((15, 371), "3  apply: the same change on both", style="strong")
    for left, middle in zip(LEFTS, MIDDLES, strict=True):
        figure.arrow((middle, 247), (middle, 270))
        figure.arrow((middle, 331), (middle, 354))
        change = f"{WEIGHT:g} − {RATE:g} × ({signed(average)})"
        figure.box((left, 381, WIDE, 46), change, f"w = {weight:g}")
    whole = mean(gradient(WEIGHT, *one) for one in BATCH)
    figure.text((15, 457), "One worker with all four examples:", style="soft")
    figure.text((15, 477), f"mean gradient {signed(whole)}, so the same w", style="soft")
    figure.text((15, 505), "Model: w · x. Loss: (w · x − y)² / 2", style="soft")
    return figure


def gradient(weight: float, x: float, y: float) -> float:
    """Of the loss (w · x − y)² / 2, by w."""
    return x * (weight * x - y)


def signed(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _draw_shares(figure: Figure, shares: list[list[tuple[int, int]]]) -> None:
    for worker, (left, kind) in enumerate(zip(LEFTS, ["plain", "warm"], strict=True)):
        examples = " ".join(f"({x}, {y})" for x, y in shares[worker])
        lines = f"worker {worker}: w = {WEIGHT:g}", examples
        figure.arrow((MIDDLES[worker], 65), (MIDDLES[worker], 93))
        figure.box((left, 93, WIDE, 46), *lines, kind=kind)
        figure.arrow((MIDDLES[worker], 139), (MIDDLES[worker], 173))
