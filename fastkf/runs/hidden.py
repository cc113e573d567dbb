"""What of a step is not to be seen: the words of Secrets."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastkf.base.masks import Mask
from fastkf.runs.model import Failure, Values


def hide(parts: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    """Parts of a step by their names, masked; paths and names stay as they are."""
    return {name: _hide(part, mask) for name, part in parts.items()}


def hides(values: Values, mask: Mask) -> bool:
    """Whether some of the values are not to be seen."""
    return bool(mask) and _hide(values, mask) != values


def _hide(part: Any, mask: Mask) -> Any:
    match part:
        case Values():
            artifacts = {
                name: replace(one, metadata=mask.hide(one.metadata))
                for name, one in part.artifacts.items()
            }
            return Values(mask.hide(part.parameters), artifacts)
        case Failure():
            told = ("message", "text", "source", "remedy")
            texts = {name: getattr(part, name) for name in told}
            return replace(part, **{name: mask.hide(text) for name, text in texts.items()})
        case tuple() if all(isinstance(word, str) for word in part):
            return tuple(map(mask.hide_text, part))
    return part
