"""Imports what a warm parent imports for the steps of notebooks, in a process that forks it."""

import importlib

from fastkf.base.iri import import_jsonschema
from fastkf.engine.warm import ahead

import_jsonschema()
for name in (*ahead.IMPORTED_BY_STEPS_OF_NOTEBOOKS, *ahead.IMPORTED_BY_EVERY_STEP):
    importlib.import_module(name)
