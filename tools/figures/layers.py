"""Which layers of an image are built again, when what has changed."""

from tools.figures.kit import Figure

LINES = [  # of labs/custom_images/decision_tree/Dockerfile, and the file that each depends on
    ("FROM python:3.12-slim", None),
    ("WORKDIR /app/…", None),
    ("COPY requirements.txt", "packages"),
    ("RUN pip install", None),
    ("COPY shared.py", None),
    ("COPY decision_tree.py", "program"),
    ("USER 10001", None),
    ("ENTRYPOINT python3", None),
]
ROW = 32


def draw() -> Figure:
    changes = ["program", "packages"]
    states = {change: build(change) for change in changes}
    again = {change: states[change].count("again") for change in changes}
    figure = Figure(
        "layers",
        "Layers of an image, and the cache",
        f"The {len(LINES)} lines of a Dockerfile, from FROM to ENTRYPOINT. Where the program has "
        f"changed, only its line and those after it are done again, {again['program']} of them; "
        "the packages come from the cache. Where the list of packages has changed, its line and "
        f"all after it are done again: {again['packages']}.",
        height=420,
    )
    figure.text((15, 38), "Dockerfile", style="strong")
    figure.text((272, 21), "What has changed?", anchor="middle", style="soft")
    figure.text((233, 38), "program", anchor="middle", style="strong")
    figure.text((311, 38), "packages", anchor="middle", style="strong")
    for count, (line, _) in enumerate(LINES):
        top = 48 + ROW * count
        figure.box((15, top, 176, ROW - 4), line, kind="grey", style="code", round=3)
        for left, change in ((199, "program"), (277, "packages")):
            state = states[change][count]
            kind = "good" if state == "cache" else "warm"
            figure.box((left, top, 68, ROW - 4), state, kind=kind, round=3)
    foot = 48 + ROW * len(LINES) + 20
    figure.text((15, foot), "The first changed line, and all lines below it,")
    figure.text((15, foot + 18), "are done again. (The last two copy no files.)")
    figure.text((15, foot + 44), "So what changes rarely and takes long stands", style="soft")
    figure.text((15, foot + 62), "above what changes often.", style="soft")
    return figure


def build(changed: str) -> list[str]:
    """For each line, whether it comes from the cache or is done again."""
    needs = [need for _, need in LINES]
    first = needs.index(changed)
    return ["cache" if count < first else "again" for count in range(len(LINES))]
