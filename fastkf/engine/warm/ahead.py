"""What the warm parent imports and makes ready, so that no step has to."""

import ast
import importlib
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from fastkf.base.absent import absent
from fastkf.base.iri import import_jsonschema
from fastkf.base.python_syntax import parse_python
from fastkf.engine.warm.shared import Shared, import_installed

IMPORTED_BY_EVERY_STEP = ("kfp.dsl.executor",)
IMPORTED_BY_STEPS_OF_NOTEBOOKS = (
    "kale.common.jputils",
    "kale.marshal",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    # What a kernel would import while it starts.
    "ipykernel.kernelspec",
    "IPython.core.completerlib",
    "tornado.platform.asyncio",
    "psutil",
    "fastkf.engine.warm.kale_runtime",
    "fastkf.engine.warm.kernel",
)
IMPORTED_WITHOUT_DEBUGGER = ("ipykernel.debugger",)
DEBUGGER = "debugpy"


def import_ahead(imports: str | None, shared: Shared = ()) -> None:
    """Imports what every step needs, then what the notebook's imports name.

    Args:
        imports: source of the notebook's imports; None where the steps are not a notebook's.
        shared: what several of those import then.
    """
    import_jsonschema()
    if imports is None:
        # As the commands of steps set it. Without it, kfp imports its compiler and its client too.
        os.environ["_KFP_RUNTIME"] = "true"
        _import_modules(IMPORTED_BY_EVERY_STEP)
        import_installed(shared)
        return
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    _import_modules((*IMPORTED_BY_STEPS_OF_NOTEBOOKS, *IMPORTED_BY_EVERY_STEP))
    _import_kernel_without_debugger()
    # Looks through the metadata of all packages, for what starts kernels.
    importlib.import_module("jupyter_client.provisioning").KernelProvisionerFactory.instance()
    # The first cell that is made compiles the check of all.
    importlib.import_module("nbformat.v4").new_code_cell()
    names: dict[str, Any] = {}
    with suppress(SyntaxError):
        for node in parse_python(imports).body:
            if not (isinstance(node, ast.Import | ast.ImportFrom) or _sets_variable(node)):
                break
            try:
                exec(compile(ast.Module([node], []), "imports", "exec"), names)
            except Exception:  # noqa: BLE001 - any module may raise anything; the step itself says so
                break


def _import_modules(names: Iterable[str]) -> None:
    for name in names:
        importlib.import_module(name)


def _import_kernel_without_debugger() -> None:
    """Imports what a kernel does with a debugger, as it is where there is none.

    Nobody can reach a step's kernel to debug it, and the debugger takes a quarter of all the time
    here. A kernel does without one that cannot be imported. Steps can: nothing of this is left.
    """
    with absent([DEBUGGER]):
        _import_modules(IMPORTED_WITHOUT_DEBUGGER)


def _sets_variable(node: ast.stmt) -> bool:
    """Whether it is `os.environ["NAME"] = "value"`.

    Libraries such as TensorFlow read their variables when they are imported. So what the notebook
    sets before an import has to be set here before it, too.
    """
    match node:
        case ast.Assign(
            targets=[
                ast.Subscript(
                    value=ast.Attribute(value=ast.Name(id="os"), attr="environ"),
                    slice=ast.Constant(value=str()),
                )
            ],
            value=ast.Constant(value=str()),
        ):
            return True
    return False
