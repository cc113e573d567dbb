"""An environment with the Kale of MiniKF's time, made once, on a Python 3.7 or 3.8 found here."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest
from filelock import FileLock
from uv import find_uv_bin

FILES = Path(__file__).parents[1] / "kale_0_5"
LOCK = FILES / "requirements.txt"
PARSERS = {version: FILES / f"parser_{version}.txt" for version in ("0.2", "0.3", "0.4")}
SCRIPT = FILES / "old_kale.py"
VERSIONS = ("3.7", "3.8")
NONE = (
    f"no Python {' or '.join(VERSIONS)} here (PATH, pyenv, uv), and Kale 0.5.1 needs one: "
    "`uv python install 3.8` gets it"
)


def find_python() -> Path | None:
    """A Python 3.7 or 3.8 on PATH, in pyenv, or that uv knows."""
    for version in VERSIONS:
        for candidate in candidates(version):
            if candidate and version_of(candidate) == version:
                return Path(candidate)
    return None


def candidates(version: str):
    yield shutil.which(f"python{version}")
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(root.glob(f"versions/{version}.*/bin/python"))
    command = [find_uv_bin(), "python", "find", "--no-project", version]
    yield subprocess.run(command, capture_output=True, text=True).stdout.strip()


def version_of(python) -> str:
    """Its version; empty where it does not run, as a shim of pyenv may not."""
    command = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


class OldKale:
    """Old Kale in an environment of its own; a new one whenever the lock changes."""

    def __init__(self, python: Path):
        files = [LOCK, *PARSERS.values()]
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
        cache = platformdirs.user_cache_path("fast-kubeflow", ensure_exists=True)
        self.folder = cache / f"kale-0.5.1-{digest}"
        with FileLock(f"{self.folder}.lock"):
            if not (self.folder / "ready").exists() or version_of(self.python) not in VERSIONS:
                self._make(python)

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def read(self, version: str, notebooks: list[Path], folder: Path) -> dict[str, dict]:
        """Each notebook as the parser of Kale `version` (0.2 to 0.5) sees it."""
        answer = folder / f"parsed_{version}.json"
        path = {} if version == "0.5" else {"PYTHONPATH": str(self.folder / version)}
        self._call(["read", answer, *notebooks], folder, {"OLD_KALE": version, **path})
        return json.loads(answer.read_text())

    def compile(self, notebooks: list[Path], folder: Path) -> None:
        """Writes <notebook>.yaml, the Argo workflow, or <notebook>.error into the folder."""
        self._call(["compile", folder, *notebooks], folder, {})

    def _call(self, words: list, folder: Path, variables: dict) -> None:
        subprocess.run(
            [self.python, "-W", "ignore", SCRIPT, *words],
            cwd=folder,  # where old Kale leaves its log
            env={**os.environ, **variables},
            check=True,
            capture_output=True,
            timeout=300,
        )

    def _make(self, python: Path) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        run_uv("venv", "--python", python, self.folder)
        install = ["pip", "install", "--python", self.python, "--no-deps", "--require-hashes"]
        run_uv(*install, "-r", LOCK)
        for version, file in PARSERS.items():
            run_uv(*install, "--target", self.folder / version, "-r", file)
        (self.folder / "ready").touch()


def run_uv(*words) -> None:
    # Not by the settings in pyproject.toml: its constraints are the course's, and have no hashes.
    command = [find_uv_bin(), "--no-config", "--quiet", *map(str, words)]
    settings = {**os.environ, "UV_INDEX_STRATEGY": "unsafe-best-match"}
    result = subprocess.run(command, capture_output=True, text=True, env=settings, timeout=900)
    if result.returncode:
        print(result.stderr, file=sys.stderr)
        raise RuntimeError(f"uv {words[0]} failed: {result.stderr[-2000:]}")


def get_old_kale() -> OldKale:
    """The environment; skips the test where there is no Python for it."""
    python = find_python()
    if python is None:
        pytest.skip(NONE)
    return OldKale(python)
