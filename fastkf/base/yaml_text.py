"""YAML that anyone may have written: read within limits, by the rules of YAML 1.2.

PyYAML reads YAML 1.1, in which 1:30 is the number 90, `no` is false and 2026-11-29 a date. Here the
core schema of YAML 1.2 holds (https://yaml.org/spec/1.2.2/#103-core-schema), with the merge key
`<<`, which manifests of Kubernetes use. In one thing it is narrower: a number is what both versions
take for one. KFP writes packages with PyYAML, which leaves the texts 08001 and 1e-3 unquoted; they
come back as the texts that they were.

What is read is what JSON can hold, as on a cluster, where all YAML becomes JSON: keys are texts,
and there are no dates, sets or bytes.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from fastkf.base.errors import first_line

CORE = "tag:yaml.org,2002:"
MERGE = CORE + "merge"
LONGEST_NUMBER = 400  # characters; the largest number that a double holds has 309 digits
INTEGER = r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+"
FLOAT = (
    r"[-+]?[0-9]+\.[0-9]*(?:[eE][-+][0-9]+)?|\.[0-9]+(?:[eE][-+][0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
DIRECTIVE = re.compile(r"(?:^|[\r\n\x85\u2028\u2029])%")  # where libyaml begins a line
SHOWN = 60  # characters of a key in a message
MOST_DIRECTIVES = 20  # libyaml compares each %TAG with all before it
START = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
END = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


class YamlError(ValueError):
    """A text that is no YAML, or more of it than is read; says why, in one line."""


@dataclass(frozen=True)
class Limits:
    """How much YAML is read.

    Attributes:
        letters: of the text.
        values: what the text stands for, with its aliases written out.
        levels: of values inside each other.
        seconds: of this thread's processor time, so a busy machine changes nothing.
    """

    letters: int = 64 * 2**20
    values: int = 2_000_000
    levels: int = 100
    seconds: float = 60.0


OF_USER = Limits()  # a file that somebody names in a command


def read_yaml(text: str, limits: Limits = OF_USER) -> list[Any]:
    """The documents of a YAML text as JSON could hold them; None for an empty one.

    Raises:
        YamlError: it is no YAML, has what JSON cannot hold, or is beyond the limits.
    """
    if len(text) > limits.letters:
        raise YamlError(f"more than {limits.letters:,} characters")
    if len(DIRECTIVE.findall(text)) > MOST_DIRECTIVES:
        raise YamlError(f"more than {MOST_DIRECTIVES} directives (lines that start with %)")
    try:
        _measure(yaml.parse(text, Loader=yaml.CSafeLoader), limits)
        return list(yaml.load_all(text, Loader=_CoreLoader))
    except yaml.YAMLError as error:
        raise YamlError(_describe(error)) from error
    except UnicodeEncodeError as error:
        raise YamlError("a lone surrogate, which is no character") from error


class _CoreLoader(yaml.CSafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """libyaml's parser with the core schema of YAML 1.2."""

    # Its own tables: those of PyYAML's loaders belong to all their subclasses.
    yaml_implicit_resolvers: dict[str | None, list[Any]] = {}
    yaml_constructors: dict[str | None, Any] = {}

    def __init__(self, stream: str):
        super().__init__(stream)
        self._flat: set[yaml.MappingNode] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Puts in what `<<` names; a mapping's own keys go before it, and what is named first.

        Not PyYAML's, which compares the keys by where they are in memory (6.0.4).
        """
        if node in self._flat:
            return
        self._flat.add(node)
        own = [pair for pair in node.value if pair[0].tag != MERGE]
        keys = _read_keys(node)
        merged = []
        for source in (one for key, value in node.value if key.tag == MERGE for one in _all(value)):
            if not isinstance(source, yaml.MappingNode):
                raise _fault("a mapping is expected to merge", source)
            self.flatten_mapping(source)
            new = [pair for pair in source.value if _name(pair[0]) not in keys]
            keys |= {_name(key) for key, _ in new}
            merged += new
        node.value = merged + own

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        """Keys as they are written, as a cluster has them: a number or `true` is a text."""
        if not isinstance(node, yaml.MappingNode):
            raise _fault("a mapping is expected here", node)
        self.flatten_mapping(node)
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault("a key that is no text", key)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}

    def construct_null(self, node: yaml.ScalarNode) -> None:
        self.construct_scalar(node)

    def construct_boolean(self, node: yaml.ScalarNode) -> bool:
        text = self.construct_scalar(node).lower()
        if text not in ("true", "false"):
            raise _fault("no boolean", node)
        return bool(text == "true")

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        text = self.construct_scalar(node)
        if len(text) > LONGEST_NUMBER:
            raise _fault("a number that is too long", node)
        if node.tag == CORE + "int" and re.fullmatch(INTEGER, text):
            return int(text, 16 if text.startswith("0x") else 10)
        if node.tag == CORE + "float" and re.fullmatch(f"{INTEGER}|{FLOAT}", text):
            return float(re.sub(r"\.(inf|nan)", r"\1", text.lower()))
        raise _fault("no number", node)

    def refuse(self, node: yaml.Node) -> None:
        raise _fault(f"a tag that is not read here ({node.tag.replace(CORE, '!!')[:100]})", node)


# The kinds of plain scalars by their first letters; the first that fits is taken.
for name, pattern, letters in (
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", "true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", INTEGER, list("-+0123456789")),
    ("float", FLOAT, list("-+.0123456789")),
    ("merge", "<<", ["<"]),
):
    _CoreLoader.add_implicit_resolver(CORE + name, re.compile(rf"(?:{pattern})\Z"), letters)
for name, construct in (
    ("null", _CoreLoader.construct_null),
    ("bool", _CoreLoader.construct_boolean),
    ("int", _CoreLoader.construct_number),
    ("float", _CoreLoader.construct_number),
    ("str", _CoreLoader.construct_yaml_str),
    ("merge", _CoreLoader.construct_yaml_str),  # as a value, it is only a text
    ("seq", _CoreLoader.construct_yaml_seq),
    ("map", _CoreLoader.construct_yaml_map),
):
    _CoreLoader.add_constructor(CORE + name, construct)
_CoreLoader.add_constructor(None, _CoreLoader.refuse)


def _read_keys(node: yaml.MappingNode) -> set[str | None]:
    """The keys of a mapping; raises where one stands twice, as the first would be lost."""
    keys: set[str | None] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in keys:
            raise _fault(f"the key {key.value[:SHOWN]!r} stands twice here", key)
        keys.add(_name(key))
    return keys


def _name(key: yaml.Node) -> str | None:
    """None of what is no text, which `construct_mapping` refuses."""
    return key.value if isinstance(key, yaml.ScalarNode) else None


def _all(value: yaml.Node) -> list[yaml.Node]:
    """What a merge key names: a mapping, or several."""
    return list(value.value) if isinstance(value, yaml.SequenceNode) else [value]


def _fault(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _describe(error: yaml.YAMLError) -> str:
    """What is wrong with a YAML text, in one line, with its place where that is known."""
    mark = getattr(error, "problem_mark", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    reason = getattr(error, "problem", None) or first_line(error)
    return f"{reason}{place}"


def _measure(events: Iterable[yaml.Event], limits: Limits) -> None:
    """Raises when the text is too much with its aliases written out."""
    end = time.thread_time() + limits.seconds
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    values = 0
    for event in events:
        if isinstance(event, START):
            open_nodes.append((event.anchor, values))
        if isinstance(event, yaml.AliasEvent):
            # An alias inside its own anchor (a loop) is not in `sizes` yet.
            values += sizes.get(event.anchor or "", limits.values)
        elif isinstance(event, (*START, yaml.ScalarEvent)):
            values += 1
            if isinstance(event, yaml.ScalarEvent) and event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, END):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = values - before
        if values > limits.values or len(open_nodes) > limits.levels:
            raise YamlError(
                f"the YAML has more than {limits.values} values or {limits.levels} levels (aliases "
                "count as what they stand for)"
            )
        if time.thread_time() > end:
            raise YamlError(f"reading it takes more than {limits.seconds:g} seconds")
