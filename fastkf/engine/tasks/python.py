"""Python components, Kale's among them, as processes of this environment."""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from fastkf.base.errors import FastkfError
from fastkf.base.files import is_full
from fastkf.base.mounts import Mount, dump
from fastkf.base.processes import Ending, path_with
from fastkf.engine.children import Children
from fastkf.engine.environments import Environments
from fastkf.engine.isolation import isolate, move_marshalled
from fastkf.engine.job import Job
from fastkf.engine.layer import Layer
from fastkf.engine.own_places import Texts, arrange, read_code
from fastkf.engine.pip_settings import find_at_home
from fastkf.engine.step_folder import Provisions, with_remedy
from fastkf.engine.steps_on_disk import Steps
from fastkf.engine.tasks import (
    ShowCommand,
    find_limits,
    list_honoured,
    refuse_long,
    stamp_packages,
    tell_left_out,
)
from fastkf.engine.variables import as_in_pod
from fastkf.engine.warm import interpreter, parent
from fastkf.engine.warm.shared import Shared
from fastkf.package.asked import Asked, ask
from fastkf.package.given import Given
from fastkf.package.installs import find_installs, find_kfp, list_present, list_runtime
from fastkf.package.pins import installed_version
from fastkf.runs.model import Failure

KERNEL_CONFIGURATION = """\
c.IPKernelApp.quiet = False
c.HistoryManager.enabled = False
c.InteractiveShellApp.extensions = ["fastkf.engine.warm.kernel"]
"""

LONGEST_ARGUMENT = 100_000  # bytes
FROM_FILE = """\
with open({path}, encoding="utf-8") as _file:
    exec(compile(_file.read(), {path}, "exec"))
"""


class PythonTasks:
    """Runs Python components, with the packages that are installed here, and those they ask for.

    To be used in a `with` statement, which is entered before the process has other threads.

    Args:
        provisions: what the steps find by relative paths.
        imports: source of the imports the steps share, to be imported ahead of them; None where
            they are not a notebook's.
        shared: what several steps import that are not a notebook's, as `package.imports` lists it.
        warm: fork the steps' interpreters from a warm parent (see `engine.warm.parent`).
        environments: for steps that ask for packages which are not here.
        given: the Secrets and ConfigMaps of the cluster; None where nobody was asked for any.
    """

    _python: parent.StepsPython

    def __init__(
        self,
        provisions: Provisions,
        imports: str | None = "",
        warm: bool = parent.CAN_FORK,
        environments: Environments | None = None,
        given: Given | None = None,
        shared: Shared = (),
    ):
        self._provisions = provisions
        self._imports, self._shared, self._warm, self._given = imports, shared, warm, given
        self._environments = environments or Environments()
        self._children = Children()
        self._installs: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Asked | None, str]] = {}
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="fastkf-"))
        self._steps = Steps(self._folder)
        stub = parent.python_for_steps(self._folder, self._imports, self._warm, self._shared)
        with contextlib.ExitStack() as stack:
            self._python = stack.enter_context(stub)
            # What is kept goes with the folder, also when the disk is full before all of it is.
            self._provisions = self._provisions.keep(self._folder / "brought")
            self._resources = stack.pop_all()
        return self

    def prepare(self, given: Given, warm: bool) -> None:
        """Takes what is known only once the pipeline is compiled, before its first step.

        Args:
            given: as of the constructor.
            warm: whether a step runs with what is installed here alone.
        """
        self._given = given
        if not warm:
            self._python.cool()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        self._resources.close()

    def end(self) -> None:
        self._environments.end()
        self._children.end()

    def stamp(self, job: Job) -> str:
        return stamp_packages()

    @property
    def honours(self) -> frozenset[str]:
        return list_honoured(self._given)

    def execute(self, job: Job, log: Path, show: ShowCommand) -> Failure | None:
        folder = self._make_folder(log.stem)
        variables = job.variables(self._given)
        command = job.command(variables, move_marshalled(job.executor_input, str(folder)))
        place = _find_source(command)
        if place is None:
            return Failure(
                "",
                f"{job.name} is a Python component whose code is in its image only ({job.image}); "
                "run it with --docker, or on a Kubeflow",
            )
        if failure := refuse_long(job, command, variables):
            return failure
        may_write = job.task.component.is_root
        start = self._provisions.make_folder(folder, may_write)
        asked, present = self._ask(command[: place + 1])
        try:
            base = self._environments.provide(asked, log, start) if asked else None
        except FastkfError as error:
            return Failure("MissingPackage", str(error))
        environment = self._environment(variables, folder, base)
        if not may_write:
            environment[interpreter.OBEYS_PERMISSIONS] = "1"
        mounts, kept = self._arrange(job, command[place], folder, base, log)
        if mounts:
            environment[interpreter.MOUNTS] = dump(mounts)
            environment[interpreter.KEPT] = json.dumps(kept)
        environment[interpreter.PRESENT] = "" if base else present
        environment |= _describe_runtime(command[:place], command[place])
        command = _shorten(command, place, isolate(command[place], str(folder)), folder)
        limits = find_limits(job, self._given, folder / interpreter.KEEPERS)
        tell_left_out(job, limits, log)
        if limits.memory:
            (folder / interpreter.KEEPERS).mkdir()
        ending = self._children.run(command, environment, log, start, job.seconds, limits, job.mask)
        failure = with_remedy(read_failure(folder, ending), may_write) if ending.code else None
        job.moved = self._steps.end(folder, mounts, kept)
        return self._steps.explain(failure, folder.name, environment) if failure else None

    def _arrange(
        self, job: Job, source: str, folder: Path, base: Layer | None, log: Path
    ) -> tuple[list[Mount], list[str]]:
        around = self._provisions
        brought = read_code(around.kept) if around.kept else ()
        below = [base.folder] if base else []
        kept = (self._folder, job.run_folder, *below, *around.places)
        texts = Texts((source, *brought), around.given)
        return arrange(job, self._given, folder, kept, texts, log)

    def _ask(self, command: list[str]) -> tuple[Asked | None, str]:
        """What a component's command asks for that is not here, and its installs of what is."""
        *script, source = command
        key = tuple(script), list_runtime(source)
        if key not in self._installs:  # the steps of a notebook have it in common
            present = "\n".join(f"-m pip install {words}" for words in list_present(script))
            self._installs[key] = ask(find_installs(script), key[1]), present
        return self._installs[key]

    def _make_folder(self, name: str) -> Path:
        folder = self._steps.make_folder(name)
        profile = folder / "ipython" / "profile_default"
        for path in (folder / "tmp", folder / "home", profile):
            path.mkdir(parents=True)
        (profile / "ipython_kernel_config.py").write_text(KERNEL_CONFIGURATION)
        return folder

    def _environment(
        self, variables: Mapping[str, str], folder: Path, base: Layer | None
    ) -> dict[str, str]:
        """This environment, with `python3` first on the path as what steps get for it.

        Kale sets HOME to /tmp, which is the step's own on Kubernetes, and here too; so is any other
        step's home.
        """
        homes = {"/tmp": str(folder / "tmp"), "": str(folder / "home")}
        asked = variables.get("HOME", "")
        home = {"HOME": homes.get(asked, asked)}
        layer = Layer(folder / "python")
        layer.make(base)
        stub, own = self._python.stub, layer.programs / "step-python3"
        around = {**find_at_home(), **as_in_pod(os.environ), **variables, **home}
        if base is not None:
            around["PATH"] = path_with(base.programs, around)
            stub = folder / "stub" / "python3"
            stub.parent.mkdir()
            parent.write_fresh_stub(stub, base.python)
        layer.write_stub_for_kernels(own, stub)
        together = layer.environment(around, self._environments.offline)
        return {
            **together,
            "PATH": path_with(stub.parent, together),
            "TMPDIR": str(folder / "tmp"),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(folder / "jupyter"),
            interpreter.STEP_FOLDER: str(folder),
            interpreter.LAYER: str(layer.folder),
            interpreter.STUB: str(stub),
            interpreter.OWN_STUB: str(own),
        }


