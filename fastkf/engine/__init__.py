"""The steps of a pipeline as processes and containers on this machine."""
