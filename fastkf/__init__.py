"""Runs Kale notebooks as notebooks and as Kubeflow pipelines, and compares the two."""

import sys

# jsonschema imports this checker of IRI formats, which nobody here asks for, whenever nbformat is
# imported; building its grammar takes longer than all other imports together.
sys.modules.setdefault("rfc3987_syntax", None)
