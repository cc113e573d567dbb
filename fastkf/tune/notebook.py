"""Makes a Katib Experiment that tunes a Kale notebook: each trial is the notebook run once."""

import re
from dataclasses import dataclass

from fastkf.base.errors import UsageError
from fastkf.base.iri import import_jsonschema
from fastkf.notebook.check import Severity, check
from fastkf.notebook.file import read_complete
from fastkf.notebook.model import Notebook
from fastkf.notebook.parameters import read_parameter, read_parameters
from fastkf.tune.experiment import API_VERSION
from fastkf.tune.metrics import as_number
from fastkf.tune.rules.spec import LONGEST_NAME

IMAGE = "localhost/fast-kubeflow/step:1.0"  # built by labs/kubeflow_notebooks
IMAGE_FOLDER = "/opt/fast-kubeflow/notebooks"  # where the notebook stands in the container
LARGEST_CONFIG_MAP = 1_000_000  # bytes; Kubernetes takes 1 MiB
# The user of the steps of pipelines. On the pod, so that Katib's collector has it too: where the
# two differ, a trial that is stopped early never ends.
USER = {"runAsUser": 65534, "runAsGroup": 65534, "runAsNonRoot": True}
KIND_OF = {int: "int", float: "double"}
PARAMETER = re.compile(r"(?P<name>\w+)=(?P<low>[^:,]+?)\.\.(?P<high>[^:,]+)(?P<options>(:[^:]+)*)")


@dataclass(frozen=True)
class Search:
    """What is asked for beside the notebook.

    Attributes:
        metric: the pipeline metric that is the objective.
        parameters: what to try, as `name=LOW..HIGH[:log][:step=N]` or `name=A,B,C`.
        given: parameters that every trial has, as text.
        goal: the tuning ends when the metric gets there.
        seed: of the search.
        image: the container image of the trials on a cluster.
        brought: files and folders beside the notebook that this image has.
    """

    metric: str | None
    parameters: list[str]
    given: dict[str, str]
    algorithm: str = "tpe"
    trials: int = 12
    parallel: int = 2
    minimize: bool = False
    goal: float | None = None
    seed: int | None = None
    image: str = IMAGE
    brought: tuple[str, ...] = ()


def make_manifest(notebook: Notebook, search: Search) -> list[dict]:
    """The manifest: a ConfigMap that brings the notebook to a cluster, and the Experiment.

    Raises:
        UsageError: the notebook cannot be tuned so; the text says why and what to do.
    """
    _refuse(notebook, search)
    name = _make_name(notebook)
    parameters = [make_parameter(notebook, text) for text in search.parameters]
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{name}-notebook"},
        "data": {fit_name(notebook): _strip(notebook)},
    }
    experiment = {
        "apiVersion": API_VERSION,
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": _make_objective(notebook, search),
            "algorithm": _make_algorithm(search),
            "parallelTrialCount": min(search.parallel, search.trials),
            "maxTrialCount": search.trials,
            "maxFailedTrialCount": min(3, search.trials),
            "parameters": parameters,
            "trialTemplate": _make_template(notebook, search, parameters, f"{name}-notebook"),
        },
    }
    return [config_map, experiment]


def make_parameter(notebook: Notebook, text: str) -> dict:
    """A parameter of the search from `name=LOW..HIGH[:log][:step=N]` or `name=A,B,C`.

    Raises:
        UsageError: it has another form, or does not fit the notebook's parameter.
    """
    name, _, values = text.partition("=")
    if found := PARAMETER.fullmatch(text):
        return _make_range(notebook, name, found["low"], found["high"], found["options"])
    words = values.split(",")
    if len(words) < 2 or not all(words):
        raise UsageError(
            f"--param {text}: give a range, name=0.001..0.1 (:log, :step=0.1 may follow), or a "
            "list, name=32,64,128",
            "a single value goes with -p",
        )
    values_read = [read_parameter(notebook, name, word) for word in words]
    kind = "discrete" if type(values_read[0]) in KIND_OF else "categorical"
    return {"name": name, "parameterType": kind, "feasibleSpace": {"list": words}}


def _make_range(notebook: Notebook, name: str, low: str, high: str, options: str) -> dict:
    kind = KIND_OF.get(type(read_parameter(notebook, name, low)))
    where = f"--param {name}={low}..{high}{options}"
    if kind is None:
        raise UsageError(f"{where}: {name} is no number in {notebook.path}", "give a list")
    read_parameter(notebook, name, high)
    space = {"min": low, "max": high}
    for option in options.split(":")[1:]:
        word, _, value = option.partition("=")
        if option == "log":
            space["distribution"] = "logUniform"
        elif word == "step" and as_number(value) is not None:
            space["step"] = value
        else:
            raise UsageError(f"{where}: no option {option!r}", "there are log and step=N")
    return {"name": name, "parameterType": kind, "feasibleSpace": space}


