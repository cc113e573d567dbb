"""Rules on files: a step's container has those of its image, and takes what it writes with it."""

import os
import posixpath
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from fastkf.base.errors import FastkfError
from fastkf.base.paths import own_home
from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.check.opened import constant_texts, tree_of
from fastkf.notebook.check.opening import handed_in, opened_in, opening_functions
from fastkf.notebook.composition import whole
from fastkf.notebook.metadata import list_files
from fastkf.notebook.model import Cell, Notebook

FROM_URL = "read it from a URL, or from a folder that a pipeline parameter names; or"
BESIDE = "put it beside the notebook and bring it in the image"
NAMED = "write below tempfile.gettempdir(), or where a pipeline parameter names a place"
IN_IMAGE = '"fastkf": {"files": [...]} in the metadata, and `fastkf image`'


@dataclass(frozen=True)
class Use:
    """A place where a cell opens a file.

    Attributes:
        cell: the cell.
        path: the file, as the code writes it.
        writes: whether it is written; it is read otherwise.
    """

    cell: Cell
    path: str
    writes: bool


def file_uses(notebook: Notebook) -> list[Use]:
    """Where cells of a notebook open files whose paths stand in the code."""
    texts, functions = constant_texts(notebook), opening_functions(notebook)
    moved = {cell.step for cell in notebook.code_cells if "chdir" in cell.source}
    uses: list[Use] = []
    for cell in notebook.code_cells:
        if cell.role not in ("step", "skip", None) or cell.step in moved - {None}:
            continue
        tree = tree_of(cell)
        for path, writes in opened_in(tree, texts, functions) if tree else ():
            normal = posixpath.normpath(path)
            is_first = not any(one.writes and one.path == normal for one in uses)
            uses.append(Use(cell, normal, is_first if writes is None else writes))
    return uses


def is_on_volume(notebook: Notebook, path: str) -> bool:
    volumes = notebook.kale.get("volumes")
    mounts = [v.get("mount_point") for v in volumes or [] if isinstance(v, dict)]
    return any(isinstance(mount, str) and _is_within(path, mount.rstrip("/")) for mount in mounts)


def _is_within(path: str, folder: str) -> bool:
    if folder == ".":
        return not path.startswith(("/", "~"))
    return path == folder or path.startswith(f"{folder}/")


def crossings(notebook: Notebook, uses: list[Use]) -> Iterator[tuple[Use, Cell]]:
    """The files that steps read, each with the last cell of another step that writes it.

    What a cell that is no step makes, the image of the steps may have.
    """
    before = {(use.cell.path, use.cell.number): end for end, use in enumerate(uses, start=1)}
    for use in uses:
        is_brought = has_in_image(notebook, use.path)
        if use.writes or use.cell.role != "step" or is_on_volume(notebook, use.path):
            continue
        makers = [
            other.cell
            for other in uses[: before[use.cell.path, use.cell.number]]
            if other.writes
            and (_is_within(use.path, other.path) or _is_within(other.path, use.path))
            and (other.cell.role == "step" or not is_brought)
        ]
        if makers and use.cell.step not in [maker.step for maker in makers]:
            yield use, makers[-1]


def file_between_steps(notebook: Notebook) -> Found:
    """A file that one cell writes and a step reads: each step has a file system of its own."""
    for fault in faults(notebook):
        if fault.maker:
            yield fault.use.cell, fault.problem, fault.remedy
    with suppress(FastkfError):  # another rule says what is wrong with a reference
        for fault in faults(whole(notebook)) if notebook.references else ():
            if fault.maker and fault.maker.path != fault.use.cell.path:
                yield fault.use.cell, fault.problem, fault.remedy


def relative_file(notebook: Notebook) -> Found:
    """A file by a relative path in a step: on a cluster its folder is empty, and not writable."""
    for fault in faults(notebook):
        if not fault.maker:
            yield fault.use.cell, fault.problem, fault.remedy


