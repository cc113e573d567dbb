"""The regression suite of notebooks, a pytest plugin."""