def _refuse(notebook: Notebook, search: Search) -> None:
    """Raises what stands against tuning the notebook."""
    findings = [one for one in check(notebook) if one.severity is Severity.ERROR]
    if findings:
        raise UsageError("\n".join(map(str, findings)))
    if notebook.references:
        raise UsageError(
            f"{notebook.path}: a notebook that refers to others cannot be tuned",
            "tune one of its parts, or a notebook with all their cells",
        )
    known = ", ".join(notebook.metrics) or "none"
    if search.metric is None:
        raise UsageError("--metric: say which to tune", f"the metrics of {notebook.path}: {known}")
    if search.metric not in notebook.metrics:
        raise UsageError(f"{notebook.path}: no metric {search.metric}", f"its metrics: {known}")
    if not search.parameters:
        known = ", ".join(f"{name} = {value}" for name, value in notebook.parameters.items())
        raise UsageError("--param: say what to try", f"the parameters of {notebook.path}: {known}")
    names = [text.partition("=")[0] for text in search.parameters]
    read_parameters(notebook, search.given)
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--param {name}: given {names.count(name)} times")
    if both := set(names) & set(search.given):
        raise UsageError(f"{', '.join(sorted(both))}: given with --param and with -p")


def fit_name(notebook: Notebook) -> str:
    """The file's name on a cluster, where it is a ConfigMap's key and a word of a shell's line."""
    stem = re.sub(r"[^-.\w]+", "-", notebook.path.stem, flags=re.ASCII).strip("-.")
    return f"{stem[:LONGEST_NAME] or 'notebook'}.ipynb"


def _make_name(notebook: Notebook) -> str:
    slug = re.sub("[^a-z0-9]+", "-", notebook.pipeline_name.lower())
    return f"tune-{slug}"[:LONGEST_NAME].strip("-")


def _make_objective(notebook: Notebook, search: Search) -> dict:
    others = [name for name in notebook.metrics if name != search.metric]
    return {
        "type": "minimize" if search.minimize else "maximize",
        **({} if search.goal is None else {"goal": search.goal}),
        "objectiveMetricName": search.metric,
        **({"additionalMetricNames": others} if others else {}),
    }


def _make_algorithm(search: Search) -> dict:
    settings = [] if search.seed is None else [{"name": "random_state", "value": str(search.seed)}]
    return {
        "algorithmName": search.algorithm,
        **({"algorithmSettings": settings} if settings else {}),
    }


def _make_template(
    notebook: Notebook, search: Search, parameters: list[dict], config_map: str
) -> dict:
    file = fit_name(notebook)
    names = [one["name"] for one in parameters]
    given = [f"{name}={value}" for name, value in search.given.items()]
    tuned = [f"{name}=${{trialParameters.{name}}}" for name in names]
    command = ["python3", "-m", "fastkf.tune.notebook_trial", file]
    command += [f"--bring={one}" for one in search.brought]
    mount = {"name": "notebook", "mountPath": f"{IMAGE_FOLDER}/{file}", "subPath": file}
    container = {
        "name": "notebook",
        "image": search.image,
        "workingDir": IMAGE_FOLDER,
        "command": [*command, *(f"--parameter={word}" for word in given + tuned)],
        "volumeMounts": [{**mount, "readOnly": True}],
    }
    pod = {
        "restartPolicy": "Never",
        "securityContext": dict(USER),
        "containers": [container],
        "volumes": [{"name": "notebook", "configMap": {"name": config_map}}],
    }
    metadata = {"annotations": {"sidecar.istio.io/inject": "false"}}
    return {
        "primaryContainerName": "notebook",
        "trialParameters": [{"name": name, "reference": name} for name in names],
        "trialSpec": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {"backoffLimit": 0, "template": {"metadata": metadata, "spec": pod}},
        },
    }


def _strip(notebook: Notebook) -> str:
    """The notebook's file without the outputs of its cells.

    Without its text too where it is too large with it: pictures stand in text, and no trial reads
    it.
    """
    import_jsonschema()
    import nbformat

    node = nbformat.from_dict(read_complete(notebook.path))
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    text = nbformat.writes(node) + "\n"
    if len(text.encode()) > LARGEST_CONFIG_MAP:
        for cell in node.cells:
            if cell.cell_type != "code":
                cell.source = ""
                cell.pop("attachments", None)
        text = nbformat.writes(node) + "\n"
    if len(text.encode()) > LARGEST_CONFIG_MAP:
        raise UsageError(
            f"{notebook.path}: too large for the ConfigMap that brings it to a cluster "
            f"({len(text.encode()):,} bytes of code, at most {LARGEST_CONFIG_MAP:,})"
        )
    return text
