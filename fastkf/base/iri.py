"""Imports jsonschema without the time that its check of IRIs takes to set up.

`import nbformat`, and with it Kale and papermill, imports jsonschema. Where the package
`rfc3987_syntax` is installed, jsonschema/_format.py imports it for its formats "iri" and
"iri-reference", and it builds a grammar at once: 1.2 of the 1.4 seconds of `import nbformat`.
"""

import importlib
import importlib.util
import sys
from types import ModuleType

GRAMMAR = "rfc3987_syntax"


def import_jsonschema() -> None:
    """Imports jsonschema; the grammar of IRIs is built when the first IRI is checked.

    While jsonschema is imported, a stand-in with the one function that it takes is found in the
    grammar's place. Nothing of it is left: jsonschema checks IRIs as ever, and
    `import rfc3987_syntax` finds the real module.
    """
    known = {"jsonschema", GRAMMAR} & set(sys.modules)
    if known or not all(map(importlib.util.find_spec, ("jsonschema", GRAMMAR))):
        return
    stand_in = ModuleType(GRAMMAR)
    vars(stand_in)["is_valid_syntax"] = _is_valid_syntax
    sys.modules[GRAMMAR] = stand_in
    try:
        importlib.import_module("jsonschema")
    finally:
        del sys.modules[GRAMMAR]


def _is_valid_syntax(term: str, value: str) -> bool:
    return bool(importlib.import_module(GRAMMAR).is_valid_syntax(term, value))
