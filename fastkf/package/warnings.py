"""What of a package will not do on a cluster, as far as it is seen before a run."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastkf.package.given import Given, explain_lack
from fastkf.package.homes import list_of_home
from fastkf.package.lacks import list_lacks, list_unread
from fastkf.package.lengths import list_too_long
from fastkf.package.marks import list_harmful
from fastkf.package.model import Package
from fastkf.package.stores import list_unreachable
from fastkf.package.terminal import list_read


def of_lengths(package: Package) -> Iterator[str]:
    """Which steps will not start."""
    for name, found in list_too_long(package):
        yield f"{name}: {found}"


def of_marks(package: Package) -> Iterator[str]:
    """Which steps have labels and annotations that are Argo's own."""
    for name, mark, harm in list_harmful(package):
        yield f"{name} has the {mark}. On a cluster {harm}; take another key"


def of_references(package: Package, given: Given) -> Iterator[str]:
    """Which Secrets and ConfigMaps are not given; where the data are here, no key is needed."""
    if lack := explain_lack(package, given):
        yield str(lack)


def of_lacks(package: Package) -> Iterator[str]:
    """Which steps import what is here, and not in their containers."""
    for name, image, modules in list_lacks(package):
        yield (
            f"{name} imports {', '.join(modules)}, and its container has no such module: neither "
            f"has its image {image}, nor does the component install it. On a cluster it ends with "
            "ModuleNotFoundError; name the package in packages_to_install, or take an image that "
            "has it"
        )
    for name, call, module in list_unread(package):
        yield (
            f"{name} calls {call}, which works with {module}, and its component does not install "
            f"that. On a cluster it ends with ImportError; add {module} to packages_to_install"
        )


def of_stores(package: Package, arguments: Mapping[str, Any]) -> Iterator[str]:
    """Which parameters are URLs that pandas reads with a package that no step installs."""
    for name, value, needed, components in list_unreachable(package, arguments):
        lack = f"{', '.join(components)} does not install it: add {needed} to packages_to_install"
        if package.is_kale:
            lack = f"no step installs it: add `import {needed}` to the imports cell"
        yield f"{name} is {value}. Pandas reads that with {needed}, and {lack}"


def of_absent(
    package: Package, arguments: Mapping[str, Any], names: Iterable[str]
) -> Iterator[str]:
    """What steps find on this machine, and pods do not.

    Args:
        arguments: those given to the run.
        names: of the terminal's variables.
    """
    yield from of_terminal(package, names)
    yield from of_home(package)
    yield from of_lacks(package)
    yield from of_stores(package, arguments)


def of_terminal(package: Package, names: Iterable[str]) -> Iterator[str]:
    """Which steps read keys and addresses that the terminal has, and their pods have not.

    Args:
        names: of the terminal's variables.
    """
    for name, variables in list_read(package, names):
        yield (
            f"{name} reads {', '.join(variables)} of your terminal; a pod has such a variable only "
            "from its image or a Secret: kubernetes.use_secret_as_env, or in a notebook the tag "
            "secret:NAME:KEY:VARIABLE"
        )


def of_home(package: Package) -> Iterator[str]:
    """Which steps name files of this user's home folder."""
    for name, paths in list_of_home(package):
        yield (
            f"{name} names {', '.join(paths)}, and no pod has your home folder: give the place as "
            "a parameter, keep it in a volume or an object store, or have the image bring it"
        )
