"""A kernel of a step, in a fresh interpreter. How steps run in forks: tests/commands."""

import asyncio
import os
import sys

import pytest

from fastkf.engine.kernels import PrivateKernelManager
from fastkf.engine.warm import interpreter

pytestmark = pytest.mark.slow

# The request that ends the kernel is answered while the thread that carries the output ends: it
# has left its loop, and is there still.
LATE = """
import sys

def flush_late(stdout, threading, sleep):
    loop = stdout.pub_thread.io_loop
    close, ends = loop.close, threading.Event()

    def close_late(*options, **others):
        ends.set()
        sleep(1)
        close(*options, **others)

    class Late:
        def __getattr__(self, name):
            return getattr(stdout, name)

        def flush(self):
            if threading.current_thread() is not threading.main_thread():
                ends.wait(0.5)
            stdout.flush()

    loop.close = close_late
    sys.stdout = Late()

flush_late(sys.stdout, __import__("threading"), __import__("time").sleep)
"""


class StepsKernelManager(PrivateKernelManager):
    def format_kernel_cmd(self, extra_arguments=None):
        command = super().format_kernel_cmd(extra_arguments)
        return [sys.executable, "-m", interpreter.__name__, *command[1:]]


async def run_to_its_end(code: str, variables: dict[str, str]) -> int:
    """The exit code of a kernel that is told to end after the code."""
    manager = StepsKernelManager(kernel_name="python3")
    await manager.start_kernel(env=os.environ | variables)
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready()
    await client.execute_interactive(code)
    process = manager.provisioner.process
    await manager.shutdown_kernel()
    client.stop_channels()
    return process.wait()


def test_a_kernel_ends_by_itself_when_it_is_told_to(tmp_path):
    stub = dict.fromkeys((interpreter.STUB, interpreter.OWN_STUB), sys.executable)
    ending = run_to_its_end(LATE, stub | {interpreter.LAYER: str(tmp_path)})
    assert asyncio.run(ending) == 0
