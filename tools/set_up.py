"""Makes the environment: .venv, with the packages of requirements.txt and this project.

    python tools/set_up.py               makes .venv ready, unless it is
    python tools/set_up.py lock [ARG]... makes requirements.txt again from pyproject.toml

Runs on a bare Python, before anything is installed. pip installs uv and what packages are built
with; uv, which is faster, installs the rest; where uv cannot, pip does. Everything is checked
against the hashes in requirements.txt. uv does not read pip's configuration, so it is told.
"""

import ast
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ".venv"
LOCK = "requirements.txt"
STAMP = f"{ENVIRONMENT}/ready"  # written last; the Makefile reads it too
NEEDED_GB = 4
HEARTBEAT_SECONDS = 15

# Packages that come as source are built with this one, not with whatever is newest that day.
BUILDER = "setuptools"

# Imported once, in two processes, when everything is installed. This compiles what the labs use,
# in half the time of compiling every file, and shows that it works on this machine.
IMPORTS = (
    (
        "tensorflow",
        "keras",
        "sklearn.ensemble",
        "sklearn.inspection",
        "sklearn.svm",
        "seaborn",
    ),
    (
        "kale.compiler",
        "kfp.client",
        "kfp.compiler",
        "kfp.local",
        "kfp.dsl.executor_main",
        "papermill",
        "ipykernel.kernelapp",
        "nbconvert",
        "jupyterlab.labapp",
        "pytest",
    ),
)
IMPORT = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"

UNREACHABLE = (
    "the package index cannot be reached. Check the network, the proxy, and the index that pip "
    "uses (`pip config list`)"
)
# What a failed command prints, and what it means; the first that is found is the cause.
CAUSES = {
    r"No space left on device|os error 28|Disk quota exceeded": (
        "the disk is full. Free some space; the environment takes 3 GB"
    ),
    r"DO NOT MATCH THE HASHES|Hash mismatch": (
        f"the package index offers a file that is not the one pinned in {LOCK}, so it was not "
        "installed. Ask whoever runs the index that pip uses (`pip config list`), or use another"
    ),
    r"ensurepip is not available": (
        "this Python has no module venv. On Debian and Ubuntu: `apt install python3-venv` (or "
        "python3.12-venv, for Python 3.12). Or name another Python: "
        "`make PYTHON=/path/to/python3.12`"
    ),
    r"Permission denied|Operation not permitted|Read-only file system": (
        "a file cannot be written. Make this folder writable for you"
    ),
    r"Retrying \(Retry|Could not fetch URL|Connection refused|Connection ?Error|ProxyError|"
    r"SSLError|HTTP error|[45]\d\d (Client|Server) Error|timed out": UNREACHABLE,
}

Doing = Callable[[str], str]  # from what a command has printed so far to what it is doing


class SetUpError(Exception):
    """Something that stops the set-up; the text says what is wrong and what to do."""


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if arguments and arguments[0] != "lock":
        print(__doc__)
        return 0 if arguments[0] in ("-h", "--help") else 2
    try:
        with one_at_a_time(PROJECT):
            if arguments:
                make_lock(PROJECT, arguments[1:])
            else:
                set_up(PROJECT)
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"set-up: {explain(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up: stopped. The next `make` does it again.", file=sys.stderr)
        return 130
    return 0


def set_up(project: Path, imports: Iterable[Sequence[str]] = IMPORTS) -> None:
    """Makes the environment ready; returns at once when it is."""
    started = time.monotonic()
    stamp = project / STAMP
    wanted = describe_environment(project)
    present = read_text(stamp) if find_python(project).exists() else ""
    if present == wanted:
        stamp.touch()
        return
    stamp.unlink(missing_ok=True)
    if present.splitlines()[:2] != wanted.splitlines()[:2]:
        check_space(project)
        make_environment(project)
    installer = install(project)
    install_project(project, installer)
    import_once(project, imports)
    stamp.write_text(wanted, encoding="utf-8")
    seconds = time.monotonic() - started
    say(f"ready in {seconds:.0f} s (Python {python_version()}, {installer})")


