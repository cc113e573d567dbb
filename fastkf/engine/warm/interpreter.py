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
import site
import subprocess
import sys
import sysconfig
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from fastkf.base import mounts
from fastkf.base.files import write_text
from fastkf.base.iri import import_jsonschema
from fastkf.base.privileges import obey_permissions
from fastkf.package.installs import find_lack, is_free, read_install
from fastkf.package.pins import installed_version

STEP_FOLDER = "FASTKF_STEP_FOLDER"
STUB = "FASTKF_PYTHON"
ERROR_FILE = "error.json"
KEEPERS = "keepers"  # in its folder: the numbers of the processes that keep its workers
MOUNTS = "FASTKF_MOUNTS"  # folders that the step sees elsewhere, as `fastkf.base.mounts` has them
KEPT = "FASTKF_KEPT"  # paths that it sees all the same
MOUNTED = "FASTKF_MOUNTED"  # the namespace in which that is done
OBEYS_PERMISSIONS = "FASTKF_OBEYS_PERMISSIONS"  # set for a step that is not root on a cluster
LAYER = "FASTKF_LAYER"  # the folder of the step's own layer, as `fastkf.engine.layer` makes it
OWN_STUB = "FASTKF_OWN_PYTHON"  # the layer's Python, but for kernels, which are isolated as steps
OFFLINE = "FASTKF_OFFLINE"  # nothing is fetched
PRESENT = "FASTKF_PRESENT"  # the words after python3 of installs of which all is here, one a line
RUNTIME = "FASTKF_RUNTIME"  # names of packages of which a step takes the version that is here
EXECUTOR, KERNEL, PIP = "kfp.dsl.executor_main", "ipykernel_launcher", "pip"
VENV = "venv"
MODULES = (EXECUTOR, KERNEL, PIP, VENV)
LONGEST_ERROR = 10_000  # characters of what an exception says
MOST_PARTS = 3  # of an exception group's exceptions that are told
ASKED_KFP = "FASTKF_ASKED_KFP"  # the version that the step asks for, where another is here
OWN_KFP = "the kfp that is installed here"
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
    if not _mount():
        return 1
    if OBEYS_PERMISSIONS in os.environ:
        obey_permissions()
    sys.argv = [module, *arguments]
    sys.path[0] = os.getcwd()
    _become_layer()
    import_jsonschema()  # Kale imports it, in the step and in its kernel
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return _exit_code(end.code)
    except BaseException as error:  # noqa: BLE001 - what a step raises, whatever it is, is its end
        traceback.print_exc()
        write_error(type(error).__name__, words_of(error), remedy=_find_remedy(error))
        return 1
    return 0


def _find_remedy(error: BaseException) -> str | None:
    """What to do where a step of another release looks for what the KFP that is here has not."""
    asked, owner = os.environ.get(ASKED_KFP), getattr(error, "obj", None)
    if isinstance(error, ImportError):
        place = error.name
    elif isinstance(owner, ModuleType):
        place = owner.__name__
    else:
        place = getattr(owner, "__module__", None)
    if not asked or not isinstance(place, str) or place.partition(".")[0] != "kfp":
        return None
    here = installed_version("kfp")
    return (
        f"the package asks for kfp {asked}, and its steps run with kfp {here}, which is installed "
        "here: what is not public in KFP differs from release to release. Use its public names in "
        f"the step, or compile the package with kfp {here}"
    )


def _mount() -> bool:
    """Makes the step's mounts, unless this process has them from the one that has started it."""
    if MOUNTS not in os.environ or os.environ.get(MOUNTED) == mounts.name_namespace():
        return True
    asked = mounts.load(os.environ[MOUNTS])
    try:
        mounts.enter(asked, json.loads(os.environ[KEPT]))
    except OSError as error:
        paths = ", ".join(one.target for one in asked)
        message = f"this machine lets nobody mount a folder at {paths} ({error})"
        print(f"fastkf: {message}", file=sys.stderr)
        write_error("", message)
        return False
    os.environ[MOUNTED] = mounts.name_namespace()
    mounts.name_tmp(asked, os.path.join(os.environ[STEP_FOLDER], "tmp"), os.environ)
    return True


