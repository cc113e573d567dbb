"""This process's variables, as far as a pod has such."""

import sys
from collections.abc import Mapping

OF_A_PERSON = ("USER", "LOGNAME", "DISPLAY", "WAYLAND_DISPLAY", "LANGUAGE")
LANGUAGE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"


def as_in_pod(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables without those of the person at this machine: a name, a screen, a language, a zone.

    A pod has no such variables, but for the language of most images, and its clock says UTC.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name not in OF_A_PERSON and not name.startswith("LC_")
    }
    return {**kept, "TZ": "UTC", "LANG": LANGUAGE}
