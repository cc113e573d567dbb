"""The Dockerfile of an image for a notebook's steps: what they find in their folder, and import.

Both files are for a build in the notebook's folder. Names go into them that others have given, so
they are compared with what the syntax of both takes as plain text.
"""

import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from fastkf.base.errors import FastkfError, UsageError
from fastkf.notebook.brought import brought_files, top_names
from fastkf.notebook.check.modules import installed_packages
from fastkf.notebook.composition import whole
from fastkf.notebook.fields import IMAGE
from fastkf.notebook.model import Notebook
from fastkf.package.pins import Pins

# What neither a Dockerfile's COPY, nor .dockerignore, nor a shell's quotes take for a sign.
PLAIN = re.compile(r"(?![-!#~ ])[\w.@%+=,:~ -]+(?<! )(/[\w.@%+=,:~ -]+(?<! ))*")
USER = "65534:0"  # numbers, so that Kubernetes can see that it is not root
START = "/opt/steps"


@dataclass(frozen=True)
class Base:
    """The image that another one is made of.

    Attributes:
        start: the folder that its steps start in; one is made where it is not known.
        packages: what it has already, by canonical names.
    """

    image: str
    start: str = START
    packages: frozenset[str] = frozenset()


def write_dockerfile(notebook: Notebook, base: Base, pins: Pins) -> str:
    """The text of the Dockerfile.

    Raises:
        UsageError: what is brought cannot be; a name that these files cannot hold.
        FastkfError: which packages the notebook imports cannot be told.
    """
    if not base.image or not IMAGE.takes(base.image):
        raise UsageError(f"{base.image!r}: give {IMAGE.words}")
    name = re.sub(r"[^a-z0-9]+", "-", notebook.pipeline_name.lower()).strip("-") or "steps"
    together = whole(notebook)
    parts = [
        f"# The image of the steps of {json.dumps(notebook.path.name)}. Build it in this folder,\n"
        "# push it to where your cluster gets its images, and give its name to `fastkf submit`:\n"
        f"#     docker build -t REGISTRY/{name}-steps:1 .\n"
        f"#     docker push REGISTRY/{name}-steps:1\n"
        f"#     fastkf submit NOTEBOOK --image REGISTRY/{name}-steps:1",
        f"FROM {base.image}\nUSER 0\nWORKDIR {base.start}",
        _install(notebook, base, pins),
        _copy(_plain_names(together), brought_files(together)),
        "# Kale has its steps run as this user, who may write to /tmp alone.\n"
        f"ENV HOME=/tmp\nUSER {USER}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_dockerignore(notebook: Notebook) -> str:
    """The text of .dockerignore: nothing goes to the build but what is copied.

    Raises:
        UsageError: as above.
    """
    names = [f"!{name}" for name in _plain_names(whole(notebook))]
    lines = ["# Nothing but what the Dockerfile copies.", "*", *names, "**/__pycache__"]
    return "\n".join(lines) + "\n"


def _plain_names(notebook: Notebook) -> tuple[str, ...]:
    """What is named, when both files can hold the names, and those of what is in folders."""
    names = top_names(notebook)
    for name in (*names, *brought_files(notebook)):
        if not PLAIN.fullmatch(name):
            raise UsageError(f"{name!r}: a name that a Dockerfile cannot hold", "rename it")
    return names


def _copy(names: Iterable[str], files: tuple[str, ...]) -> str:
    """The instructions for what is brought, each to its place.

    The files keep the owner's rights only, if that is all that they have, so they are opened.
    """
    lines = []
    for name in names:
        place = f"./{name}" if name in files else f"./{name}/"
        lines.append(f"COPY {json.dumps([place, place], ensure_ascii=False)}")
    if not lines:
        return ""
    words = " ".join(shlex.quote(f"./{name}") for name in names)
    return "\n".join([*lines, f"RUN chmod -R a+rX,go-w {words}"])


def _install(notebook: Notebook, base: Base, pins: Pins) -> str:
    """The instruction for the packages that the image does not have."""
    packages = installed_packages(notebook)
    if packages is None:
        raise FastkfError(
            f"{notebook.path}: its imports cannot be read", "`fastkf check` says which cell it is"
        )
    wanted = [pins.pin(name) for name in sorted(packages - base.packages)]
    if not wanted:
        return "# The image has all packages that the notebook imports."
    unknown = ", ".join(one for one in wanted if "==" not in one)
    lines = ["# What the notebook imports; a step installs at its start what is missing."]
    if unknown:
        lines.append(f"# Of no known version, as they are not installed here: {unknown}.")
    command = ["RUN python3 -m pip install --no-cache-dir", *map(shlex.quote, wanted)]
    return "\n".join([*lines, " \\\n        ".join(command)])
