"""Rules on files: a step's container has those of its image, and takes what it writes with it."""

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastkf.notebook.check.finding import Found, Rule, Severity
from fastkf.notebook.metadata import COURSE_METADATA
from fastkf.notebook.model import Cell, Notebook

# The last part of a call's name to the place of the path among its arguments.
WRITES = {
    **dict.fromkeys(("to_csv", "to_parquet", "to_pickle", "to_json", "to_excel", "to_feather"), 0),
    **dict.fromkeys(("to_hdf", "to_html", "tofile", "savefig", "save_model", "save_weights"), 0),
    **dict.fromkeys(("makedirs", "mkdir", "savez", "savez_compressed", "savetxt", "extractall"), 0),
    **dict.fromkeys(("save",), 0),
    **dict.fromkeys(("urlretrieve", "copy", "copyfile", "copytree", "move", "dump"), 1),
    **dict.fromkeys(("np.save", "numpy.save"), 0),
    **dict.fromkeys(("torch.save", "wget.download"), 1),
}
READS = {
    **dict.fromkeys(("read_csv", "read_parquet", "read_pickle", "read_json", "read_excel"), 0),
    **dict.fromkeys(("read_feather", "read_table", "read_hdf", "read_fwf", "loadtxt"), 0),
    **dict.fromkeys(("genfromtxt", "fromfile", "load_model", "load_weights", "imread"), 0),
    **dict.fromkeys(("np.load", "numpy.load", "joblib.load", "torch.load"), 0),
    **dict.fromkeys(("listdir", "scandir", "glob", "iglob", "walk", "ZipFile", "Image.open"), 0),
    **dict.fromkeys(("tarfile.open", "copy", "copyfile", "copytree", "move", "unpack_archive"), 0),
}
MAKES_FOLDER = ("makedirs", "mkdir", "extractall")
PATH_METHODS = {"write_text": True, "write_bytes": True, "read_text": False, "read_bytes": False}
KEYWORDS = ("path", "path_or_buf", "filepath_or_buffer", "fname", "filename", "file", "out", "name")


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
    texts = constant_texts(notebook)
    cells = [cell for cell in notebook.code_cells if cell.role in ("step", "skip", None)]
    return [
        Use(cell, posixpath.normpath(path), writes)
        for cell in cells
        for node in (ast.walk(cell.tree) if cell.tree else ())
        if isinstance(node, ast.Call)
        for expression, writes in opened_by(node)
        if (path := text_of(expression, texts)) and (is_file_path(path) or is_folder(node))
    ]


def opened_by(call: ast.Call) -> Iterator[tuple[ast.expr, bool]]:
    """The expressions of the files that a call opens, each with whether it writes there."""
    name = ast.unparse(call.func) if isinstance(call.func, ast.Name | ast.Attribute) else ""
    last = call.func.attr if isinstance(call.func, ast.Attribute) else name
    if last == "open" and name in ("open", "gzip.open", "io.open", "bz2.open") and call.args:
        yield call.args[0], any(sign in mode_of(call) for sign in "wax+")
    if isinstance(call.func, ast.Attribute) and last in PATH_METHODS:
        yield call.func.value, PATH_METHODS[last]
    for table, writes in ((WRITES, True), (READS, False)):
        place = table.get(name, table.get(last))
        if place is not None and (given := argument(call, place)) is not None:
            yield given, writes
    if last == "extractall" and not (call.args or call.keywords):
        yield ast.Constant("."), True


def is_folder(call: ast.Call) -> bool:
    """Whether a call makes or fills a folder, whose name may be any word."""
    return isinstance(call.func, ast.Attribute) and call.func.attr in MAKES_FOLDER


def mode_of(call: ast.Call) -> str:
    words = [word.value for word in call.keywords if word.arg == "mode"] + call.args[1:2]
    modes = [word.value for word in words if isinstance(word, ast.Constant)]
    return next((mode for mode in modes if isinstance(mode, str)), "r")


def argument(call: ast.Call, place: int) -> ast.expr | None:
    if len(call.args) > place:
        return call.args[place]
    return next((word.value for word in call.keywords if word.arg in KEYWORDS), None)


def constant_texts(notebook: Notebook) -> dict[str, str]:
    """The variables that are one text in the whole notebook, and no pipeline parameter."""
    texts: dict[str, str] = {}
    counts: dict[str, int] = {}
    for cell in notebook.code_cells:
        for name in cell.names.bound:
            counts[name] = counts.get(name, 0) + 1
        for node in cell.tree.body if cell.tree else ():
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
                text = text_of(node.value, texts)
                if text is not None:
                    texts[target.id] = text
    fixed = {name for name, count in counts.items() if count == 1} - set(notebook.parameters)
    return {name: text for name, text in texts.items() if name in fixed}


