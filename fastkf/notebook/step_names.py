"""Names of steps, from headings."""

import re
import unicodedata
from collections.abc import Iterable

from fastkf.notebook.check.tags import NAMES_THAT_ARE_TAGS

NUMBER = re.compile(
    r"^(?:(?:steps?|part|stage)\s+)?[\d.]+(?:\s*(?:,|and|&|-)\s*\d+)*\s*[:.)-]?\s+", re.I
)
LONGEST_NAME = 40


def name_of(heading: str) -> str:
    """A step's name from a heading: `Step 2: Load the *data*` gives load_the_data."""
    text = NUMBER.sub("", re.sub(r"[`*_\[\]]|\(http[^)]*\)", " ", heading).strip())
    words = re.sub(r"[^a-z0-9]+", "_", _without_accents(text)).strip("_")
    words = words[:LONGEST_NAME].rstrip("_")
    if not words or not words[0].isalpha():
        words = f"step_{words}".rstrip("_")
    return f"{words}_step" if words in NAMES_THAT_ARE_TAGS else words


def _without_accents(text: str) -> str:
    """In small letters, `ü` as u and `ß` as ss."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def free_name(name: str, taken: Iterable[str]) -> str:
    number, made = 2, name
    while made in taken:
        number, made = number + 1, f"{name}_{number}"
    return made
