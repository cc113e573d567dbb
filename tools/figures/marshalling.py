"""How a variable gets from step to step: as a file. The names are those of a run of lab 01."""

from tools.figures.kit import Figure

VARIABLE = "tree_model"
FILE = "/tmp/marshal/tree_model_artifact.joblib"  # where Kale saves it, in each container
ARTIFACT = "tree_model_output_artifact"


def draw() -> Figure:
    figure = Figure(
        "marshalling",
        "Marshalling: a variable travels as a file",
        f"In the container of train_tree, Kale saves the variable {VARIABLE} as the file {FILE}. "
        f"Kubeflow Pipelines keeps it in its store, as the artifact {ARTIFACT}, and brings it into "
        "the container of evaluate. There Kale loads it into a variable of the same name: a copy.",
        height=548,
    )
    figure.box((15, 15, 330, 158), "container of train_tree", kind="warm", style="strong", top=True)
    figure.box((100, 43, 160, 34), VARIABLE, kind="open", style="code")
    figure.arrow((180, 77), (180, 125))
    figure.text((190, 106), "Kale saves it")
    _draw_file(figure, 125)
    figure.arrow((180, 173), (180, 217))
    figure.text((190, 200), "KFP keeps it")
    figure.box((15, 217, 330, 74), "the store", kind="grey", style="strong", top=True)
    figure.box((27, 245, 306, 34), ARTIFACT, style="code")
    figure.arrow((180, 291), (180, 335))
    figure.text((190, 318), "KFP brings it")
    figure.box((15, 335, 330, 158), "container of evaluate", kind="good", style="strong", top=True)
    _draw_file(figure, 363)
    figure.arrow((180, 399), (180, 447))
    figure.text((190, 428), "Kale loads it: a copy")
    figure.box((100, 447, 160, 34), VARIABLE, kind="open", style="code")
    figure.text((15, 519), "The container of train_tree is gone by then,", style="soft")
    figure.text((15, 536), "with all that was in its memory.", style="soft")
    return figure


def _draw_file(figure: Figure, top: float) -> None:
    figure.box((19, top, 322, 36), FILE, style="code", round=3)
