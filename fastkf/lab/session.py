"""JupyterLab and the local pipelines server: they start together and end together."""

import os
import secrets
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fastkf import processes
from fastkf.errors import UsageError
from fastkf.lab.jupyter import Jupyter
from fastkf.lab.pipelines import cluster_pipelines, is_browser_far, local_pipelines
from fastkf.lab.services import Service, services

HEALTH = "/apis/v2beta1/healthz"
PORT = 8888  # JupyterLab's usual one


def work(
    place: Path,
    ready: Callable[[Jupyter, Path], None],
    host: str | None = None,
    port: int | None = None,
    base_url: str = "/",
    browser: bool = True,
    options: list[str] | None = None,
) -> None:
    """Runs JupyterLab and the local pipelines server until it is interrupted; then both end.

    Args:
        place: a folder of notebooks, or a notebook.
        ready: called when both answer, with the JupyterLab and the folder of the logs.
        host: the address of a Kubeflow Pipelines to use, in the place of the local server.
        port: JupyterLab's; a free one when None.
        base_url: the path of JupyterLab behind a gateway.
        browser: whether to open one.
        options: further words of JupyterLab's command line.

    Raises:
        UsageError: the port is taken.
        FastkfError: one of the two did not start, or has ended; the other has ended too.
    """
    port = choose_port(port)
    base_url = f"/{base_url.strip('/')}/".replace("//", "/")
    with services() as (private, start):
        running = []
        if host:
            pipelines = cluster_pipelines(host)
        else:
            server, address = start_server(start)
            running.append(server)
            is_far = is_browser_far(base_url, os.environ)
            pipelines = local_pipelines(address, base_url, is_far)
        jupyter = Jupyter(
            place, private, port, base_url, secrets.token_urlsafe(24), pipelines, browser, options
        )
        jupyter.configure()
        lab = start("JupyterLab", jupyter.command, jupyter.environment())
        lab.wait(f"{jupyter.address}api")
        running.append(lab)
        ready(jupyter, private)
        while True:
            for service in running:
                service.check()
            time.sleep(0.5)


def start_server(start: Callable[..., Service]) -> tuple[Service, str]:
    """Starts the local pipelines server and waits for it; returns it and its address."""
    [port] = processes.free_ports(1)
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "fastkf.cli", "server", "--port", port]
    server = start("The pipelines server", command)
    server.wait(address + HEALTH)
    return server, address


def choose_port(wanted: int | None) -> int:
    """The wanted port, or JupyterLab's usual one, or any that is free.

    Raises:
        UsageError: the wanted one is taken.
    """
    if wanted is None:
        return PORT if is_free(PORT) else processes.free_ports(1)[0]
    if not is_free(wanted):
        raise UsageError(f"--port {wanted}: another program listens there; leave --port out")
    return wanted


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
