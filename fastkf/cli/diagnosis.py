"""The command that says what is ready."""

import typer

from fastkf.display import Display


def doctor() -> None:
    """Say what on this machine is ready for the labs and what is not, with the remedy.

    Example: `fastkf doctor`
    """
    from fastkf.doctor import diagnose

    display, healthy = Display(), True
    for result in diagnose():
        healthy = healthy and result.ok is not False
        if result.ok:
            display.done(f"{result.name}: {result.detail}")
        else:
            mark = "[red]✗[/]" if result.ok is False else "[yellow]–[/]"
            display.say(f"{mark} {result.name}: {result.detail}\n  → {result.remedy}")
    raise typer.Exit(0 if healthy else 1)
