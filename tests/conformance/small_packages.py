"""Small packages; what each comes to stands in cases.py.

Where that was seen on a real Kubeflow Pipelines, the comment says so; elsewhere it follows from
what its driver and launcher do (backend/src/v2 of kubeflow/pipelines).
"""

from typing import List, Optional

from kfp import dsl, kubernetes
from kfp.dsl import Artifact, Dataset, Input, Metrics, Output


def component(function=None, **options):
    return dsl.component(function, base_image="python:3.11", **options)


@component
def square(n: int) -> int:
    return n * n


@component
def show(text: str) -> str:
    return text


@component
def tell(value: dict) -> str:
    import json

    return json.dumps(value, sort_keys=True)


@component
def total(ns: List[int]) -> int:
    return sum(ns)


@component
def fail(text: str = "no") -> str:
    raise ValueError(text)


@component
def maybe(text: Optional[str] = None, number: Optional[int] = None) -> str:
    return f"{text} {number}"


@component
def report(status: dsl.PipelineTaskFinalStatus) -> str:
    return f"{status.state} {status.pipeline_task_name} {status.error_message}"


@dsl.pipeline(name="train")
def square_pipeline(n: int = 3) -> int:
    return square(n=n).output


# Whole numbers arrive without a point, in a dict and a text too (seen).
@dsl.pipeline
def numbers(rate: float = 1.0, n: int = 3, cfg: dict = {"epochs": 3, "rates": [1.0, 0.5]}) -> str:  # noqa: B006
    told = tell(value={"rate": f"{rate}", "n": f"n={n}", "text": "python3 in /tmp/marshal"})
    return show(text=f"{told.output} {tell(value=cfg).output}").output


@dsl.pipeline
def loops() -> int:
    with dsl.ParallelFor([1, 2, 3]) as n:
        squared = square(n=n)
    with dsl.ParallelFor(["x", "y"]) as text:
        show(text=text).after(squared)
    return total(ns=dsl.Collected(squared.output)).output


@component
def chain(ns: list) -> int:
    return sum(n for inner in ns for n in inner)


@dsl.pipeline
def nested_loops() -> int:
    with dsl.ParallelFor([1, 2]) as n:
        with dsl.ParallelFor([{"a": 1, "b": 3}, {"a": 2, "b": 4}]) as item:
            squared = square(n=item.a)
            square(n=item.b)
        show(text=f"{n}")
    return chain(ns=dsl.Collected(squared.output)).output


@component
def ids(count: int) -> list:
    return [{"id": number} for number in range(count)]


@dsl.pipeline
def dynamic_loop(count: int = 2) -> int:
    with dsl.ParallelFor(ids(count=count).output, parallelism=1) as item:
        squared = square(n=item.id)
    return total(ns=dsl.Collected(squared.output)).output


# One iteration fails, the others run to their end (seen).
@component
def check(n: int) -> int:
    if n == 2:
        raise ValueError("item 2 is bad")
    return n


@dsl.pipeline
def one_iteration_fails():
    with dsl.ParallelFor([1, 2, 3]) as n:
        check(n=n)


# The driver cannot resolve what no iteration has made (seen).
@dsl.pipeline
def empty_loop() -> int:
    with dsl.ParallelFor(ids(count=0).output) as item:
        squared = square(n=item.id)
    return total(ns=dsl.Collected(squared.output)).output


# KFP's compiler loses the second part (seen: the driver fails).
@dsl.pipeline
def parts_in_a_text():
    with dsl.ParallelFor([{"a": "x", "b": "1"}]) as item:
        show(text=f"{item.a}-{item.b}")


@dsl.pipeline
def branches(text: str = "it's fine", n: int = 7) -> str:
    said = show(text=text)
    with dsl.If(said.output == "bad"):
        first = show(text="bad")
    with dsl.Elif(n > 5):
        second = show(text="many")
    with dsl.Else():
        third = show(text="few")
    with dsl.If(said.output != "it is fine"):
        show(text="apostrophe")  # runs (seen)
    with dsl.If(n == 0):
        show(text="never")
    return dsl.OneOf(first.output, second.output, third.output)


@dsl.pipeline
def exits():
    handler = report()
    with dsl.ExitHandler(handler):
        square(n=1)


@dsl.pipeline
def exits_after_failure():
    handler = report()
    with dsl.ExitHandler(handler):
        fail()


@component
def show_default(text: str = "default") -> str:
    return text


@dsl.pipeline
def ignoring():
    failed = fail()
    show_default(text=failed.output).ignore_upstream_failure()


@dsl.pipeline
def inner(n: int, text: Optional[str] = None) -> str:
    return maybe(text=text, number=square(n=n).output).output


@dsl.pipeline
def optional(text: Optional[str] = None) -> str:
    maybe()
    square(n=2)  # a task of the name of one inside
    return inner(n=3, text=text).output


@component
def make(text: str, data: Output[Dataset], metrics: Output[Metrics]) -> int:
    with open(data.path, "w") as file:
        file.write(text)
    data.metadata["size"] = len(text)
    metrics.log_metric("size", len(text))
    return len(text)


@component
def make_elsewhere(folder: str, data: Output[Dataset]):
    import os

    os.makedirs(folder, exist_ok=True)
    data.custom_path = os.path.join(folder, "own")
    with open(data.custom_path, "w") as file:
        file.write("elsewhere")


@component
def read_all(data: Input[List[Dataset]]) -> str:
    return " ".join(open(one.path).read() for one in data)


@component
def read(data: Input[Artifact]) -> str:
    return open(data.path).read()


