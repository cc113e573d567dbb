"""Environments for steps whose packages are not here: made once, and kept.

Each is a layer over this interpreter's packages (`fastkf.engine.layer`), which holds only what is
not here in the version that is asked for. uv chooses the versions, those that are here where the
requirements allow it, and installs from its own cache, by hard links.

    FOLDER/KEY/            an environment, with its packages.json
    FOLDER/KEY.lock        who makes it
    FOLDER/asked/HASH      the key of the environment for what was asked
"""

import contextlib
import hashlib
import json
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

import platformdirs
from packaging.utils import canonicalize_name

from fastkf.base.errors import FastkfError, shorten
from fastkf.base.files import PROJECT, read_end, write_text
from fastkf.base.turns import take_turn
from fastkf.engine.children import Children
from fastkf.engine.layer import Layer
from fastkf.engine.pip_settings import read_pip_settings
from fastkf.package.asked import Asked
from fastkf.package.installs import FILE, list_files
from fastkf.package.pins import installed_version
from fastkf.runs.progress import Progress

NO_DEPENDENCIES = "--no-deps"
CONTENTS = "packages.json"
SECONDS_TO_KEEP_A_CHOICE = 24 * 3600.0  # newer versions may be there then
LONGEST_REASON = 1000
LOG = "packages.log"  # in a run's folder


def default_folder() -> Path:
    return platformdirs.user_cache_path(PROJECT) / "environments"


class Environments:
    """The environments that are kept in a folder; from several threads and processes at a time.

    Args:
        offline: nothing is fetched: only what was made before is there.
    """

    def __init__(self, offline: bool = False, folder: Path | None = None):
        self.offline = offline
        self._folder = folder or default_folder()
        self._children = Children()
        self._whole: set[Path] = set()

    def end(self) -> None:
        """Ends what is being installed, and installs no more."""
        self._children.end()

    def check(self, asked: Iterable[Asked]) -> None:
        """Says what cannot be had, before anything runs.

        Raises:
            FastkfError: names all of it at once.
        """
        if not self.offline:
            return
        missing = [text for one in asked if not self.find(one) for text in one.lacking]
        if missing:
            raise FastkfError(
                f"packages would have to be fetched: {', '.join(dict.fromkeys(missing))}",
                "leave out --offline",
            )

    def find(self, asked: Asked) -> Layer | None:
        """The environment that was made for this before, whole and not too old to be asked for."""
        note = self._note_of(asked)
        try:
            is_old = time.time() - note.stat().st_mtime > SECONDS_TO_KEEP_A_CHOICE
            layer = Layer(self._folder / note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return layer if self._is_whole(layer.folder) and (self.offline or not is_old) else None

    def provide(self, asked: Asked, log: Path, working_folder: Path) -> Layer:
        """The environment for what is asked, made if need be.

        Args:
            log: gets what is said while it is made.
            working_folder: where relative paths start.

        Raises:
            FastkfError: it cannot be made.
        """
        if found := self.find(asked):
            return found
        self.check([asked])
        _note(log, f"into an environment of its own: {', '.join(asked.requirements)}")
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=self._folder) as draft:
            maker = _Maker(self._children, Path(draft), working_folder, log, asked)
            chosen = maker.choose()
            layer = Layer(self._folder / _key(chosen))
            lock = Path(f"{layer.folder}.lock")
            with take_turn(lock, "the same environment", lambda said: _note(log, said)):
                if not self._is_whole(layer.folder):
                    maker.install(chosen)
                    shutil.rmtree(layer.folder, ignore_errors=True)
                    maker.layer.folder.rename(layer.folder)
        note = self._note_of(asked)
        note.parent.mkdir(exist_ok=True)
        write_text(note, layer.folder.name)
        return layer

    def provide_all(
        self, asked: Iterable[Asked | None], folder: Path, progress: Progress
    ) -> dict[Asked | None, Layer]:
        """The environment for each; those that are not there yet are made.

        Args:
            folder: the run's, which gets a log of what was fetched.

        Raises:
            FastkfError: one cannot be made, or not without fetching packages.
        """
        wanted = list(dict.fromkeys(filter(None, asked)))
        self.check(wanted)
        layers: dict[Asked | None, Layer] = {}
        for one in wanted:
            if not self.find(one):
                progress.say(f"fetching what is not here: {', '.join(one.lacking)}")
            layers[one] = self.provide(one, folder / LOG, folder)
        return layers

    def _note_of(self, asked: Asked) -> Path:
        words = ["\n".join(asked.requirements), "\n".join(asked.options), *_list_installed()]
        return self._folder / "asked" / _key(words)

    def _is_whole(self, folder: Path) -> bool:
        """Whether an environment has all files that were installed into it, at their lengths."""
        if folder not in self._whole:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                packages = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))["packages"]
                found = {one.name: one for one in _distributions(Layer(folder))}
                Layer(folder).python.stat()
                if len(found) >= len(packages) and all(map(_has_all_files, found.values())):
                    self._whole.add(folder)
        return folder in self._whole


