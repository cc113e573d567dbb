"""Loads the model of a folder with the library that made it."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from fastkf.base.absent import absent
from fastkf.base.files import shown_path
from fastkf.serving.folders import find_pickled, find_versions
from fastkf.serving.model import ServedModel

# Keras and TensorFlow import them where they find them, which takes two fifths of their own import.
NOT_NEEDED = ("jax", "matplotlib", "sklearn")
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
OF_JAX = "1"  # what a notebook that has imported JAX leaves to what it starts: nobody chose it
KERNEL = "JPY_PARENT_PID"  # a kernel of Jupyter has it, and what it starts


def load_model(folder: Path, warn: Callable[[str], None]) -> ServedModel:
    """The model in a folder that `fastkf.serving.folders` has passed.

    Args:
        warn: is told of a pickled model before it is loaded, since that runs the code in it.

    Raises:
        FastkfError: it does not load.
    """
    if pickled := find_pickled(folder):
        from fastkf.serving.pickled import PickledModel

        warn(f"{shown_path(pickled[0])}: a pickle, loading it runs the code in it")
        return PickledModel(folder.name, pickled[0])
    # A server that is up has other threads, which may import what they need.
    is_alone = threading.current_thread() is threading.main_thread()
    with _silent_import(), absent(NOT_NEEDED if is_alone else ()):
        from fastkf.serving.saved_model import SavedModel
    return SavedModel(folder.name, find_versions(folder))


@contextlib.contextmanager
def _silent_import() -> Iterator[None]:
    """Keeps TensorFlow's words about its build from the terminal when it is imported.

    It writes them on the file descriptor itself before it reads how much it should write. The
    descriptor is the whole process's, so this is for the first import alone: other threads may have
    something to say later.
    """
    given = os.environ.get(LOG_LEVEL)
    if given is None or (given == OF_JAX and KERNEL in os.environ):
        os.environ[LOG_LEVEL] = "3"
    if "tensorflow" in sys.modules:
        yield
        return
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
