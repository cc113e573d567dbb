"""Every shell block of the README, the guides and the notebooks parses, and its commands exist."""

import re
import subprocess
from itertools import takewhile

import pytest
import typer
import yaml
from conftest import LABS
from guides import fastkf_commands, shell_blocks, yaml_blocks

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
def test_yaml_blocks_parse(path):
    for block in yaml_blocks(path):
        assert list(yaml.safe_load_all(block)), block


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_commands_exist_and_take_their_options(path):
    for words in fastkf_commands(path):
        command, shown = find_command(words), f"fastkf {' '.join(words)}"
        assert command, shown
        options = {option for parameter in command.params for option in parameter.opts}
        own = takewhile(lambda word: word != "--", words)
        used = {re.split("=", word)[0] for word in own if word.startswith("-")}
        assert used <= {*options, "--help"}, shown


def find_command(words):
    """The command, or the command of a group, that the words call."""
    command = COMMANDS.get(words[0])
    if hasattr(command, "commands") and len(words) > 1:
        return command.commands.get(words[1])
    return command


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_make_targets_exist(path):
    used = re.findall(r"^make ([a-z-]+)", "\n".join(shell_blocks(path)), re.M)
    assert set(used) <= TARGETS