def say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def find_python(project: Path) -> Path:
    return project / ENVIRONMENT / "bin" / "python"


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def describe_environment(project: Path) -> str:
    """What the stamp of a ready environment says: its folder, its Python, and what it is made of.

    An environment for another folder or Python is made again; one made of something else is
    brought up to date, keeping what its owner added.
    """
    parts = [(project / name).read_bytes() for name in (LOCK, "pyproject.toml")]
    return f"{project}\n{python_version()}\n{hashlib.sha256(b''.join(parts)).hexdigest()}\n"


def check_space(project: Path) -> None:
    free = shutil.disk_usage(project).free / 1e9
    if free < NEEDED_GB:
        raise SetUpError(
            f"the environment needs {NEEDED_GB} GB of disk while it is made, and {project} has "
            f"{free:.1f} GB free. Free some space, then run `make` again."
        )


@contextmanager
def one_at_a_time(project: Path) -> Iterator[None]:
    """Waits while another set-up works in the same folder."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(project / LOCK, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work in this folder; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        yield


def make_environment(project: Path) -> None:
    """Makes an empty environment, in the place of any other."""
    say(f"making {ENVIRONMENT} with Python {python_version()}")
    # Of a virtual environment, the Python it was made from: it may be the one to be replaced.
    python = getattr(sys, "_base_executable", sys.executable)
    command = [python, "-m", "venv", "--clear", str(project / ENVIRONMENT)]
    status, output = run(command, project, lambda _: "still making it")
    if status != 0:
        raise SetUpError(explain(output))


def install(project: Path) -> str:
    """Installs the lock, with uv where that works, else with pip; returns which of them it was."""
    locked = read_lock(project / LOCK)
    say(f"installing uv, then the packages of {LOCK} (0.8 GB to download the first time)")
    problem = install_with_pip(project, [locked["uv"], locked[BUILDER]])
    if problem is None:
        problem = install_with_uv(project, "--require-hashes", "--requirements", LOCK)
        if problem is None:
            return "uv"
        if find_cause(problem) not in (None, UNREACHABLE):  # pip would meet it too
            raise SetUpError(explain(problem))
        make_environment(project)  # without what uv left behind
    elif find_cause(problem) is not None:
        raise SetUpError(explain(problem))
    else:
        del locked["uv"]  # there is none for this machine
    say("uv does not work here; installing with pip, which takes longer")
    for requirements in ([locked[BUILDER]], locked.values()):
        problem = install_with_pip(project, requirements)
        if problem is not None:
            raise SetUpError(explain(problem))
    return "pip"


def read_lock(path: Path) -> dict[str, str]:
    """The lock as one requirement with its hashes for each package."""
    requirements = {}
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line):
            name = match.group().lower()
            requirements.setdefault(name, "")  # versions for different Pythons follow each other
        if requirements and not line.lstrip().startswith("#"):
            requirements[name] += line
    return requirements


def install_with_pip(project: Path, requirements: Iterable[str]) -> str | None:
    """Installs requirements of the lock; returns what pip printed when that failed."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("".join(requirements))
        file.flush()
        options = ["--require-hashes", "--no-deps", "--no-compile", "--requirement", file.name]
        return run_pip(project, *options)


def run_pip(project: Path, *options: str) -> str | None:
    """Runs `pip install`; returns what it printed when it failed."""
    command = [str(find_python(project)), "-m", "pip", "install", "--no-build-isolation"]
    command += ["--no-input", "--progress-bar", "off", "--disable-pip-version-check", *options]

    def doing(printed: str) -> str:
        return f"still installing: {printed.count('Collecting ')} packages found"

    # Some shared machines set PIP_USER, which is wrong here.
    status, output = run(command, project, doing, PIP_USER="0")
    return None if status == 0 else output


