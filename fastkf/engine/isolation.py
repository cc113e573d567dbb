"""Leads what Kale's steps share in a container's /tmp to a folder of the step's own.

On Kubernetes each step has a /tmp of its own, and Kale's generated code counts on that: it passes
variables through /tmp/marshal and metrics through /tmp/mlpipeline-metrics.json. Here steps share
one /tmp, but for those whose own code names it (`fastkf.engine.own_places`). Kale offers no setting
for either path, so its own statements, as its templates write them
(kale/templates/nb_function_template.jinja2, kale/processors/nbprocessor.py of Kale 2.3), are found
in the syntax tree of the generated component and changed there. The cells of the notebook are
strings in that tree, and are never touched.
"""

import ast
import os
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from fastkf.base.python_syntax import parse_python

MARSHAL = "/tmp/marshal"
MARSHAL_PATH = "marshal_path"  # in the metadata of an artifact: where Kale has saved the variable
OWN_BLOCKS = ("_kale_data_loading_block", "_kale_data_saving_block")
RUNTIME = "fastkf.engine.warm.kale_runtime"
# Kale's import -> what stands in its place.
IMPORTS = {
    "from kale.common.jputils import run_code as _kale_run_code": (
        f"from {RUNTIME} import run_code as _kale_run_code"
    ),
    "from kale.common.kfputils import load_mlpipeline_metrics": (
        f"from {RUNTIME} import load_mlpipeline_metrics"
    ),
}
METRICS_IMPORT = "from kale.common import kfputils as _kale_kfputils"
OWN_METRICS_IMPORT = f"import {RUNTIME} as _kale_kfputils"
METRICS_CALL = "_kale_kfputils.generate_mlpipeline_metrics(_kale_kfp_metrics)"

Edit = tuple[ast.expr | ast.stmt, str]


def isolate(component: str, folder: str) -> str:
    """The source of a component that Kale has generated, for a step with this folder.

    Args:
        component: the source; one that is not Kale's is returned as it is.
        folder: a folder of the step's own.
    """
    tree = _parse(component)
    if tree is None:
        return component
    marshal = os.path.join(folder, "marshal")
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    edits = [edit for one in functions for edit in _edit_statements(one.body, marshal)]
    return _apply(component, edits)


def move_marshalled(executor_input: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The step's input, with each variable to be saved where the step's own folder is.

    Kale copies an artifact to the path that the step before has noted, in that step's folder.
    """
    inputs = dict(executor_input.get("inputs", {}))
    marshal = os.path.join(folder, "marshal")
    inputs["artifacts"] = {
        name: {**named, "artifacts": [_move(one, marshal) for one in named["artifacts"]]}
        for name, named in inputs.get("artifacts", {}).items()
    }
    return {**executor_input, "inputs": inputs}


def _move(artifact: Mapping[str, Any], marshal: str) -> dict[str, Any]:
    metadata = dict(artifact.get("metadata", {}))
    path = metadata.get(MARSHAL_PATH)
    if isinstance(path, str):
        metadata[MARSHAL_PATH] = os.path.join(marshal, os.path.basename(path))
    return {**artifact, "metadata": metadata}


def _edit_statements(statements: list[ast.stmt], marshal: str) -> Iterator[Edit]:
    for statement in statements:
        match statement:
            case ast.Expr(
                ast.Call(
                    ast.Attribute(ast.Name("_kale_marshal"), "set_data_dir"),
                    [ast.Constant("/tmp/marshal") as path],
                )
            ):
                yield path, repr(marshal)
            case ast.ImportFrom() if ast.unparse(statement) in IMPORTS:
                yield statement, IMPORTS[ast.unparse(statement)]
            case ast.Assign([ast.Name(name)], ast.Constant(str() as block) as constant):
                changed = _edit_block(name, block, marshal)
                if changed != block:
                    yield constant, repr(changed)


def _edit_block(name: str, block: str, marshal: str) -> str:
    """What the step's kernel runs: Kale's own blocks are changed, the notebook's cells are not."""
    if not name.startswith("_kale_"):
        return block
    source = textwrap.dedent(block)
    tree = _parse(source)
    if tree is None:
        return block
    if name in OWN_BLOCKS:
        return _apply(source, _edit_statements(tree.body, marshal))
    if _is_metrics_block(tree.body):
        return _apply(source, [(tree.body[0], OWN_METRICS_IMPORT)])
    return block


def _is_metrics_block(statements: list[ast.stmt]) -> bool:
    """Whether this is the block that Kale writes for a pipeline-metrics cell: three statements."""
    if len(statements) != 3 or not isinstance(statements[1], ast.Assign):
        return False
    return [ast.unparse(statements[0]), ast.unparse(statements[2])] == [
        METRICS_IMPORT,
        METRICS_CALL,
    ]


def _parse(source: str) -> ast.Module | None:
    try:
        return parse_python(source)
    except (SyntaxError, ValueError):  # a cell may be anything, such as a magic of IPython
        return None


def _apply(source: str, edits: "Iterator[Edit] | list[Edit]") -> str:
    """The source with the text of each node replaced. Offsets of nodes count bytes of UTF-8."""
    data = source.encode()
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node, text in sorted(edits, key=lambda edit: -starts[edit[0].lineno - 1]):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        data = data[:begin] + text.encode() + data[end:]
    return data.decode()
