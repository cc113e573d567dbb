"""This repository: its labs, data sets, lock and regression suite."""
