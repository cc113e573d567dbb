"""The commands by name, in the groups that help shows; each is loaded when it is asked for.

What one command needs to be imported, the others do not wait for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter


@dataclass(frozen=True)
class Entry:
    """A command, and where it is.

    Attributes:
        place: the module of this package and the name in it.
        group: the heading under which help lists it.
        help: the first sentence of its own help.
    """

    place: str
    group: str
    help: str

    def load(self, name: str) -> "Command":
        module, _, attribute = self.place.partition(":")
        function = getattr(import_module(f"fastkf.cli.{module}"), attribute)
        if isinstance(function, typer.Typer):
            return typer.main.get_command(function)
        alone = typer.Typer(
            add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
        )
        alone.command(name)(function)
        return typer.main.get_command(alone)


LEARN = "Learn"
BUILD = "Build your own"
RUN = "Run on this machine"
CLUSTER = "Run on a cluster"

COMMANDS = {
    "lab": Entry(
        "lab:lab", LEARN, "Open notebooks in JupyterLab, where one click runs them as a pipeline."
    ),
    "list": Entry(
        "course:list_labs",
        LEARN,
        "Show the labs in the order of the course: title, what they need, typical time.",
    ),
    "progress": Entry(
        "course:progress",
        LEARN,
        "Show how far you are: the cells that you have run in each lab, the exercises solved.",
    ),
    "data": Entry("course:data", LEARN, "Fetch the data sets of the labs and verify them by hash."),
    "project": Entry(
        "project:project",
        LEARN,
        "Begin the course's project, or see how many of its twenty points a folder has.",
    ),
    "doctor": Entry(
        "diagnosis:doctor",
        LEARN,
        "Say what on this machine is ready for the labs and what is not, with the remedy.",
    ),
    "check": Entry(
        "checks:check",
        BUILD,
        "Check notebooks against what Kale honours: tags, imports, data flow, parameters, metrics.",
    ),
    "explain": Entry(
        "checks:explain",
        BUILD,
        "Explain a rule of `fastkf check`: why it is there, a wrong and a right example.",
    ),
    "suggest": Entry(
        "checks:suggest",
        BUILD,
        "Propose tags for a notebook that has none, from its headings and its data flow.",
    ),
    "migrate": Entry(
        "migrate:migrate",
        BUILD,
        "Turn a notebook for Kale 0.2 to 0.7 into one that today's Kale compiles.",
    ),
    "draw": Entry(
        "labs:draw",
        BUILD,
        "Draw the pipelines of notebooks from their tags, as images/<name>.svg beside each.",
    ),
    "compile": Entry(
        "labs:compile",
        BUILD,
        "Write a notebook's Kubeflow Pipelines package (KFP v2) and print its path.",
    ),
    "image": Entry(
        "image:image",
        BUILD,
        "Write the Dockerfile of an image for a notebook's steps, and its .dockerignore.",
    ),
    "test": Entry(
        "labs:run_tests",
        BUILD,
        "Run the regression suite on notebooks: rules, outputs, package, execution, pipeline.",
    ),
    "run": Entry(
        "labs:run",
        RUN,
        "Run a notebook as a notebook and as a pipeline on this machine, and compare the metrics.",
    ),
    "open": Entry(
        "runs:open_report",
        RUN,
        "Show the report of a run in the browser: the newest one's, or the one that is named.",
    ),
    "compare": Entry(
        "runs:compare", RUN, "Hold two runs against each other: metric by metric, step by step."
    ),
    "clean": Entry(
        "runs:clean",
        RUN,
        "Remove old runs below runs/, with their logs and artifacts, and say what that frees.",
    ),
    "cache": Entry(
        "cache:cache",
        RUN,
        "List the steps whose outputs a run may take, or forget them: of runs/ and of the server.",
    ),
    "server": Entry(
        "server:server",
        RUN,
        "Serve the API of Kubeflow Pipelines on this machine, and run what is submitted.",
    ),
    "tune": Entry(
        "components:tune",
        RUN,
        "Tune a Katib Experiment or a Kale notebook on this machine, or go on with a tuning.",
    ),
    "train": Entry(
        "components:train",
        RUN,
        "Run the replicas of a TrainJob or a TFJob as processes of this machine.",
    ),
    "serve": Entry(
        "components:serve",
        RUN,
        "Serve models with kserve's model server, with KServe's V1 and V2 REST protocols.",
    ),
    "storage": Entry(
        "storage:storage",
        RUN,
        "An object store (SeaweedFS, with the API of S3) on this machine, for the labs.",
    ),
    "submit": Entry(
        "cluster:submit",
        CLUSTER,
        "Run a notebook or a package on a Kubeflow Pipelines server, and follow it.",
    ),
}


class Loaded(Mapping[str, Any]):
    """The commands by name; looking one up imports its module."""

    def __init__(self) -> None:
        self._loaded: dict[str, Command] = {}

    def __getitem__(self, name: str) -> "Command":
        if name not in self._loaded:
            self._loaded[name] = COMMANDS[name].load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(TyperGroup):
    """`fastkf` itself: its commands, listed in groups."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = Loaded()  # type: ignore[assignment]

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        width = max(map(len, COMMANDS))
        for group in dict.fromkeys(entry.group for entry in COMMANDS.values()):
            entries = [(k, entry) for k, entry in COMMANDS.items() if entry.group == group]
            with formatter.section(group):
                formatter.write_dl([(name.ljust(width), entry.help) for name, entry in entries])


class Subcommands(TyperGroup):
    """A command that is a group: its own commands, each with its first paragraph whole."""

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        rows = [
            (name, " ".join((command.help or "").partition("\n\n")[0].split()))
            for name, command in self.commands.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
