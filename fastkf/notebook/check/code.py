"""Rules on the code of the cells: what Kale cannot read, and what a step cannot do."""

import ast
import io
import re
import tokenize
import unicodedata
import warnings

from fastkf.base.python_syntax import parse_python
from fastkf.notebook.check.finding import Found, Rule
from fastkf.notebook.model import Cell, Notebook

ENDS_LINE = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")  # str.splitlines
TO_SKIP = "move it to a cell of its own tagged `skip`, or remove it"


def pipeline_cells(notebook: Notebook) -> list[Cell]:
    """The cells whose code becomes part of the pipeline."""
    return [cell for cell in notebook.code_cells if cell.role not in (None, "skip", "notebook")]


def running_cells(notebook: Notebook) -> list[Cell]:
    """The cells whose code runs in steps: imports, functions and the steps' own."""
    return [cell for cell in notebook.code_cells if cell.role in ("imports", "functions", "step")]


# IPython takes them for magics without a `%` where they are all that a cell holds.
AUTOMAGIC = re.compile(
    r"(?:alias|cat|cd|clear|conda|cp|env|history|less|ll|load_ext|ls|man|mamba|matplotlib|mkdir|"
    r"more|mv|pip|pwd|rm|rmdir|run|time|timeit|uv|who|whos)(?:\s+[^=\s(.,][^\n]*)?"
)


def is_automagic(source: str) -> bool:
    """Whether a cell is one magic without its `%`, such as `pip install numpy`."""
    return AUTOMAGIC.fullmatch(source.strip()) is not None


def is_ipython(cell: Cell) -> bool:
    """Whether the cell is right for IPython, through magics or shell commands."""
    if cell.tree is not None:
        return False
    if is_automagic(cell.source):
        return True
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        parse_python(TransformerManager().transform_cell(cell.source))
    except (SyntaxError, ValueError):
        return False
    return True


def find_magic(cell: Cell) -> str:
    """The line with the first magic or shell command."""
    signs = re.compile(r"^\s*[%!?]|=\s*[%!]|\?\s*$")
    lines = cell.source.strip().splitlines()
    return next((line for line in lines if signs.search(line)), lines[0]).strip()


def magic(notebook: Notebook) -> Found:
    """A magic or shell command (`%time`, `!pip`, `x = !ls`) outside `skip`; Kale stops at it."""
    for cell in pipeline_cells(notebook):
        if is_ipython(cell):
            yield (
                cell,
                f"`{find_magic(cell)}` is for Jupyter only, and the pipeline runs plain Python",
                TO_SKIP,
            )


def leading_percent(notebook: Notebook) -> Found:
    """A line of an expression that begins with `%`, which Kale takes for a magic."""
    for cell in pipeline_cells(notebook):
        tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline) if cell.tree else ()
        for token in tokens:
            begins_line = not token.line[: token.start[1]].strip()
            if token.type == tokenize.OP and token.string.startswith("%") and begins_line:
                yield (
                    cell,
                    f"Kale takes line {token.start[0]}, which begins with `%`, for a magic and "
                    "drops it",
                    "end the line above with the `%`, or use an f-string",
                )


def line_separator(notebook: Notebook) -> Found:
    """A character that ends a line for Kale, and does not for Python."""
    for cell in pipeline_cells(notebook):
        found = ENDS_LINE.search(cell.source)
        if not found or cell.tree is None:
            continue
        try:  # as Kale takes it apart and puts it together (kale/compiler.py, 2.3)
            same = ast.dump(parse_python("\n".join(cell.source.splitlines())))
        except SyntaxError:
            same = None
        if same != ast.dump(cell.tree):
            number = cell.source[: found.start()].count("\n") + 1
            yield (
                cell,
                f"line {number} holds {unicodedata.name(found[0], 'the control character')} "
                f"(U+{ord(found[0]):04X}), where Kale ends the line, and Python does not",
                f"remove it, or write it in a text as {found[0].encode('unicode_escape').decode()}",
            )


def syntax_error(notebook: Notebook) -> Found:
    """Code that Python cannot read."""
    for cell in notebook.code_cells:
        if is_ipython(cell):
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                compile(cell.source, "cell", "exec", flags=flags, dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            number = error.lineno if isinstance(error, SyntaxError) else None
            line = f" in line {number}" if number else ""
            reason = error.msg if isinstance(error, SyntaxError) else error
            yield cell, f"Python cannot read this cell: {reason}{line}", "correct the code"


def interactive_input(notebook: Notebook) -> Found:
    """`input()` or `getpass()`: neither papermill nor a pipeline can answer."""
    for cell in notebook.code_cells:
        for node in cell.nodes:
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in ("input", "getpass", "getpass.getpass"):
                yield (
                    cell,
                    f"{called}() waits for someone to type, and nobody is there when the notebook "
                    "runs by itself",
                    "make the value a pipeline parameter",
                )


RULES = (
    Rule(magic),
    Rule(leading_percent),
    Rule(line_separator),
    Rule(syntax_error),
    Rule(interactive_input),
)
