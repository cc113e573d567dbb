"""URLs of object stores that a pipeline is given, and that its steps have no package to read."""

import pytest
from build import write_notebook
from kfp import compiler, dsl

from fastkf.notebook.compile import compile_package
from fastkf.notebook.model import read
from fastkf.package.model import Package
from fastkf.package.stores import list_unreachable
from fastkf.package.warnings import of_stores

S3, GS = "s3://bucket/rows.csv", "gs://bucket/rows.csv"


def count(place: str, other: str = "") -> int:
    import pandas as pd

    return len(pd.read_csv(place or other))


def count_after_installing(place: str, other: str = "") -> int:
    import os

    os.system("pip install s3fs")
    import pandas as pd

    return len(pd.read_csv(place or other))


def compiled(folder, inner=False, default="rows.csv", function=count, **settings) -> Package:
    component = dsl.component(
        function, **{"base_image": "python:3.11", "packages_to_install": ["pandas"], **settings}
    )

    @dsl.pipeline
    def around(place: str):
        component(place=place)

    @dsl.pipeline
    def counting(place: str = default, unused: str = ""):
        around(place=place) if inner else component(place=place)

    path = folder / "package.yaml"
    compiler.Compiler().compile(counting, str(path))
    return Package.read(path)


@pytest.mark.parametrize(
    ("settings", "given", "needed"),
    [
        ({}, {"place": S3}, ["s3fs"]),
        ({}, {"place": GS}, ["gcsfs"]),
        ({"default": S3}, {}, ["s3fs"]),
        ({"default": S3}, {"place": "data"}, []),
        ({}, {"place": "https://example.com/rows.csv"}, []),
        ({}, {"unused": S3}, []),
        ({"packages_to_install": ["pandas", "s3fs"]}, {"place": S3}, []),
        ({"packages_to_install": ["pandas", "s3fs"]}, {"place": GS}, ["gcsfs"]),
        ({"packages_to_install": ["pandas", "minio"]}, {"place": S3}, []),
        ({"packages_to_install": ["numpy"]}, {"place": S3}, []),
        ({"packages_to_install": ["pandas", "not-here-at-all"]}, {"place": S3}, []),
        ({"base_image": "registry.local/own:1"}, {"place": S3}, []),
        ({"inner": True}, {"place": S3}, []),
        ({"function": count_after_installing}, {"place": S3}, []),
    ],
)
def test_a_url_that_no_package_reads_is_told(settings, given, needed, tmp_path):
    found = list(list_unreachable(compiled(tmp_path, **settings), given))
    assert [package for _, _, package, _ in found] == needed


def test_a_component_is_named_with_what_to_do(tmp_path):
    assert list(of_stores(compiled(tmp_path), {"place": S3})) == [
        f"place is {S3}. Pandas reads that with s3fs, and count does not install it: add s3fs to "
        "packages_to_install"
    ]


@pytest.mark.parametrize("imported", ["", "\nimport s3fs"])
def test_of_a_notebook_it_is_the_imports_cell(imported, tmp_path):
    notebook = write_notebook(
        tmp_path / "rows.ipynb",
        [
            ("imports", f"import pandas as pd{imported}"),
            (["pipeline-parameters", "parameters"], 'data_dir = "data"'),
            ("step:load", 'rows = len(pd.read_csv(f"{data_dir}/rows.csv"))'),
        ],
    )
    package = compile_package(read(notebook), tmp_path / "package.yaml")
    told = [
        "data_dir is s3://bucket. Pandas reads that with s3fs, and no step installs it: add "
        "`import s3fs` to the imports cell"
    ]
    assert list(of_stores(package, {"data_dir": "s3://bucket"})) == ([] if imported else told)
