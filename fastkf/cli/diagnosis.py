"""The command that says what is ready."""

from typing import Annotated

import typer

from fastkf.base.errors import UsageError
from fastkf.cli.cluster import CaFile, DexUser, Host, Namespace, TokenFile
from fastkf.cli.display import Display


def doctor(
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Look at a Kubeflow instead of this machine.")
    ] = False,
    host: Host = None,
    image: Annotated[
        str | None, typer.Option(help="The image that the steps will run in [Kale's default].")
    ] = None,
    token_file: TokenFile = None,
    dex_user: DexUser = None,
    ca_file: CaFile = None,
    namespace: Namespace = None,
) -> None:
    """Say what on this machine is ready for the labs and what is not, with the remedy.

    With --cluster, whether a Kubeflow is: its API's version, the sign-in, the namespace, the
    permissions, the artifact store, the step image. It changes nothing there. The exit code is 1
    when something needs mending.

    Examples: `fastkf doctor` · `fastkf doctor --cluster --host http://localhost:8080`
    """
    asked = {"--host": host, "--image": image, "--token-file": token_file}
    asked |= {"--dex-user": dex_user, "--ca-file": ca_file, "--namespace": namespace}
    if cluster:
        from fastkf.cluster.examine import examine
        from fastkf.cluster.target import Endpoint

        server = Endpoint(
            host=host,
            token_file=token_file,
            dex_user=dex_user,
            ca_file=ca_file,
            namespace=namespace,
        )
        checks = examine(server, image)
    elif given := [option for option, value in asked.items() if value]:
        raise UsageError(f"{given[0]}: only with --cluster")
    else:
        from fastkf.course.doctor import diagnose

        checks = diagnose()
    display, healthy = Display(), True
    for result in checks:
        healthy = healthy and result.ok is not False
        show(result, display)
    raise typer.Exit(0 if healthy else 1)


def show(check, display: Display) -> None:
    """A line for what a check found, and one for what to do."""
    mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]–[/]"}[check.ok]
    remedy = "" if check.ok else f"\n  → {check.remedy}"
    display.console.print(f"{mark} {check.name}: ", end="")
    display.console.print(f"{check.detail}{remedy}", markup=False)
