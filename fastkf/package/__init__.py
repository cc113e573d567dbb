"""A compiled Kubeflow Pipelines package (IR YAML of KFP v2) as plain data."""
