"""References to environment variables in a container's words, as the kubelet expands them."""

import re
from collections.abc import Mapping

REFERENCE = re.compile(r"\$\$|\$\(([\w.-]+)\)")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """$(NAME) becomes the variable's value, where it has one, and $$ becomes $."""
    return REFERENCE.sub(lambda match: variables.get(match[1], match[0]) if match[1] else "$", text)