@component
def temporary() -> str:
    import tempfile

    return tempfile.mkdtemp()


@dsl.pipeline
def artifacts() -> str:
    with dsl.ParallelFor(["a", "b"]) as text:
        made = make(text=text)
    both = read_all(data=dsl.Collected(made.outputs["data"]))
    own = read(data=make_elsewhere(folder=temporary().output).outputs["data"])
    return show(text=f"{both.output} {own.output}").output


@component
def write(text: str, data: Output[Dataset]):
    with open(data.path, "w") as file:
        file.write(text)


# What iterations that were left out have not made is not collected.
@dsl.pipeline
def chosen(side: str) -> Dataset:
    said = show(text=side)
    with dsl.If(said.output == "left"):
        left = write(text="L")
    with dsl.Else():
        right = write(text="R")
    return dsl.OneOf(left.outputs["data"], right.outputs["data"])


@dsl.pipeline
def read_list(data: Input[List[Dataset]]) -> str:
    return read_all(data=data).output


@dsl.pipeline
def collected() -> str:
    with dsl.ParallelFor([1, 2]) as n, dsl.ParallelFor(["left", "right"]) as side:
        square(n=n)
        with dsl.If(n >= 2):
            made = chosen(side=side)
    return read_list(data=dsl.Collected(made.output)).output


@component
def state_of(status: dict) -> str:
    return status["state"]


@dsl.pipeline
def tell_of(status: dsl.PipelineTaskFinalStatus):
    said = state_of(status=status)
    with dsl.If(said.output == "FAILED"):
        show(text="it has failed")


@dsl.pipeline
def exit_pipeline():
    with dsl.ExitHandler(tell_of()):
        fail()


@dsl.pipeline
def items_of_items(items: List[dict] = [{"inner": [{"n": 1}, {"n": 2}]}, {"inner": [{"n": 3}]}]):  # noqa: B006
    with dsl.ParallelFor(items) as item, dsl.ParallelFor(item.inner) as one:
        square(n=one.n)


@component
def length(text: str, values: dict) -> int:
    return len(text) + len(values["more"])


@dsl.pipeline
def long_values(text: str = "x" * 63_000) -> int:
    return length(text=text, values={"more": "y" * 63_000}).output


@component(packages_to_install=['tomli>=1; python_version<"3.11"'])
def with_marker() -> str:
    return "ok"


@component(use_venv=True)
def in_venv() -> str:
    return "in a venv"


@dsl.pipeline
def other_release() -> str:
    return show(text=f"{with_marker().output}, {in_venv().output}").output


@dsl.pipeline
def names() -> str:
    words = [
        dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
        dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
        dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
        "{{$.inputs.parameters['not there']}}",
    ]
    return show(text=" ".join(words)).output


@dsl.pipeline
def tried_again():
    fail(text="always").set_retry(num_retries=1, backoff_duration="0s")


@dsl.pipeline
def pass_on(text: str) -> str:
    return show(text=text).output


# What is data stays data, whatever it looks like.
@dsl.pipeline
def texts(text: str = "{{$.inputs.parameters['text']}} $HOME `id` \"python3\" it's {{$}}") -> str:
    return pass_on(text=pass_on(text=f"{text}").output).output


@component(packages_to_install=["kfp"])
def writes_nothing() -> int: ...


@dsl.pipeline
def no_output():
    writes_nothing()


@dsl.pipeline
def settings() -> str:
    task = show(text="ran").set_memory_limit("1G")
    kubernetes.use_secret_as_env(task, "db", {"password": "PASSWORD"})
    return task.output


FIELDS = dsl.TaskConfigField


@component(
    task_config_passthroughs=[
        dsl.TaskConfigPassthrough(field=FIELDS.ENV, apply_to_task=True),
        *[FIELDS.RESOURCES, FIELDS.KUBERNETES_VOLUMES, FIELDS.KUBERNETES_NODE_SELECTOR],
        *[FIELDS.KUBERNETES_TOLERATIONS, FIELDS.KUBERNETES_AFFINITY],
    ],
)
def tell_config(workspace: str, config: dsl.TaskConfig) -> dict:
    import dataclasses
    import os

    return {**dataclasses.asdict(config), "here": os.environ.get("ONE")}


@component(task_config_passthroughs=[FIELDS.ENV])
def tell_variables(config: dsl.TaskConfig) -> list:
    import os

    return [config.env, os.environ.get("ONE"), config.volumes]


@dsl.pipeline(pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="5Mi")))
def task_configs(claim: str = "data") -> dict:
    tell_variables().set_env_variable("ONE", "1")
    told = tell_config(workspace=dsl.WORKSPACE_PATH_PLACEHOLDER).set_env_variable("ONE", "1")
    told.set_cpu_limit("1").set_memory_request("100Mi")
    told.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(2)
    kubernetes.mount_pvc(told, pvc_name=claim, mount_path="/data")
    kubernetes.use_secret_as_env(told, "db", {"password": "PASSWORD"})
    kubernetes.add_node_selector(told, "disk", "ssd")
    kubernetes.add_toleration(told, key="a", operator="Exists", toleration_seconds=60)
    ssd = {"key": "disk", "operator": "In", "values": ["ssd"]}
    kubernetes.add_node_affinity(told, match_expressions=[ssd])
    return told.output


@dsl.pipeline
def imported(place: str) -> str:
    made = dsl.importer(artifact_uri=place, artifact_class=Dataset, metadata={"of": place})
    return read(data=made.output).output


@dsl.pipeline
def ordered_by_data() -> int:
    return square(n=square(n=3).output).output
