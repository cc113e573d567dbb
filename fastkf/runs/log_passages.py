"""A step's log, told apart: what the step's author printed, and what the framework wrote around it.

The framework's lines are those of KFP's executor and launcher, of Argo, of Kale, of the IPython
kernel that Kale starts, of TensorFlow's start, and of pip before the executor starts. Kale's error
lines are none of them: they tell of the author's own code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

EXECUTOR = re.compile(r"\[KFP Executor [\d-]+ [\d:,]+ \[?[A-Z]+\]?\]: ")
FRAMEWORK = re.compile(
    r"|".join(
        (
            EXECUTOR.pattern,
            r"time=\S+Z level=\w+ msg=.* argo=true",  # Argo's emissary
            r"[IWEF]\d{4} [\d:.]+ +\d+ \w+\.go:\d+\] ",  # KFP's launcher, by glog
            r"[\d-]+ [\d:]+ Kale \S+:\d+ +\[(?!ERROR)[A-Z]+\] ",
            r"\[IPKernelApp\] ",
            r"\d+\.\d\ds - (Debugger warning|make the debugger|to python to disable|Note: )",
            r"\S+\.py:\d+: RuntimeWarning: coroutine '\w+(\.\w+)*' was never awaited$",
            r"RuntimeWarning: Enable tracemalloc to get the object allocation traceback$",
            r"[\d-]+ [\d:.]+: [IWE] (tensorflow|external)/\S+:\d+\] ",
            r"[IWE]0000 00:00:\d+\.\d+ +\d+ \w+\.cc:\d+\] ",
            r"WARNING: All log messages before absl::InitializeLog\(\) is called are written to ",
            r"To enable the following instructions: .*, rebuild TensorFlow with the appropriate",
        )
    )
)
PIP = re.compile(
    r"(Collecting|Requirement already satisfied:|Using cached|Installing collected packages:"
    r"|Successfully installed|Looking in \w+:"
    r"| +(Downloading|Using cached|Preparing|Installing|Getting|━)"
    r"|\[notice\]|WARNING: (Running pip|You are using pip|The script)|Downloading \S+ \()"
)
# A line after which all belongs to the framework, and the one it ends with.
BLOCKS = (
    (re.compile(EXECUTOR.pattern + r"Got executor_input:$"), re.compile(r"\}$")),
    (re.compile(r"NOTE: When using the `ipython kernel` entry"), re.compile(r" +--existing \S+$")),
)
INDENTED_AFTER = re.compile(r"\S+\.py:\d+: RuntimeWarning: ")


@dataclass(frozen=True)
class Passage:
    """Lines that follow each other and are of one kind.

    Attributes:
        is_own: whether the step's author had them printed.
    """

    text: str
    is_own: bool

    @property
    def lines(self) -> int:
        return self.text.count("\n") + 1


def divide(log: str) -> tuple[Passage, ...]:
    """The passages of a log, or of its end, in their order; nothing is left out."""
    if not log:
        return ()
    marked = zip(log.split("\n"), _mark(log.split("\n")), strict=True)
    return tuple(
        Passage("\n".join(line for line, _ in lines), is_own)
        for is_own, lines in groupby(marked, key=lambda pair: pair[1])
    )


def _mark(lines: list[str]) -> Iterator[bool]:
    """For each line whether it is the author's own."""
    start = next((n for n, line in enumerate(lines) if EXECUTOR.match(line)), 0)
    end: re.Pattern[str] | None = None  # of the block that the line is in
    is_own, before = True, ""
    for number, line in enumerate(lines):
        if end and not FRAMEWORK.match(line):
            end = None if end.match(line) else end
            is_own = False
        elif _continues(line, before):
            pass  # of the kind that the line before it is
        else:
            is_pip = number < start and PIP.match(line) is not None
            is_own = not (is_pip or FRAMEWORK.match(line) or _begins(line))
            end = _begins(line)
        yield is_own
        before = line


def _continues(line: str, before: str) -> bool:
    is_source = line.startswith("  ") and INDENTED_AFTER.match(before) is not None
    return is_source or not line.strip()


def _begins(line: str) -> re.Pattern[str] | None:
    """What ends the block that begins with this line."""
    return next((end for start, end in BLOCKS if start.match(line)), None)
