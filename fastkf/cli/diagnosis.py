"""What says which version this is, and what on this machine is ready."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Annotated

import typer

from fastkf.base.diagnosis import Check
from fastkf.base.errors import UsageError
from fastkf.cli.cluster import CaFile, DexUser, Host, Namespace, TokenFile
from fastkf.cli.command import command
from fastkf.cli.extras import require
from fastkf.cli.options import AsJson
from fastkf.course import places
from fastkf.runs.model import State
from fastkf.runs.progress import Progress

if TYPE_CHECKING:
    from fastkf.cluster.look.labs import Outlook

STATES = {True: State.SUCCEEDED, False: State.FAILED, None: State.SKIPPED}


def describe_version() -> str:
    """The version, and the course's folder."""
    course = f"course: {places.COURSE}" if places.COURSE else "no course here"
    return f"fastkf {metadata.version('fastkf')} ({course})"


@command()
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
    as_json: AsJson = False,
    *,
    display: Progress,
) -> bool:
    """Say what on this machine is ready for the labs and what is not, with the remedy.

    With --cluster, whether a Kubeflow is: its API's version, the sign-in, the namespace, the
    permissions, the artifact store, the step image; with kubectl also what runs there, and what
    Katib, KServe, Trainer and Notebooks need. It ends with a table: which labs will run there, and
    what the others lack. It changes nothing. The exit code is 1 when something needs mending.

    Examples: `fastkf doctor` · `fastkf doctor --json` · `fastkf doctor --cluster --host http://localhost:8080`
    """
    asked = {"--host": host, "--image": image, "--token-file": token_file}
    asked |= {"--dex-user": dex_user, "--ca-file": ca_file, "--namespace": namespace}
    if cluster:
        require("submit", "doctor --cluster")
        from fastkf.cluster.examine import examine
        from fastkf.cluster.look.labs import Seen, judge_labs
        from fastkf.cluster.target import Endpoint

        endpoint = Endpoint(
            host=host,
            token_file=token_file,
            dex_user=dex_user,
            ca_file=ca_file,
            namespace=namespace,
        )
        seen = Seen()
        checks: Iterable[Check] = examine(endpoint, image, seen)
    elif given := [option for option, value in asked.items() if value]:
        raise UsageError(f"{given[0]}: only with --cluster")
    else:
        from fastkf.course.doctor import diagnose

        checks = diagnose()
    found = []
    for check in checks:
        found.append(check)
        show(check, display)
    outlook = judge_labs(seen) if cluster else []
    show_outlook(outlook, display)
    if as_json:
        data = {"checks": [asdict(one) for one in found], "labs": [asdict(one) for one in outlook]}
        print(json.dumps(data, indent=2))
    return all(one.ok is not False for one in found)


def show_outlook(outlook: "list[Outlook]", display: Progress) -> None:
    """A table of the labs on a cluster; nothing when there is nothing to say."""
    rows = [(one.lab, STATES[one.runs], one.lacks) for one in outlook]
    if rows:
        headings = ("lab", "runs here", "what it lacks, or what cannot be known from here")
        display.show_table(headings, rows, title="The labs on this cluster")


def show(check: Check, display: Progress) -> None:
    """A line for what a check found, and one for what to do."""
    remedy = "" if check.ok else f"\n  → {check.remedy}"
    display.show_outcome(STATES[check.ok], f"{check.name}: {check.detail}{remedy}")
