"""JupyterLab with Kale's panel switched on, and the Kubeflow Pipelines that its button talks to."""
