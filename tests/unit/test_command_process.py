"""The process of a command: closed streams, low limits, a terminal that is closed."""

import os
import pty
import resource
import signal
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.security, pytest.mark.slow]

# What a command does with its streams, and what its own children find.
COMMAND = """
import subprocess, sys
from fastkf.cli.command import command
from fastkf.cli.process import open_streams
open_streams()
with open(sys.argv[1], "w") as kept:
    print(sorted({kept.fileno(), 0, 1, 2})[:3], file=kept)
    print(sys.stdin.read() == "", file=kept)
    print("to stdout", flush=True)
    print("to stderr", file=sys.stderr, flush=True)
    code = subprocess.run(["sh", "-c", "cat; echo out; echo err >&2"]).returncode
    print(code, file=kept)
"""
ENDED = """
import sys, time
import typer
from fastkf.cli.command import command

@command()
def work():
    try:
        print("ready", flush=True)
        for _ in range(600):  # a signal just before a sleep is handled after it
            time.sleep(0.1)
    finally:
        print("ending", flush=True)
        open(sys.argv[1], "w").write("ended")

try:
    work()
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams_are_opened_on_nothing(tmp_path, closed):
    marks = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    command = ["sh", "-c", f'exec "$@" {marks}', "sh", sys.executable, "-c", COMMAND]
    result = subprocess.run(
        [*command, tmp_path / "kept"],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (tmp_path / "kept").read_text().split("\n")[:3] == ["[0, 1, 2]", "True", "0"]
    assert result.returncode == 0
    assert result.stdout == ("" if 1 in closed else "to stdout\nout\n")
    assert result.stderr == ("" if 2 in closed else "to stderr\nerr\n")


@pytest.mark.parametrize(
    ("limit", "code", "said"),
    [
        ("ulimit -n 32", 2, "fastkf: this process may have 32 files open at a time, and needs 64;"),
        ("umask 777", 2, "fastkf: the umask 777 takes the right to what is written from you too;"),
        ("umask 277", 2, "fastkf: the umask 277 takes the right"),
        ("ulimit -S -n 32", 0, ""),
        ("umask 077", 0, ""),
    ],
)
def test_limits_that_allow_nothing_are_one_line(limit, code, said):
    words = [sys.executable, "-m", "fastkf.cli", "list"]
    command = ["sh", "-c", f'{limit}; exec "$@"', "sh", *words]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.stderr.startswith(said)
    assert result.stderr.count("\n") == (1 if said else 0)
    assert result.returncode == code


def start_in_terminal(command: list) -> tuple[subprocess.Popen, int]:
    """A process whose terminal is a new one, and the other end of that."""
    here, there = pty.openpty()
    # The session's first terminal becomes its own.
    take = f"os.open({os.ttyname(there)!r}, os.O_RDWR)"
    program = f"import os; {take}; os.execv({command[0]!r}, {command!r})"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program],
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
    )
    os.close(there)
    return process, here


def test_a_command_ends_in_order_when_its_terminal_is_closed(tmp_path):
    command = [sys.executable, "-c", ENDED, str(tmp_path / "end")]
    process, terminal = start_in_terminal(command)
    shown = b""
    while b"ready" not in shown:
        shown += os.read(terminal, 1024)
    os.close(terminal)
    assert process.wait(60) == 130
    assert (tmp_path / "end").read_text() == "ended"


def test_nohup_is_obeyed(tmp_path):
    command = [sys.executable, "-c", ENDED, str(tmp_path / "end")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    process.terminate()
    assert process.wait(60) == 130
    assert process.stdout.read() == b"ending\n"
    process.stdout.close()


def test_the_limit_on_files_is_raised():
    code = (
        "import resource; from fastkf.cli.process import check_limits; check_limits();"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    low = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, 512))  # noqa: E731
    result = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, preexec_fn=low)
    assert int(result.stdout) == 512


@pytest.mark.parametrize("words", [["list"], ["--help"], ["run", "--help"], ["--version"]])
@pytest.mark.parametrize("mode", [[], ["-u"]], ids=["buffered", "unbuffered"])
def test_an_output_that_takes_nothing_is_one_line(words, mode):
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, *mode, "-m", "fastkf.cli", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            env=kept,
        )
    assert result.returncode == 1
    assert result.stderr.startswith("fastkf: standard output: No space left on device; make room")
    assert result.stderr.count("\n") == 1


def test_a_home_that_cannot_be_used_is_told_with_the_remedy(tmp_path):
    home = tmp_path / "home"
    home.write_text("a file")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG")}
    command = [sys.executable, "-m", "fastkf.cli", "server", "--port", "0"]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=kept | {"HOME": str(home)}
    )
    assert result.returncode == 1
    assert result.stderr.startswith(f"fastkf: {home}/.local")
    assert result.stderr.endswith(
        ": Not a directory; your data are kept there: set HOME, or XDG_DATA_HOME, to a folder of "
        "your own\n"
    )