def install_with_uv(project: Path, *options: str) -> str | None:
    """Runs `uv pip install`; returns what it printed when it failed."""
    # From its own project uv takes constraints, which it does not accept along with hashes.
    command = ["install", "--no-build-isolation", "--project", os.sep, *options]
    return run_uv(project, *command)


def run_uv(project: Path, *arguments: str) -> str | None:
    """Runs `uv pip ...` with the package index that pip is configured with.

    Shows its progress; returns what it printed when it failed.
    """
    settings = read_pip_settings(project)
    command = [str(project / ENVIRONMENT / "bin" / "uv"), "pip", *arguments]
    command += ["--python", str(find_python(project))]
    command += ["--no-index"] if is_true(settings.get("no-index")) else []
    translated = translate_pip_settings(settings, os.environ, configures_index(os.environ))
    try:
        status, output = run_shown(command, project, **translated)
    except OSError:
        return "uv cannot be started"
    return None if status == 0 else output


def install_project(project: Path, installer: str) -> None:
    """Installs this project as it lies here, with nothing that is not installed yet."""
    options = ["--no-deps", "--editable", "."]
    problem = "not tried"
    if installer == "uv":
        problem = install_with_uv(project, "--quiet", "--offline", *options)
    if problem is not None:
        problem = run_pip(project, "--no-index", *options)
    if problem is not None:
        raise SetUpError(explain(problem))


def make_lock(project: Path, options: Sequence[str]) -> None:
    """Resolves pyproject.toml into the lock, for every supported Python and machine."""
    if not (project / ENVIRONMENT / "bin" / "uv").exists():
        raise SetUpError("this needs the environment: run `make lock`.")
    say(f"resolving pyproject.toml into {LOCK}")
    command = ["compile", "pyproject.toml", "--group", "dev", "--output-file", LOCK]
    command += ["--universal", "--python-version", "3.11", "--generate-hashes"]
    command += ["--no-emit-index-url", "--custom-compile-command", "make lock", *options]
    if run_uv(project, *command) is not None:
        raise SetUpError(f"uv could not resolve pyproject.toml (see above). {LOCK} is as it was.")


