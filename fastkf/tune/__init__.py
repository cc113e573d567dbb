"""Tunes Katib Experiments, and Kale notebooks, on this machine: Optuna proposes, processes try."""
