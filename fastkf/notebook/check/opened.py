"""Which files a cell opens, where their paths stand in the code: well-known functions, by name.

What a function does with a path is said here for those that everybody knows. Of any other, and of a
path that is not known from the code alone, nothing is said.
"""

import ast
import re
from collections.abc import Iterable, Iterator

from fastkf.base.python_syntax import parse_python
from fastkf.notebook.check.shell import files_of_command
from fastkf.notebook.model import Cell, Notebook

# The last part of a call's name, or all of it, to the place of the path among its arguments.
WRITES = {
    **dict.fromkeys(("to_csv", "to_parquet", "to_pickle", "to_json", "to_excel", "to_feather"), 0),
    **dict.fromkeys(("to_hdf", "to_html", "to_stata", "to_netcdf", "to_markdown", "to_latex"), 0),
    **dict.fromkeys(("tofile", "savefig", "write_html", "write_image", "imwrite", "imsave"), 0),
    **dict.fromkeys(("save_model", "save_weights", "save_pretrained", "save_to_disk", "save"), 0),
    **dict.fromkeys(("makedirs", "mkdir", "savez", "savez_compressed", "savetxt", "extractall"), 0),
    **dict.fromkeys(("make_archive", "ExcelWriter", "SummaryWriter", "FileHandler"), 0),
    **dict.fromkeys(("savemat",), 0),
    **dict.fromkeys(("urlretrieve", "copy", "copy2", "copyfile", "copytree", "move", "dump"), 1),
    **dict.fromkeys(("torch.save", "wget.download", "unpack_archive", "saved_model.save"), 1),
}
READS = {
    **dict.fromkeys(("read_csv", "read_parquet", "read_pickle", "read_json", "read_excel"), 0),
    **dict.fromkeys(("read_feather", "read_table", "read_hdf", "read_fwf", "loadtxt"), 0),
    **dict.fromkeys(("genfromtxt", "fromfile", "load_model", "load_weights", "imread"), 0),
    **dict.fromkeys(("np.load", "numpy.load", "joblib.load", "torch.load", "loadmat"), 0),
    **dict.fromkeys(("saved_model.load", "load_from_disk"), 0),
    **dict.fromkeys(("listdir", "scandir", "glob", "iglob", "walk", "Image.open"), 0),
    **dict.fromkeys(("copy", "copy2", "copyfile", "copytree", "move", "unpack_archive"), 0),
}
# Made where it is not there yet.
MAKES_OR_READS = ("sqlite3.connect", "duckdb.connect", "shelve.open", "HDFStore", "pd.HDFStore")
# Functions of these modules; methods of the same names may be those of a store.
OF_MODULES = {
    **dict.fromkeys(("copy", "copy2", "copyfile", "copytree", "move", "make_archive"), "shutil"),
    **dict.fromkeys(("makedirs", "mkdir", "listdir", "scandir", "walk"), "os"),
    **dict.fromkeys(("glob", "iglob"), "glob"),
}
# Functions that open a file in a mode, which is the argument after the path.
OPENS = (
    *("open", "io.open", "codecs.open", "gzip.open", "bz2.open", "lzma.open", "tarfile.open"),
    *("ZipFile", "zipfile.ZipFile", "h5py.File", "TarFile.open"),
)
MAKES_FOLDER = (
    *("makedirs", "mkdir", "extractall", "save_pretrained", "save_to_disk", "unpack_archive"),
    *("SummaryWriter", "copytree"),
)
OF_PATHS = {
    **dict.fromkeys(("write_text", "write_bytes", "touch"), True),
    **dict.fromkeys(("read_text", "read_bytes", "iterdir"), False),
}
KEYWORDS = (
    *("path", "path_or_buf", "filepath_or_buffer", "fname", "filename", "file", "out", "name"),
    *("filepath", "database", "save_directory", "extract_dir", "log_dir", "dst"),
)
# Calls that give a folder, or a file, of their own: what is there is named after the variable.
FOLDERS = ("mkdtemp", "TemporaryDirectory")
DOWNLOADS = (
    *("get_file", "dataset_download", "hf_hub_download", "snapshot_download"),
    *("gdown.download", "pooch.retrieve"),
)
OWN = "the place of what is assigned"
# Calls that give a path without an argument.
PLACES = {"gettempdir": "/tmp", "getcwd": ".", "Path.cwd": ".", "Path.home": "~"}
CELL_MAGIC = "get_ipython().run_cell_magic"
SHELLS = ("get_ipython().system", "get_ipython().getoutput", "os.system", "os.popen")
# The last parts of the names of all that may open a file.
OPENERS = frozenset(
    name.rsplit(".", 1)[-1]
    for table in (WRITES, READS, MAKES_OR_READS, OPENS, OF_PATHS, SHELLS, FOLDERS, DOWNLOADS)
    for name in (*table, "open", "mkdir", CELL_MAGIC)
)


def tree_of(cell: Cell) -> ast.Module | None:
    """The syntax tree of a cell, its shell commands and magics as the calls that IPython makes."""
    if cell.tree is not None or not re.search(r"^\s*[%!]|=\s*[%!]", cell.source, re.MULTILINE):
        return cell.tree
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return parse_python(TransformerManager().transform_cell(cell.source))
    except (SyntaxError, ValueError):
        return None


