"""What every room needs and no one else has a better place for. Knows nothing of Kubeflow."""
