"""What a component imports and its container does not have."""

import pytest
from kfp import compiler, dsl

from fastkf.package.lacks import list_lacks, list_unread
from fastkf.package.model import Package
from fastkf.package.warnings import of_lacks

BARE = "python:3.11-slim"


def compiled(function, folder, **settings) -> Package:
    @dsl.pipeline
    def alone():
        dsl.component(function, **{"base_image": BARE, **settings})()

    path = folder / "package.yaml"
    compiler.Compiler().compile(alone, str(path))
    return Package.read(path)


def lacks_of(function, folder, **settings) -> list[str]:
    package = compiled(function, folder, **settings)
    return [module for _, _, modules in list_lacks(package) for module in modules]


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


def read_after_installing(place: str = "a"):
    import subprocess
    import sys

    subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", "pyarrow"])
    import pandas as pd

    pd.read_parquet(place)


def read_after_looking(place: str = "a"):
    import subprocess
    import sys

    subprocess.check_call([sys.executable, "-m", "pip", "list"])
    import pandas as pd

    pd.read_parquet(place)


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
        (read_after_installing, {}, []),
        (read_after_looking, {}, ["pandas"]),
    ],
    ids=[
        *("none", "with its own", "by another name", "all", "unknown", "an own image", "maybe"),
        *("itself", "pip"),
    ],
)
def test_what_is_here_and_not_in_the_container(tmp_path, function, settings, lacking):
    assert lacks_of(function, tmp_path, **settings) == lacking


def read_parquet(place: str = "a"):
    import pandas as pd

    rows = pd.read_parquet(place).dropna()
    rows.to_parquet(f"{place}.new")


def read_maybe(place: str = "a"):
    import pandas as pd

    print(pd.read_parquet(place) if place.endswith("parquet") else pd.read_csv(place))
    if place == "excel":
        pd.read_excel(place)


def read_with_an_engine(place: str = "a"):
    import pandas as pd

    pd.read_excel(place, engine="calamine")


def read_with_polars(place: str = "a"):
    import pandas as pd  # noqa: F401
    import polars as pl

    pl.read_parquet(place)


def read_with_an_own_class():
    import pandas as pd  # noqa: F401

    class Store:
        def to_parquet(self):
            return 1

    Store().to_parquet()


def read_with_a_flavor(place: str = "a"):
    import pandas as pd

    pd.read_html(place, flavor="bs4")


PANDAS = {"packages_to_install": ["pandas"]}


@pytest.mark.parametrize(
    ("function", "settings", "lacking"),
    [
        (read_parquet, PANDAS, ["pyarrow"]),
        (read_parquet, {"packages_to_install": ["pandas[parquet]"]}, []),
        (read_parquet, {"packages_to_install": ["pandas", "fastparquet"]}, []),
        (read_parquet, {"packages_to_install": ["pandas", "not-here-at-all"]}, []),
        (read_parquet, {**PANDAS, "base_image": "registry.local/own:1"}, []),
        (read_parquet, {}, []),  # told of pandas itself
        (read_maybe, PANDAS, []),
        (read_with_an_engine, PANDAS, []),
        (read_with_polars, PANDAS, []),
        (read_with_an_own_class, PANDAS, []),
        (read_after_installing, PANDAS, []),
        (read_after_looking, PANDAS, ["pyarrow"]),
        (read_with_a_flavor, PANDAS, []),
    ],
    ids=[
        *("no", "extra", "fast", "unknown", "image", "none", "maybe", "engine", "polars"),
        *("class", "itself", "pip", "flavor"),
    ],
)
def test_what_pandas_needs_to_read_is_installed(tmp_path, function, settings, lacking):
    package = compiled(function, tmp_path, **settings)
    assert [module for _, _, module in list_unread(package)] == lacking
    said = " ".join(of_lacks(package))
    assert ("works with pyarrow, and its component does not install that" in said) == bool(lacking)
