"""Tells uv what the package of the lock needs: each line of requirements.txt that names a version.

A build backend of PEP 517, as small as one can be: there is nothing to build, so uv only asks for
the metadata.
"""

import re
from pathlib import Path

LOCK = Path(__file__).resolve().parents[2] / "requirements.txt"
PIN = re.compile(r"^([A-Za-z0-9].*?) *\\?$", re.M)


def prepare_metadata_for_build_wheel(folder: str, config_settings: dict | None = None) -> str:
    information = Path(folder) / "fastkf_lock-0.dist-info"
    information.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: fastkf-lock", "Version: 0"]
    lines += [f"Requires-Dist: {pin}" for pin in PIN.findall(LOCK.read_text(encoding="utf-8"))]
    (information / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return information.name
