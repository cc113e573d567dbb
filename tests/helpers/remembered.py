"""What Kale asks of other packages again and again: in a process of tests it is done once.

The same code is formatted in the same way, and the same template becomes the same program. With
this, Kale compiles a notebook in half the time.
"""

import base64
import functools
from collections.abc import Set
from pathlib import Path

import autopep8
import jinja2

format_code = autopep8.fix_code
format_once = functools.cache(format_code)
load_template = jinja2.BaseLoader.load


class Templates(jinja2.BytecodeCache):
    """The programs of Kale's templates, by jinja's own keys."""

    def __init__(self):
        self.programs: dict[str, bytes] = {}

    def load_bytecode(self, bucket):
        if program := self.programs.get(bucket.key):
            bucket.bytecode_from_string(program)

    def dump_bytecode(self, bucket):
        self.programs[bucket.key] = bucket.bytecode_to_string()


TEMPLATES = Templates()


@functools.wraps(format_code)
def fix_code(source, *others, **named):
    if others or named:
        return format_code(source, *others, **named)
    return format_once(source)


@functools.wraps(load_template)
def load(self, environment, *others, **named):
    if is_of_kale(self) and environment.bytecode_cache is None:
        environment.bytecode_cache = TEMPLATES
    return load_template(self, environment, *others, **named)


def is_of_kale(loader: jinja2.BaseLoader) -> bool:
    folders = [Path(folder).parent.name for folder in getattr(loader, "searchpath", ())]
    return "kale" in (getattr(loader, "package_name", None), *folders)


def tell(known: Set[str]) -> dict[str, str]:
    """The programs of templates as text, but those that are known."""
    new = TEMPLATES.programs.keys() - known
    return {key: base64.b64encode(TEMPLATES.programs[key]).decode() for key in new}


def take(programs: dict[str, str]) -> None:
    """What `tell` has told in another process."""
    TEMPLATES.programs |= {key: base64.b64decode(text) for key, text in programs.items()}


def remember() -> None:
    autopep8.fix_code, jinja2.BaseLoader.load = fix_code, load
