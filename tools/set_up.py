"""Makes the environment: .venv, with the packages of requirements.txt and this project.

    python tools/set_up.py

Runs on a bare Python, before anything is installed. pip installs uv, and uv, which is faster,
installs the rest; where uv cannot, pip does. Both check every file against the hashes of the lock.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ".venv"
LOCK = "requirements.txt"
NEEDED_GB = 5

# Packages that come as source are built with this one, not with whatever is newest that day.
BUILDER = "setuptools"

# Imported once, so that Python compiles what the labs use: half the time of compiling every file.
IMPORTED = (
    *("tensorflow", "keras", "sklearn.ensemble", "sklearn.svm", "seaborn", "kale.compiler"),
    *("kfp.client", "kfp.compiler", "kfp.local", "kfp.dsl.executor_main", "papermill"),
    *("ipykernel.kernelapp", "nbconvert", "jupyterlab.labapp", "pytest"),
)

# uv's environment variable for each setting of pip that says where packages come from.
UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "no-index": "UV_OFFLINE",  # of which uv has no variable; packages in a folder it finds
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
}


class SetUpError(Exception):
    """Something that stops the set-up; the text says what is wrong and what to do."""


def main() -> int:
    try:
        set_up(PROJECT)
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"set-up: {error}; put that right, then run make again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up: stopped; the next `make` does it again", file=sys.stderr)
        return 1
    return 0


def set_up(project: Path, imported=IMPORTED) -> None:
    """Makes the environment anew.

    Raises:
        SetUpError: with what to do about it.
    """
    began = time.monotonic()
    check_disk(project)
    say(f"making {ENVIRONMENT} with Python {sys.version.split()[0]}")
    run(
        [sys.executable, "-m", "venv", "--clear", str(project / ENVIRONMENT)],
        "making the environment failed; on Debian and Ubuntu: apt install python3-venv",
    )
    install(project)
    say("importing the packages once, so that they start faster from now on")
    import_once(project, imported)
    say(f"ready in {time.monotonic() - began:.0f} s")


def check_disk(project: Path) -> None:
    """Sees that the environment has room; the one that is there makes way for it.

    Raises:
        SetUpError: it has not.
    """
    free = shutil.disk_usage(project).free / 1e9
    if free < NEEDED_GB:
        there = (project / ENVIRONMENT).rglob("*")
        free += sum(path.lstat().st_size for path in there) / 1e9
    if free < NEEDED_GB:
        raise SetUpError(f"needs {NEEDED_GB} GB of disk in {project}, where {free:.1f} GB are free")


def install(project: Path) -> None:
    """Installs the lock and then the project itself, which needs nothing more."""
    say(f"installing the packages of {LOCK} (1.2 GB to download the first time)")
    remedy = (
        "pip could not install the packages; check the network, and the index that pip uses "
        "(pip config list), then run make again"
    )
    pip = [python(project), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # In the project's folder uv would take the constraints of pyproject.toml, which have no hashes.
    with_uv = [python(project), "-m", "uv", "--directory", tempfile.gettempdir()]
    with_uv += ["pip", "install", "--python", python(project)]
    with_uv += ["--no-build-isolation", "--require-hashes", "-r", str(project / LOCK)]
    with_uv += [] if sys.stderr.isatty() else ["--quiet"]  # the bar is for a terminal
    settings = {**uv_settings(project), "UV_INDEX_STRATEGY": "unsafe-best-match"}
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as first:
        first.write(pick(project / LOCK, ("uv", BUILDER)))
        first.flush()
        run([*pip, "--require-hashes", "-r", first.name], remedy)
    try:
        run(with_uv, "uv could not", settings)
    except SetUpError:
        say("uv could not install the packages (see above); pip does, which takes longer")
        run([*pip, "--no-build-isolation", "--require-hashes", "-r", str(project / LOCK)], remedy)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--editable", str(project)]
    run([*pip, *options], "this project itself could not be installed (see above)")


def import_once(project: Path, names) -> None:
    settings = {"PYTHONDONTWRITEBYTECODE": "", "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "agg"}
    result = subprocess.run(
        [python(project), "-c", f"import {', '.join(names)}"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        said = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise SetUpError(
            f"a package does not start here ({said}); try another Python: make PYTHON=... set-up"
        )


def pick(lock: Path, names: tuple[str, ...]) -> str:
    """The lines of the lock, hashes included, for some packages."""
    entries = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(encoding="utf-8"), flags=re.M)
    return "".join(entry for entry in entries if entry.split("==")[0] in names)


def uv_settings(project: Path) -> dict[str, str]:
    """What pip is configured with, for uv, which does not read it; what the user set stays."""
    command = [python(project), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True).stdout
    found = {}
    for section in ("global", "install", ":env:"):  # what pip reads later wins
        pattern = rf"^{section}\.(?:default-)?([\w-]+)=(['\"].*['\"])$"
        for name, value in re.findall(pattern, listed, re.M):
            values = ast.literal_eval(value).split()
            if name == "find-links":  # pip passes over what is not there, uv stops
                values = [complete(place) for place in values if is_there(place)]
            variable = UV_VARIABLES.get(name)
            if variable and values and not os.environ.get(variable):
                found[variable] = ("," if name == "find-links" else " ").join(values)
    return found


def is_there(place: str) -> bool:
    """False for a folder on this machine that is missing."""
    address = urlsplit(place)
    return address.scheme not in ("", "file") or Path(url2pathname(address.path)).exists()


def complete(place: str) -> str:
    """A folder on this machine from its root on, as uv starts in another folder than pip."""
    return place if urlsplit(place).scheme else str(Path(place).resolve())


def python(project: Path) -> str:
    return str(project / ENVIRONMENT / "bin" / "python")


def say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def run(command: list[str], remedy: str, settings: dict | None = None) -> None:
    environment = {**os.environ, "PIP_USER": "0", **(settings or {})}
    result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise SetUpError(remedy)


if __name__ == "__main__":
    sys.exit(main())
