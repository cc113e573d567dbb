"""What the doctor looks at beside the API: the store, images, deployments, parts, and each lab."""
