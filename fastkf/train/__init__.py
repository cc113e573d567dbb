"""A TFJob, run on this machine."""
