"""Says what on this machine is ready for the labs and what is not, and what to do about it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from importlib import metadata
from pathlib import Path

import httpx
from packaging.requirements import Requirement

from fastkf.base import local_server
from fastkf.base.diagnosis import Check
from fastkf.base.endpoint import ENDPOINT_VARIABLE, HEALTH, find_endpoint
from fastkf.base.errors import FastkfError
from fastkf.base.local_server import ForeignServerError
from fastkf.course import data, places
from fastkf.package.pins import Pins

PYTHONS = ((3, 11), (3, 13))  # the oldest and the newest that the project supports
RUN_GB, SET_UP_GB = 1, 5
OWN_VERSION = "fastkf-"  # how that of `fastkf server` begins
PATIENCE = 2.5  # seconds for what asks another program or machine


def diagnose() -> list[Check]:
    """Looks at everything, at once; takes three seconds at most and never raises."""
    looks: dict[str, Callable[[], Check | list[Check]]] = {
        "Python": check_python,
        "Course": check_course,
        "Packages": check_packages if places.COURSE else check_core,
        "Data": check_data,
        "Disk": check_disk,
        "Docker": check_docker,
        "kubectl": check_kubectl,
        "Kubeflow": check_endpoint,
    }
    pool = ThreadPoolExecutor(len(looks))
    found = {name: pool.submit(check) for name, check in looks.items()}
    wait(found.values(), PATIENCE + 0.3)
    pool.shutdown(wait=False)
    return [check for name, future in found.items() for check in read_finding(name, future)]


def read_finding(name: str, future: Future[Check | list[Check]]) -> list[Check]:
    """What a check has found; that it broke, or is not done yet, is a finding too."""
    if not future.done():
        return [Check(name, None, "took too long to look at", "Run `fastkf doctor` again.")]
    if error := future.exception():
        detail = f"cannot be looked at ({type(error).__name__}: {error})"
        remedy = "Put right what it says, then run `fastkf doctor` again."
        return [Check(name, False, detail, remedy)]
    found = future.result()
    return found if isinstance(found, list) else [found]


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


def check_course(folder: Path | None = places.COURSE) -> Check:
    """Says which folder of the course is used."""
    if folder is None:
        remedy = (
            f"Only the labs need it: run in its folder, or let {places.COURSE_VARIABLE} name it."
        )
        return Check("Course", None, "not here", remedy)
    if not places.is_course(folder):
        remedy = (
            f"Let {places.COURSE_VARIABLE} name a folder with data/sources.toml and notebooks/."
        )
        return Check("Course", False, f"{folder} is no folder of the course", remedy)
    return Check("Course", True, str(folder))


def check_core() -> Check:
    """Compares what is installed with what this package asks for, where there is no lock."""
    wanted = [Requirement(text) for text in metadata.requires("fastkf") or []]
    wanted = [one for one in wanted if not one.marker or one.marker.evaluate({"extra": ""})]
    wrong = [
        f"{one} ({version or 'missing'})"
        for one in wanted
        if not ((version := find_version(one.name)) and one.specifier.contains(version, True))
    ]
    if not wrong:
        return Check("Packages", True, f"all {len(wanted)} that fastkf asks for")
    remedy = f"`{sys.executable} -m pip install --upgrade fastkf`"
    return Check("Packages", False, f"not as fastkf asks for: {shorten(wrong)}", remedy)


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
    parts = [f"{len(missing)} missing: {shorten(missing)}"] if missing else []
    parts += [f"{len(different)} different: {shorten(different)}"] if different else []
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
    if not sources.exists() and not places.COURSE:
        return []
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


def check_disk(folder: Path = places.COURSE or Path()) -> Check:
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
        response = ask_health(endpoint, seconds)
    except ForeignServerError as error:
        return Check("Kubeflow", False, error.problem, error.remedy or "")
    except (FastkfError, OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        problem = f"does not answer ({error or type(error).__name__})"
        remedy = "Check the address, and that Kubeflow runs and its port is forwarded"
    else:
        if response.is_success and (health := read_health(response)) is not None:
            # The API's own server, and that of the pages, name it differently.
            version = health.get("tag_name") or health.get("apiServerTagName")
            version = version or "of an unknown version"
            if str(version).startswith(OWN_VERSION) and not local_server.find_folder(endpoint):
                problem = f"{where} answers as fastkf server, and has not proven to be yours"
                remedy = f"If it is, let {local_server.VARIABLE} name its folder."
                return Check("Kubeflow", None, problem, remedy)
            return Check("Kubeflow", True, f"Pipelines {version} answers at {where}")
        problem, remedy = describe_response(response)
    return Check("Kubeflow", None, f"{where} {problem}", f"{remedy}; {named_by} names it.")


def ask_health(endpoint: str, seconds: float) -> httpx.Response:
    """What answers there; not through a proxy, as kfp's client does not use one either.

    Raises:
        FastkfError: it is this machine's own server, and does not prove to be this user's.
    """
    folder = local_server.find_folder(endpoint)
    headers = local_server.authorize(folder, endpoint) if folder else {}
    with httpx.Client(transport=httpx.HTTPTransport(), timeout=seconds) as client:
        return client.get(f"{endpoint}{HEALTH}", headers=headers, follow_redirects=True)


def read_health(response: httpx.Response) -> dict[str, object] | None:
    """What Kubeflow Pipelines says of its health; None when something else answers."""
    try:
        health = response.json()
    except ValueError:
        return None
    return health if isinstance(health, dict) else None


def describe_response(response: httpx.Response) -> tuple[str, str]:
    """What is wrong with a response, and what to do."""
    if response.is_success:
        problem = "answers, but not as Kubeflow Pipelines does (a login page?)"
        return problem, "Check the address, and log in if your Kubeflow asks for it"
    problem = f"answers {response.status_code} {response.reason_phrase}"
    if response.status_code in (401, 403):
        return problem, "Log in as your Kubeflow asks, and tell Kale how (its panel, or its config)"
    return problem, "Check the address"
