"""The picture of a pipeline."""
