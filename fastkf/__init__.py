"""Runs Kale notebooks as notebooks and as Kubeflow pipelines, and compares the two."""
