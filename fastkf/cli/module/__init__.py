"""`python -m fastkf` looks for `__main__` here: see `fastkf/__init__.py`."""