class _Maker:
    """Makes one environment in a folder of drafts."""

    def __init__(
        self, children: Children, draft: Path, working_folder: Path, log: Path, asked: Asked
    ):
        self._children, self._draft, self._log = children, draft, log
        self._working_folder, self._asked = working_folder, asked
        self.layer = Layer(draft / "environment")
        self._settings = read_pip_settings()

    def choose(self) -> list[str]:
        """The requirements with their versions, and all that they require in turn.

        KFP, which is to run in it, has its say, where that leaves a choice. pip would install
        against its will too, and only warn.

        Raises:
            FastkfError: there is no choice.
        """
        kfp = f"kfp=={installed_version('kfp')}"
        try:
            return self._choose([*self._asked.requirements, kfp])
        except FastkfError:
            return self._choose(self._asked.requirements)

    def _choose(self, requirements: Sequence[str]) -> list[str]:
        wanted, chosen = self._draft / "wanted.txt", self._draft / "chosen.txt"
        write_text(wanted, "".join(f"{one}\n" for one in requirements))
        write_text(chosen, "".join(f"{one}\n" for one in _list_installed()))
        words = ["--no-header", "--no-annotate", "--no-emit-index-url", "--output-file"]
        files = list_files(self._asked.options)
        self._run("compile", wanted, *files, *words, chosen, python=Path(sys.executable))
        lines = chosen.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line and not line.startswith(("#", "-"))]

    def install(self, chosen: Sequence[str]) -> None:
        """Makes the environment of what is chosen and not here."""
        here = set(_list_installed())
        missing = [one for one in chosen if one.split(" ;")[0].strip() not in here]
        self.layer.make()
        lines = self._draft / "missing.txt"
        write_text(lines, "".join(f"{one}\n" for one in missing))
        if missing:
            self._run("install", "--requirements", lines, python=self.layer.python)
        described = {"python": sys.version, "for": sys.prefix, "packages": missing}
        write_text(self.layer.folder / CONTENTS, json.dumps(described, indent=2))

    def _run(self, command: str, *words: str | Path, python: Path) -> None:
        options = ["--python", python, "--index-strategy", "unsafe-best-match", "--quiet"]
        options += [*self._settings.options, *_without_files(self._asked.options)]
        if command == "install" and NO_DEPENDENCIES not in options:
            options.append(NO_DEPENDENCIES)
        said = self._draft / "said"
        said.unlink(missing_ok=True)
        call = [self._find_uv(), "--no-config", "pip", command, *words, *options]
        ending = self._children.run(
            [str(word) for word in call], self._settings.environment, said, self._working_folder
        )
        if ending.code:
            reason = " ".join(read_end(said).split()) or f"uv {ending}"
            raise FastkfError(
                f"{', '.join(self._asked.lacking)}: cannot be installed: "
                f"{shorten(reason, LONGEST_REASON)}"
            )

    def _find_uv(self) -> str:
        """The program: that of the extra `packages`, or one on the path."""
        with contextlib.suppress(ImportError):
            from uv import find_uv_bin

            return find_uv_bin()
        if found := shutil.which("uv"):
            return found
        raise FastkfError(
            f"{', '.join(self._asked.lacking)}: an environment for it is made by uv, which is not "
            "here either",
            "pip install 'fastkf[packages]', or install the packages here",
        )


def _note(log: Path, said: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"fastkf: {said}\n")


def _without_files(options: Sequence[str]) -> list[str]:
    """The options but those with files of requirements, which are arguments for uv."""
    files = {place for place, word in enumerate(options) if word == FILE}
    return [word for place, word in enumerate(options) if not {place, place - 1} & files]


@cache
def _list_installed() -> tuple[str, ...]:
    """`name==version` of all that is installed here, as uv writes it."""
    found = {
        canonicalize_name(one.name): one.version
        for one in metadata.distributions()
        if one.name and one.version
    }
    return tuple(f"{name}=={version}" for name, version in sorted(found.items()))


def _distributions(layer: Layer) -> Iterable[metadata.Distribution]:
    return metadata.distributions(path=[str(layer.packages)])


def _has_all_files(distribution: metadata.Distribution) -> bool:
    found = [(Path(one.locate()), one.size) for one in distribution.files or ()]
    return bool(found) and all(
        path.is_file() and size in (None, path.stat().st_size) for path, size in found
    )


def _key(words: Iterable[str]) -> str:
    where = (sys.version, sysconfig.get_platform(), sys.prefix)
    return hashlib.sha256("\0".join((*where, *words)).encode()).hexdigest()[:32]