def opened_by(call: ast.Call, texts: dict[str, str]) -> Iterator[tuple[str, bool | None]]:
    """The paths that a call opens, each with whether it writes there; None: if it is not there."""
    name = ast.unparse(call.func)
    last = call.func.attr if isinstance(call.func, ast.Attribute) else name
    if name in SHELLS and call.args:
        yield from files_of_command(text_of(call.args[0], texts) or "")
    elif name == CELL_MAGIC:
        yield from _files_of_magic([text_of(one, texts) or "" for one in call.args])
    for expression, writes in _expressions(call, name, last):
        path = text_of(expression, texts)
        is_folder = last in MAKES_FOLDER or name == "shelve.open"
        if path and (is_file_path(path) or (is_folder and is_word(path))):
            yield path, writes


def _files_of_magic(words: list[str]) -> Iterator[tuple[str, bool]]:
    """Of a cell magic: its name, its line, its body."""
    magic, line, body = (*words, "", "", "")[:3]
    if magic in ("writefile", "file") and line.split():
        yield line.split()[-1], True
    for command in body.splitlines() if magic in ("bash", "sh") else ():
        yield from files_of_command(command)


def _expressions(call: ast.Call, name: str, last: str) -> Iterator[tuple[ast.expr, bool | None]]:
    of = call.func.value if isinstance(call.func, ast.Attribute) else None
    if name in MAKES_OR_READS and call.args:
        yield call.args[0], None
    elif name in OPENS and call.args:
        yield call.args[0], any(sign in mode_of(call, 1) for sign in "wax+")
    elif last == "open" and of is not None and is_path(of):
        yield of, any(sign in mode_of(call, 0) for sign in "wax+")
    elif of is not None and last in OF_PATHS:
        yield of, OF_PATHS[last]
    elif of is not None and last == "mkdir" and is_path(of):
        yield of, True
    elif last not in OF_MODULES or name in (last, f"{OF_MODULES[last]}.{last}"):
        yield from _by_table(call, name, last)


def _by_table(call: ast.Call, name: str, last: str) -> Iterator[tuple[ast.expr, bool]]:
    parts = name.split(".")
    names = (name, ".".join(parts[-2:]), last)
    for table, writes in ((WRITES, True), (READS, False)):
        place = next((table[one] for one in names if one in table), None)
        if place is not None and (given := _argument(call, place)) is not None:
            yield given, writes
    if last == "extractall" and not (call.args or call.keywords):
        yield ast.Constant("."), True


def is_path(node: ast.expr) -> bool:
    """Whether an expression makes a path: `Path("x")`, `Path("x") / "y"`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return is_path(node.left) or is_path(node.right)
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return called.rsplit(".", 1)[-1] in ("Path", "PurePath", "PosixPath")


def mode_of(call: ast.Call, place: int) -> str:
    """The mode in which a call opens a file, which may be the argument at that place."""
    words = [word.value for word in call.keywords if word.arg == "mode"]
    words += call.args[place : place + 1]
    modes = [word.value for word in words if isinstance(word, ast.Constant)]
    return next((mode for mode in modes if isinstance(mode, str)), "r")


def _argument(call: ast.Call, place: int) -> ast.expr | None:
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
        for node in cell.statements:
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
                text = text_of(node.value, {**texts, OWN: target.id})
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
    if isinstance(node, ast.Attribute) and node.attr == "name":
        folder = texts.get(ast.unparse(node.value), "")
        return folder if folder.startswith("/tmp/") else None
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if place := place_of(called):
            return place if called_as(called, PLACES) else f"{place}/{texts.get(OWN, '...')}"
        if called.endswith("path.expanduser") and node.args:
            return text_of(node.args[0], texts)
        if called.endswith("path.join") or called.rsplit(".", 1)[-1] in ("Path", "PurePath", "str"):
            return _joined("/", (text_of(part, texts) for part in node.args))
    return None


def called_as(name: str, table: Iterable[str]) -> str | None:
    """The entry of a table that the last parts of a dotted name are."""
    parts = name.split(".")
    return next((one for one in (".".join(parts[-2:]), parts[-1]) if one in table), None)


def place_of(called: str) -> str | None:
    """Where the file or folder is that a call gives; None: it gives none."""
    if called_as(called, FOLDERS):
        return "/tmp"
    if called_as(called, DOWNLOADS):
        return "~"
    return PLACES.get(called_as(called, PLACES) or "")


def gives_own_path(node: ast.expr) -> bool:
    """Whether a call makes a file or a folder, and gives its place."""
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return called_as(called, (*FOLDERS, *DOWNLOADS)) is not None


def _joined(sign: str, parts: Iterable[str | None]) -> str | None:
    known = list(parts)
    return None if None in known else sign.join(part for part in known if part is not None)


def is_file_path(path: str) -> bool:
    """Whether a text is a path of this machine, and neither a URL nor a lone word."""
    if re.match(r"\w{2,}:", path) or "://" in path or "\n" in path:  # a URL of any kind
        return False
    if path.startswith(("/dev/", "/proc/", "/etc/", "/sys/")):
        return False
    return bool(re.search(r"\.[A-Za-z0-9]{1,8}$|/", path)) and path.strip("./") != ""


def is_word(path: str) -> bool:
    """Whether a text may be the name of a folder."""
    return path == "." or re.fullmatch(r"[\w.-]*\w[\w.-]*", path) is not None
