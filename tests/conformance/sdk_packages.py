"""More small packages: with those of small_packages, each feature of the SDK is in one."""

import json
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

import pytest
from cases import IMAGE
from kfp import compiler, components, dsl, kubernetes
from kfp.dsl import (
    HTML,
    Artifact,
    ClassificationMetrics,
    Dataset,
    InputPath,
    Markdown,
    Metrics,
    Model,
    Output,
    OutputPath,
    SlicedClassificationMetrics,
)
from small_packages import component, read, show, square

FILES = Path(tempfile.mkdtemp(prefix="fastkf-embedded-"))
(FILES / "words.txt").write_text("from a file", encoding="utf-8")
TELL = "import pathlib, tempfile\npathlib.Path(tempfile.gettempdir(), 'told.txt').write_text(text)"
CELLS = [("parameters", "text = 'default'"), ("", TELL)]
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {"tags": [tag] if tag else []},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, (tag, source) in enumerate(CELLS)
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
(FILES / "notebook.ipynb").write_text(json.dumps(NOTEBOOK), encoding="utf-8")


@component
def make_parts(text: OutputPath(str), folder: OutputPath("Directory"), count: int = 2):
    import os

    os.makedirs(folder)
    for number in range(count):
        with open(os.path.join(folder, f"{number}.txt"), "w") as file:
            file.write(str(number))
    with open(text, "w") as file:
        file.write("parts: ")


@component
def list_parts(folder: InputPath("Directory"), text: str) -> str:
    import os

    return text + " ".join(sorted(os.listdir(folder)))


@dsl.pipeline
def paths() -> str:
    made = make_parts()
    return list_parts(folder=made.outputs["folder"], text=made.outputs["text"]).output


@component
def make_model(text: str) -> Model:
    model = Model(uri=dsl.get_uri(), metadata={"length": len(text)})
    with open(model.path, "w") as file:
        file.write(text)
    return model


@component
def split(model: Model) -> NamedTuple("Halves", [("first", Dataset), ("second", Dataset)]):
    with open(model.path) as file:
        text = file.read()
    first, second = Dataset(uri=dsl.get_uri("first")), Dataset(uri=dsl.get_uri("second"))
    for dataset, part in ((first, text[:4]), (second, str(model.metadata["length"]))):
        with open(dataset.path, "w") as file:
            file.write(part)
    return (first, second)


@dsl.pipeline
def returned_artifacts() -> str:
    halves = split(model=make_model(text="abcdef").output)
    parts = [read(data=halves.outputs[name]).output for name in ("first", "second")]
    return show(text=f"{parts[0]} {parts[1]}").output


@component
def draw(
    page: Output[HTML],
    text: Output[Markdown],
    curve: Output[ClassificationMetrics],
    metrics: Output[Metrics],
):
    for artifact in (page, text):
        with open(artifact.path, "w") as file:
            file.write("# Hello")
    curve.log_roc_curve([0, 0.5, 1], [0, 0.8, 1], [1, 0.5, 0])
    curve.log_confusion_matrix(["a", "b"], [[3, 1], [0, 4]])
    metrics.log_metric("accuracy", 0.9)


@component
def draw_parts(
    curve: Output[ClassificationMetrics],
    slices: Output[SlicedClassificationMetrics],
    own: Output[Artifact],
):
    import tempfile

    curve.log_roc_data_point(fpr=0.0, tpr=0.0, threshold=1.0)
    slices._sliced_metrics = {}  # which KFP's own __init__ forgets: its methods fail without it
    for metrics, names in ((curve, ()), (slices, ("first",))):
        metrics.set_confusion_matrix_categories(*names, ["a", "b"])
        metrics.log_confusion_matrix_row(*names, "a", [3, 1])
        metrics.log_confusion_matrix_cell(*names, "b", "b", 4)
    own.set_path(tempfile.mkdtemp() + "/own")
    with open(own.path, "w") as file:
        file.write("kept")


@dsl.pipeline(
    name="drawn", display_name="What is drawn", description="Each kind.", pipeline_root="s3://a"
)
def drawn():
    read(data=draw_parts().outputs["own"])
    draw().set_display_name("Draw all").set_caching_options(False)


@component(embedded_artifact_path=str(FILES / "words.txt"))
def tell_file(data: dsl.EmbeddedInput[Dataset]) -> str:
    with open(data.path) as file:
        return file.read()


def double(text: str) -> str:
    return f"{text}{text}"


@component(additional_funcs=[double], install_kfp_package=True)
def tell_twice(text: str) -> str:
    return double(text)


@dsl.notebook_component(notebook_path=str(FILES / "notebook.ipynb"), base_image="python:3.11")
def run_cells(text: str) -> str:
    import pathlib
    import tempfile

    dsl.run_notebook(text=text)
    return pathlib.Path(tempfile.gettempdir(), "told.txt").read_text()


@dsl.pipeline
def brought(text: str = "cells") -> str:
    words = tell_twice(text="ab")
    with pytest.deprecated_call(), dsl.Condition(words.output == "abab"):
        show(text="runs")
    return show(text=f"{tell_file().output}, {run_cells(text=text).output}").output


@dsl.pipeline
def job_words() -> str:
    words = [dsl.PIPELINE_TASK_ID_PLACEHOLDER, dsl.PIPELINE_ROOT_PLACEHOLDER]
    return show(text=" ".join(words)).output


@dsl.container_component
def write_words(first: str, told: OutputPath(str), second: Optional[str] = None):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["sh", "-c", 'printf "%s " "$@" > "$0"', told],
        args=[
            dsl.ConcatPlaceholder(["first=", first]),
            dsl.IfPresentPlaceholder("second", then=["--second", second], else_=["--none"]),
        ],
    )