def import_once(project: Path, imports: Iterable[Sequence[str]]) -> None:
    """Imports the main packages, so that Python compiles them and later starts are fast."""
    say("starting the packages once, so that they start faster from now on")
    python = str(find_python(project))
    commands = [[python, "-c", IMPORT, *names] for names in imports]
    settings = {"PYTHONDONTWRITEBYTECODE": None, "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "agg"}
    for status, output in run_all(commands, project, lambda _: "still starting", **settings):
        if status != 0:
            said = output.strip().splitlines()[-1:] or [f"exit status {status}"]
            raise SetUpError(
                f"a package is installed but does not start on this machine: {said[0]}\n"
                "Run `make clean` and `make` again; if it stays, name another Python "
                "(`make PYTHON=/path/to/python3.12`)."
            )


# Running commands.


def run(command: Sequence[str], project: Path, doing: Doing, **settings) -> tuple[int, str]:
    """Runs one command to its end; returns its exit status and what it printed."""
    return run_all([command], project, doing, **settings)[0]


def run_all(
    commands: Sequence[Sequence[str]], project: Path, doing: Doing, **settings: str | None
) -> list[tuple[int, str]]:
    """Runs commands side by side, with `settings` in their environment."""
    with ExitStack() as files:
        outputs = [files.enter_context(tempfile.TemporaryFile()) for _ in commands]
        processes: list[subprocess.Popen] = []
        with ending(processes):
            for command, output in zip(commands, outputs, strict=True):
                streams = {"stdout": output, "stderr": subprocess.STDOUT}
                processes.append(start(command, project, settings, **streams))
            wait(processes, lambda: doing(read_output(outputs[0])))
        statuses = [process.returncode for process in processes]
        return list(zip(statuses, map(read_output, outputs), strict=True))


def run_shown(command: Sequence[str], project: Path, **settings: str | None) -> tuple[int, str]:
    """Runs uv to its end, showing its progress, which it prints where errors are printed."""
    terminal = sys.stderr.isatty()
    source, sink = open_terminal() if terminal else os.pipe()
    printed: list[bytes] = []
    processes: list[subprocess.Popen] = []
    with ending(processes):
        try:
            streams = {"stdout": subprocess.DEVNULL, "stderr": sink}
            processes.append(start(command, project, settings, **streams))
        finally:
            os.close(sink)
        reader = threading.Thread(target=show, args=(source, printed), daemon=True)
        reader.start()
        wait(processes, (lambda: "") if terminal else (lambda: "still installing"))
    reader.join(timeout=5)
    return processes[0].returncode, b"".join(printed).decode(errors="replace")


def open_terminal() -> tuple[int, int]:
    """A terminal like the user's, to read from and for a command to print to."""
    source, sink = os.openpty()
    with suppress(OSError):
        termios.tcsetwinsize(sink, termios.tcgetwinsize(sys.stderr))
    return source, sink


def show(source: int, printed: list[bytes]) -> None:
    """Shows what uv prints as it comes, but for its closing list of each package."""
    held = b""
    with suppress(OSError), open(source, "rb", buffering=0) as stream:
        while chunk := stream.read(4096):  # a terminal ends with an error, a pipe with nothing
            printed.append(chunk)
            *lines, held = (held + chunk).split(b"\n")
            lines = [line + b"\n" for line in lines if not LISTED_PACKAGE.match(line)]
            if not held.startswith(b" "):
                lines.append(held)
                held = b""
            sys.stderr.buffer.write(b"".join(lines))
            sys.stderr.flush()


LISTED_PACKAGE = re.compile(rb" (\x1b\[\d+m)?[-+~](\x1b\[\d+m)? ")


def start(
    command: Sequence[str], project: Path, settings: Mapping[str, str | None], **streams
) -> subprocess.Popen:
    """Starts a command in the project; a setting of None takes a variable away."""
    environment = {**os.environ, **settings}
    environment = {name: value for name, value in environment.items() if value is not None}
    return subprocess.Popen(
        command, cwd=project, env=environment, stdin=subprocess.DEVNULL, **streams
    )


def wait(processes: Sequence[subprocess.Popen], doing: Callable[[], str]) -> None:
    """Waits for all processes, telling from time to time what they are doing."""
    started = time.monotonic()
    while not wait_for(processes, HEARTBEAT_SECONDS):
        if text := doing():
            say(f"... {text}, {time.monotonic() - started:.0f} s")


def wait_for(processes: Iterable[subprocess.Popen], seconds: float) -> bool:
    """Whether all processes end within some seconds."""
    until = time.monotonic() + seconds
    try:
        for process in processes:
            process.wait(timeout=max(0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


@contextmanager
def ending(processes: Sequence[subprocess.Popen]) -> Iterator[None]:
    """Ends the processes that still run when the block is left."""
    try:
        yield
    finally:
        running = [process for process in processes if process.poll() is None]
        for process in running:
            process.terminate()
        if not wait_for(running, 5):
            for process in running:
                process.kill()


def read_output(file) -> str:
    """What is in a file, without moving the place where a process goes on writing."""
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode(errors="replace")


def find_cause(output: str) -> str | None:
    return next((cause for sign, cause in CAUSES.items() if re.search(sign, output, re.I)), None)


def explain(output: str) -> str:
    """What is wrong and what to do, from what a failed command printed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"error\b", line, re.I)]
    said = (errors or lines or ["nothing"])[-1]
    if missing := re.search(r"No matching distribution found for (\S+)", output):
        cause = find_cause(output) or (
            f"the package index has no {missing[1]} for this Python and machine. Check the index "
            "that pip uses (`pip config list`)"
        )
    else:
        cause = find_cause(output) or "a command failed. Put right what it says"
    return f"{cause}, then run `make` again.\n  It said: {said}"


# pip's configuration, for uv.

# uv's settings for the index, each as an environment variable. When any is set, or a uv.toml
# says something of the kind, the user has configured uv, and pip's index is left out of it.
UV_INDEX_VARIABLES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
    "UV_CONFIG_FILE",
)
UV_INDEX_KEYS = {"index", "index-url", "extra-index-url", "find-links", "no-index"}


def read_pip_settings(project: Path) -> dict[str, str]:
    """What pip is configured with, from its files and the environment, for `pip install`."""
    command = [str(find_python(project)), "-m", "pip", "config", "list"]
    status, output = run(command, project, lambda _: "still reading pip's configuration")
    return parse_pip_settings(output) if status == 0 else {}


def parse_pip_settings(listed: str) -> dict[str, str]:
    """The output of `pip config list`, the more particular setting before the more general."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        if match := re.match(r"(global|install|:env:)\.([\w-]+)=(['\"].*['\"])$", line):
            sections[match[1]][match[2]] = ast.literal_eval(match[3])
    return {**sections["global"], **sections["install"], **sections[":env:"]}


def configures_index(environ: Mapping[str, str]) -> bool:
    """Whether the user has told uv itself where packages come from."""
    if any(environ.get(variable) for variable in UV_INDEX_VARIABLES):
        return True
    home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    for folder in (home, "/etc", *environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")):
        try:
            settings = tomllib.loads(read_text(Path(folder, "uv", "uv.toml")))
        except tomllib.TOMLDecodeError:
            continue
        if UV_INDEX_KEYS & {*settings, *settings.get("pip", {})}:
            return True
    return False


def translate_pip_settings(
    settings: Mapping[str, str], environ: Mapping[str, str], keep_index: bool = False
) -> dict[str, str]:
    """pip's settings as the environment variables of uv, without those the user has set."""
    found = {
        "SSL_CERT_FILE": settings.get("cert"),
        "SSL_CLIENT_CERT": settings.get("client-cert"),
        "UV_INSECURE_HOST": join(settings.get("trusted-host"), " "),
        "UV_HTTP_TIMEOUT": settings.get("timeout") or settings.get("default-timeout"),
        "UV_NO_CACHE": "1" if is_true(settings.get("no-cache-dir")) else None,
    }
    if settings.get("keyring-provider") == "subprocess":
        found["UV_KEYRING_PROVIDER"] = "subprocess"
    if not any(environ.get(name) or environ.get(name.lower()) for name in PROXIES):
        found |= dict.fromkeys(PROXIES[:2], settings.get("proxy"))
    if not keep_index:
        found["UV_DEFAULT_INDEX"] = settings.get("index-url")
        found["UV_INDEX"] = join(settings.get("extra-index-url"), " ")
        found["UV_FIND_LINKS"] = ",".join(
            os.path.expanduser(place)
            for place in settings.get("find-links", "").split()
            if exists_if_local(place)  # pip passes over what is not there, uv stops
        )
        # pip looks in all its indexes; the hashes say which files are right.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    chosen = {name: value for name, value in found.items() if value and not environ.get(name)}
    return {**chosen, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_VERIFY_HASHES": None}


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def join(values: str | None, separator: str) -> str:
    return separator.join((values or "").split())


def is_true(value: str | None) -> bool:
    return (value or "").lower() in ("1", "true", "t", "yes", "y", "on")


def exists_if_local(place: str) -> bool:
    """False for a folder or file on this machine that is not there."""
    address = urlsplit(place)
    if address.scheme in ("", "file"):
        path = url2pathname(address.path) if address.scheme else os.path.expanduser(place)
        return os.path.exists(path)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
