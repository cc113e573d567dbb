"""Tiny packages for tests: a folder of wheels in place of an index."""

import zipfile
from pathlib import Path


def make_wheel(folder: Path, name: str, version: str, requires=(), files=None) -> Path:
    """A wheel of one module, NAME.py, that has its version, and of other files."""
    folder.mkdir(parents=True, exist_ok=True)
    path, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {one}\n" for one in requires)
    contents = {
        f"{name}.py": f"version = {version!r}\n",
        **(files or {}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents[f"{info}/RECORD"] = "".join(f"{one},,\n" for one in [*contents, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as file:
        for one, text in contents.items():
            file.writestr(one, text)
    return path
