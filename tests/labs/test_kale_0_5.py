"""The labs compile with the Kale of MiniKF's time too: Kale 0.5.1 and KFP 1, on Python 3.7 or 3.8.

The Argo workflow has to hold the same steps, in the same order, with the same code, parameters and
metrics as today's package. Nothing is run: that takes a cluster of that time.
"""

import ast
import re
import textwrap

import pytest
import yaml
from build import write_notebook
from conftest import LABS
from filelock import FileLock
from old_kale import get_old_kale

from fastkf.course import places
from fastkf.notebook.check.steps import steps_before
from fastkf.notebook.model import read

COMPILES = ""
# Each lab, and what old Kale says where it cannot.
EXPECTED = {
    "01_first_pipeline": COMPILES,
    "01b_custom_images": COMPILES,
    "02_titanic": COMPILES,
    "03_mnist_cnn": COMPILES,
    "04_nlp_lstm": COMPILES,
    "05_distributed_training": COMPILES,
    "06_katib": COMPILES,
    "07_kserve": COMPILES,
    "08_object_storage": "Unrecognized tag: secret:object-store:AWS_ACCESS_KEY_ID",
    "09_control_flow": COMPILES,
    "10_drift": COMPILES,
    "11_trainer": COMPILES,
    "12_language_model": COMPILES,
}
EXAMPLE = [
    ("imports", "import math"),
    (["pipeline-parameters", "parameters"], "START = 1\nname = 'a'\nfast = True"),
    ("step:load", 'first = START + 1\ntext = "one\\n" + name'),
    (["step:left", "prev:load"], "left = math.sqrt(first)"),
    (["step:right", "prev:load"], "right = first * 2"),
    (["step:end", "prev:left", "prev:right"], "total_sum = float(left + right)"),
    ("pipeline-metrics", "print(total_sum)"),
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, worker_id):
    """The folder of what old Kale makes of the labs and the example; one for all workers."""
    root = tmp_path_factory.getbasetemp()
    folder = (root if worker_id == "master" else root.parent) / "kale_0_5"
    old_kale = get_old_kale()
    with FileLock(f"{folder}.lock"):
        if not (folder / "ready").exists():
            example = write_notebook(folder / "example.ipynb", EXAMPLE)
            old_kale.compile([example, *LABS], folder)
            (folder / "ready").touch()
    return folder


def test_every_lab_is_listed():
    assert list(EXPECTED) == [path.stem for path in LABS]


def test_the_guide_says_of_every_lab_whether_it_compiles():
    guide = (places.PROJECT / "labs" / "using_minikf.md").read_text(encoding="utf-8")
    said = {
        lab: COMPILES if answer.startswith("yes") else re.findall(r"`(.+)\.\.\.`", answer)[0]
        for labs, answer in re.findall(
            r"^\| (\d\w+(?:, \w+)*) \| ((?:yes|no)[^|]*) \|", guide, re.M
        )
        for lab in labs.split(", ")
    }
    assert said.keys() == EXPECTED.keys()
    assert all(EXPECTED[lab].startswith(answer) for lab, answer in said.items())
    assert [lab for lab, answer in said.items() if answer] == ["08_object_storage"]


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_lab_compiles_as_expected(path, compiled):
    expected = EXPECTED[path.stem]
    error = compiled / f"{path.stem}.error"
    assert error.exists() is bool(expected), error.read_text()
    if expected:
        assert expected in error.read_text()
    else:
        compare(compiled / f"{path.stem}.yaml", read(path))


def test_example_compiles_to_the_workflow_it_looks_like(compiled):
    compare(compiled / "example.yaml", read(compiled / "example.ipynb"))
    workflow = yaml.safe_load((compiled / "example.yaml").read_text())
    assert read_edges(workflow) == {
        "load": set(),
        "left": {"load"},
        "right": {"load"},
        "end": {"left", "right"},
    }
    arguments = workflow["spec"]["arguments"]["parameters"]
    assert {a["name"]: a["value"] for a in arguments} == {"START": "1", "name": "a", "fast": "True"}


def compare(file, notebook):
    """Asserts that the workflow is the notebook's pipeline as today's Kale sees it."""
    workflow = yaml.safe_load(file.read_text())
    assert (workflow["apiVersion"], workflow["kind"]) == ("argoproj.io/v1alpha1", "Workflow")
    old, new = read_edges(workflow), notebook.dependencies
    assert set(old) == set(new)
    for step in new:
        assert steps_before(old, step) == steps_before(new, step), step
    arguments = workflow["spec"]["arguments"].get("parameters", [])
    values = {argument["name"]: argument["value"] for argument in arguments}
    assert values == {name: str(value) for name, value in notebook.parameters.items()}
    blocks = {step: read_blocks(workflow, step) for step in old}
    shared = [*notebook.cells_with_role("imports"), *notebook.cells_with_role("functions")]
    for step, cells in notebook.steps.items():
        code = [cell.source for cell in [*shared, *cells]]
        old_code = blocks[step][: len(code)]
        assert list(map(normalise, old_code)) == list(map(normalise, code)), step
    today = {step.name: step.source for step in notebook.pipeline.steps}
    assert reported_metrics(blocks) == reported_metrics(today)
    assert set().union(*reported_metrics(blocks).values()) == set(notebook.metrics)


def reported_metrics(blocks: dict[str, list[str]]) -> dict[str, set[str]]:
    """Step to the metrics that it reports, from the code that Kale adds for that."""
    added = {step: [text for text in blocks[step] if REPORT in text] for step in blocks}
    found = {step: set(re.findall(r'": (\w+)', "\n".join(texts))) for step, texts in added.items()}
    return {step: names for step, names in found.items() if names}


def normalise(code: str) -> str:
    """The code without its layout, which old Kale changes."""
    return ast.unparse(ast.parse(code))


REPORT = "generate_mlpipeline_metrics"


def read_edges(workflow) -> dict[str, set[str]]:
    """Step to the steps it waits for; without the volume through which old Kale passes values."""
    entry = workflow["spec"]["entrypoint"]
    templates = {template["name"]: template for template in workflow["spec"]["templates"]}
    tasks = templates[entry]["dag"]["tasks"]
    steps = {task["name"] for task in tasks if "container" in templates[task["template"]]}
    return {
        as_step(task["name"]): {as_step(name) for name in steps & {*task.get("dependencies", [])}}
        for task in tasks
        if task["name"] in steps
    }


def as_step(task: str) -> str:
    return task.replace("-", "_")


def read_blocks(workflow, step: str) -> list[str]:
    """The blocks of code that a step's program hands to its kernel."""
    templates = {as_step(template["name"]): template for template in workflow["spec"]["templates"]}
    program = templates[step]["container"]["command"][-1]
    found = [
        node.value.value
        for node in ast.walk(ast.parse(program))
        if isinstance(node, ast.Assign) and re.fullmatch(r"block\d+", ast.unparse(node.targets[0]))
    ]
    return [textwrap.dedent(text).strip() for text in found]
