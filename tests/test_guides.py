"""Every shell block of the README, the guides and the notebooks parses, and its commands exist."""

import re
import subprocess

import pytest
import typer
from conftest import LABS
from guides import fastkf_commands, shell_blocks

from fastkf import paths
from fastkf.cli import app

GUIDES = [
    paths.PROJECT / "README.md",
    paths.DATA / "README.md",
    *sorted((paths.PROJECT / "labs").rglob("*.md")),
    *LABS,
]
COMMANDS = typer.main.get_command(app).commands
TARGETS = set(re.findall(r"^([a-z-]+):", (paths.PROJECT / "Makefile").read_text(), re.M))


def name(path):
    return str(path.relative_to(paths.PROJECT))


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_shell_blocks_parse(path):
    for block in shell_blocks(path):
        result = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert result.returncode == 0, f"{block}\n{result.stderr}"


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_commands_exist_and_take_their_options(path):
    for command, *words in fastkf_commands(path):
        assert command in COMMANDS, f"fastkf {command}"
        options = {option for parameter in COMMANDS[command].params for option in parameter.opts}
        used = {re.split("=", word)[0] for word in words if word.startswith("-")}
        assert used <= {*options, "--help"}, f"fastkf {command} {' '.join(words)}"


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_make_targets_exist(path):
    used = re.findall(r"^make ([a-z-]+)", "\n".join(shell_blocks(path)), re.M)
    assert set(used) <= TARGETS
