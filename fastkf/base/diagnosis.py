"""What a look at a machine or at a server has found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        ok: True, or False when the labs cannot run, or None for what only some of them use and
            which is not there.
    """

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""
