"""What a step gets for `python3` on this machine: the same commands, isolated, without installs.

`python -m fastkf.engine.warm.interpreter -m MODULE ...` runs MODULE as `python -m MODULE ...` does,
but the paths in /tmp that Kale's code is written for lead to a folder of the step's own. It is what
a worker forked by the warm parent does too, once its interpreter has become the step's.
"""

import atexit
import errno
import json
import os
import runpy
import shlex
import sys
import threading
import traceback
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from packaging.utils import canonicalize_name

from fastkf.base.files import write_text
from fastkf.base.iri import import_jsonschema
from fastkf.base.privileges import obey_permissions

STEP_FOLDER = "FASTKF_STEP_FOLDER"
STUB = "FASTKF_PYTHON"
ERROR_FILE = "error.json"
OBEYS_PERMISSIONS = "FASTKF_OBEYS_PERMISSIONS"  # set for a step that is not root on a cluster
RUNTIME = "FASTKF_RUNTIME"  # names of packages of which a step takes the version that is here
EXECUTOR, KERNEL, PIP = "kfp.dsl.executor_main", "ipykernel_launcher", "pip"
VENV = "venv"
MODULES = (EXECUTOR, KERNEL, PIP, VENV)
# Each release of KFP's SDK has a component install itself; the executor's protocol is the same.
KFP_REPOSITORY = "github.com/kubeflow/pipelines"
OF_KFP = ("kfp", "kfp-pipeline-spec", "kfp-server-api", "kfp-kubernetes")
LONGEST_ERROR = 10_000  # characters of what an exception says
MOST_PARTS = 3  # of an exception group's exceptions that are told
IN_FILE = "fastkf-file:"  # what an argument begins with that is in the file of that name
ACTIVATE = """\
VIRTUAL_ENV={folder}
export VIRTUAL_ENV
PATH="$VIRTUAL_ENV/bin:$PATH"
export PATH
deactivate() {{ :; }}
"""


def run(module: str, arguments: list[str]) -> int:
    """Runs one of the modules a step asks for in this process; returns its exit code."""
    if module == PIP:
        return answer_pip(arguments)
    if module == VENV:
        return answer_venv(arguments)
    if module == EXECUTOR:
        arguments = [_read_argument(one) for one in arguments]
    if OBEYS_PERMISSIONS in os.environ:
        obey_permissions()
    sys.argv = [module, *arguments]
    sys.path[0] = os.getcwd()
    import_jsonschema()  # Kale imports it, in the step and in its kernel
    if module == EXECUTOR:
        _stand_in_for_python()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return _exit_code(end.code)
    except BaseException as error:  # noqa: BLE001 - what a step raises, whatever it is, is its end
        traceback.print_exc()
        write_error(type(error).__name__, words_of(error))
        return 1
    return 0


def answer_pip(arguments: list[str]) -> int:
    """Answers `pip install REQUIREMENT...` by comparing the requirements with what is installed.

    Nothing is installed: the environment is locked, and every step of every run shares it.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    missing = []
    for text in _requirements(arguments):
        if KFP_REPOSITORY in text:
            print(f"fastkf: {text} is asked for; the step runs with kfp {_find_version('kfp')}")
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            missing.append(f"{text} (which is no name of a package)")
            continue
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        installed = _find_version(requirement.name)
        if installed and requirement.specifier.contains(installed, prereleases=True):
            continue
        if installed and canonicalize_name(requirement.name) in _runtime():
            print(f"fastkf: {requirement} is asked for; the step runs with {installed}", flush=True)
            continue
        missing.append(f"{requirement} (here: {installed or 'not installed'})")
    if missing:
        message = (
            f"the step needs {', '.join(missing)}; install it beside the course's packages: "
            f"{sys.executable} -m pip install PACKAGE"
        )
        print(f"fastkf: {message}", file=sys.stderr)
        write_error("MissingPackage", message)
    return 1 if missing else 0


def answer_venv(arguments: list[str]) -> int:
    """Answers `python3 -m venv FOLDER`: an environment whose Python is the step's own.

    In a new one nothing would be installed, and nothing is installed here.
    """
    stub = os.environ[STUB]
    for folder in (Path(one).absolute() for one in arguments if not one.startswith("-")):
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        for name in ("python", "python3"):
            link = folder / "bin" / name
            link.unlink(missing_ok=True)
            link.symlink_to(stub)
        activate = ACTIVATE.format(folder=shlex.quote(str(folder)))
        write_text(folder / "bin" / "activate", activate)
    return 0


def _runtime() -> set[str]:
    """The packages of which the step's author did not choose the version: KFP did."""
    more = os.environ.get(RUNTIME, "").split()
    return {canonicalize_name(one) for one in (*OF_KFP, *more)}


def _find_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _read_argument(text: str) -> str:
    """An argument that may be too long for a command line, and is in a file then."""
    if not text.startswith(IN_FILE):
        return text
    return Path(text.removeprefix(IN_FILE)).read_text(encoding="utf-8")


def _stand_in_for_python() -> None:
    """Has what the step starts as `sys.executable`, its kernel, come back here.

    On the path the stub has done its work: a `python3` of the learner's own is the real one.
    """
    stub = os.environ[STUB]
    sys.executable = stub
    folders = os.environ["PATH"].split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(one for one in folders if one != os.path.dirname(stub))


def words_of(error: BaseException) -> str:
    """What an exception says: its text, notes and parts, and what it was raised from."""
    said = [_text_of(error)]
    said += [note for note in getattr(error, "__notes__", ()) if isinstance(note, str)]
    if isinstance(error, BaseExceptionGroup):
        parts = error.exceptions[:MOST_PARTS]
        said += [f"{type(part).__name__}: {_text_of(part)}" for part in parts]
    if error.__cause__ is not None:
        said.append(f"raised from {type(error.__cause__).__name__}: {_text_of(error.__cause__)}")
    return "; ".join(one for one in said if one)[:LONGEST_ERROR]


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - its author's code, which may raise anything
        return "(it cannot say why: its __str__ fails)"


def write_error(name: str, message: str, **where: str | int | None) -> None:
    """Keeps the first error of the step, for the learner; later ones only follow from it."""
    path = Path(os.environ[STEP_FOLDER], ERROR_FILE)
    if not path.exists():
        write_text(path, json.dumps({"name": name, "message": message, **where}))


def finish(code: int) -> NoReturn:
    """Ends this process as the interpreter would: threads, exit handlers, buffers.

    A forked worker cannot simply return: below it on the stack are the functions of the process
    that it was forked from, which would go on.
    """
    # Threads first: exit handlers close what threads still use.
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:  # what the step has closed itself, the interpreter passes over too
            if error.errno != errno.EBADF:
                raise
    os._exit(code)


def _requirements(arguments: list[str]) -> list[str]:
    """The requirements among the arguments that KFP gives to `pip install`."""
    taking_a_value = ("--index-url", "--extra-index-url", "--trusted-host", "--find-links")
    words = iter(arguments[1:])
    requirements = []
    for word in words:
        if word in taking_a_value:
            next(words, None)
        elif not word.startswith("-"):
            requirements.append(word)
    return requirements


def _exit_code(code: Any) -> int:
    if isinstance(code, int):
        return code & 0xFF
    if code is not None:
        print(code, file=sys.stderr)
    return 0 if code is None else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["-m"] and sys.argv[2] in MODULES:
        finish(run(sys.argv[2], sys.argv[3:]))
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
