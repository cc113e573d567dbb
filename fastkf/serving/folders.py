"""Models in folders, as KServe's and TensorFlow Serving's own servers expect them."""

import re
from pathlib import Path

from fastkf.base.errors import UsageError
from fastkf.base.paths import lacks_folder

# The endings that kserve's scikit-learn server knows.
PICKLED = (".joblib", ".pkl", ".pickle")
SAVED_MODEL = "saved_model.pb"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def find_models(folders: list[Path]) -> list[Path]:
    """The folders, whole; each holds one model, whose name is the folder's.

    Raises:
        UsageError: one is not there, holds no model or more than one, or two have one name.
    """
    found: dict[str, Path] = {}
    for folder in (folder.resolve() for folder in folders):
        check_folder(folder)
        if found.get(folder.name, folder) != folder:
            raise UsageError(
                f"{folder} and {found[folder.name]}: two models of one name",
                "a model is called as its folder is, so rename one",
            )
        found[folder.name] = folder
    return list(found.values())


def check_folder(folder: Path) -> None:
    """Raises UsageError unless the folder is there, well named, and holds one model."""
    if lack := lacks_folder(folder):
        raise UsageError(f"{folder}: {lack}", "name the folder that a model is in")
    if not NAME.fullmatch(folder.name):
        raise UsageError(
            f"{folder}: a model is called as its folder is, and its name is part of an address",
            "rename the folder to letters, digits, - and _",
        )
    pickled = find_pickled(folder)
    if len(pickled) > 1:
        names = ", ".join(path.name for path in pickled)
        raise UsageError(f"{folder}: {len(pickled)} models in one folder: {names}", "keep one")
    if not pickled and not find_versions(folder):
        raise UsageError(f"{folder}: no model in it", _advise(folder))


def find_pickled(folder: Path) -> list[Path]:
    """The files that joblib or pickle may have written."""
    return sorted(path for path in folder.iterdir() if path.suffix in PICKLED and path.is_file())


def find_versions(folder: Path) -> dict[int, Path]:
    """The folders of a SavedModel's versions, the oldest first."""
    versions = [path for path in folder.iterdir() if path.name.isascii() and path.name.isdigit()]
    versions = [path for path in versions if (path / SAVED_MODEL).is_file()]
    return {int(path.name): path for path in sorted(versions, key=lambda path: int(path.name))}


def _advise(folder: Path) -> str:
    if (folder / SAVED_MODEL).is_file():
        if folder.name.isdigit():
            return f"it is one version of a SavedModel: serve {folder.parent}"
        return f"a SavedModel is in a folder of its version: move it to {folder.name}/1/"
    if kept := [path.name for path in sorted(folder.iterdir()) if path.suffix in (".keras", ".h5")]:
        return f"{kept[0]} is not a SavedModel: load it with Keras and call model.export('…/1')"
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    if models := [path for path in inside if find_pickled(path) or find_versions(path)]:
        return "there are models in it: serve " + " ".join(str(path) for path in models)
    return "it needs model.joblib, or a SavedModel as 1/saved_model.pb"
