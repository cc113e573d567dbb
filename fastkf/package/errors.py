"""What is wrong with a package."""

from fastkf.base.errors import FastkfError


class PackageError(FastkfError):
    """It is no pipeline package of KFP v2, or one that cannot be used for what was asked."""


class PackageTooLargeError(PackageError):
    """It is larger than what is taken from others."""
