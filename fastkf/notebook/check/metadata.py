"""Rules on the notebook's metadata."""

import copy

from fastkf.notebook import kale
from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.fields import DESCRIPTION
from fastkf.notebook.metadata import REMEDY, find_problems
from fastkf.notebook.model import Notebook

LONGEST_NAME = 128  # letters of a pipeline's name (kfp/dsl/utils.py, validate_pipeline_name, 2.17)
SAVE_IN_JUPYTERLAB = (
    "open the notebook in JupyterLab with Kale's extension, switch Kale on in its panel, and save"
)


def metadata_missing(notebook: Notebook) -> Found:
    """The metadata lack Kale's settings, the pipeline name or the experiment name."""
    if not notebook.kale:
        yield None, "the metadata hold no Kale settings (kubeflow_notebook)", SAVE_IN_JUPYTERLAB
        return
    for key in ("pipeline_name", "experiment_name"):
        if not notebook.kale.get(key):
            yield None, f"Kale's settings lack the {key}", "set it in Kale's panel in JupyterLab"


# What Kale before 2.0 wrote beside `docker_image`, and today's refuses.
OLD_SETTINGS = ("docker_image", "autosnapshot", "katib_metadata", "katib_run", "snapshot_volumes")


def metadata_invalid(notebook: Notebook) -> Found:
    """Kale refuses a setting in the metadata, such as a pipeline name with capitals or spaces."""
    settings = {"pipeline_name": "example", "experiment_name": "example"}
    settings |= {key: value for key, value in notebook.kale.items() if value != ""}
    if "docker_image" in settings:  # old_kale reports the notebook
        settings = {key: value for key, value in settings.items() if key not in OLD_SETTINGS}
    refusal = kale.find_refusal(notebook.path, copy.deepcopy(settings))
    if refusal:
        yield (
            None,
            f"Kale refuses its settings: {refusal}",
            "correct kubeflow_notebook in the metadata",
        )
    elif len(notebook.pipeline_name) > LONGEST_NAME:
        yield (
            None,
            f"the pipeline's name has {len(notebook.pipeline_name)} letters, and KFP takes "
            f"{LONGEST_NAME}",
            "shorten it in Kale's panel, or the name of the file where it stands for it",
        )
    description = settings.get("pipeline_description")
    if isinstance(description, str) and not DESCRIPTION.takes(description):
        yield (
            None,
            "the pipeline_description holds a single quote, a backslash or a line break, which "
            "breaks the code that Kale generates",
            "write it on one line, without the quote or the backslash",
        )


def course_metadata(notebook: Notebook) -> Found:
    """A key of the course's own metadata (`fastkf`) that has a wrong type."""
    for problem in find_problems(notebook.metadata):
        yield None, problem, REMEDY


def metadata_not_normalised(notebook: Notebook) -> Found:
    """Opening the notebook in JupyterLab with Kale's extension would change its metadata."""
    kale = notebook.kale
    if not kale:
        return
    experiment = kale.get("experiment")
    experiment = experiment if isinstance(experiment, dict) else {}
    differences = {
        "base_image is removed": "base_image" in kale,
        "experiment gets id and name": not (experiment.get("id") and experiment.get("name")),
        "experiment_name becomes the experiment's name": experiment.get("name")
        not in (None, "", kale.get("experiment_name")),
        "steps_defaults is added": "steps_defaults" not in kale,
        "steps_defaults is emptied": bool(kale.get("steps_defaults")),
        "pipeline_description is added": not isinstance(kale.get("pipeline_description"), str),
        "kernelspec is added": not notebook.metadata.get("kernelspec"),
        "language_info is added": not notebook.metadata.get("language_info"),
    }
    found = [difference for difference, differs in differences.items() if differs]
    if found:
        yield (
            None,
            f"opening it in JupyterLab changes the metadata ({', '.join(found)})",
            "open it there once with Kale's extension, save, and keep that file",
        )


def old_kale(notebook: Notebook) -> Found:
    """The notebook was made for Kale 1 or older (`docker_image`, `block:NAME`)."""
    if "docker_image" in notebook.kale:
        yield (
            None,
            "docker_image is a setting of Kale before 2.0, which Kale refuses",
            "remove it from the metadata, and name an image per step with the tag image:REF if one "
            "is needed; `fastkf migrate` translates old notebooks",
        )
    for cell in notebook.code_cells:
        for name in cell.tag_values("block"):
            yield (
                cell,
                f"block:{name} is a tag of Kale before 2.0",
                f"write `step:{name or 'NAME'}`, or let `fastkf migrate` translate the notebook",
            )


def speaks_old_kale(notebook: Notebook) -> bool:
    """Whether its tags are those of Kale before 2.0."""
    return any(cell.tag_values("block") for cell in notebook.code_cells)


def papermill_output(notebook: Notebook) -> Found:
    """The notebook is the output of a papermill run, with the parameters that it had."""
    injected = [cell for cell in notebook.code_cells if "injected-parameters" in cell.tags]
    if injected:
        yield (
            injected[0],
            "papermill wrote this file when it ran a notebook",
            "use the notebook it was made from",
        )


OLD_KALE = Rule(old_kale)
RULES = (
    Rule(metadata_missing, Severity.WARNING),
    Rule(metadata_invalid),
    Rule(course_metadata),
    Rule(metadata_not_normalised, Severity.NOTE),
    OLD_KALE,
    Rule(papermill_output),
)
