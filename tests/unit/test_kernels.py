"""Kernels that start at the same time get in no other's way."""

import asyncio
import json
import stat
import tempfile
from pathlib import Path

import pytest
from build import write_notebook

from fastkf.engine.kernels import PrivateKernelManager
from fastkf.engine.notebook import QuietKernelManager, execute_notebook
from fastkf.notebook.model import read


@pytest.fixture
def short_folder(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def addresses(manager):
    manager.write_connection_file()
    told = json.loads(Path(manager.connection_file).read_text())
    assert told["transport"] == "ipc"
    return {f"{told['ip']}-{told[name]}" for name in told if name.endswith("_port")}


def test_no_two_kernels_have_an_address_in_common(short_folder):
    managers = [PrivateKernelManager() for _ in range(3)]
    found = [addresses(manager) for manager in managers]
    assert [len(one) for one in found] == [5, 5, 5]
    assert len(set().union(*found)) == 15
    assert all(str(short_folder) in address for one in found for address in one)


def test_where_a_folder_is_too_long_for_sockets_it_is_tcp(tmp_path, monkeypatch):
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert PrivateKernelManager().transport == "tcp"


@pytest.mark.slow
def test_the_kernel_answers_and_leaves_nothing_behind(short_folder):
    async def start_and_end():
        manager = PrivateKernelManager(kernel_name="python3")
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=60)
            sockets = [one for one in short_folder.iterdir() if stat.S_ISSOCK(one.stat().st_mode)]
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)
        return sockets

    assert len(asyncio.run(start_and_end())) == 5
    assert [*short_folder.iterdir()] == []


def test_a_kernel_that_is_interrupted_while_it_starts_leaves_nothing(
    short_folder, tmp_path, monkeypatch
):
    def interrupt(manager, **options):
        assert Path(manager.connection_file).exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(QuietKernelManager, "start_kernel", interrupt)
    notebook = read(write_notebook(tmp_path / "a.ipynb", [("step:load", "x = 1")]))
    with pytest.raises(KeyboardInterrupt):
        execute_notebook(notebook, tmp_path / "out.ipynb", {}, lambda done, total: None)
    assert [*short_folder.iterdir()] == []
