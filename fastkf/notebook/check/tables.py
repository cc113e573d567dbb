"""What the code tells of the columns of tables: whose names, and whose values, are texts.

An array of texts that comes from a table is one of Python objects, which Kale cannot load.
"""

import ast
from collections.abc import Iterator, Mapping

from fastkf.notebook.check.once import once
from fastkf.notebook.model import Notebook
from fastkf.notebook.names import is_text, last_part

# Methods of `.str` that give texts.
TEXTS = ("lower", "upper", "strip", "title", "replace", "capitalize", "slice", "zfill", "cat")
READERS = ("read_csv", "read_table", "read_excel", "read_parquet", "read_feather")
# Methods that leave the columns their names.
KEEP_NAMES = frozenset(
    """
    assign astype copy drop drop_duplicates dropna fillna head query replace reset_index sample
    sort_values tail
    """.split()  # noqa: SIM905
)
# With one of these, texts may be in arrays of another type.
OTHER_TYPES = ("category", "convert_dtypes", "dtype_backend", "infer_string", "string", "pyarrow")
CHANGE_TYPES = ("assign", "astype", "rename", *READERS)
MAKE_ARRAYS = ("array", "asarray", "unique")


class Tables:
    """The tables of a notebook.

    Args:
        notebook: its code.
        names: as `imported_names` returns them.
    """

    def __init__(self, notebook: Notebook, names: Mapping[str, str]) -> None:
        self._numpy = {name for name, module in names.items() if module == "numpy"} | {"numpy"}
        self._texts = text_columns(notebook)
        self._named: dict[str, bool] = {}

    def read(self, name: str, value: ast.expr) -> None:
        """Takes in that a variable gets a value."""
        self._named[name] = self._has_names(value)

    def are_objects(self, node: ast.expr) -> bool:
        """Whether an expression is an array of texts which comes from a table."""
        if isinstance(node, ast.Attribute):
            return node.attr == "feature_names_in_" or (
                node.attr == "values" and self._are_texts(node.value)
            )
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        of, method = node.func.value, node.func.attr
        if method == "get_feature_names_out":
            return True
        if isinstance(of, ast.Name) and of.id in self._numpy:
            is_plain = len(node.args) == 1 and not node.keywords
            is_array = is_plain and method in MAKE_ARRAYS
            return is_array and (self._are_texts(node.args[0]) or self.are_objects(node.args[0]))
        is_plain = not node.args and not node.keywords
        return is_plain and method in ("to_numpy", "unique") and self._are_texts(of)

    def _are_texts(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute) and node.attr == "columns":
            return self._has_names(node.value)
        return makes_texts(node) or _column_of(node) in self._texts

    def _has_names(self, node: ast.expr) -> bool:
        """Whether it is a table whose columns have texts as their names."""
        if isinstance(node, ast.Name):
            return self._named.get(node.id, False)
        if not isinstance(node, ast.Call):
            return False
        words, last = [word.arg for word in node.keywords], last_part(node.func)
        if last in READERS:
            return not {"header", "names", "prefix"} & {*words}
        if last == "DataFrame" and node.args:
            return isinstance(node.args[0], ast.Dict) and all(map(is_text, node.args[0].keys))
        of = node.func.value if isinstance(node.func, ast.Attribute) else None
        return of is not None and last in KEEP_NAMES and self._has_names(of)


@once
def text_columns(notebook: Notebook) -> frozenset[str]:
    """The columns that hold texts wherever a notebook has them."""
    sources = [cell.source for cell in notebook.code_cells]
    if not any("pandas" in source for source in sources):
        return frozenset()
    if any(word in source for source in sources for word in OTHER_TYPES):
        return frozenset()
    nodes = [node for cell in notebook.code_cells for node in cell.nodes]
    found = {name for node in nodes for name in _columns_of_texts(node)}
    return frozenset(found - {name for node in nodes for name in _columns_changed(node)})


def _columns_of_texts(node: ast.AST) -> Iterator[str]:
    """Of `x["a"].str`, `x["a"] = x["b"].str.lower()` and `DataFrame({"a": ["x", "y"]})`."""
    if isinstance(node, ast.Attribute) and node.attr == "str":
        yield from filter(None, [_column_of(node.value)])
    elif isinstance(node, ast.Assign) and makes_texts(node.value):
        yield from filter(None, map(_column_of, node.targets))
    elif isinstance(node, ast.Call) and last_part(node.func) == "DataFrame":
        pairs = (pair for table in node.args[:1] for pair in _pairs(table))
        yield from (name for name, value in pairs if _lists_texts(value))


def _lists_texts(value: ast.expr) -> bool:
    """Whether it is a list of texts: `["x", "y"]`, `["x"] * 5`."""
    given = value.left if isinstance(value, ast.BinOp) else value
    return isinstance(given, ast.List) and bool(given.elts) and all(map(is_text, given.elts))


def _pairs(table: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(table, ast.Dict):
        for key, value in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value


def _columns_changed(node: ast.AST) -> Iterator[str]:
    """The columns that get other values, or other types."""
    if isinstance(node, ast.Assign) and not makes_texts(node.value):
        stored = (part for target in node.targets for part in ast.walk(target))
        yield from (name for part in stored if (name := _column_of(part)))
    elif isinstance(node, ast.Call) and last_part(node.func) in CHANGE_TYPES:
        inner = (one for part in (*node.args, *node.keywords) for one in ast.walk(part))
        values = (one.value for one in inner if isinstance(one, ast.Constant))
        yield from (value for value in values if isinstance(value, str))
        yield from (word.arg for word in node.keywords if word.arg)
    elif isinstance(node, ast.Call) and last_part(node.func) == "DataFrame":
        pairs = (pair for table in node.args[:1] for pair in _pairs(table))
        yield from (name for name, value in pairs if not _lists_texts(value))


def _column_of(node: ast.AST) -> str | None:
    """The name of the column that an expression is: `table["a"]`."""
    name = node.slice if isinstance(node, ast.Subscript) else None
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None


def makes_texts(node: ast.expr) -> bool:
    """Whether it is a column that has been made one of texts: `x.astype(str)`, `x.str.lower()`."""
    func = node.func if isinstance(node, ast.Call) else None
    if not isinstance(func, ast.Attribute) or not isinstance(node, ast.Call):
        return False
    if func.attr == "astype":
        return [ast.unparse(one) for one in node.args] == ["str"]
    is_text = isinstance(func.value, ast.Attribute) and func.value.attr == "str"
    return is_text and func.attr in TEXTS


def whole_of(node: ast.Subscript) -> ast.expr:
    """What a subscript takes a part of: `df` of `df[0:3]`, `df.loc[0:3]`, `df.iloc[0:3, 1]`."""
    of = node.value
    is_located = isinstance(of, ast.Attribute) and of.attr in ("loc", "iloc")
    is_sure = isinstance(node.slice, ast.Slice | ast.Tuple | ast.Compare)
    return of.value if isinstance(of, ast.Attribute) and is_located and is_sure else of


def is_many(node: ast.Subscript) -> bool:
    """Whether a part of a table is a table: rows by a condition or a slice, or columns."""
    return not isinstance(node.slice, ast.Tuple) or any(
        isinstance(part, ast.Slice | ast.List) for part in node.slice.elts
    )
