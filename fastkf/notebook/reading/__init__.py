"""What Kale 2.3 and KFP make of a notebook that gives them nothing to say, without importing them.

Importing Kale takes a second, for the clients of Kubernetes and of Kubeflow Pipelines come with it.
Here the same is read from the syntax trees, as far as the notebook is plain: every tag and setting
is of a kind that is known here, and all code is Python. Of any other notebook `NotPlainError` is
raised, and Kale itself is asked (`fastkf.notebook.kale`): what it refuses, it says in its own
words, and what is rare, such as a reference to another notebook, is not told a second time here.

Each function names the one of Kale's whose result it has. tests/unit/test_reading.py compares the
two, notebook by notebook.
"""
