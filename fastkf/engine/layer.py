"""A Python layered over another: what is installed into it is nobody else's.

As in a container, what a step installs is gone with the step. The Python below, the one that runs
fastkf among them, is never written to: not by a `pip` or `python3` of the path, not by
`sys.executable -m pip` or pip called as a module, not by uv.
"""

import shlex
import site
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from fastkf.base.processes import path_with
from fastkf.engine.warm import interpreter

# Whichever pip is started hands over to this (PIP_PYTHON, its option --python), which runs it with
# the layer's Python, unless it is that of an environment that the step has made itself. There is no
# user's folder in a layer.
PIP_PYTHON = """\
#!/bin/sh
for word do
    shift
    [ "$word" = --user ] || set -- "$@" "$word"
done
case "$1" in
{below}) exec {python} "$@" ;;
*/lib/python*/site-packages/pip/*) exec "${{1%/lib/python*}}/bin/python3" "$@" ;;
*) exec {python} "$@" ;;
esac
"""
OWN_PYTHON = """\
#!/bin/sh
[ "$1 $2" = "-m {kernel}" ] && exec {stub} "$@"
exec {python} "$@"
"""
PIP = '#!/bin/sh\nexec {python} -m pip "$@"\n'
FETCHES_NOTHING = (interpreter.OFFLINE, "PIP_NO_INDEX", "UV_OFFLINE")
# Programs that are installed find the Python beside them, wherever the folder is moved (uv).
RELOCATABLE = "relocatable = true\n"


class Layer:
    """A virtual environment in a folder, which sees the packages of those below it."""

    def __init__(self, folder: Path):
        self.folder = folder

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        return self.programs / "python3"

    @property
    def packages(self) -> Path:
        """Where what is installed into it goes."""
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    def make(self, below: Self | None = None) -> None:
        """Makes it anew.

        Args:
            below: a layer whose packages come before those of this interpreter.
        """
        venv.EnvBuilder(symlinks=True).create(self.folder)
        folders = [*([str(below.packages)] if below else []), *site.getsitepackages()]
        lines = [f"import site; site.addsitedir({path!r})" for path in folders]
        names = self.packages / "fastkf_packages.pth"
        names.write_text("\n".join(lines) + "\n", encoding="utf-8")
        with (self.folder / "pyvenv.cfg").open("a", encoding="utf-8") as file:
            file.write(RELOCATABLE)
        python = shlex.quote(str(self.python))
        patterns = "|".join(f"{shlex.quote(path)}/*" for path in folders)
        write_program(self._pip_python, PIP_PYTHON.format(below=patterns, python=python))
        for name in ("pip", "pip3"):
            write_program(self.programs / name, PIP.format(python=python))

    @property
    def _pip_python(self) -> Path:
        return self.programs / "pip-python"

    def environment(self, variables: Mapping[str, str], offline: bool) -> dict[str, str]:
        """Variables with which programs, and those that they start, install into this layer."""
        alone = (
            {interpreter.OFFLINE: "1", "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"} if offline else {}
        )
        return {
            **variables,
            **alone,
            "PATH": path_with(self.programs, variables),
            "VIRTUAL_ENV": str(self.folder),
            "PIP_PYTHON": str(self._pip_python),
        }

    def write_stub_for_kernels(self, path: Path, stub: Path) -> None:
        """Writes a program that is this Python, but starts kernels as another stub does."""
        words = {"stub": shlex.quote(str(stub)), "python": shlex.quote(str(self.python))}
        write_program(path, OWN_PYTHON.format(kernel=interpreter.KERNEL, **words))


def write_program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o700)
