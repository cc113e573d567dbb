"""Kale's settings in the metadata of a notebook (kale/pipeline.py, PipelineConfig)."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastkf.notebook.reading.errors import NotPlainError

DEFAULT_IMAGE = "python:3.12"
DEFAULT_MARSHAL_PATH = "/tmp/marshal"
IMAGE_VARIABLE = "KALE_DEFAULT_BASE_IMAGE"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_nothing(value: object) -> bool:
    return value is None or value == []


# Those that most notebooks have, each with what it may be. None is as good as nothing.
_PLAIN: Mapping[str, Callable[[Any], bool]] = {
    "pipeline_name": lambda value: isinstance(value, str) and bool(_NAME.fullmatch(value)),
    "experiment_name": _is_text,
    "pipeline_description": _is_text,
    "base_image": _is_text,
    "marshal_path": _is_text,
    "kfp_host": _is_text,
    "abs_working_dir": _is_text,
    "experiment": lambda value: isinstance(value, dict),
    "enable_caching": _is_truth,
    "katib_run": _is_truth,
    "snapshot_volumes": _is_truth,
    "volumes": _is_nothing,
    "steps_defaults": _is_nothing,
    "volume_access_mode": lambda value: value in ("", "rom", "rwo", "rwm"),
}
_REQUIRED = ("pipeline_name", "experiment_name")


@dataclass(frozen=True)
class Config:
    """The settings that decide what is compiled, under Kale's names for them."""

    pipeline_name: str
    pipeline_description: str
    base_image: str
    marshal_path: str
    enable_caching: bool
    volumes: tuple[Any, ...] = ()


def are_plain(settings: Mapping[str, Any]) -> bool:
    """Whether Kale is known to accept the settings."""
    given = {key: value for key, value in settings.items() if value is not None}
    return all(key in given for key in _REQUIRED) and all(
        key in _PLAIN and _PLAIN[key](value) for key, value in given.items()
    )


def read_settings(settings: Mapping[str, Any]) -> Config:
    """The settings of a notebook, with Kale's defaults for what they do not say.

    Raises:
        NotPlainError: they are for Kale to judge.
    """
    if not are_plain(settings):
        raise NotPlainError("the settings")

    def get(key: str, default: Any) -> Any:
        value = settings.get(key)
        return default if value is None else value

    image = get("base_image", "") or os.environ.get(IMAGE_VARIABLE, "").strip() or DEFAULT_IMAGE
    return Config(
        settings["pipeline_name"],
        get("pipeline_description", ""),
        image,
        get("marshal_path", DEFAULT_MARSHAL_PATH),
        get("enable_caching", True),
    )
