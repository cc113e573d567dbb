"""Runs on a Kubeflow Pipelines server: signing in, submitting, following, examining."""