def answer_pip(arguments: list[str]) -> int:
    """Answers `pip install REQUIREMENT...`: what is here, need not be installed.

    What is not, pip installs into the step's own layer: the environment is locked, and every step
    of every run shares it.
    """
    if arguments[:1] != ["install"] or not (asked := read_install(arguments[1:])).is_known:
        return _run_pip(arguments)
    lacks = dict(_find_lacks(asked.requirements))
    if not lacks and "--requirement" not in asked.options:
        return 0
    if OFFLINE in os.environ:
        missing = ", ".join(f"{text} ({lack})" for text, lack in lacks.items())
        message = f"the step needs {missing or 'what a file names'}, and nothing is fetched offline"
        print(f"fastkf: {message}", file=sys.stderr)
        write_error("MissingPackage", message)
        return 1
    wanted = [word for word in arguments if word not in asked.requirements or word in lacks]
    return _run_pip(wanted)


def _find_lacks(requirements: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    runtime = os.environ.get(RUNTIME, "").split()
    for text in requirements:
        lack = find_lack(text)
        if lack and is_free(text, runtime):
            here = lack.removeprefix("here: ") if lack.startswith("here: ") else OWN_KFP
            print(f"fastkf: {text} is asked for; the step runs with {here}", flush=True)
        elif lack:
            yield text, lack


def _run_pip(arguments: list[str]) -> int:
    """Runs pip itself, in the step's own layer."""
    sys.stdout.flush()
    python = Path(os.environ[LAYER], "bin", "python3")
    ended = subprocess.run([python, "-m", "pip", *arguments], check=False)
    if ended.returncode and arguments[:1] == ["install"]:
        words = shlex.join(arguments[1:])
        write_error("MissingPackage", f"pip cannot install what the step asks for: {words}")
    return ended.returncode & 0xFF


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


def _read_argument(text: str) -> str:
    """An argument that may be too long for a command line, and is in a file then."""
    if not text.startswith(IN_FILE):
        return text
    return Path(text.removeprefix(IN_FILE)).read_text(encoding="utf-8")


def _become_layer() -> None:
    """Makes this the Python of the step's layer, as site(3) does when one starts.

    The step's kernel, which it starts as `sys.executable`, comes back here. On the path the stub
    has done its work.
    """
    layer = os.environ[LAYER]
    sys.prefix = sys.exec_prefix = layer
    where = dict.fromkeys(("prefix", "exec_prefix", "base", "platbase"), layer)
    sysconfig.get_config_vars().update(where)
    packages = sysconfig.get_path("purelib")
    if packages not in sys.path:
        here = [sys.path.index(one) for one in site.getsitepackages() if one in sys.path]
        sys.path.insert(min(here, default=len(sys.path)), packages)
    sys.executable = os.environ[OWN_STUB]
    stubs = os.path.dirname(os.environ[STUB])
    folders = os.environ["PATH"].split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(one for one in folders if one != stubs)
    # For what the step starts, not for pip as a module in this process, which would end with it.
    os.environ.pop("PIP_PYTHON", None)
    os.putenv("PIP_PYTHON", os.path.join(layer, "bin", "pip-python"))


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
    _wait_for_control_thread()
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:  # what the step has closed itself, the interpreter passes over too
            if error.errno != errno.EBADF:
                raise
    os._exit(code)


def _wait_for_control_thread() -> None:
    """Waits until a kernel's thread for shutdown requests has answered the one that ends it.

    The thread flushes the output after it has stopped the kernel's loop. Where the kernel's exit
    handler (ipykernel/kernelapp.py, `close`) has ended the thread that carries the output by then,
    it would wait for that for ten seconds, and the handler for it.
    """
    kernel = sys.modules.get("ipykernel.kernelapp")
    if kernel is None or not kernel.IPKernelApp.initialized():
        return
    thread = kernel.IPKernelApp.instance().control_thread
    if thread is None:  # it has not come to start one
        return
    has_answered = threading.Event()
    thread.io_loop.add_callback(has_answered.set)  # its loop does one thing after the other
    while thread.is_alive() and not has_answered.wait(0.01):
        pass


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
