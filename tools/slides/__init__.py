"""Slides for a class, made from the labs: `make slides`."""
