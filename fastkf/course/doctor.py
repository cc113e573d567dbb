"""Says what on this machine is ready for the labs and what is not, and what to do about it."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from fastkf.base.diagnosis import Check
from fastkf.base.endpoint import ENDPOINT_VARIABLE, HEALTH, find_endpoint
from fastkf.base.errors import FastkfError
from fastkf.course import data, places
from fastkf.package.pins import Pins

PYTHONS = ((3, 11), (3, 13))  # the oldest and the newest that the project supports
RUN_GB, SET_UP_GB = 1, 4
PATIENCE = 2.5  # seconds for what asks another program or machine


def diagnose() -> list[Check]:
    """Looks at everything, at once; takes three seconds at most and never raises."""
    looks = {
        "Python": check_python,
        "Packages": check_packages,
        "Data": check_data,
        "Disk": check_disk,
        "Docker": check_docker,
        "kubectl": check_kubectl,
        "Kubeflow": check_endpoint,
    }
    found: dict[str, list[Check]] = {}
    threads = [
        threading.Thread(target=look, args=(name, check, found), daemon=True)
        for name, check in looks.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE + 0.3)
    late = "took too long to look at"
    return [
        check
        for name in looks
        for check in found.get(name, [Check(name, None, late, "Run `fastkf doctor` again.")])
    ]


def look(
    name: str, check: Callable[[], Check | list[Check]], found: dict[str, list[Check]]
) -> None:
    """Puts what a check finds into `found`; what goes wrong in it is a finding too."""
    try:
        checks = check()
    except Exception as error:
        checks = Check(
            name,
            False,
            f"cannot be looked at ({type(error).__name__}: {error})",
            "Put right what it says, then run `fastkf doctor` again.",
        )
    found[name] = checks if isinstance(checks, list) else [checks]


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    text = ".".join(map(str, version))
    oldest, newest = (".".join(map(str, supported)) for supported in PYTHONS)
    if PYTHONS[0] <= version[:2] <= PYTHONS[1]:
        return Check("Python", True, text)
    return Check(
        "Python",
        False,
        f"{text} is not supported",
        f"Install Python {oldest} to {newest}, then `make PYTHON=/path/to/it set-up`.",
    )


def check_packages(lock: Path = places.LOCK) -> Check:
    """Compares what is installed with the lock."""
    try:
        locked = Pins.from_lock(lock).versions
    except FastkfError as error:
        remedy = f"`git checkout {lock.name}` in {lock.parent}"
        return Check("Packages", False, f"{lock} cannot be read ({error})", remedy)
    installed = {name: find_version(name) for name in locked}
    missing = [f"{name} {locked[name]}" for name in locked if installed[name] is None]
    different = [
        f"{name} {version} (locked: {locked[name]})"
        for name, version in installed.items()
        if version not in (None, locked[name])
    ]
    if not missing and not different:
        return Check("Packages", True, f"all {len(locked)} as locked")
    parts = [f"{len(missing)} missing: {shorten(missing)}"] * bool(missing)
    parts += [f"{len(different)} different: {shorten(different)}"] * bool(different)
    return Check("Packages", False, "; ".join(parts), advise_install(lock))


def advise_install(lock: Path) -> str:
    """How to bring the packages to the lock, in .venv or in an environment of the user's own."""
    if Path(sys.prefix).resolve() == places.PROJECT / ".venv":
        return f"`make clean set-up` in {places.PROJECT}"
    return f"`{sys.executable} -m pip install --require-hashes -r {lock}`"


def find_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def shorten(items: list[str], most: int = 4) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def check_data(sources: Path = data.SOURCES, root: Path = places.DATA) -> list[Check]:
    """Looks at the data sets. One that is not there yet is fetched by the lab that needs it."""
    return [check_data_set(source, root) for source in data.read_sources(sources).values()]


def check_data_set(source: data.Source, root: Path) -> Check:
    name, folder = f"Data {source.name}", root / source.name
    state = data.inspect(source, root)
    if state == data.READY:
        return Check(name, True, f"verified in {folder}")
    if state == data.MISSING:
        return Check(name, None, "not fetched yet", f"`fastkf data {source.name}`")
    return Check(
        name,
        False,
        f"a file in {folder} is not the one the lab expects",
        f"Move {folder} away or delete it, then `fastkf data {source.name}`.",
    )


