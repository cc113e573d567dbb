"""The runs' metadata as ML Metadata has them, where clients of Kubeflow Pipelines 2.17 look."""
