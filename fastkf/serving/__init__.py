"""Trained models, served on this machine through kserve's REST server."""
