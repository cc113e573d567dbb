"""One executor for each kind of task."""