def text_of(node: ast.expr, texts: dict[str, str]) -> str | None:
    """The text that an expression gives; None where that is not known from the code."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return texts.get(node.id)
    if isinstance(node, ast.JoinedStr):
        parts = [p.value if isinstance(p, ast.FormattedValue) else p for p in node.values]
        return _joined("", (text_of(part, texts) for part in parts))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Div):
        sign = "/" if isinstance(node.op, ast.Div) else ""
        return _joined(sign, (text_of(part, texts) for part in (node.left, node.right)))
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called.endswith("path.join") or called.rsplit(".", 1)[-1] in ("Path", "PurePath", "str"):
            return _joined("/", (text_of(part, texts) for part in node.args))
    return None


def _joined(sign: str, parts: Iterable[str | None]) -> str | None:
    known = list(parts)
    return None if None in known else sign.join(part for part in known if part is not None)


def is_file_path(path: str) -> bool:
    """Whether a text is a path of this machine, and neither a URL nor a lone word."""
    if "://" in path or "\n" in path or path.startswith(("/dev/", "/proc/", "/etc/", "/sys/")):
        return False
    return bool(re.search(r"\.[A-Za-z0-9]{1,8}$|/", path)) and path.strip("./") != ""


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
    for use in uses:
        is_brought = has_in_image(notebook, use.path)
        if use.writes or use.cell.role != "step" or is_on_volume(notebook, use.path):
            continue
        makers = [
            other.cell
            for other in uses
            if other.writes
            and other.cell.number <= use.cell.number
            and (_is_within(use.path, other.path) or _is_within(other.path, use.path))
            and (other.cell.role == "step" or not is_brought)
        ]
        if makers and use.cell.step not in [maker.step for maker in makers]:
            yield use, makers[-1]


def file_between_steps(notebook: Notebook) -> Found:
    """A file that one cell writes and a step reads: each step has a file system of its own."""
    found = {(use.cell.number, use.path): (use, maker) for use, maker in _crossings_of(notebook)}
    for use, maker in found.values():
        place = f"step `{maker.step}`" if maker.step else "which is no step"
        yield (
            use.cell,
            f"cell {maker.number} ({place}) writes `{use.path}` and step `{use.cell.step}` reads "
            "it, but files do not go from step to step",
            "pass the content on in a variable, keep it in an object store, or write and read it "
            "in one step",
        )


def _crossings_of(notebook: Notebook) -> Iterator[tuple[Use, Cell]]:
    return crossings(notebook, file_uses(notebook))


def relative_file(notebook: Notebook) -> Found:
    """A file by a relative path in a step: on a cluster its folder is empty, and not writable."""
    uses = file_uses(notebook)
    told = {(use.path, True) for use, _ in crossings(notebook, uses)}
    for use in uses:
        if use.cell.role != "step" or use.path.startswith(("/", "~")):
            continue
        if is_on_volume(notebook, use.path) or {(use.path, True), (use.path, use.writes)} & told:
            continue
        if has_in_image(notebook, use.path) and not use.writes:
            continue
        told.add((use.path, use.writes))
        where = f"step `{use.cell.step}`"
        if use.writes:
            problem = (
                f"{where} writes `{use.path}` into its folder, which is not writable on a cluster"
            )
            remedy = "write below tempfile.gettempdir(), or pass the content on in a variable"
            yield use.cell, problem, remedy
        else:
            problem = f"{where} reads `{use.path}` from its folder, which is empty on a cluster"
            remedy = (
                "read it from a URL, or from a folder that a pipeline parameter names; or name it "
                'in the metadata, "fastkf": {"files": [...]}, and `fastkf image` brings it'
            )
            yield use.cell, problem, remedy


def has_in_image(notebook: Notebook, path: str) -> bool:
    """Whether the notebook's metadata say that the image of the steps has a file."""
    block = notebook.metadata.get(COURSE_METADATA)
    files = block.get("files") if isinstance(block, dict) else None
    named = [posixpath.normpath(one) for one in files or [] if isinstance(one, str)]
    return any(path == one or path.startswith(f"{one}/") for one in named)


RULES = (
    Rule(file_between_steps),
    Rule(relative_file, Severity.WARNING),
)
