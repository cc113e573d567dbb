"""References to variables in a container's words are expanded as the kubelet expands them."""

import json
import uuid
from pathlib import Path

from kfp import compiler, dsl, kubernetes

from fastkf.base.expansion import read_command
from fastkf.engine.run import run_package
from fastkf.package.given import read_given
from fastkf.package.model import Package


def test_a_variable_knows_those_before_it():
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}, {"name": "C"}]
    container = {"command": ["run", "$(B)", "$$(B)"], "args": ["[$(C)]", "$(D)"], "env": env}
    assert read_command(container) == ["run", "12", "$(B)", "[]", "$(D)"]


@dsl.container_component
def tell(text: str, values: dict):
    return dsl.ContainerSpec(
        "image", ["tell", "$(WHO) costs $$5", "$(date)"], ["--user=$(USER_OF_DB)", text, values]
    )


class Looking:
    """An executor that keeps the words that it was to start, and the variables."""

    honours = frozenset()

    def __init__(self, given):
        self.given = given

    def execute(self, job, log, show):
        self.variables = job.variables(self.given)
        self.command = job.command(self.variables)
        Path(job.executor_input["outputs"]["outputFile"]).write_text("{}")

    def end(self):
        pass


def look(folder, text: str) -> tuple[Looking, str]:
    """What a step would be started with, and its log."""

    @dsl.pipeline
    def tells(text: str):
        task = tell(text=text, values={"$(WHO)": ["$$", 1]})
        task.set_env_variable("WHO", "it").set_env_variable("FULL", "$(WHO), $(LATER), $$(WHO)")
        task.set_env_variable("LATER", "x")
        kubernetes.use_secret_as_env(task, "db", {"user": "USER_OF_DB"})

    compiler.Compiler().compile(tells, str(folder / "tells.yaml"))
    (folder / "db.env").write_text("user=me\n")
    looking = Looking(read_given({"db": str(folder / "db.env")}, {}))
    run_package(
        Package.read(folder / "tells.yaml"),
        {"text": text},
        folder / "run",
        executors={"container": looking},
        on_step=lambda step: None,
    )
    return looking, (folder / "run" / "logs" / "tell.log").read_text()


def test_the_words_of_a_step_and_what_it_is_given_are_a_pods(tmp_path):
    step, log = look(tmp_path, "$(WHO) $$(WHO) $HOME $(NOBODY)")
    assert step.command[:4] == ["tell", "it costs $5", "$(date)", "--user=me"]
    assert step.command[4] == "it $(WHO) $HOME $(NOBODY)"
    assert json.loads(step.command[5]) == {"it": ["$", 1]}
    name, uid = step.variables.pop("KFP_POD_NAME"), step.variables.pop("KFP_POD_UID")
    assert name.endswith("-tell")
    assert uuid.UUID(uid)
    assert step.variables == {
        "WHO": "it",
        "FULL": "it, $(LATER), $(WHO)",
        "LATER": "x",
        "USER_OF_DB": "me",
    }
    assert "fastkf: $$ has become $ in the code" in log