@dataclass(frozen=True)
class Fault:
    """A file that a step will not find, or cannot write.

    Attributes:
        maker: the cell that writes it, where another step or no step does.
    """

    use: Use
    maker: Cell | None = None

    @property
    def rule(self) -> str:
        find = file_between_steps if self.maker else relative_file
        return Rule(find).name

    @property
    def problem(self) -> str:
        step, path = f"step `{self.use.cell.step}`", f"`{self.use.path}`"
        if self.maker:
            place = f"step `{self.maker.step}`" if self.maker.step else "which is no step"
            return (
                f"{self.maker.label} ({place}) writes {path} and {step} reads it, but files "
                "do not go from step to step"
            )
        if self.use.writes:
            return f"{step} writes {path} into its folder, which is not writable on a cluster"
        return f"{step} reads {path} from its folder, which is empty on a cluster"

    @property
    def remedy(self) -> str:
        if self.maker and not self.maker.step:
            return f"write it in the step that reads it, or bring it in the image: {IN_IMAGE}"
        if self.maker:
            return (
                "pass the content on in a variable, keep it in an object store, or write and read "
                "it in one step"
            )
        if self.use.writes:
            return "write below tempfile.gettempdir(), or pass the content on in a variable"
        return f"{FROM_URL} bring it in the image: {IN_IMAGE}"


def faults(notebook: Notebook) -> Iterator[Fault]:
    """The files that steps will not find or cannot write; each once, the graver fault first."""
    uses = file_uses(notebook)
    crossing = {
        (use.cell.path, use.cell.number, use.path): Fault(use, maker)
        for use, maker in crossings(notebook, uses)
    }
    yield from crossing.values()
    told = {(fault.use.path, True) for fault in crossing.values()}
    for use in uses:
        if use.cell.role != "step" or use.path.startswith(("/", "~")):
            continue
        if is_on_volume(notebook, use.path) or {(use.path, True), (use.path, use.writes)} & told:
            continue
        if use.writes or not has_in_image(notebook, use.path):
            told.add((use.path, use.writes))
            yield Fault(use)


def home_file(notebook: Notebook) -> Found:
    """A file of your home folder in a step: its pod has none of it."""
    uses = file_uses(notebook)
    crossing = [use for use, _ in crossings(notebook, uses)]
    told: set[str] = set()
    for place, use in enumerate(uses):
        if use.cell.role != "step" or use in crossing or not _is_of_home(use):
            continue
        if use.path in told or is_on_volume(notebook, use.path):
            continue
        if _may_be_made(notebook, use, uses[:place]):
            continue
        told.add(use.path)
        does = "writes" if use.writes else "reads"
        problem = f"step `{use.cell.step}` {does} `{use.path}` in your home folder; no pod has that"
        remedy = NAMED if use.writes else f"{FROM_URL} {BESIDE}: {IN_IMAGE}"
        yield use.cell, problem, remedy


def _may_be_made(notebook: Notebook, use: Use, before: list[Use]) -> bool:
    """Whether the step itself may have made a file, or the folder of one that it writes.

    Or it has looked whether it is there.
    """
    texts, functions = constant_texts(notebook), opening_functions(notebook)
    places = [one.path for one in before if one.writes and one.cell.step == use.cell.step]
    for cell in notebook.code_cells:
        is_own = cell.step == use.cell.step or cell.role in ("imports", "functions")
        tree = tree_of(cell) if is_own and cell.number <= use.cell.number else None
        places += handed_in(tree, texts, functions) if tree else ()
    path, near = _as_of_home(use.path), [_as_of_home(posixpath.normpath(one)) for one in places]
    return any(_is_within(path, one) or _is_within(one, path) for one in near)


def _as_of_home(path: str) -> str:
    home = own_home()
    return f"~{path.removeprefix(home)}" if home and _is_within(path, home) else path


def _is_of_home(use: Use) -> bool:
    """Whether it is a file of this user's home, and none that the step may have in its own.

    What lies in hidden folders of that, a library may have put there: a cache.
    """
    if use.path.startswith("~"):
        return use.path.startswith("~/") and not (use.writes or use.path.startswith("~/."))
    home, place = own_home(), posixpath.dirname(use.path) if use.writes else use.path
    return home is not None and _is_within(use.path, home) and os.path.lexists(place)


def has_in_image(notebook: Notebook, path: str) -> bool:
    """Whether the notebook's metadata say that the image of the steps has a file."""
    named = [posixpath.normpath(one) for one in list_files(notebook.metadata)]
    return any(path == one or path.startswith(f"{one}/") for one in named)


RULES = (
    Rule(file_between_steps),
    Rule(relative_file, Severity.WARNING),
    Rule(home_file, Severity.WARNING),
)
