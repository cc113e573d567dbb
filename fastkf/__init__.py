"""Runs Kale notebooks as notebooks and as Kubeflow pipelines, and compares the two."""

# For `python -m fastkf`: only `cli` talks to a person, so its `__main__` is in that room.
__path__.append(f"{__path__[0]}/cli/module")
