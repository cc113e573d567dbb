"""Who may do what in a bucket: keys, a policy, a presigned link.."""

from tools.figures.kit import Figure

ASKED = ["read datasets/", "read models/", "write", "list"]
ALLOWED = {
    ("the owner,", "with keys"): ["yes", "yes", "yes", "yes"],
    ("anybody,", "no keys"): ["yes", "no", "no", "no"],
    ("who has a", "link"): ["yes", "1 object", "no", "no"],
}
KINDS = {"yes": "good", "no": "bad", "1 object": "warm"}


def draw() -> Figure:
    figure = Figure(
        "bucket_and_policy",
        "A bucket and its policy",
        "The bucket mlpipeline holds objects below datasets/ and models/. Its policy allows "
        "everybody to read what begins with datasets/titanic/. The owner, who has the keys, may do "
        "everything. Anybody without keys may read the data set, and nothing else. Who has a "
        "presigned link may also read the one object that it names, until it expires.",
        height=510,
    )
    figure.box((15, 15, 330, 152), "bucket mlpipeline", kind="grey", style="strong", top=True)
    figure.box((27, 43, 306, 32), "datasets/titanic/titanic.csv", kind="good", style="code")
    figure.box((27, 83, 306, 32), "models/titanic/model.joblib", style="code")
    figure.box((27, 123, 306, 32), "models/titanic/report.json", style="code")
    figure.arrow((60, 205), (60, 167))
    figure.box((15, 205, 330, 68), kind="plain")
    figure.text((27, 226), "policy: Allow * s3:GetObject", style="code")
    figure.text((27, 244), "on datasets/titanic/*", style="code")
    figure.text((27, 262), "What no rule allows is forbidden.", style="soft")
    _draw_table(figure, 292)
    figure.text((15, 480), "The link is a presigned URL: one object, some", style="soft")
    figure.text((15, 497), "minutes. The keys sign it.", style="soft")
    return figure


def _draw_table(figure: Figure, top: float) -> None:
    lefts = [112, 178, 244, 296]
    widths = [62, 62, 48, 49]
    for left, width, asked in zip(lefts, widths, ASKED, strict=True):
        for line, word in enumerate(asked.split()):
            words = word.removesuffix("/")
            figure.text((left + width / 2, top + 10 + 16 * line), words, anchor="middle")
    for row, (who, answers) in enumerate(ALLOWED.items()):
        upper = top + 34 + 46 * row
        for line, words in enumerate(who):
            figure.text((15, upper + 17 + 16 * line), words)
        for left, width, answer in zip(lefts, widths, answers, strict=True):
            figure.box((left, upper, width, 40), *answer.split(), kind=KINDS[answer], round=3)
