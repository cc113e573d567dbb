"""Loaded by a step's kernel before its cells run (an IPython extension)."""

import pickle
import sys
import traceback
from typing import Any

from fastkf.engine.warm import interpreter

GRACEFUL_EXIT = "KaleGracefulExit"
LOADS = "_kale_marshal.load("  # in the block that Kale puts before the notebook's own
SAVES = "_kale_marshal.save("  # in the block behind them
ARTIFACT = "_artifact"  # what Kale puts behind the name of a variable that it passes on


def load_ipython_extension(shell: Any) -> None:
    shell.events.register("post_run_cell", keep_first_error)
    shell.events.register("post_run_cell", keep_order_of_imports)


def keep_order_of_imports(result: Any) -> None:
    """Lets joblib save what it could if it were imported now, after a step's variables.

    Kale loads plain variables with dill, which teaches `pickle` to save lambdas. joblib takes that
    over when it is imported, which the notebook does after that, and a warm parent before it.
    """
    joblib = sys.modules.get("joblib.numpy_pickle")
    if LOADS in (result.info.raw_cell or "") and joblib and "dill" in sys.modules:
        taught = pickle._Pickler.dispatch  # noqa: SLF001
        joblib.NumpyPickler.dispatch.update(taught)


def keep_first_error(result: Any) -> None:
    """Writes down the first exception that a cell raises, with the cell's code and the line."""
    error = result.error_before_exec or result.error_in_exec
    if error is None:
        return
    is_read = error is not result.error_before_exec
    error = _own_error(error)
    source = result.info.transformed_cell or result.info.raw_cell
    line = _line_in_cell(error) if is_read else getattr(error, "lineno", None)
    name, said = _look_through(error)
    if isinstance(error, NameError) and f"{SAVES}{error.name}," in source:
        said += (
            f"; a later step takes `{error.name}`, and nothing here has made it: give it a value "
            "in each case, also where an `if` does not"
        )
    lines = source.splitlines()
    interpreter.write_error(
        name,
        said,
        source=source,
        line=line,
        text=lines[line - 1].strip() if line and line <= len(lines) else None,
    )


def _own_error(error: BaseException) -> BaseException:
    """The cell's own exception, where IPython has failed to write down what it says."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "_format_exception_for_storage":
            value = frame.f_locals.get("evalue")
            return value if isinstance(value, BaseException) else error
    return error


def _look_through(error: BaseException) -> tuple[str, str]:
    """The name of an exception and what it says; of Kale's, those of what it was raised for.

    Kale 2.3 (kale/marshal/backend.py, `save` and `load`) logs why a variable cannot be passed on,
    and raises an exception that says nothing.
    """
    reason = error.__context__
    if type(error).__name__ != GRACEFUL_EXIT or reason is None:
        return type(error).__name__, interpreter.words_of(error)
    said = interpreter.words_of(reason)
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == "kale.marshal.backend":
            if "obj" in frame.f_locals:
                kind = type(frame.f_locals["obj"])
                name = str(frame.f_locals.get("obj_name")).removesuffix(ARTIFACT)
                said += (
                    f"; `{name}`, a {kind.__module__}.{kind.__qualname__}, cannot be passed to "
                    "another step: make it in each step that needs it, or pass on what it is made "
                    "from"
                )
            elif "basename" in frame.f_locals:
                name = str(frame.f_locals["basename"]).removesuffix(ARTIFACT)
                said += (
                    f"; `{name}` cannot be read in this step as the step above has written it: "
                    "pass on a list of its values, or what it is made from"
                )
            break
    return type(reason).__name__, said


def _line_in_cell(error: BaseException) -> int | None:
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name == "<module>":
            return line
    return None
