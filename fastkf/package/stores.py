"""Which parameters are URLs of an object store that a pipeline's steps have no package to read.

Pandas leaves URLs to fsspec, and fsspec those of each store to a package of its own, by the URL's
scheme (`fsspec.registry.known_implementations`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastkf.package.lacks import list_installed_packages
from fastkf.package.model import Package

READERS = frozenset(("pandas", "fsspec"))
# Scheme to the package by which fsspec reads it, and to others by which code may read it.
PACKAGES = {
    "s3": ("s3fs", frozenset(("boto3", "botocore", "minio", "pyarrow", "duckdb", "polars"))),
    "gs": ("gcsfs", frozenset(("google-cloud-storage", "pyarrow", "duckdb", "polars"))),
    "az": ("adlfs", frozenset(("azure-storage-blob", "duckdb", "polars"))),
}


def list_unreachable(
    package: Package, arguments: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, list[str]]]:
    """Parameter, its value, the package that needs, and the components that do not install it.

    Args:
        arguments: those given; of the others the defaults are looked at.
    """
    for name, value in {**package.defaults, **arguments}.items():
        scheme, is_url, _ = value.partition("://") if isinstance(value, str) else ("", "", "")
        if not is_url or scheme not in PACKAGES:
            continue
        needed, others = PACKAGES[scheme]
        installed = list_installed_packages(package)
        found = {
            component
            for component in _list_components(package, name)
            if (packages := installed.get(component, frozenset())) & READERS
            and not packages & {needed, *others}
        }
        if found:
            yield name, value, needed, sorted(found)


def _list_components(package: Package, parameter: str) -> Iterator[str]:
    """The components of the tasks that a parameter of the pipeline is handed to."""
    components = package.spec.get("components") or {}
    for task in package.spec["root"]["dag"]["tasks"].values():
        given = (task.get("inputs") or {}).get("parameters") or {}
        if any(one.get("componentInputParameter") == parameter for one in given.values()):
            label = components[task["componentRef"]["name"]].get("executorLabel", "")
            yield label.removeprefix("exec-")
