"""What this user's settings of pip say of where packages come from, for uv, which has its own."""

import ast
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 30.0
AT_HOME = {
    "PIP_CONFIG_FILE": (".config/pip/pip.conf", ".pip/pip.conf"),
    "PIP_CACHE_DIR": (".cache/pip", "Library/Caches/pip"),
    "UV_CONFIG_FILE": (".config/uv/uv.toml",),
    "UV_CACHE_DIR": (".cache/uv",),
}
VALUED = ("index-url", "extra-index-url", "find-links", "trusted-host")
SWITCHES = ("no-index", "pre")


@dataclass(frozen=True)
class PipSettings:
    """As options and variables of uv."""

    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))


def read_pip_settings() -> PipSettings:
    """pip itself is asked: it alone knows where its files are, and which of them counts."""
    settings = PipSettings()
    try:
        said = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):  # there may be no pip
        return settings
    found: dict[str, str] = {}
    for line in said.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in ("global", "install", ":env:"):
            found[key] = _read(value)
    for key, value in found.items():
        if key in VALUED:
            settings.options.extend(word for one in value.split() for word in (f"--{key}", one))
        elif key in SWITCHES and value.lower() in ("1", "true", "yes", "on"):
            settings.options.append(f"--{key}")
        elif key == "cert":
            settings.environment.setdefault("SSL_CERT_FILE", value)
        elif key == "proxy":
            settings.environment.setdefault("ALL_PROXY", value)
    return settings


def find_at_home() -> dict[str, str]:
    """Variables with which pip and uv find this user's settings and caches from another home."""
    try:
        home = Path.home()
    except RuntimeError:  # there is none
        return {}
    found = {
        name: [path for path in paths if (home / path).exists()] for name, paths in AT_HOME.items()
    }
    return {name: str(home / paths[0]) for name, paths in found.items() if paths}


def _read(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (SyntaxError, ValueError):
        return value