def _shorten(command: list[str], place: int, source: str, folder: Path) -> list[str]:
    """The command with what may be too long for a command line in files of the step's folder.

    A system takes 128 kB an argument, and values and embedded files may be longer.
    """
    shorter = list(command)
    if len(source.encode()) > LONGEST_ARGUMENT:
        path = folder / "component.py"
        path.write_text(source, encoding="utf-8")
        source = FROM_FILE.format(path=repr(str(path)))
    shorter[place] = source
    for number, word in enumerate(shorter):
        if number and shorter[number - 1] == "--executor_input":
            path = folder / "executor_input.json"
            path.write_text(word, encoding="utf-8")
            shorter[number] = f"{interpreter.IN_FILE}{path}"
    return shorter


def _describe_runtime(command: list[str], source: str) -> dict[str, str]:
    """The variables that say which packages the step takes as they are here."""
    asked = find_kfp(command)
    other = {interpreter.ASKED_KFP: asked} if asked not in ("", installed_version("kfp")) else {}
    return {interpreter.RUNTIME: " ".join(list_runtime(source)), **other}


def _find_source(command: list[str]) -> int | None:
    """Where the source of the component stands: after the script that runs KFP's executor on it."""
    for place, word in enumerate(command[:-1]):
        if interpreter.EXECUTOR in word and len(word.split()) > 1:
            return place + 1
    return None


def read_failure(folder: Path, ending: Ending) -> Failure:
    """What the step has said of itself; else how its process has ended."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        text = (folder / interpreter.ERROR_FILE).read_text(encoding="utf-8")
        # Or it says how it was ended then.
        if not (ending.has_lost_leash or ending.memory):
            return Failure(**json.loads(text))
    said = f"the step's process {ending}"
    if is_full(folder):
        said += f"; there is no space left in {tempfile.gettempdir()}: set TMPDIR to another folder"
    return Failure("StepError", said)
