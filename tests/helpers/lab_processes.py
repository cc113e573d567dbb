"""Processes that run a lab's cells, forked from one that has imported what labs import.

Where the system cannot do that, they are fresh ones.
"""

import atexit
import functools
import hashlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import lab_client
import lab_server
from commands import SECONDS, Forked, can_fork
from filelock import FileLock
from waiting import wait_for

from fastkf.base.files import write_text
from fastkf.engine.kernels import PrivateKernelManager

FOLDER = "FASTKF_TEST_LABS"  # of what the processes of one session of tests share
OWNER = "FASTKF_TEST_LABS_OWNER"
CAN_FORK = can_fork(os.environ)
PYTHON = """\
#!/bin/sh
[ "$1 $2" = "-m fastkf.cli" ] && shift && exec {ask} "$@"
exec {python} "$@"
"""


def make_folder() -> None:
    """For this session, in the process that ends last; its workers inherit the variables."""
    os.environ[FOLDER] = folder = tempfile.mkdtemp(prefix="fastkf-labs-")
    os.environ[OWNER] = str(os.getpid())
    # A lab runs as a notebook and as a pipeline, and JAX need not compile the same programs twice.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(folder, "jax"))
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def address_of_server() -> Path:
    """Where the session's server listens; it is started by whoever asks first."""
    folder = Path(os.environ[FOLDER])
    address = folder / "socket"
    with FileLock(folder / "lock"):
        if not address.exists():
            subprocess.Popen(
                [sys.executable, lab_server.__file__, str(address), os.environ[OWNER]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            wait_for(address.exists)
    return address


def launch(module: str, words: list[str], imports: str, folder: Path, **variables: str) -> Forked:
    """`python -m MODULE WORDS...`; its output is text in `stdout`, its errors are among it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control, open(os.devnull) as null:
        control.connect(str(address_of_server()))
        read, write = os.pipe()
        process = Forked(
            control,
            words,
            folder,
            os.environ | variables,
            [null.fileno(), write, write],
            module=module,
            imports=imports,
        )
    os.close(write)
    process.stdout = open(read, encoding="utf-8")  # noqa: SIM115
    return process


def run(
    module: str, words: list[str], imports: str, folder: Path, seconds: float, **variables: str
) -> tuple[int, str]:
    """The same to its end, fresh where it cannot be forked; returns its exit code and output."""
    if not CAN_FORK:
        result = subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=folder,
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        return result.returncode, result.stdout
    process = launch(module, words, imports, folder, **variables)
    try:
        output, _ = process.communicate(timeout=seconds)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process.returncode, output


@functools.cache
def wait_until_imported(imports: str) -> None:
    """So that a kernel answers in time, also where the machine is busy."""
    code, output = run("platform", [], imports, Path.cwd(), SECONDS)
    assert code == 0, output


def words_of_kernel(imports: str) -> list[str]:
    """The command of a kernel, without its arguments.

    Where its cells start `fastkf` with `sys.executable`, that is forked as well.
    """
    wait_until_imported(imports)
    address, folder = address_of_server(), Path(os.environ[FOLDER])
    file = folder / f"{hashlib.sha256(imports.encode()).hexdigest()}.py"
    nothing, python = folder / "nothing.py", folder / "python"
    ask = [sys.executable, "-I", "-S", lab_client.__file__, str(address)]
    write_text(file, imports)
    write_text(nothing, "")
    words = {"ask": shlex.join([*ask, str(nothing)]), "python": shlex.quote(sys.executable)}
    write_text(python, PYTHON.format(**words))
    python.chmod(0o700)
    # It is no child of the process that it could be told to end with.
    return [*ask, str(file), "ipykernel_launcher", "--IPKernelApp.parent_handle=1"]


def describe_kernel(imports: str) -> Path:
    """A folder for JUPYTER_PATH, in which the kernel `python3` is a forked one."""
    command = words_of_kernel(imports)
    folder = Path(os.environ[FOLDER], hashlib.sha256(imports.encode()).hexdigest())
    spec = folder / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    argv = [*command, "-f", "{connection_file}"]
    # By its usual name, which JupyterLab writes into the notebooks that it saves.
    described = {"argv": argv, "display_name": "Python 3 (ipykernel)", "language": "python"}
    write_text(spec, json.dumps(described))
    return folder


class ForkedKernelManager(PrivateKernelManager):
    """Starts a kernel of a lab.

    Attributes:
        imports: the source of the lab's imports.
    """

    imports = ""

    def format_kernel_cmd(self, *words, **options) -> list[str]:
        command = super().format_kernel_cmd(*words, **options)
        return [*words_of_kernel(self.imports), *command[3:]] if CAN_FORK else command
