"""Runs a command that ends when whoever started it is gone: `python leash.py COMMAND...`.

Its standard input is a pipe that the parent holds open. When the parent ends, in whatever way, the
pipe closes, and the command and all that it has started are asked to end, and then killed. When the
parent writes a byte, they are killed at once. When the command ends by itself, what it has left is
killed too, as with the first process of a container.

Two processes hold the command, an outer one and below it an inner one, so that neither can be
killed without the other ending everything. Both are subreapers (prctl(2)): a daemon that the
command starts, in a session of its own or through a double fork, becomes a child of theirs when its
parent ends. Where there are none (macOS), the process group ends, and daemons go on. With the
option --keep-daemons before the command it is so everywhere. With --processors=0,1 it all runs on
these processors (Linux).

It runs with `-I -S`, once for each command, and imports what starts in milliseconds: `subprocess`,
`threading`, `contextlib` and `signal` would take longer than all the rest.
"""

import _signal as signal  # type: ignore[import-not-found]
import _thread
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

SECONDS_TO_END = 5.0
SECONDS_BETWEEN_KILLS = 0.01
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KEEP_DAEMONS = "--keep-daemons"
PROCESSORS = "--processors="
HAS_SUBREAPERS = sys.platform == "linux"
SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def signal_group(group: int, number: int) -> None:
    """Sends a signal to all processes of a group, if there still are any; 0 is the own group."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS: all are zombies
        return


def has_group(group: int) -> bool:
    """Whether there is still a process of the group."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS: all are zombies
        return False
    return True


def adopt_orphans() -> None:
    """Makes this process the parent of all below it whose own parent ends."""
    if HAS_SUBREAPERS:
        import ctypes  # takes some milliseconds, which clients without need should not pay

        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, *map(ctypes.c_ulong, (1, 0, 0, 0)))


def exit_code(status: int) -> int:
    """What a shell says of a status of `wait`: the exit code, 128 + N when signal N was the end."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def wait_for(child: int) -> int:
    """Waits for a child, and takes leave of what was adopted meanwhile; returns its exit code."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return exit_code(status)


def end_descendants() -> None:
    """Kills all that is below this process; returns when none is left that it may kill."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        # Nothing may be found though something is there: whose parent ends while /proc is read,
        # belongs to nobody in it.
        if not kill_descendants():
            return
        time.sleep(SECONDS_BETWEEN_KILLS)


def kill_descendants(spared: "Collection[int]" = ()) -> bool:
    """Kills what is below this process; False when there is something that it may not kill.

    Args:
        spared: children that stay, with all below them.
    """
    may = True
    for pid in _find_descendants(os.getpid(), spared):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        except PermissionError:  # another user's, through sudo
            may = False
    return may


def _find_descendants(process: int, spared: "Collection[int]") -> "Iterator[int]":
    """The processes below a process, from proc(5), those nearest to it first."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                stat = file.read()
        except OSError:  # it has ended
            continue
        # The name of the program comes before, in brackets, and may have any bytes in it.
        parent = int(stat.rpartition(b")")[2].split()[1])
        children.setdefault(parent, []).append(int(name))
    below = [pid for pid in children.get(process, ()) if pid not in spared]
    for pid in below:
        yield pid
        below += children.get(pid, ())


def main() -> None:
    """Runs the command in this process group and ends with its exit code."""
    command = sys.argv[1:]
    adopts = HAS_SUBREAPERS and command[0] != KEEP_DAEMONS
    if command[0] == KEEP_DAEMONS:
        del command[0]
    if command[0].startswith(PROCESSORS):
        numbers = command.pop(0).removeprefix(PROCESSORS).split(",")
        os.sched_setaffinity(0, map(int, numbers))  # what is started from here inherits it
    # The command is in the same group and gets the same signal; it decides when to end, and these
    # processes must outlive it to tell its exit code and to kill what it leaves.
    for number in END_SIGNALS:
        signal.signal(number, lambda *_: None)
    if adopts:
        adopt_orphans()
    # The inner process must not hold the writing end, or it would not see that the outer is gone;
    # and the fork comes before any thread.
    lifeline, held = os.pipe()
    inner = os.fork()
    if inner:
        os.close(lifeline)
        os._exit(_watch_over(inner, sys.stdin.fileno(), adopts))
    os.close(held)
    if adopts:
        adopt_orphans()  # no child inherits it
    os._exit(_watch_over(_start(command), lifeline, adopts))


def _start(command: list[str]) -> int:
    """Starts the command, which reads nothing; the number of its process."""
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    try:
        return os.posix_spawnp(
            command[0],
            command,
            os.environ,
            file_actions=[nothing],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores
        )
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


def _watch_over(child: int, lifeline: int, adopts: bool) -> int:
    """Waits for a child and ends what it leaves; returns its exit code."""
    _thread.start_new_thread(_end_when_told, (lifeline, adopts))
    code = wait_for(child)
    if adopts:
        end_descendants()
    return code


def _end_when_told(lifeline: int, adopts: bool) -> None:
    """Waits until the parent is gone, then asks the group to end, then kills."""
    if not os.read(lifeline, 1):
        signal_group(0, signal.SIGTERM)
        time.sleep(SECONDS_TO_END)  # main() may end the process meanwhile
    if not adopts:
        signal_group(0, signal.SIGKILL)
    # What is killed may have started something before: until main() has seen the end of all.
    while True:
        kill_descendants()
        time.sleep(SECONDS_BETWEEN_KILLS)


if __name__ == "__main__":
    main()