@dsl.container_component
def tell_all(told: OutputPath(str)):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["sh", "-c", 'test -n "$1" && test -n "$2" && printf yes > "$0"', told],
        args=[
            dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER,
            dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
        ],
    )


LOADED = components.load_component_from_text(f"""\
name: Loaded
inputs: [{{name: text, type: String}}]
outputs: [{{name: told, type: String}}]
implementation:
  container:
    image: {IMAGE}
    command: [sh, -c, 'printf %s "$1" > "$0"', {{outputPath: told}}, {{inputValue: text}}]
""")


@dsl.pipeline
def containers() -> str:
    tell_all()
    one, two = write_words(first="a"), write_words(first="b", second="c")
    loaded = LOADED(text="of version 1")
    told = [one.outputs["told"], two.outputs["told"], loaded.outputs["told"]]
    return show(text=f"{told[0]}| {told[1]}| {told[2]}").output


@dsl.pipeline(
    pipeline_config=dsl.PipelineConfig(
        workspace=dsl.WorkspaceConfig(
            "1Gi", dsl.KubernetesWorkspaceConfig(pvcSpecPatch={"storageClassName": "standard"})
        )
    )
)
def copied(place: str) -> str:
    made = dsl.importer(
        artifact_uri=place, artifact_class=Artifact, reimport=True, download_to_workspace=True
    )
    return read(data=made.output).output


compiler.Compiler().compile(square, str(FILES / "square.yaml"))


@dsl.pipeline
def loaded() -> int:
    load = components.load_component_from_file(str(FILES / "square.yaml"))
    with dsl.ParallelFor(items=[1, 2], name="twice"):
        load(n=2)
    return load(n=3).output


@dsl.pipeline(
    pipeline_config=dsl.PipelineConfig(
        ttl_seconds_after_finished=1,
        ttl_seconds_after_success=2,
        ttl_seconds_after_failure=3,
        active_deadline_seconds=600,
    )
)
def asking(node: dict = {}, tolerations: list = []) -> int:  # noqa: B006
    task = square(n=2).set_container_image("python:3.12")
    task.set_cpu_limit("1").set_cpu_request("1").set_memory_request("1G").set_memory_limit("2G")
    with pytest.deprecated_call():
        task.set_gpu_limit(1).add_node_selector_constraint("nvidia.com/gpu")
    task.set_debug_pause()
    kubernetes.add_ephemeral_volume(task, "scratch", "/scratch", ["ReadWriteOnce"], "1Gi")
    kubernetes.empty_dir_mount(task, "empty", "/empty")
    kubernetes.add_node_affinity_json(task, node)
    kubernetes.add_node_selector_json(task, node)
    kubernetes.add_toleration_json(task, tolerations)
    kubernetes.add_pod_annotation(task, "a", "b")
    kubernetes.add_pod_label(task, "a", "b")
    kubernetes.set_image_pull_policy(task, "Always")
    kubernetes.set_image_pull_secrets(task, ["registry"])
    kubernetes.set_security_context(task, run_as_user=0)
    kubernetes.set_timeout(task, 600)
    kubernetes.use_field_path_as_env(task, "NODE", "spec.nodeName")
    return task.output


@dsl.pipeline
def provided(name: str = "db") -> int:
    task = square(n=3)
    kubernetes.use_secret_as_env(task, name, {"key": "KEY"}, optional=True)
    kubernetes.use_secret_as_volume(task, name, "/tmp/fastkf-no-secret", optional=True)
    kubernetes.use_config_map_as_env(task, name, {"key": "SETTING"}, optional=True)
    kubernetes.use_config_map_as_volume(task, name, "/tmp/fastkf-no-map", optional=True)
    return task.output


@component
def look(path: str, text: str) -> str:
    import os

    name = os.path.join(path, "text")
    with open(name, "a+") as file:
        file.seek(0)
        there = file.read()
        file.write(text)
    return there


# What is below a volume's path is the volume's; what is beside it stays as it is.
@dsl.pipeline
def kept() -> str:
    named = kubernetes.CreatePVC(pvc_name="data", access_modes=["ReadWriteOnce"], size="1Gi")
    made = kubernetes.CreatePVC(pvc_name_suffix="-b", access_modes=["ReadWriteOnce"], size="1Gi")
    first = look(path="/fastkf/data", text="of the first").after(named)
    kubernetes.mount_pvc(first, pvc_name=made.outputs["name"], mount_path="/fastkf/data")
    second = look(path="/tmp/fastkf-data/inside", text="").after(first)
    kubernetes.mount_pvc(second, pvc_name=made.outputs["name"], mount_path="/tmp/fastkf-data")
    kubernetes.mount_pvc(second, "data", "/tmp/fastkf-data/inside", sub_path="a/b")
    third = look(path="/usr/fastkf-data", text="").after(second)
    kubernetes.mount_pvc(third, pvc_name=made.outputs["name"], mount_path="/usr/fastkf-data")
    kubernetes.DeletePVC(pvc_name=made.outputs["name"]).after(third)
    return third.output


# A volume that is not there any more: its step waits for ever there.
@dsl.pipeline
def removed_twice():
    made = kubernetes.CreatePVC(pvc_name="data", access_modes=["ReadWriteOnce"], size="1Gi")
    removed = kubernetes.DeletePVC(pvc_name=made.outputs["name"])
    kubernetes.DeletePVC(pvc_name=made.outputs["name"]).after(removed)


@dsl.pipeline
def scratch() -> str:
    task = look(path="/fastkf/scratch/a", text="a")
    kubernetes.empty_dir_mount(task, "one", "/fastkf/scratch/a", size_limit="1Gi")
    kubernetes.add_ephemeral_volume(task, "two", "/fastkf/scratch/b", ["ReadWriteOnce"], "1Gi")
    return task.output
