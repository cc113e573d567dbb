"""What a component imports and its container does not have."""

import pytest
from kfp import compiler, dsl

from fastkf.package.lacks import list_lacks
from fastkf.package.model import Package

BARE = "python:3.11-slim"


def lacks_of(function, folder, **settings) -> list[str]:
    @dsl.pipeline
    def alone():
        dsl.component(function, **{"base_image": BARE, **settings})()

    path = folder / "package.yaml"
    compiler.Compiler().compile(alone, str(path))
    return [module for _, _, modules in list_lacks(Package.read(path)) for module in modules]


def use_tables():
    import json  # noqa: F401

    import numpy as np  # noqa: F401
    import pandas as pd  # noqa: F401
    from kfp import dsl  # noqa: F401
    from sklearn.svm import SVC  # noqa: F401


def use_maybe():
    try:  # noqa: SIM105
        import pandas  # noqa: F401
    except ImportError:
        pass


@pytest.mark.parametrize(
    ("function", "settings", "lacking"),
    [
        (use_tables, {}, ["numpy", "pandas", "sklearn"]),
        (use_tables, {"packages_to_install": ["pandas"]}, ["sklearn"]),
        (use_tables, {"packages_to_install": ["scikit-learn>=1"]}, ["pandas"]),
        (use_tables, {"packages_to_install": ["scikit-learn", "pandas"]}, []),
        (use_tables, {"packages_to_install": ["scikit-learn", "not-here-at-all"]}, []),
        (use_tables, {"base_image": "registry.local/own:1"}, []),
        (use_maybe, {}, []),
    ],
    ids=["none", "with its own", "by another name", "all", "unknown", "an own image", "maybe"],
)
def test_what_is_here_and_not_in_the_container(tmp_path, function, settings, lacking):
    assert lacks_of(function, tmp_path, **settings) == lacking
