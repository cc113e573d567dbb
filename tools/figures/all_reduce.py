"""Ring all-reduce with three workers, computed step by step."""

from tools.figures.kit import Figure

GRADIENTS = [[1, 2, 3], [4, 0, 2], [5, 1, 6]]  # of each worker, in three parts
CELL = (33, 28)
LEFTS = [15, 130.5, 246]


def draw() -> Figure:
    phases = reduce_in_ring(GRADIENTS)
    sums = phases[-1][0][0]
    figure = Figure(
        "all_reduce",
        "Ring all-reduce with three workers",
        f"Three workers have the gradients {GRADIENTS}, each in three parts. In a ring, each "
        "worker sends one part to its neighbour. In two rounds the parts are added up, so that "
        "each worker has one complete sum. In two more they are passed on. At the end all "
        f"three have {sums}. Nobody is the master.",
        height=478,
    )
    _draw_ring(figure)
    words = [
        "Start: each has gradients of its own",
        "Round 1: pass a part on, the neighbour adds",
        "Round 2: again. Each part is complete once",
        "Round 3: pass the complete parts on",
        "Round 4: again. All workers have all sums",
    ]
    for count, ((rows, arrived), line) in enumerate(zip(phases, words, strict=True)):
        top = 108 + 70 * count
        figure.text((15, top), line, style="strong" if count in (0, 4) else "")
        for worker, left in enumerate(LEFTS):
            kinds = [_kind(rows[worker][at], sums[at], at == arrived[worker]) for at in range(3)]
            figure.cells((left, top + 9), [rows[worker]], CELL, [kinds])
    figure.box((15, 446, 14, 14), kind="warm", round=2)
    figure.text((35, 458), "has grown", style="soft")
    figure.box((125, 446, 14, 14), kind="good", round=2)
    figure.text((145, 458), "complete: the sum over all", style="soft")
    return figure


def reduce_in_ring(gradients: list[list[int]]) -> list[tuple[list[list[int]], list[int | None]]]:
    """At the start and after each round: what each worker has, and which part has just arrived."""
    count = len(gradients)
    rows = [list(some) for some in gradients]
    phases: list = [(gradients, [None] * count)]
    for turn in range(2 * (count - 1)):
        adds = turn < count - 1
        sent = [(worker - turn) % count for worker in range(count)]
        values = [rows[worker][part] for worker, part in enumerate(sent)]
        for worker in range(count):
            other, part = (worker + 1) % count, sent[worker]
            rows[other][part] = values[worker] + (rows[other][part] if adds else 0)
        phases.append(([list(some) for some in rows], [sent[-1], *sent[:-1]]))
    return phases


def _draw_ring(figure: Figure) -> None:
    for worker, left in enumerate(LEFTS):
        figure.box((left, 15, 99, 34), f"worker {worker}", style="strong")
    for left in LEFTS[:2]:
        figure.arrow((left + 99, 32), (left + 115.5, 32))
    figure.arrow((LEFTS[2] + 49.5, 49), (LEFTS[2] + 49.5, 70), (64.5, 70), (64.5, 49))


def _kind(value: int, total: int, is_new: bool) -> str:
    if value == total:
        return "good"
    return "warm" if is_new else "plain"
