"""What whoever starts a server provides for the steps of all its runs.

It goes to the runs' processes through a variable, which holds paths only, and not to their steps.
"""

import json
import os
from collections.abc import Mapping

from fastkf.engine.environments import Environments
from fastkf.package.given import Given, read_given

VARIABLE = "FASTKF_PROVIDED"


def provide(secrets: Mapping[str, str], config_maps: Mapping[str, str], offline: bool) -> None:
    """Notes it for the processes that this one starts.

    Args:
        secrets, config_maps: name to path.
        offline: no packages are fetched.

    Raises:
        UsageError: a file cannot be read.
    """
    read_given(secrets, config_maps)
    paths = [
        {name: os.path.abspath(path) for name, path in one.items()}
        for one in (secrets, config_maps)
    ]
    os.environ[VARIABLE] = json.dumps([*paths, offline])


def take_provided() -> tuple[Given, Environments]:
    """What was noted, which the processes that this one starts are not told.

    Raises:
        UsageError: a file cannot be read any more.
    """
    secrets, config_maps, offline = json.loads(os.environ.pop(VARIABLE, "[{}, {}, false]"))
    return read_given(secrets, config_maps), Environments(offline)
