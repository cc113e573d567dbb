"""JupyterLab and the local pipelines server: they start together and end together."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from fastkf.base import local_server
from fastkf.base.errors import UsageError
from fastkf.base.local_server import LocalServer
from fastkf.base.ports import free_ports, is_free
from fastkf.base.tokens import new_token
from fastkf.cluster.target import Endpoint, clean_address
from fastkf.lab.jupyter import Jupyter
from fastkf.lab.pipelines import cluster_pipelines, is_browser_far, local_pipelines
from fastkf.lab.services import Service, answers, services

PORT = 8888  # JupyterLab's usual one
SECONDS_BETWEEN_CHECKS = 0.5


@dataclass
class Options:
    """What a learner may ask for.

    Attributes:
        place: a folder of notebooks, or a notebook.
        root: the folder that JupyterLab shows nothing above of; the place's own when None.
        server: a Kubeflow Pipelines to use in place of the one on this machine.
        port: JupyterLab's; a free one when None.
        base_url: the path of JupyterLab behind a gateway.
        browser: whether to open one.
        jupyter: further words of JupyterLab's command line.
    """

    place: Path
    root: Path | None = None
    server: Endpoint | None = None
    port: int | None = None
    base_url: str = "/"
    browser: bool = True
    jupyter: list[str] = field(default_factory=list)

    @property
    def shown_root(self) -> Path:
        own = self.place if self.place.is_dir() else self.place.parent
        return (self.root or own).resolve()


def work(options: Options, ready: Callable[[Jupyter, Path], None]) -> None:
    """Runs JupyterLab and the local pipelines server until it is interrupted; then both end.

    Args:
        ready: called when both answer, with the JupyterLab and the folder of the logs.

    Raises:
        UsageError: the port is taken.
        FastkfError: one of the two did not start, or has ended; the other has ended too.
    """
    port = choose_port(options.port)
    base_url = f"/{options.base_url.strip('/')}/".replace("//", "/")
    with services() as (private, start):
        running: list[Service] = []
        if options.server and not is_own(options.server):
            pipelines = cluster_pipelines(options.server, private, base_url)
        else:
            is_far = is_browser_far(base_url, options.jupyter, os.environ)
            pipelines = local_pipelines(find_server(start, running), port, base_url, is_far)
        jupyter = Jupyter(
            place=options.place,
            root=options.shown_root,
            private=private,
            port=port,
            base_url=base_url,
            token=new_token(),
            pipelines=pipelines,
            browser=options.browser,
            options=options.jupyter,
        )
        jupyter.configure()
        environment = jupyter.environment()
        # In the folder where Kale writes its folder .kale.
        lab = start("JupyterLab", jupyter.command, folder=jupyter.root, environment=environment)
        lab.wait(lambda: lab.listens_on(port) and answers(f"{jupyter.address}api"))
        running.append(lab)
        ready(jupyter, private)
        watch(running)


def watch(running: list[Service]) -> NoReturn:
    """Looks at the services for as long as they go.

    Raises:
        FastkfError: one has ended.
    """
    while True:
        for service in running:
            service.check()
        time.sleep(SECONDS_BETWEEN_CHECKS)


def is_own(server: Endpoint) -> bool:
    """Whether the server of this machine is named, whose pages need its token or JupyterLab."""
    if not server.host or server.token_file or server.dex_user:
        return False
    return local_server.find_folder(clean_address(server.host)) is not None


def find_server(start: Callable[..., Service], running: list[Service]) -> LocalServer:
    """The server that runs already, or one that is started now, on a port of its own choice.

    Another may be starting at the same moment (`fastkf server & fastkf lab`): one of the two gets
    the folder, and is the one. Only one of our own is among what runs, and is looked after.
    """
    folder = local_server.default_folder()
    if known := local_server.find(folder):
        return known
    command = [sys.executable, "-m", "fastkf.cli", "server", "--port", "0", "--folder", folder]
    service = start("The pipelines server", command)
    found: LocalServer | None = None

    def is_ready() -> bool:
        nonlocal found
        found = local_server.find(folder)
        return found is not None

    service.wait(is_ready, lambda: local_server.is_taken(folder))
    assert found is not None
    if service.has(found.pid):
        running.append(service)
    return found


def choose_port(wanted: int | None) -> int:
    """The wanted port, or JupyterLab's usual one, or any that is free.

    Raises:
        UsageError: the wanted one is taken.
    """
    if wanted is None:
        return PORT if is_free(PORT) else free_ports(1)[0]
    if not is_free(wanted):
        raise UsageError(f"--port {wanted}: another program listens there", "leave --port out")
    return wanted
