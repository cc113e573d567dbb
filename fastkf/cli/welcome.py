"""What `fastkf` alone says: five things to do next."""

from fastkf.course import places

IN_A_COURSE = {
    "fastkf lab": "the labs in JupyterLab: read, run, press a button",
    "fastkf list": "the labs, what each is about, how long it takes",
    "fastkf run 01_first_pipeline": "a first lab as notebook and as pipeline",
    "fastkf check my.ipynb": "your own notebook: what Kale would not honour",
    "fastkf doctor": "what on this machine is ready, and what is not",
}
ELSEWHERE = {
    "fastkf suggest my.ipynb": "tags for a notebook that has none",
    "fastkf check my.ipynb": "what Kale would not honour in a tagged one",
    "fastkf run my.ipynb": "run it as notebook and as pipeline, and compare",
    "fastkf compile my.ipynb": "the package to upload to Kubeflow Pipelines",
    "fastkf doctor": "what on this machine is ready, and what is not",
}


def show_welcome() -> None:
    """Prints what this program is, and what can be done with it here."""
    steps = IN_A_COURSE if places.COURSE else ELSEWHERE
    width = max(map(len, steps))
    print("fastkf runs Kale notebooks and Kubeflow pipelines on this machine.\n\nTo begin:\n")
    for words, meaning in steps.items():
        print(f"  {words.ljust(width)}  {meaning}")
    print("\nAll commands: fastkf --help. One command: fastkf run --help.")
