"""Which files a shell command of a notebook makes: `!wget`, `!curl`, `!unzip` and their like."""

import posixpath
import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

# Options that are followed by the file that the program writes, or by the folder.
OUTPUTS = {
    "wget": ("-O", "--output-document"),
    "curl": ("-o", "--output"),
    "unzip": ("-d",),
    "tar": ("-C",),
}
MADE = {"touch", "mkdir"}
COPIES = {"cp", "mv"}
SIGNS = (";", "&&", "||", "|", ">", ">>", "<", "&")


def files_of_command(command: str) -> Iterator[tuple[str, bool]]:
    """The paths that a command line opens, each with whether it writes there; what is sure only."""
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return
    part: list[str] = []
    for word in [*words, ";"]:
        if word in SIGNS:
            yield from _files_of(part)
            part = []
        else:
            part.append(word)


def _files_of(words: list[str]) -> Iterator[tuple[str, bool]]:
    if not words or any("{" in word or "$" in word for word in words):
        return
    program, rest = words[0], words[1:]
    plain = [word for word in rest if not word.startswith("-")]
    named = list(_values_of(rest, OUTPUTS.get(program, ())))
    if named:
        yield from ((one, True) for one in named if one != "-")
    elif (program == "wget" and "-P" not in rest) or (program == "curl" and "-O" in rest):
        for url in plain:
            if "://" in url and (name := posixpath.basename(urlsplit(url).path)):
                yield name, True
    elif program in MADE:
        yield from ((one, True) for one in plain)
    elif program in COPIES and len(plain) == 2:
        yield plain[0], False
        yield plain[1], True


def _values_of(words: list[str], options: tuple[str, ...]) -> Iterator[str]:
    for number, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in options:
            if equals:
                yield value
            elif number + 1 < len(words):
                yield words[number + 1]
