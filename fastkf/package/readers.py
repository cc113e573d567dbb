"""With which packages pandas reads and writes files, where it does not bring them along."""

import ast
from collections.abc import Collection, Iterator

ARROW = ("pyarrow", "fastparquet")
EXCEL = ("openpyxl", "xlrd", "python_calamine", "xlsxwriter", "odf", "pyxlsb")
# Functions of pandas, and methods of its tables, to the modules of which one is needed.
FUNCTIONS = {
    "read_parquet": ARROW,
    "read_feather": ("pyarrow",),
    "read_orc": ("pyarrow",),
    "read_excel": EXCEL,
    "ExcelWriter": EXCEL,
    "read_hdf": ("tables",),
    "HDFStore": ("tables",),
    "read_html": ("lxml", "html5lib"),
}
METHODS = {
    "to_parquet": ARROW,
    "to_feather": ("pyarrow",),
    "to_orc": ("pyarrow",),
    "to_excel": EXCEL,
    "to_hdf": ("tables",),
    "to_markdown": ("tabulate",),
}
# Their tables have methods of these names, and other needs.
OTHER_TABLES = {"cudf", "dask", "datasets", "duckdb", "geopandas", "ibis", "modin", "pyspark"}
CHOOSES = ("engine", "flavor", None)  # arguments that name another package, or may


class Readers:
    """What code reads and writes by pandas.

    Args:
        nodes: all of the code, in which pandas and other libraries get their names.
    """

    def __init__(self, nodes: Collection[ast.AST]):
        imports = [one for one in nodes if isinstance(one, ast.Import)]
        names = [name for one in imports for name in one.names]
        froms = [one.module or "" for one in nodes if isinstance(one, ast.ImportFrom)]
        modules = {one.partition(".")[0] for one in (*(name.name for name in names), *froms)}
        pandas = {one.asname or one.name for one in names if one.name == "pandas"}
        self._pandas = pandas - {name for node in nodes for name in _list_bound(node)}
        own = {one.name for one in nodes if isinstance(one, ast.FunctionDef)}
        known = {name: METHODS[name] for name in METHODS if name not in own}
        self._methods = {} if modules & OTHER_TABLES or "pandas" not in modules else known

    def list_needs(self, nodes: Collection[ast.AST]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The calls that need a package, as they stand there, and the modules that would do."""
        for node in nodes:
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if any(one.arg in CHOOSES for one in node.keywords):
                continue
            name, of = node.func.attr, node.func.value
            if isinstance(of, ast.Name) and of.id in self._pandas and name in FUNCTIONS:
                yield ast.unparse(node.func), FUNCTIONS[name]
            elif name in self._methods:
                yield name, self._methods[name]


def _list_bound(node: ast.AST) -> Iterator[str]:
    """The names that arguments and assignments give to something else."""
    if isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