def check_disk(folder: Path = places.PROJECT) -> Check:
    free = shutil.disk_usage(folder).free / 1e9
    if free >= RUN_GB:
        return Check("Disk", True, f"{free:.0f} GB free in {folder}")
    return Check(
        "Disk",
        False,
        f"{free:.1f} GB free in {folder}",
        f"Free some space: runs take up to {RUN_GB} GB, setting up {SET_UP_GB} GB. "
        "Old runs can be deleted from runs/.",
    )


def check_docker() -> Check:
    if shutil.which("docker") is None:
        remedy = "Only labs that build images need it: https://docs.docker.com/get-docker/"
        return Check("Docker", None, "not installed", remedy)
    status, said = ask(["docker", "version", "--format", "{{.Server.Version}}"])
    if status == 0:
        return Check("Docker", True, f"engine {said}")
    remedy = "Start Docker (Docker Desktop, or `sudo systemctl start docker`)."
    return Check("Docker", None, f"installed, but no engine answers ({said})", remedy)


def check_kubectl() -> Check:
    if shutil.which("kubectl") is None:
        remedy = "Only labs on a cluster need it: https://kubernetes.io/docs/tasks/tools/"
        return Check("kubectl", None, "not installed", remedy)
    status, context = ask(["kubectl", "config", "current-context"])
    if status != 0:
        remedy = "`kubectl config use-context NAME`, once you have a cluster."
        return Check("kubectl", None, "installed, but no cluster is chosen", remedy)
    status, said = ask(["kubectl", "get", "--raw", "/readyz", "--request-timeout=2s"], 2.2)
    if status == 0:
        return Check("kubectl", True, f"cluster {context} answers")
    remedy = "Start the cluster, or choose another with `kubectl config use-context NAME`."
    return Check("kubectl", None, f"cluster {context} does not answer ({said})", remedy)


def ask(command: list[str], seconds: float = PATIENCE) -> tuple[int, str]:
    """The exit status of a command and the last line it printed."""
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return 1, f"no answer in {seconds:g} seconds"
    except OSError as error:
        return 1, error.strerror or str(error)
    lines = answer.stdout.strip().splitlines() or [f"exit status {answer.returncode}"]
    return answer.returncode, lines[-1]


def check_endpoint(seconds: float = PATIENCE) -> Check:
    """Asks Kubeflow Pipelines how it is, where one is named."""
    endpoint, named_by = find_endpoint(os.environ)
    if endpoint is None:
        remedy = f"Only runs on a cluster need one: `export {ENDPOINT_VARIABLE}=http://HOST:PORT`."
        return Check("Kubeflow", None, "no endpoint is named", remedy)
    where = f"{endpoint} ({named_by})"
    try:
        health = read_health(endpoint, seconds)
    except urllib.error.HTTPError as error:
        problem = f"answers {error.code} {error.reason}"
        remedy = "Check the address"
        if error.code in (401, 403):
            remedy = "Log in as your Kubeflow asks, and tell Kale how (its panel, or its config)"
    except (OSError, ValueError, http.client.HTTPException) as error:
        problem = f"does not answer ({getattr(error, 'reason', error)})"
        remedy = "Check the address, and that Kubeflow runs and its port is forwarded"
    else:
        if health is not None:
            # The API's own server, and that of the pages, name it differently.
            version = health.get("tag_name") or health.get("apiServerTagName")
            version = version or "of an unknown version"
            return Check("Kubeflow", True, f"Pipelines {version} answers at {where}")
        problem = "answers, but not as Kubeflow Pipelines does (a login page?)"
        remedy = "Check the address, and log in if your Kubeflow asks for it"
    return Check("Kubeflow", None, f"{where} {problem}", f"{remedy}; {named_by} names it.")


def read_health(endpoint: str, seconds: float) -> dict | None:
    """What Kubeflow Pipelines says of its health; None when something else answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # like kfp's client
    with direct.open(f"{endpoint}{HEALTH}", timeout=seconds) as answer:
        try:
            health = json.load(answer)
        except ValueError:
            return None
    return health if isinstance(health, dict) else None
