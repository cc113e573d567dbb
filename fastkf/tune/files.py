"""Writes the YAML files of a tuning's folder."""

import os
from pathlib import Path

import yaml


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def write_yaml(path: Path, *documents: dict) -> None:
    """Writes a file as a whole: whoever reads it, or is interrupted, finds the old one or this."""
    draft = path.with_name(f".{path.name}")
    with draft.open("w", encoding="utf-8") as file:
        yaml.dump_all(documents, file, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    os.replace(draft, path)
