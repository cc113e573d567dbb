"""Writes the YAML files of a tuning's folder."""

from pathlib import Path
from typing import Any

import yaml

from fastkf.base.files import write_text


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def write_yaml(path: Path, *documents: dict[str, Any]) -> None:
    """Writes documents into one file, as a whole."""
    text = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    write_text(path, text)
