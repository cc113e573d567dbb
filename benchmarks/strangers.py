"""How long the owner of a server waits while strangers hold it.

    .venv/bin/python benchmarks/strangers.py [--idle 1000] [--endless 10] [--requests 50]

One `fastkf server`, asked when it is quiet, then with so many connections on which nothing is said
and so many clients whose headers never end, then quiet again. Prints the time of a request (median
and longest), how much longer it is than on the quiet server, and what the server holds meanwhile:
memory and open files. The strangers are a process of their own.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
from servers import Server
from strangers import endless_headers, idle

PATH = "/runs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--idle", type=int, default=1000, help="connections that say nothing")
    parser.add_argument("--endless", type=int, default=10, help="clients with endless headers")
    parser.add_argument("--requests", type=int, default=50, help="of the owner, in each part")
    parser.add_argument("--strangers-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.strangers_of:
        hold(arguments)
        return
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        Server(Path(folder) / "server", fresh=True) as server,
    ):
        rows = {"quiet": measure(server, arguments.requests)}
        strangers = start_strangers(server, arguments)
        rows["with strangers"] = measure(server, arguments.requests)
        strangers.communicate()
        rows["quiet again"] = measure(server, arguments.requests)
    show(rows, arguments)


def hold(arguments: argparse.Namespace) -> None:
    """What the strangers do, until their standard input is closed."""
    url = arguments.strangers_of
    with idle(url, arguments.idle), endless_headers(url, arguments.endless):
        print("ready", flush=True)
        sys.stdin.read()


def start_strangers(server: Server, arguments: argparse.Namespace) -> subprocess.Popen:
    words = ["--strangers-of", server.url]
    words += ["--idle", str(arguments.idle), "--endless", str(arguments.endless)]
    command = [sys.executable, __file__, *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def measure(server: Server, requests: int) -> dict:
    """Milliseconds of each request, and the server's memory (MB) and open files after them."""
    process = psutil.Process(server.process.pid)
    times = []
    for _ in range(requests):
        began = time.monotonic()
        status, _ = server.call("GET", PATH)
        times.append(1000 * (time.monotonic() - began))
        assert status == 200
    return {"times": times, "memory": process.memory_info().rss / 1e6, "files": process.num_fds()}


def show(rows: dict[str, dict], arguments: argparse.Namespace) -> None:
    title = f"{arguments.idle} idle connections, {arguments.endless} with endless headers"
    table = Table("", "median", "longest", "to quiet", "memory", "files", title=title)
    quiet = statistics.median(rows["quiet"]["times"])
    for name, row in rows.items():
        median = statistics.median(row["times"])
        table.add_row(
            name,
            f"{median:.0f} ms",
            f"{max(row['times']):.0f} ms",
            f"{median / quiet:.1f}",
            f"{row['memory']:.0f} MB",
            str(row["files"]),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
